// Line charts over time, drawn as SVG: bands under lines, a rule at now, a readout under the pointer.
import { T, fill } from "/texts.js";
import { h, number, say, set, svg, when } from "/dom.js";
import { toShown } from "/units.js";

const MARGIN = { left: 40, right: 8, top: 8, bottom: 18 };

// The smallest step of 1, 2 or 5 that gives at most `count` intervals.
function niceStep(span, count) {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function niceTimeStep(span, count) {
  const minute = 60000;
  const steps = [1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 480, 1440, 2880, 10080].map((step) => step * minute);
  return steps.find((step) => span / step <= count) ?? 43200 * minute;
}
const LONG = 129600000; // a span that wants dates at its marks

// `lines`: [{ key, label, style, unlisted, whole }], `bands`: [{ low, high, style }]; keys name the series in the data, which is in
// the canonical `unit` and shown in the preferred one. A line breaks where the data has a gap, unless it is `whole`.
export function chart(title, { lines, bands = [], height = 150, minSpan = 1, fromZero = false, unit }) {
  const plot = svg("svg", { class: "plot", height, role: "img", "aria-label": title });
  const grid = svg("g", { class: "grid" });
  const shapes = svg("g", {});
  const nowRule = svg("line", { class: "now" });
  const cross = svg("line", { class: "cross", visibility: "hidden" });
  const empty = svg("text", { class: "empty", "text-anchor": "middle" }, T.noData);
  plot.append(grid, shapes, nowRule, cross, empty);
  const bandPaths = bands.map((band) => svg("path", { class: `band ${band.style}` }));
  const linePaths = lines.map((line) => svg("path", { class: `line ${line.style}` }));
  shapes.append(...bandPaths, ...linePaths);
  const readouts = lines.map((line) => h("b", {}));
  const legend = h("div", { class: "chart-legend" }, h("span", { class: "pointed" }),
    ...lines.map((line, index) => line.unlisted ? null
      : h("span", {}, h("i", { class: `key ${line.style}`, "aria-hidden": "true" }), `${line.label} `, readouts[index])));
  const pointed = legend.firstChild;
  const node = h("figure", { class: "chart" }, h("figcaption", {}, title), plot, legend);

  let shown = null;
  let scale = null;
  let pointer = null;

  function draw() {
    if (!shown || !node.isConnected) return;
    const width = Math.max(120, Math.round(node.clientWidth));
    const { data, from, to, now } = shown;
    set(plot, "viewBox", `0 0 ${width} ${height}`);
    set(plot, "width", width);
    const inside = (point) => point[0] >= from && point[0] <= to && Number.isFinite(point[1]);
    const series = Object.fromEntries(Object.entries(data).map(([key, points]) => [key, points.filter(inside).map(([ms, value]) => [ms, toShown(value, unit)])]));
    const keys = new Set([...lines.map((line) => line.key), ...bands.flatMap((band) => [band.low, band.high])]);
    let low = fromZero ? 0 : Infinity;
    let high = -Infinity;
    for (const key of keys) for (const [, value] of series[key] ?? []) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    set(empty, "visibility", high === -Infinity ? null : "hidden");
    set(empty, "x", width / 2);
    set(empty, "y", height / 2);
    if (high === -Infinity) { low = 0; high = 1; }
    if (high - low < minSpan) {
      const middle = (high + low) / 2;
      low = fromZero ? 0 : middle - minSpan / 2;
      high = fromZero ? Math.max(high, minSpan) : middle + minSpan / 2;
    }
    const step = niceStep(high - low, Math.max(2, Math.floor(height / 42)));
    low = Math.floor(low / step) * step;
    high = Math.ceil(high / step) * step;
    const x = (ms) => MARGIN.left + ((ms - from) / (to - from)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    scale = { x, from, to, width, series };

    const marks = [];
    const decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
    for (let value = low; value <= high + step / 2; value += step) {
      const at = Math.round(y(value)) + 0.5;
      marks.push(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      marks.push(svg("text", { x: MARGIN.left - 5, y: at + 3.5, "text-anchor": "end" }, number(value, decimals)));
    }
    const timeStep = niceTimeStep(to - from, Math.max(2, Math.floor(width / 80)));
    for (let ms = Math.ceil(from / timeStep) * timeStep; ms <= to; ms += timeStep) {
      const at = Math.round(x(ms)) + 0.5;
      if (at > width - 20) continue;
      marks.push(svg("line", { x1: at, x2: at, y1: height - MARGIN.bottom, y2: height - MARGIN.bottom + 3 }));
      marks.push(svg("text", { x: at, y: height - 3, "text-anchor": "middle" }, when(ms, to - from > LONG ? "day" : "minute")));
    }
    grid.replaceChildren(...marks);

    const gap = Math.max(120000, (to - from) / 40);
    const path = (points, whole) => points.map(([ms, value], index) =>
      `${index && (whole || ms - points[index - 1][0] < gap) ? "L" : "M"}${x(ms).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    lines.forEach((line, index) => set(linePaths[index], "d", path(series[line.key] ?? [], line.whole) || null));
    bands.forEach((band, index) => {
      const top = path(series[band.high] ?? [], true);
      const bottom = path([...(series[band.low] ?? [])].reverse(), true).replace("M", "L");
      set(bandPaths[index], "d", top && bottom ? `${top}${bottom}Z` : null);
    });
    const showNow = now !== undefined && now < to;
    set(nowRule, "visibility", showNow ? null : "hidden");
    if (showNow) for (const [name, value] of [["x1", x(now)], ["x2", x(now)], ["y1", MARGIN.top], ["y2", height - MARGIN.bottom]]) set(nowRule, name, value);
    read();
  }

  // The value of each line at the pointer, or the latest.
  function read() {
    if (!scale) return;
    const { x, from, to, width, series } = scale;
    const ms = pointer === null ? null : from + ((pointer - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * (to - from);
    set(cross, "visibility", ms === null ? "hidden" : null);
    if (ms !== null) {
      const at = Math.min(width - MARGIN.right, Math.max(MARGIN.left, x(ms)));
      for (const [name, value] of [["x1", at], ["x2", at], ["y1", MARGIN.top], ["y2", height - MARGIN.bottom]]) set(cross, name, value);
    }
    say(pointed, ms === null ? "" : when(ms, to - from > LONG / 2 ? "date" : "minute"));
    const summary = [];
    lines.forEach((line, index) => {
      const points = series[line.key] ?? [];
      const near = ms === null ? points.at(-1) : points.reduce((best, point) => (!best || Math.abs(point[0] - ms) < Math.abs(best[0] - ms) ? point : best), null);
      const text = near ? number(near[1]) : "";
      say(readouts[index], text);
      if (text && !line.unlisted) summary.push(`${line.label} ${text}`);
    });
    if (ms === null) set(plot, "aria-label", fill(T.chartLabel, { title, summary: summary.join(", ") || T.noData }));
  }

  plot.addEventListener("pointermove", (event) => {
    pointer = event.clientX - plot.getBoundingClientRect().left;
    read();
  });
  plot.addEventListener("pointerleave", () => {
    pointer = null;
    read();
  });
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(node);
  let visible = false;
  new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting;
    if (visible) draw();
  }, { rootMargin: "300px" }).observe(node);
  return {
    node,
    show(next) {
      shown = next;
      if (visible) draw();
    },
  };
}
