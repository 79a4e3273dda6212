// The live channel: says which appeals changed, and the page fetches what it shows of them; at most once a second.
(() => {
  "use strict";
  const DOUBT = 5000, EVERY = 1000, FACETS_EVERY = 10000, HIDDEN_FOR = 30000, POLL = 30000, LONGEST = 30000;
  const address = document.body.dataset.live;
  if (!address) return;
  let cursor = document.body.dataset.liveCursor;
  let source = null, pause = 1000, timer = 0, sleeping = 0, doubt = 0;
  let numbers = new Set(), all = false, due = 0, last = 0, lastFacets = 0, recounting = 0, known = null;

  const show = (state) => {
    const place = document.getElementById("live");
    if (!place || place.dataset.state === state) return;
    place.dataset.state = state;
    place.title = place.dataset[`${state}Title`];
    place.querySelector(".live-text").textContent = place.dataset[state];
  };

  const get = (path, target, swap) => {
    const place = document.querySelector(target);
    return place ? htmx.ajax("GET", path, { target, swap, source: place, quiet: true }) : null;
  };
  const rowsPath = (place) => {
    const form = document.getElementById(place.dataset.liveForm);
    const query = new URLSearchParams(form ? new FormData(form) : "");
    for (const [name, value] of [...query]) if (!value) query.delete(name);
    const shown = place.querySelectorAll("[data-row]").length;
    if (shown) query.set("take", shown);
    return `${place.dataset.liveRows}?${query}`;
  };
  // Counts cost more than rows: once in a while, and once more for what happened in between.
  const recount = () => {
    if (recounting || !document.getElementById("facets")) return;
    recounting = setTimeout(() => {
      recounting = 0;
      lastFacets = Date.now();
      htmx.trigger(document.getElementById("facets"), "facets");
    }, Math.max(0, lastFacets + FACETS_EVERY - Date.now()));
  };
  const refresh = () => {
    due = 0;
    last = Date.now();
    const place = document.querySelector("[data-live-rows]");
    if (place) get(rowsPath(place), `#${place.id}`, "innerMorph");
    const card = document.getElementById("card");
    if (card?.dataset.number && (all || numbers.has(card.dataset.number))) {
      get(`/appeals/${card.dataset.number}${location.search}`, "#card", "innerMorph");
    }
    recount();
    numbers = new Set();
    all = false;
  };
  const plan = () => {
    if (due || document.hidden) return;
    due = setTimeout(refresh, Math.max(0, last + EVERY - Date.now()));
  };

  // The numbers of the top line; where the coordinator's queue is open, its rows come with them.
  const count = (news) => {
    const put = (place, value) => {
      if (!place || value === null || value === undefined) return;
      place.hidden = value === 0;
      place.textContent = value.toLocaleString(document.documentElement.lang);
    };
    put(document.getElementById("triage-count"), news.triage);
    for (const kind of ["overdue", "near"]) put(document.querySelector(`#bell [data-count="${kind}"]`), news[kind]);
    const stops = document.getElementById("stops");
    if (stops && news.stops !== undefined && stops.dataset.stops !== news.stops) get("/publishing/banner", "#stops", "outerMorph");
    const waiting = document.querySelector('[data-live-rows="/triage/rows"]');
    if (waiting && news.triage !== known && known !== null) { all = true; plan(); }
    known = news.triage ?? known;
  };

  const stop = () => { source?.close(); source = null; clearTimeout(timer); };
  const start = () => {
    stop();
    source = new EventSource(`${address}?after=${encodeURIComponent(cursor)}`);
    source.addEventListener("open", () => { clearTimeout(doubt); doubt = 0; pause = 1000; show("on"); });
    source.addEventListener("appeals", (event) => {
      if (event.lastEventId) cursor = event.lastEventId;
      let news = {};
      try { news = JSON.parse(event.data); } catch { all = true; }
      for (const number of news.numbers ?? []) numbers.add(String(number));
      if (news.all) all = true;
      plan();
    });
    source.addEventListener("counts", (event) => {
      if (event.lastEventId) cursor = event.lastEventId;
      try { count(JSON.parse(event.data)); } catch { /* the next one will say */ }
    });
    source.addEventListener("error", () => {
      if (!navigator.onLine) show("off");
      else if (!doubt) { show("connecting"); doubt = setTimeout(() => show("off"), DOUBT); } // a short gap is no news
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself, with the last id
      stop();
      show("off");
      timer = setTimeout(start, pause + Math.random() * 500);
      pause = Math.min(pause * 2, LONGEST);
    });
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(sleeping);
    if (document.hidden) { sleeping = setTimeout(stop, HIDDEN_FOR); return; } // a browser has few connections to give
    if (!source) start();
    if (numbers.size || all) plan();
  });
  window.addEventListener("online", start);
  window.addEventListener("offline", () => show("off"));
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { all = true; start(); plan(); } });
  setInterval(() => {
    const state = document.getElementById("live")?.dataset.state;
    if (state !== "on" && !document.hidden && navigator.onLine) { all = true; plan(); }
  }, POLL);
  start();
})();
