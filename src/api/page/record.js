// The record: any points over any period, beside another period, as curves, as figures, and as a file.
import { T, fill } from "/texts.js";
import { chart } from "/charts.js";
import { HOUR, read } from "/history.js";
import { page, panel, row, table } from "/parts.js";
import { stay } from "/route.js";
import { duration, fromField, h, keyed, number, say, shown, toField, when } from "/dom.js";
import { symbol } from "/units.js";

const STYLES = ["actual", "warm", "cool", "third", "fourth", "fifth"];
const MOST = 6;
const PERIODS = { hour: HOUR, day: 24 * HOUR, week: 168 * HOUR, month: 720 * HOUR };
const DERIVED = ["hall.it_power", "hall.cooling_power", "hall.reused_heat", "hall.cost_rate", "hall.co2e_rate", "hall.chip_margin", "hall.warmest_supply", "hall.heat"];
const DERIVED_UNIT = { cost_rate: "1/h", co2e_rate: "kg/h", chip_margin: "K", warmest_supply: "degC", heat: "heat" };
const COMPARED = { none: 0, before: NaN, day: 24 * HOUR, week: 168 * HOUR };

export function build({ site, units, latest }) {
  const unitOf = (tag) => units.get(tag) ?? DERIVED_UNIT[tag.split(".")[1]] ?? "kW";
  const all = [...DERIVED, ...site.cdus.map((cdu) => `${cdu.name}.heat`), ...units.keys()].filter((tag) => !/heartbeat/.test(tag));
  const known = new Set(all);
  const tagField = h("input", { name: "tag", list: "tags", autocomplete: "off", placeholder: "cdu1.secondary_flow" });
  const add = h("button", { type: "submit", class: "small" }, T.add);
  const chips = h("ul", { class: "chips" });
  const from = h("input", { name: "from", type: "datetime-local", required: true });
  const to = h("input", { name: "to", type: "datetime-local", required: true });
  const compared = h("select", { name: "compare" }, Object.keys(COMPARED).map((name) => h("option", { value: name }, T.compare[name])));
  const said = h("p", { class: "muted", role: "status" });
  const charts = h("div", { class: "record-charts" });
  const figures = table([T.series, T.period, T.mean, T.least, T.most, T.samples], T.figures);
  const exportButton = h("button", { type: "button", onclick: () => save() }, T.exportCsv);
  const presets = h("div", { class: "chooser", role: "group", "aria-label": T.period }, Object.entries(PERIODS).map(([name, span]) =>
    h("button", { type: "button", class: "small", onclick: () => { const now = latest()?.wall_ms ?? Date.now(); setSpan(now - span, now); } }, T.periods[name])));
  const picker = h("form", { class: "tools", onsubmit: (event) => { event.preventDefault(); choose(tagField.value.trim()); } },
    h("label", { class: "inline" }, T.series, tagField), h("datalist", { id: "tags" }, all.map((tag) => h("option", { value: tag }))), add, chips);
  const period = h("div", { class: "tools" }, presets,
    h("label", { class: "inline" }, T.from, from), h("label", { class: "inline" }, T.to, to), h("label", { class: "inline" }, T.compareWith, compared), exportButton);
  const node = page("record", panel(T.whatAndWhen, {}, picker, period, h("p", { class: "note muted" }, fill(T.zoneNote, { zone: site.time_zone })), said), charts, panel(T.figures, {}, figures.node));

  let tags = ["hall.it_power", "hall.cooling_power"];
  let span = null; // [from, to], ms
  let answers = []; // [{ label, from, to, found }]
  let asked = 0;

  from.addEventListener("change", typed);
  to.addEventListener("change", typed);
  compared.addEventListener("change", () => load());

  function typed() {
    const [start, end] = [fromField(from.value), fromField(to.value)];
    if (start === undefined || end === undefined) return;
    if (start >= end) return say(said, T.fromBeforeTo);
    span = [start, end];
    load();
  }
  function setSpan(start, end) {
    span = [start, end];
    from.value = toField(start);
    to.value = toField(end);
    load();
  }
  function choose(tag) {
    if (!known.has(tag)) return say(said, fill(T.unknownTag, { tag }));
    if (!tags.includes(tag)) tags = [...tags, tag].slice(-MOST);
    tagField.value = "";
    drawChips();
    load();
  }
  function drawChips() {
    keyed(chips, tags, (tag) => tag, (tag) => ({ node: h("li", {}, tag, h("button", { type: "button", class: "small", "aria-label": fill(T.remove, { tag }), onclick: () => { tags = tags.filter((each) => each !== tag); drawChips(); load(); } }, "×")) }), () => {});
  }

  async function load() {
    if (!span) return;
    const [start, end] = span;
    const back = compared.value === "before" ? end - start : COMPARED[compared.value];
    stay("record", [], { tags: tags.join(","), from: Math.round(start), to: Math.round(end), compare: compared.value === "none" ? "" : compared.value });
    const turn = (asked += 1);
    const began = performance.now();
    say(said, T.reading);
    const spans = back ? [[start, end], [start - back, end - back]] : [[start, end]];
    const read_ = await Promise.all(spans.map(([a, b]) => read(tags, a, b, 600)));
    if (turn !== asked) return; // a later question is on its way
    answers = read_.map(({ found, failed }, index) => ({ from: spans[index][0], to: spans[index][1], found, failed, back: index ? back : 0 }));
    const failed = answers.map((each) => each.failed).find(Boolean);
    say(said, failed || fill(T.readIn, { span: duration((end - start) / 1000), ms: number(performance.now() - began, 0) }));
    draw();
  }

  // One chart a unit, each period a line.
  function draw() {
    const groups = new Map();
    for (const tag of tags) groups.set(unitOf(tag), [...(groups.get(unitOf(tag)) ?? []), tag]);
    const [{ from: start, to: end }] = answers;
    charts.replaceChildren();
    for (const [unit, members] of groups) {
      const lines = members.flatMap((tag, index) => answers.map((answer, which) => ({ key: `${tag}|${which}`, label: which ? `${tag} (${T.comparedShort})` : tag, style: `${STYLES[index % STYLES.length]} ${which ? "compared" : ""}` })));
      const plot = chart(`${members.join(", ")}${symbol(unit) ? `, ${symbol(unit)}` : ""}`, { lines, unit, height: 220, minSpan: unit === "fraction" ? 0.1 : 1 });
      charts.append(plot.node);
      const data = Object.fromEntries(members.flatMap((tag) => answers.map((answer, which) => [`${tag}|${which}`, (answer.found.get(tag) ?? []).map(([ms, value]) => [ms + answer.back, value])])));
      plot.show({ data, from: start, to: end });
    }
    const rows = tags.flatMap((tag) => answers.map((answer) => ({ tag, answer, id: `${tag}|${answer.back}` })));
    keyed(figures.body, rows, (each) => each.id, () => row(6), (line, { tag, answer }) => {
      const values = (answer.found.get(tag) ?? []).map(([, value]) => value);
      const unit = unitOf(tag);
      const told = (value) => (values.length ? `${shown(value, unit)} ${symbol(unit)}` : T.noData);
      line.update([tag, `${when(answer.from, "date")} – ${when(answer.to, "date")}`, told(values.reduce((sum, value) => sum + value, 0) / values.length), told(Math.min(...values)), told(Math.max(...values)), String(values.length)]);
    });
  }

  // The shown series in the canonical units, one line a moment.
  function save() {
    if (!answers.length) return;
    const columns = answers.flatMap((answer) => tags.map((tag) => ({ tag, answer, values: new Map(answer.found.get(tag) ?? []) })));
    const times = [...new Set(columns.flatMap(({ values }) => [...values.keys()]))].sort((a, b) => a - b);
    const head = ["time_utc", ...columns.map(({ tag, answer }) => `${tag}${answer.back ? ".compared" : ""} [${unitOf(tag) === "heat" ? "kW" : unitOf(tag) || "1"}]`)];
    const text = [head, ...times.map((ms) => [new Date(ms).toISOString(), ...columns.map(({ values }) => values.get(ms) ?? "")])].map((line) => line.join(",")).join("\r\n");
    const link = h("a", { href: URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" })), download: `${site.name}-${new Date(span[0]).toISOString().slice(0, 16).replace(":", "")}.csv` });
    link.click();
    URL.revokeObjectURL(link.href);
    say(said, fill(T.exported, { rows: times.length }));
  }

  return {
    node,
    enter({ query }) {
      const wanted = (query.get("tags") ?? "").split(",").filter((tag) => known.has(tag)).slice(0, MOST);
      if (wanted.length) tags = wanted;
      if (query.get("compare") in COMPARED) compared.value = query.get("compare");
      const [start, end] = [Number(query.get("from")), Number(query.get("to"))];
      drawChips();
      if (start > 0 && end > start) setSpan(start, end);
      else if (span) setSpan(...span);
    },
    update(view) {
      if (!span) setSpan(view.wall_ms - HOUR, view.wall_ms);
    },
  };
}
