// Each picture draws the figures of its own table, so that the two can never differ; what is clicked leads where the table's link leads.
(() => {
  "use strict";
  const HOUR = 3600, TILE = { width: 168, height: 58 }, HEAT_LINE = 26, READABLE = 4.5, NARROW = 520;
  document.querySelector("form[data-submits]")?.addEventListener("change", (event) => {
    if (event.target.tagName === "SELECT") event.currentTarget.requestSubmit();
  });
  const figures = [...document.querySelectorAll("figure[data-picture]")];
  if (!figures.length || !window.echarts) return;

  // Where Trusted Types are demanded, ECharts may empty an element (it does so once) and write no markup at all.
  try { window.trustedTypes?.createPolicy("default", { createHTML: (html) => (html === "" ? "" : null) }); } catch { /* not demanded */ }

  const plain = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
  const scaled = (value, unit) => (unit === "seconds" ? value / HOUR : unit === "share" ? value * 100 : value);
  const axisText = (unit) => (value) => plain.format(value) + (unit === "share" ? " %" : "");

  // --- from a table ---------------------------------------------------------------------------------------------
  const cellOf = (cell) => ({
    value: "v" in cell.dataset ? Number(cell.dataset.v) : null, text: cell.textContent.trim(),
    href: cell.querySelector("a")?.getAttribute("href") ?? "", few: cell.classList.contains("is-few"),
  });
  const read = (figure) => {
    const table = figure.querySelector("table");
    return {
      unit: figure.dataset.unit,
      heads: [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim()),
      rows: [...table.tBodies[0].rows].map((row) => ({
        label: row.cells[0].textContent.trim(), depth: Number(row.cells[0].className.match(/depth-(\d)/)?.[1] ?? 0),
        norm: row.dataset.norm ?? "", cells: [...row.cells].slice(1).map(cellOf),
      })),
    };
  };

  // --- colours --------------------------------------------------------------------------------------------------
  const mix = (from, to, share) => from.map((one, at) => one + (to[at] - one) * share);
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const low = parts(colour("--heat-low")), high = parts(colour("--heat-high")), panel = parts(colour("--panel"));
    const inks = ["--heat-on-low", "--heat-on-high"].map((name) => ({ ink: colour(name), rgb: parts(colour(name)) }));
    const font = { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12, color: colour("--ink") };
    return {
      colour, font, small: { ...font, fontSize: 11, color: colour("--muted") },
      // A shade and ink that can be read on it (WCAG 2.2, 1.4.3). In the middle of the scale neither ink can: it steps over that.
      shade: (share, few) => {
        let fill = few ? mix(panel, mix(low, high, share), 0.6) : mix(low, high, share);
        for (let step = 0; step < 100; step += 1) {
          const shown = fill.map(Math.round), found = inks.find(({ rgb }) => contrast(shown, rgb) >= READABLE);
          if (found) return { fill: `rgb(${shown.join(",")})`, ink: found.ink };
          fill = mix(fill, low, 0.03);
        }
        return { fill: colour("--heat-low"), ink: inks[0].ink };
      },
      tooltip: {
        renderMode: "richText", confine: true, backgroundColor: colour("--panel"), borderColor: colour("--line-strong"), borderWidth: 1,
        padding: [6, 10], textStyle: font, extraCssText: "",
      },
    };
  };
  // What rests on few answers does not stretch the scale.
  const sharesOf = (cells) => {
    const known = cells.filter((cell) => cell.value !== null), firm = known.filter((cell) => !cell.few);
    const values = (firm.length > 1 ? firm : known).map((cell) => cell.value), least = Math.min(...values), most = Math.max(...values);
    return (value) => (most > least ? Math.min(1, Math.max(0, (value - least) / (most - least))) : 0.4);
  };
  const common = { animation: false };

  // --- the pictures ---------------------------------------------------------------------------------------------
  const trend = ({ rows, unit, heads }, place, look) => {
    const series = (at, more) => ({
      type: "line", data: rows.map(({ cells }) => ({ value: cells[at].value === null ? null : scaled(cells[at].value, unit), href: cells[at].href })), ...more,
    });
    return {
      height: 240,
      option: {
        ...common,
        grid: { left: 4, right: 14, top: 14, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
        tooltip: {
          ...look.tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: look.colour("--line-strong") } },
          formatter: (points) => {
            const row = rows[points[0].dataIndex];
            return `${row.label}\n${heads[0]}: ${row.cells[0].text}\n${heads[1]}: ${row.cells[1].text}`;
          },
        },
        xAxis: {
          type: "category", data: rows.map((row) => row.label), axisTick: { show: false },
          axisLine: { lineStyle: { color: look.colour("--line") } }, axisLabel: { ...look.small, hideOverlap: true },
        },
        yAxis: {
          type: "value", min: 0, max: { share: 100, mark: 5 }[unit] ?? null, splitNumber: 4, axisLabel: { ...look.small, formatter: axisText(unit) },
          splitLine: { lineStyle: { color: look.colour("--line") } },
        },
        series: [
          series(1, { silent: true, symbol: "none", lineStyle: { color: look.colour("--line-strong"), width: 1 } }),
          series(0, {
            symbol: "circle", symbolSize: rows.length > 40 ? 5 : 7, showAllSymbol: true,
            lineStyle: { color: look.colour("--chart-average"), width: 2.5 }, itemStyle: { color: look.colour("--chart-average") },
          }),
        ],
      },
    };
  };

  const bins = ({ rows, heads }, place, look) => {
    const parts = rows.every(({ cells }) => cells[1].value !== null);
    const most = Math.max(...rows.map(({ cells }) => cells[0].value ?? 0));
    const bar = (values, colour, label) => ({
      type: "bar", stack: "all", barCategoryGap: "14%", itemStyle: { color: colour },
      data: rows.map(({ cells }, at) => ({ value: values(cells), href: cells[0].href, at })),
      label: { show: label, position: "top", ...look.small, formatter: ({ dataIndex }) => (rows[dataIndex].cells[0].value ? rows[dataIndex].cells[0].text : "") },
    });
    const norms = rows.map((row, at) => ({ norm: row.norm, edge: at + 1 })).filter((one) => one.norm);
    return {
      height: 240,
      option: {
        ...common,
        grid: { left: 4, right: 10, top: 30, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
        tooltip: {
          ...look.tooltip, trigger: "item",
          formatter: ({ data }) => {
            if (data?.at === undefined) return "";
            const { label, cells } = rows[data.at];
            return `${label}\n${heads[0]}: ${cells[0].text}` + (parts ? `\n${heads[1]}: ${cells[1].text}` : "");
          },
        },
        xAxis: [
          {
            type: "category", data: rows.map((row) => row.label), axisTick: { show: false }, axisLine: { lineStyle: { color: look.colour("--line") } },
            axisLabel: { ...look.small, hideOverlap: true, rotate: place.clientWidth / rows.length < 58 ? 40 : 0 },
          },
          { type: "value", min: 0, max: rows.length, show: false },
        ],
        yAxis: {
          type: "value", min: 0, minInterval: 1, splitNumber: 3, axisLabel: { ...look.small, formatter: axisText("count") },
          splitLine: { lineStyle: { color: look.colour("--line") } },
        },
        series: [
          bar((cells) => (cells[0].value ?? 0) - (parts ? cells[1].value : 0), look.colour("--chart-average"), !parts),
          ...(parts ? [bar((cells) => cells[1].value, look.colour("--over-bar"), true)] : []),
          ...norms.map(({ norm, edge }) => ({
            type: "line", xAxisIndex: 1, silent: true, symbol: "none", data: [[edge, 0], [edge, most * 1.08]],
            lineStyle: { color: look.colour("--ink"), width: 1.5, type: "dashed" },
            endLabel: { show: true, formatter: norm, ...look.font, fontSize: 11, align: edge > rows.length / 2 ? "right" : "left", offset: [edge > rows.length / 2 ? -14 : -4, -9] },
          })),
        ],
      },
    };
  };

  const tiles = ({ rows, heads }, place, look) => {
    const across = Math.max(2, Math.floor(place.clientWidth / TILE.width)), down = Math.ceil(rows.length / across);
    const share = sharesOf(rows.map(({ cells }) => cells[0]));
    const width = place.clientWidth / across - 5, letters = Math.floor((width - 18) / 6.6);
    const name = (label) => (label.length > letters ? `${label.slice(0, letters - 1).trimEnd()}…` : label).replace(/[{}|]/g, " ");
    return {
      height: down * TILE.height,
      option: {
        ...common,
        grid: { left: 0, right: 0, top: 0, bottom: 0 },
        tooltip: { ...look.tooltip, trigger: "item", formatter: ({ data }) => `${data.row.label}: ${data.row.cells[0].text}\n${heads[1]}: ${data.row.cells[1].text}` },
        xAxis: { type: "value", min: 0, max: across, show: false },
        yAxis: { type: "value", min: 0, max: down, inverse: true, show: false },
        series: [{
          type: "scatter", symbol: "rect", symbolSize: [width, TILE.height - 5],
          data: rows.map((row, at) => {
            const { value, few } = row.cells[0];
            const { fill, ink } = value === null ? { fill: look.colour("--sunk"), ink: look.colour("--muted") } : look.shade(share(value), few);
            return {
              value: [(at % across) + 0.5, Math.floor(at / across) + 0.5], href: row.cells[0].href, row,
              itemStyle: { color: fill, opacity: 1 },
              label: {
                show: true, formatter: `{name|${name(row.label)}}\n{figure|${row.cells[0].text}}`,
                rich: {
                  name: { ...look.small, color: ink, width: width - 16, align: "left", padding: [0, 0, 3, 0] },
                  figure: { ...look.font, fontSize: 15, fontWeight: 600, color: ink, width: width - 16, align: "left" },
                },
              },
            };
          }),
        }],
      },
    };
  };

  const heat = ({ rows, heads }, place, look) => {
    const left = place.clientWidth < NARROW ? 140 : 250;
    const width = (place.clientWidth - left) / heads.length, told = width >= 34;
    const share = sharesOf(rows.flatMap(({ cells }) => cells));
    const points = rows.flatMap((row, y) => row.cells.map((cell, x) => ({ row, cell, x, y })).filter(({ cell }) => cell.value !== null));
    return {
      height: rows.length * HEAT_LINE + 26,
      option: {
        ...common,
        grid: { left, right: 0, top: 26, bottom: 0 },
        tooltip: { ...look.tooltip, trigger: "item", formatter: ({ data }) => `${data.row.label}\n${heads[data.value[0]]}: ${data.cell.text}` },
        xAxis: {
          type: "category", position: "top", data: heads, axisTick: { show: false }, axisLine: { show: false },
          axisLabel: { ...look.small, hideOverlap: true, interval: width < 44 ? Math.ceil(44 / width) - 1 : 0 },
        },
        yAxis: {
          type: "category", inverse: true, data: rows.map((row) => "\u2003".repeat(row.depth) + row.label), axisTick: { show: false }, axisLine: { show: false },
          axisLabel: { ...look.font, align: "left", margin: left, width: left - 12, overflow: "truncate" },
        },
        series: [{
          type: "scatter", symbol: "rect", symbolSize: [Math.max(width - 2, 2), HEAT_LINE - 2],
          data: points.map(({ row, cell, x, y }) => {
            const { fill, ink } = look.shade(share(cell.value), cell.few);
            return { value: [x, y], href: cell.href, row, cell, itemStyle: { color: fill, opacity: 1 }, label: { show: told, formatter: cell.text, ...look.small, color: ink } };
          }),
        }],
      },
    };
  };

  // --- put in their places ----------------------------------------------------------------------------------------
  const kinds = { trend, bins, tiles, heat };
  for (const figure of figures) {
    const place = figure.querySelector(".chart"), told = read(figure);
    if (!told.rows.some(({ cells }) => cells[0].value !== null || cells.some((cell) => cell.value !== null))) continue;
    place.hidden = false;
    place.style.height = "100px";
    const chart = echarts.init(place, null, { renderer: "canvas" });
    const draw = () => {
      const { height, option } = kinds[figure.dataset.picture](told, place, paint());
      place.style.height = `${height}px`;
      chart.resize();
      chart.setOption(option, { notMerge: true });
    };
    chart.on("click", ({ data }) => { if (data?.href) window.location.assign(data.href); });
    draw();
    document.fonts?.ready.then(draw);
    document.addEventListener("otklik:theme", draw);
    let width = place.clientWidth;
    new ResizeObserver(() => { if (place.clientWidth !== width) { width = place.clientWidth; draw(); } }).observe(place);
  }
})();
