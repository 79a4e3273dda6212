// What an operator has written and not yet sent stays in this browser until it is sent or they sign out.
(() => {
  "use strict";
  const PREFIX = "otklik.draft:";
  const KEEP = 30 * 86400 * 1000;
  const owner = document.body.dataset.drafts;
  const store = (() => { try { return window.localStorage; } catch { return null; } })(); // forbidden by some policies
  if (!owner || !store) return;

  const keyOf = (area) => `${PREFIX}${owner}:${area.dataset.draft}`;
  const say = (area, saved) => {
    const place = area.closest(".editor")?.querySelector("[data-draft-state]");
    if (place) place.textContent = saved ? place.dataset.saved : "";
  };
  const save = (area) => {
    try {
      if (area.value.trim()) store.setItem(keyOf(area), JSON.stringify({ text: area.value, at: Date.now() }));
      else store.removeItem(keyOf(area));
      say(area, Boolean(area.value.trim()));
    } catch { say(area, false); } // the store is full: say nothing that is not true
  };
  const read = (key) => { try { return JSON.parse(store.getItem(key)); } catch { return null; } };
  const restore = () => {
    for (const area of document.querySelectorAll("textarea[data-draft]")) {
      const draft = read(keyOf(area));
      if (!draft || area.value) continue;
      area.value = draft.text;
      say(area, true);
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  const forget = (test) => {
    for (const key of Object.keys(store)) if (key.startsWith(PREFIX) && test(key)) store.removeItem(key);
  };

  const waiting = new Map();
  document.addEventListener("input", (event) => {
    const area = event.target;
    if (!area.matches?.("textarea[data-draft]")) return;
    clearTimeout(waiting.get(area));
    waiting.set(area, setTimeout(() => save(area), 250));
  });
  window.addEventListener("pagehide", () => { for (const [area, timer] of waiting) { clearTimeout(timer); if (area.isConnected) save(area); } });
  document.addEventListener("htmx:before:swap", (event) => {
    const form = event.detail.ctx.request.form;
    const sent = form?.hasAttribute("data-clears-draft") && event.detail.ctx.response.status < 400;
    for (const [area, timer] of waiting) {
      clearTimeout(timer); // before its element goes away
      if (area.isConnected && area.form !== (sent ? form : null)) save(area);
    }
    waiting.clear();
    if (!sent) return;
    for (const area of form.querySelectorAll("textarea[data-draft]")) { area.value = ""; save(area); }
  });
  document.addEventListener("submit", (event) => { if (event.target.matches("[data-sign-out]")) forget((key) => key.startsWith(`${PREFIX}${owner}:`)); });
  document.addEventListener("otklik:changed", restore);
  document.addEventListener("DOMContentLoaded", () => {
    forget((key) => (read(key)?.at ?? 0) < Date.now() - KEEP);
    restore();
  });
})();
