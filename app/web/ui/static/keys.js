// The keyboard. Letters go by the key's place on the board when the layout is not Latin, so they work in Russian.
(() => {
  "use strict";
  const PLACES = { Slash: "/", Digit1: "1", Digit2: "2", Digit3: "3", Numpad1: "1", Numpad2: "2", Numpad3: "3" };
  const wide = window.matchMedia("(min-width: 768px)");
  let opening = 0;

  const meant = (event) => {
    if (event.key === "?" || (event.code === "Slash" && event.shiftKey)) return "?";
    if (/^[a-z/1-3]$/i.test(event.key)) return event.key.toLowerCase();
    if (/^Key[A-Z]$/.test(event.code)) return event.code.slice(3).toLowerCase();
    return PLACES[event.code] ?? "";
  };
  const writing = (element) => element.matches("textarea, select, [contenteditable], input:not([type=radio]):not([type=checkbox])");

  const move = (step) => {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const focused = rows.indexOf(document.activeElement.closest("[data-row]"));
    const at = focused >= 0 ? focused : rows.findIndex((row) => row.hasAttribute("aria-current"));
    const row = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    row.focus();
    row.scrollIntoView({ block: "nearest" });
    clearTimeout(opening); // who runs down the list does not open (and so read) everything on the way
    if (row.matches("a") && wide.matches) opening = setTimeout(() => { if (document.activeElement === row && !row.hasAttribute("aria-current")) row.click(); }, 220);
  };
  const press = (key) => {
    const control = document.querySelector(`[data-key="${key}"]`);
    if (!control) return false;
    if (control.dataset.focus) { control.checked = true; document.getElementById(control.dataset.focus)?.focus(); }
    else if (control.matches("input")) { control.focus(); control.select(); }
    else control.click();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    const element = event.target;
    if (!(element instanceof Element)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && element.matches("[data-sends]")) {
      event.preventDefault();
      element.form.requestSubmit();
      return;
    }
    if (element.id === "q" && (event.key === "Enter" || event.key === "ArrowDown") && !event.isComposing) {
      event.preventDefault(); // out of the search, into what it found: j and k go on from here
      if (event.key === "Enter") element.form.requestSubmit();
      element.blur();
      if (event.key === "ArrowDown") move(1);
      return;
    }
    if (event.key === "Escape" && writing(element) && !document.querySelector("dialog[open]")) { element.blur(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (document.body.dataset.keys === "off" || writing(element) || document.querySelector("dialog[open]")) return;
    const key = meant(event);
    let done = true;
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (/^[1-3]$/.test(key)) {
      const pick = element.closest("[data-row]")?.querySelector(`[data-pick="${key}"]`);
      if (pick) pick.click(); else done = false;
    } else if (key) done = press(key);
    else done = false;
    if (done) event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    const tab = event.target;
    if (tab.matches?.("[data-focus]")) document.getElementById(tab.dataset.focus)?.focus();
  });
})();
