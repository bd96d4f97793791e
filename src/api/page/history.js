// The past: series of the record, asked for in a span, and the last hour of what every page draws, kept as it comes.
import { good } from "/dom.js";

export const HOUR = 3600000;
const LEAST_STEP = 10000;
export const AHEAD = { index: 1, name: "300s", ms: 300000 };

// Series of a span of wall time by tag; those that cannot be read are empty. `failed` says why, where it did.
export async function read(tags, from, to, points = 480) {
  const found = new Map(tags.map((tag) => [tag, []]));
  let failed = "";
  // Derived series and points come from different places; many tags go in several questions.
  for (let start = 0; start < tags.length; start += 60) {
    const asked = new URLSearchParams({ tags: tags.slice(start, start + 60).join(","), points, from: Math.round(from), to: Math.round(to) });
    try {
      const response = await fetch(`/api/v1/series?${asked}`);
      const answer = await response.json();
      if (!response.ok) failed = answer.detail;
      else for (const { tag, points } of answer.series) found.set(tag, points);
    } catch (error) {
      failed = String(error);
    }
  }
  return { found, failed };
}

const series = new Map();
let loaded = null;
let lastAdded = -Infinity;
export const past = (tag) => series.get(tag) ?? [];

// A forecast beside what came: moved to the time that it was made for.
export const moved = (points) => points.map(([ms, value]) => [ms + AHEAD.ms, value]);

// Loads what the controller remembers of the hall's series; without it they grow from now.
export function load(site, view) {
  loaded ??= (async () => {
    const tags = ["hall.it_power", "hall.cooling_power", "hall.reused_heat", "hall.cost_rate", "hall.co2e_rate", "hall.chip_margin", "hall.warmest_supply", ...heatTags("hall")];
    const { found } = await read(tags, view.wall_ms - HOUR - AHEAD.ms, view.wall_ms, 240);
    for (const [tag, points] of found) {
      const present = past(tag);
      const until = present[0]?.[0] ?? Infinity;
      series.set(tag, points.filter(([ms]) => ms < until).concat(present));
    }
  })();
  return loaded;
}

export const heatTags = (name) => [`${name}.heat`, `${name}.heat_mean_${AHEAD.name}`, `${name}.heat_upper_${AHEAD.name}`];

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

// Heat of the whole hall: the sum of its CDUs, of the upper bounds too.
export function hallHeat(view) {
  const all = (pick) => sum(view.cdus.map(({ heat }) => pick(heat))) ?? NaN;
  return {
    now_kw: all((heat) => heat.now_kw),
    mean_kw: view.forecast.horizons_s.map((_, index) => all((heat) => heat.mean_kw[index])),
    upper_kw: view.forecast.horizons_s.map((_, index) => all((heat) => heat.upper_kw[index])),
  };
}

// Takes a view in; at most every ten seconds of plant time.
export function take(view) {
  const ms = view.wall_ms;
  if (ms >= lastAdded && ms - lastAdded < LEAST_STEP) return;
  lastAdded = ms;
  for (const [name, heat] of [["hall", hallHeat(view)], ...view.cdus.map((cdu) => [cdu.name, cdu.heat])]) {
    const [now, mean, upper] = heatTags(name);
    add(now, ms, heat.now_kw);
    add(mean, ms, heat.mean_kw[AHEAD.index]);
    add(upper, ms, heat.upper_kw[AHEAD.index]);
  }
  add("hall.it_power", ms, view.books.it_kw);
  add("hall.cooling_power", ms, view.books.cooling_kw);
  add("hall.reused_heat", ms, view.books.reused_kw);
  add("hall.cost_rate", ms, view.books.cost_per_h);
  add("hall.co2e_rate", ms, view.books.co2e_kg_per_h);
  add("hall.chip_margin", ms, extreme(Math.min, view.cdus.map((cdu) => cdu.worst_margin_k).filter(Number.isFinite)));
  const supplies = view.cdus.map((cdu) => good(cdu.readings.secondary_supply_temperature)).filter(Number.isFinite);
  add("hall.warmest_supply", ms, extreme(Math.max, supplies));
}

// A set of series that is read again while a page shows it, and grows slowly enough for its span.
export function watched(changed) {
  let shown = null;
  let busy = false;
  let due = 0;
  const look = async (view) => {
    if (!shown || busy || performance.now() < due) return;
    busy = true;
    const asked = shown;
    const to = view.wall_ms;
    const { found, failed } = await read(asked.tags, to - asked.span, to, asked.points);
    busy = false;
    // As often as a new point can appear, but not so often that the controller feels it.
    due = performance.now() + Math.min(30000, Math.max(2000, asked.span / asked.points / view.speed));
    if (asked === shown) changed({ found, failed, from: to - asked.span, to });
    else look(view);
  };
  return {
    set(tags, span, points = 360) {
      shown = tags ? { tags, span, points } : null;
      due = 0;
    },
    look,
  };
}
