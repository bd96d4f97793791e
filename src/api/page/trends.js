// The past hour of every series that the page draws, and the charts of the whole hall.
import { T } from "/texts.js";
import { chart } from "/charts.js";
import { byId, good } from "/dom.js";

export const HOUR = 3600000;
const LEAST_STEP = 10000;
const POINTS = 240;
export const AHEAD = { index: 1, name: "300s", ms: 300000 };

const series = new Map();
let lastAdded = -Infinity;

export const past = (tag) => series.get(tag) ?? [];

// A forecast beside what came: moved to the time that it was made for.
export const moved = (tag) => past(tag).map(([ms, value]) => [ms + AHEAD.ms, value]);

// Loads what the controller remembers; without it the series grow from now.
export async function load(site) {
  const cdus = ["hall", ...site.cdus.map((cdu) => cdu.name)];
  const tags = ["hall.cooling_power", "hall.chip_margin", "hall.warmest_supply"]
    .concat(cdus.flatMap((name) => [`${name}.heat`, `${name}.heat_mean_${AHEAD.name}`, `${name}.heat_upper_${AHEAD.name}`]));
  const points = site.loops.slice(0, 1).flatMap((loop) => [`${loop.name}.supply_temperature`, `${loop.name}.return_temperature`]);
  if (site.weather) points.push(`${site.weather.name}.dry_bulb`);
  await Promise.all([fetchInto(tags), fetchInto(points)]);
}

async function fetchInto(tags) {
  if (!tags.length) return;
  try {
    const response = await fetch(`/api/v1/series?points=${POINTS}&tags=${encodeURIComponent(tags.join(","))}`);
    if (!response.ok) return;
    for (const { tag, points } of (await response.json()).series) {
      const present = past(tag);
      const until = present[0]?.[0] ?? Infinity;
      series.set(tag, points.filter(([ms]) => ms < until).concat(present));
    }
  } catch (error) {
    console.warn("the past series could not be loaded", error);
  }
}

function add(tag, ms, value) {
  if (!Number.isFinite(value)) return;
  const points = past(tag);
  while (points.length && points.at(-1)[0] >= ms) points.pop(); // known already, or the clock was set back
  points.push([ms, value]);
  while (points.length && points[0][0] < ms - HOUR - AHEAD.ms) points.shift();
  series.set(tag, points);
}

const sum = (values) => (values.every(Number.isFinite) && values.length ? values.reduce((a, b) => a + b, 0) : undefined);
const extreme = (pick, values) => (values.length ? pick(...values) : undefined);

// Takes a view in; at most every ten seconds of plant time.
export function take(view) {
  const ms = view.wall_ms;
  if (ms >= lastAdded && ms - lastAdded < LEAST_STEP) return;
  lastAdded = ms;
  const heats = view.cdus.map((cdu) => [cdu.name, cdu.heat.now_kw, cdu.heat.mean_kw[AHEAD.index], cdu.heat.upper_kw[AHEAD.index]]);
  heats.push(["hall", ...[1, 2, 3].map((column) => sum(heats.map((row) => row[column])))]);
  for (const [name, now, mean, upper] of heats) {
    add(`${name}.heat`, ms, now);
    add(`${name}.heat_mean_${AHEAD.name}`, ms, mean);
    add(`${name}.heat_upper_${AHEAD.name}`, ms, upper);
  }
  add("hall.cooling_power", ms, view.books.cooling_kw);
  add("hall.chip_margin", ms, extreme(Math.min, view.cdus.map((cdu) => cdu.worst_margin_k).filter(Number.isFinite)));
  const loop = view.loops[0];
  if (loop) for (const name of ["supply_temperature", "return_temperature"]) add(`${loop.name}.${name}`, ms, good(loop.readings[name]));
  const supplies = view.cdus.map((cdu) => good(cdu.readings.secondary_supply_temperature)).filter(Number.isFinite);
  add("hall.warmest_supply", ms, extreme(Math.max, supplies));
  if (view.weather) add(`${view.weather.name}.dry_bulb`, ms, good(view.weather.readings.dry_bulb));
}

// The data of a heat chart: actual, what was expected of it, and what is expected from now on.
export function heatData(name, heat, horizons, now) {
  const mean = moved(`${name}.heat_mean_${AHEAD.name}`).filter(([ms]) => ms <= now);
  const upper = moved(`${name}.heat_upper_${AHEAD.name}`).filter(([ms]) => ms <= now);
  const ahead = (values) => [[now, heat.now_kw], ...values.map((value, index) => [now + horizons[index] * 1000, value])];
  return {
    data: { actual: past(`${name}.heat`), mean, upper, aheadMean: ahead(heat.mean_kw), aheadUpper: ahead(heat.upper_kw) },
    from: now - HOUR, to: now + HOUR, now,
  };
}

export const heatChart = (title, height, minSpan) => chart(title, {
  height, minSpan, fromZero: true,
  bands: [{ low: "mean", high: "upper", style: "forecast" }, { low: "aheadMean", high: "aheadUpper", style: "forecast" }],
  lines: [
    { key: "mean", label: T.expected, style: "forecast" },
    { key: "aheadMean", label: T.ahead, style: "forecast ahead", unlisted: true },
    { key: "actual", label: T.actual, style: "actual" },
  ],
});

// The four charts of the hall.
export function build(site) {
  const heat = heatChart(T.heatTrend, 150, 10);
  const cooling = chart(T.coolingTrend, { lines: [{ key: "cooling", label: T.cooling, style: "actual" }], minSpan: 2, fromZero: true });
  const temperatures = chart(T.temperatureTrend, {
    minSpan: 5,
    lines: [
      { key: "return", label: T.facilityReturn, style: "warm" },
      { key: "warmest", label: T.warmestSupply, style: "actual" },
      { key: "supply", label: T.facilitySupply, style: "cool" },
      { key: "outdoors", label: T.outdoors, style: "quiet" },
    ],
  });
  const margin = chart(T.marginTrend, {
    minSpan: 5, fromZero: true,
    lines: [
      { key: "margin", label: T.margin, style: "actual" },
      { key: "target", label: T.marginTarget, style: "target" },
      { key: "critical", label: T.marginCritical, style: "critical" },
    ],
  });
  const host = byId("trends");
  host.setAttribute("aria-label", T.trends);
  host.append(...[heat, cooling, temperatures, margin].map((each) => each.node));
  const level = (value, now) => [[now - HOUR, value], [now, value]];
  const loop = site.loops[0]?.name;
  return (view) => {
    const now = view.wall_ms;
    const range = { from: now - HOUR, to: now, now };
    const all = (values) => sum(values) ?? NaN;
    const total = {
      now_kw: all(view.cdus.map((cdu) => cdu.heat.now_kw)),
      mean_kw: view.forecast.horizons_s.map((_, index) => all(view.cdus.map((cdu) => cdu.heat.mean_kw[index]))),
      upper_kw: view.forecast.horizons_s.map((_, index) => all(view.cdus.map((cdu) => cdu.heat.upper_kw[index]))),
    };
    heat.show(heatData("hall", total, view.forecast.horizons_s, now));
    cooling.show({ data: { cooling: past("hall.cooling_power") }, ...range });
    temperatures.show({
      data: { return: past(`${loop}.return_temperature`), warmest: past("hall.warmest_supply"), supply: past(`${loop}.supply_temperature`), outdoors: past(`${site.weather?.name}.dry_bulb`) },
      ...range,
    });
    const band = site.limits.chip_margin_k;
    margin.show({ data: { margin: past("hall.chip_margin"), target: level(band.target, now), critical: level(band.critical, now) }, ...range });
  };
}
