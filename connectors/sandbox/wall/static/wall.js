// The wall: writing without reloading, and news from the server as it happens.
"use strict";

const head = document.querySelector("[data-wall]");
const localTime = new Intl.DateTimeFormat(document.documentElement.lang, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

function tellTimes(root) {
  for (const item of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(item.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      item.textContent = localTime.format(moment);
      item.title = item.dateTime;
    }
  }
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // our own server's escaped HTML
  tellTimes(template.content);
  return template.content;
}

// Who writes: remembered in this browser, and shown by which buttons appear.
const identity = document.querySelector("[data-identity]");

function speaker() {
  const asPage = identity.elements.as.value === "page";
  return { asPage, name: identity.elements.author.value.trim() };
}

function markOwn(root) {
  const { asPage, name } = speaker();
  for (const item of root.querySelectorAll("[data-comment-id]")) {
    const own = asPage ? item.dataset.kind === "page" : item.dataset.kind === "citizen" && item.dataset.author === name;
    item.classList.toggle("mine", own);
  }
}

function showIdentity() {
  const { asPage, name } = speaker();
  document.body.classList.toggle("as-page", asPage);
  identity.elements.author.hidden = asPage;
  localStorage.setItem("sandbox-name", name);
  markOwn(document);
}

function toast(text) {
  const place = document.querySelector("[data-toast]");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { place.hidden = true; }, 6000);
}

async function post(address, values) {
  const response = await fetch(address, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(values),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    toast(`${head.dataset.failed}: ${answer.error || response.status}`);
    throw new Error(answer.error || String(response.status));
  }
  return answer;
}

async function get(address) {
  const response = await fetch(address);
  return response.ok ? fragment(await response.text()) : null;
}

// News: one comment or post is fetched and put in its place; drafts of the reader stay untouched.
async function bring(postId, id) {
  const content = await get(`${head.dataset.wall}/${postId}/${id}`);
  if (!content) { return; }
  const fresh = content.querySelector("[data-item]");
  const article = fresh.querySelector("[data-comment-id]");
  const known = document.querySelector(`[data-item="${id}"] > [data-comment-id]`);
  if (known) {
    known.replaceWith(article);
    markOwn(article.parentElement);
    return;
  }
  const list = fresh.dataset.root
    ? document.querySelector(`[data-replies="${fresh.dataset.root}"]`)
    : document.querySelector(`[data-top="${postId}"]`);
  if (!list) { return; }
  list.closest(".comments").querySelector("[data-empty]")?.remove();
  place(list, fresh, Number(id));
  fresh.classList.add("fresh");
  markOwn(fresh);
}

function place(list, item, id) {
  const after = [...list.children].find((other) => Number(other.dataset.item) > id);
  list.insertBefore(item, after || null);
}

function recount(postId, change) {
  const count = document.querySelector(`[data-post-id="${postId}"] [data-count]`);
  if (count) { count.textContent = String(Number(count.textContent) + change); }
}

async function bringPost(postId) {
  const content = await get(`${head.dataset.wall}/${postId}?part=1`);
  if (!content) { return; }
  const fresh = content.querySelector("article");
  const known = document.querySelector(`article[data-post-id="${postId}"].post`);
  if (known) {
    known.querySelector(".post-text")?.replaceWith(fresh.querySelector(".post-text") || "");
  } else if (!head.dataset.single) {
    document.querySelector("[data-posts] > [data-empty]")?.remove();
    document.querySelector("[data-posts]").prepend(fresh);
    markOwn(fresh);
  }
}

const counts = { comment: 1, delete: -1, restore: 1 };
let queue = Promise.resolve();

function hear(news) {
  // One after the other, in the order in which things happened.
  queue = queue.then(async () => {
    if (news.op === "delete_post") {
      document.querySelector(`article[data-post-id="${news.post}"].post`)?.remove();
    } else if (["post", "edit_post", "open"].includes(news.op)) {
      await bringPost(news.post);
    } else {
      recount(news.post, counts[news.op] || 0);
      await bring(news.post, news.id);
    }
  }).catch(() => undefined);
}

function live() {
  const state = document.querySelector("[data-live]");
  const source = new EventSource(`${head.dataset.wall}/events?after=${head.dataset.news}`);
  const show = (on) => {
    state.textContent = on ? head.dataset.liveOn : head.dataset.liveOff;
    state.classList.toggle("off", !on);
  };
  source.addEventListener("open", () => show(true));
  source.addEventListener("error", () => show(false));
  source.addEventListener("news", (event) => hear(JSON.parse(event.data)));
  source.addEventListener("missed", () => location.reload());
  window.addEventListener("pagehide", () => source.close());
}

// Acts of the reader.
function openForm(article, kind) {
  const old = article.parentElement.querySelector(":scope > form");
  const same = old?.hasAttribute(`data-${kind}`);
  old?.remove();
  if (same) { return; }
  const form = document.getElementById(`${kind}-form`).content.firstElementChild.cloneNode(true);
  const { commentId, postId } = article.dataset;
  if (kind === "reply") {
    form.action = `${head.dataset.wall}/${postId}/comments`;
    form.dataset.replyTo = commentId;
  } else {
    form.action = `${head.dataset.wall}/${postId}/${commentId}/edit`;
    form.elements.text.value = article.querySelector(".comment-text")?.textContent || "";
  }
  article.after(form);
  form.elements.text.focus();
}

async function act(button) {
  const article = button.closest("[data-comment-id]");
  const kind = button.dataset.act;
  if (kind === "cancel") {
    button.closest("form").remove();
  } else if (kind === "reply" || kind === "edit") {
    openForm(article, kind);
  } else {
    await post(`${head.dataset.wall}/${article.dataset.postId}/${article.dataset.commentId}/${kind}`, {});
  }
}

async function send(form) {
  const { asPage, name } = speaker();
  const values = { text: form.elements.text.value };
  if (asPage) { values.as_page = "1"; } else { values.author = name; }
  if (form.dataset.replyTo) { values.reply_to = form.dataset.replyTo; }
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    await post(form.action, values);
    if (form.dataset.reply !== undefined || form.dataset.edit !== undefined) { form.remove(); } else { form.reset(); }
  } finally {
    button.disabled = false;
  }
}

tellTimes(document);
if (head) {
  identity.elements.author.value = localStorage.getItem("sandbox-name") ?? identity.elements.author.value;
  identity.addEventListener("input", showIdentity);
  identity.addEventListener("submit", (event) => event.preventDefault());
  showIdentity();
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (button) { act(button).catch(() => undefined); }
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-send]")) {
      event.preventDefault();
      send(event.target).catch(() => undefined);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form?.matches("form[data-send]")) {
      event.target.form.requestSubmit();
    }
  });
  live();
}
