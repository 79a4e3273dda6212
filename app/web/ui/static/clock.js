// Keeps "2 h 15 min left" right between two answers of the server, by the server's clock.
(() => {
  "use strict";
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  const ahead = Date.parse(document.body.dataset.now) - Date.now(); // clocks of office machines are often wrong
  const units = document.getElementById("units").dataset;

  const span = (seconds) => {
    const whole = Math.abs(Math.trunc(seconds));
    if (whole >= 2 * DAY) return `${Math.floor(whole / DAY)} ${units.d} ${Math.floor((whole % DAY) / HOUR)} ${units.h}`;
    const minutes = Math.floor((whole % HOUR) / MINUTE);
    if (whole >= HOUR) return `${Math.floor(whole / HOUR)} ${units.h} ${String(minutes).padStart(2, "0")} ${units.min}`;
    return `${minutes} ${units.min}`;
  };
  const tick = () => {
    const now = Date.now() + ahead;
    for (const left of document.querySelectorAll("time[data-left]")) {
      const seconds = (Date.parse(left.dateTime) - now) / 1000;
      let state = "calm";
      if (seconds <= 0) state = "overdue";
      else if (now >= Date.parse(left.dataset.near)) state = "near";
      const text = span(seconds);
      const shown = left.querySelector(".left-span");
      if (shown.textContent !== text) shown.textContent = text;
      left.querySelector(".left-sign").textContent = seconds < 0 ? "−" : "";
      if (left.dataset.state === state) continue;
      left.dataset.state = state;
      left.querySelector(".left-word").textContent = state === "overdue" ? units.overdue : units.left;
      const row = left.closest("[data-row]");
      if (row) row.dataset.state = state;
    }
  };
  setInterval(tick, 15000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
})();
