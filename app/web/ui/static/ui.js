// What the page does around htmx: the CSRF header, dialogs, notices, lists to choose from, the open appeal's mark.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);

  // htmx may not compile code from attributes: an expression that slipped into a page stays text.
  class NoCode { constructor() { throw new Error("code in attributes is switched off"); } }
  const asIs = { createHTML: (html) => html, createScript: () => "" };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("otklik", asIs) : asIs;
  htmx.registerExtension("otklik", { init: (api) => api.initSecurity(policy, NoCode, NoCode) });

  document.addEventListener("htmx:config:request", (event) => {
    const token = document.querySelector('meta[name="csrf"]');
    const ctx = event.detail.ctx;
    if (token) ctx.request.headers["X-CSRF-Token"] = token.content;
    if (ctx.quiet || ctx.sourceElement?.id === "facets" || ctx.sourceElement?.matches("[data-unattended]")) ctx.request.headers["X-Otklik-Unattended"] = "1"; // keeps no session alive
  });

  // --- notices: what went wrong, in words; never instead of the reader's own text ---
  const notify = (text, bad) => {
    const box = byId("notices");
    const notice = document.createElement("div");
    notice.className = bad ? "notice bad" : "notice";
    const words = document.createElement("p");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", box.dataset.close);
    close.addEventListener("click", () => notice.remove());
    notice.append(words, close);
    box.append(notice);
    while (box.children.length > 3) box.firstElementChild.remove();
    if (!bad) setTimeout(() => notice.remove(), 6000);
  };
  const said = (ctx) => {
    const box = byId("notices");
    if (ctx.response.status === 401) return box.dataset.signedOut;
    try {
      const problem = JSON.parse(ctx.text);
      return problem.detail || problem.title || box.dataset.failed;
    } catch { return box.dataset.failed; }
  };
  // Somebody was faster: the appeal is shown as it is now, around what the reader has written.
  const readAgain = async (action, text) => {
    const number = byId("card")?.dataset.number;
    if (!number) return;
    await htmx.ajax("GET", `/appeals/${number}${location.search}`, { target: "#card", swap: "innerMorph", source: byId("card"), quiet: true });
    const version = document.querySelector("#card .appeal-head")?.dataset.version;
    for (const field of dialog.querySelectorAll('input[name="version"]')) if (version) field.value = version;
    if (!action || dialog.open) return;
    const place = [...document.querySelectorAll("#card form")].find((form) => form.action === action)?.querySelector(".form-error");
    if (place) place.textContent = text;
    else notify(text, true); // the form has gone with what it was for; its text stays as a draft
  };
  document.addEventListener("htmx:response:error", (event) => {
    const ctx = event.detail.ctx;
    if (ctx.quiet) return;
    const form = ctx.sourceElement.closest("form"), place = form?.querySelector(".form-error");
    if (place) place.textContent = said(ctx);
    else notify(said(ctx), true);
    if (ctx.response.status === 409) readAgain(place ? form.action : "", said(ctx));
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx && !event.detail.ctx.quiet) notify(byId("notices").dataset.offline, true);
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const response = event.detail.ctx.response;
    if (response && response.status >= 400) event.preventDefault(); // else the address would change all the same
  });
  document.addEventListener("htmx:before:request", (event) => {
    const place = event.detail.ctx.sourceElement.closest("form")?.querySelector(".form-error");
    if (place) place.textContent = "";
  });

  // --- dialogs ---
  const dialog = byId("dialog");
  document.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside of it
    const closer = event.target.closest?.("[data-close-dialog]");
    if (closer && dialog.open) { event.preventDefault(); dialog.close(); }
  });
  dialog.addEventListener("close", () => dialog.replaceChildren());

  // --- after something has come ---
  const markOpen = () => {
    const number = document.querySelector("#card .appeal-head")?.dataset.number ?? "";
    const card = byId("card");
    if (card) card.dataset.number = number;
    for (const row of document.querySelectorAll("a[data-row]")) {
      if (row.dataset.number === number) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    const main = byId("main");
    if (number && main?.dataset.view) main.dataset.view = "appeal";
  };
  const openNext = () => {
    const rows = [...document.querySelectorAll("a[data-row]")];
    const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
    (rows[at + 1] ?? rows[at - 1])?.click();
  };
  // What was written has gone: the letters work again, and nobody types the next answer into a note.
  const leaveText = (form) => {
    const area = form.querySelector("textarea");
    if (area && document.activeElement !== area) return;
    const tab = byId("tab-answer") ?? byId("tab-note");
    if (tab) { tab.checked = true; tab.focus({ preventScroll: true }); } else area?.blur();
  };
  document.addEventListener("htmx:after:swap", (event) => {
    const ctx = event.detail.ctx;
    const target = ctx.target?.id ? ctx.target : event.target;
    if (ctx.target?.id === "dialog") {
      if (!dialog.open) dialog.showModal();
      dialog.querySelector("[autofocus], .picker-search, input[type=radio], textarea")?.focus();
    }
    const form = ctx.request.form ?? null;
    if (form?.hasAttribute("data-closes-dialog") && dialog.open) {
      dialog.close();
      if (form.hasAttribute("data-then-next")) openNext();
    }
    if (form?.hasAttribute("data-clears-draft") && ctx.response.status < 400) leaveText(form);
    if (target?.id === "rows" && ctx.sourceElement?.closest?.("#filters")) htmx.trigger(byId("facets"), "facets");
    const total = document.querySelector("#triage-rows [data-total]");
    if (total && byId("triage-total")) byId("triage-total").textContent = total.dataset.total;
    markOpen();
    document.dispatchEvent(new Event("otklik:changed"));
  });

  // --- lists to choose from, narrowed by what is typed ---
  const fold = (text) => text.toLowerCase().replaceAll("ё", "е");
  document.addEventListener("input", (event) => {
    const search = event.target.closest?.("[data-picker-search]");
    if (!search) return;
    const picker = search.closest("[data-picker]");
    const words = fold(search.value).split(/\s+/).filter(Boolean);
    let any = false;
    for (const group of picker.querySelectorAll(".picker-group")) {
      const heading = fold(group.querySelector(".picker-heading")?.textContent ?? "");
      let some = false;
      for (const choice of group.querySelectorAll(".picker-choice")) {
        const text = `${heading} ${fold(choice.textContent)}`;
        choice.hidden = !words.every((word) => text.includes(word));
        some ||= !choice.hidden;
      }
      group.hidden = !some;
      any ||= some;
    }
    picker.querySelector(".picker-none").hidden = any;
  });
  document.addEventListener("keydown", (event) => {
    const search = event.target.closest?.("[data-picker-search]");
    if (!search || (event.key !== "Enter" && event.key !== "ArrowDown")) return;
    const first = search.closest("[data-picker]").querySelector(".picker-choice:not([hidden]) input");
    event.preventDefault();
    if (!first) return;
    first.checked = true;
    first.focus();
  });

  // --- a picture that cannot be had leaves its line, not a broken frame ---
  document.addEventListener("error", (event) => {
    const picture = event.target;
    if (!picture.matches?.("img[data-picture]")) return;
    const line = picture.closest("li"), asked = Number(picture.dataset.asked || 0);
    if (asked < 3) {  // the worker may be fetching it: ask again, then give up
      picture.dataset.asked = String(asked + 1);
      line.classList.add("picture-comes");
      setTimeout(() => { picture.src = picture.src.split("?")[0] + "?again=" + (asked + 1); }, 2000 * (asked + 1));
      return;
    }
    line.classList.remove("picture-comes");
    line.classList.add("no-picture");
  }, true);

  // --- characters that are left in an answer ---
  const count = (area) => {
    const counter = document.querySelector(`[data-counter-for="${area.id}"]`);
    if (!counter) return;
    const left = area.maxLength - area.value.length;
    counter.textContent = area.value.length > area.maxLength * 0.5 ? String(left) : "";
    counter.classList.toggle("full", left < 50);
  };
  document.addEventListener("input", (event) => { if (event.target.matches?.("textarea[maxlength]")) count(event.target); });

  document.addEventListener("DOMContentLoaded", markOpen);
  window.otklik = { notify, openNext };
})();
