// Runs before the first paint: the theme of the device, when the reader left the choice to it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.dataset.js = "";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    if (root.dataset.themeChoice !== "auto") return;
    root.dataset.bsTheme = dark.matches ? "dark" : "light";
    document.dispatchEvent(new Event("otklik:theme"));
  };
  apply();
  dark.addEventListener("change", apply);
})();
