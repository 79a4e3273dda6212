// The chart draws the table's own figures, so that the two can never differ.
(() => {
  "use strict";
  const MOST = 20, LINE = 46, FOOT = 34;
  const KINDS = ["average", "median", "p90"];
  const place = document.getElementById("chart");
  const rows = [...document.querySelectorAll("#report-table tbody tr")].filter((row) => row.dataset.average !== "").slice(0, MOST);
  if (!place || !rows.length) { place?.closest(".chart-box")?.remove(); return; }

  // Where Trusted Types are demanded, ECharts may empty an element (it does so once) and write no markup at all.
  try { window.trustedTypes?.createPolicy("default", { createHTML: (html) => (html === "" ? "" : null) }); } catch { /* not demanded */ }

  place.style.height = `${rows.length * LINE + FOOT}px`;
  const chart = echarts.init(place, null, { renderer: "canvas" });
  const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const plain = new Intl.NumberFormat(document.documentElement.lang);

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12, color: colour("--ink") };
    chart.setOption({
      animation: false,
      grid: { left: 4, right: 48, top: 8, bottom: 0, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: {
        type: "value", min: 0, splitNumber: place.clientWidth < 500 ? 2 : 5,
        axisLabel: { ...font, color: colour("--muted"), formatter: (value) => plain.format(value) },
        splitLine: { lineStyle: { color: colour("--line") } },
      },
      yAxis: {
        type: "category", inverse: true, data: rows.map((row) => row.dataset.label),
        axisTick: { show: false }, axisLine: { show: false }, axisLabel: { ...font, width: Math.min(260, place.clientWidth * 0.4), overflow: "truncate" },
      },
      series: KINDS.map((kind) => ({
        type: "bar", barWidth: 10, barGap: "20%", silent: true,
        itemStyle: { color: colour(`--chart-${kind}`), borderRadius: [0, 2, 2, 0] },
        label: { ...font, show: kind !== "median", position: "right", fontSize: 11, color: kind === "average" ? colour("--ink") : colour("--muted"), formatter: (point) => number.format(point.value) },
        data: rows.map((row) => Number(row.dataset[kind])),
      })),
    });
  };
  draw();
  document.fonts?.ready.then(draw);
  document.addEventListener("otklik:theme", draw);
  new ResizeObserver(() => { chart.resize(); draw(); }).observe(place);
})();
