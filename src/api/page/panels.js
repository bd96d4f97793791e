// The panels of text and figures: what is done and why, the books, events, jobs, devices.
import { T } from "/texts.js";
import { DASH, byId, bytes, duration, energy, h, keyed, mass, number, quantity, say, set, volume, when } from "/dom.js";

const LEVEL_MARK = { normal: "✓", guarded: "▲", critical: "◆", failsafe: "✖" };
const AUTHORITY_MARK = { observe: "○○○", advise: "●○○", bounded: "●●○", full: "●●●" };

// What the controller does and why, with the zones.
export function why(site, ask) {
  const strategy = h("span", { class: "badge strategy" });
  const source = h("span", { class: "badge" });
  const sentence = h("p", { class: "sentence" });
  const notes = h("p", { class: "notes muted" });
  const zones = h("ul", { class: "zones" });
  byId("why").append(h("div", { class: "reasons" }, h("div", { class: "badges" }, strategy, source), sentence, notes), zones);
  return (view) => {
    const { control, forecast } = view;
    const extra = [control.imposed ? T.imposed : "", control.status === "fell_back" ? T.fellBack : ""].filter(Boolean).join(", ");
    say(strategy, T.strategy[control.strategy] + (extra ? ` (${extra})` : ""));
    set(strategy, "class", `badge strategy ${extra ? "warning" : ""}`);
    say(source, T.source[forecast.source]);
    set(source, "class", `badge ${forecast.source === "queue" ? "" : "warning"}`);
    say(sentence, control.sentence || T.noSentence);
    const lines = [...forecast.notes];
    if (control.binding.length) lines.unshift(T.binding(control.binding.join(", ")));
    if (control.changes.length) lines.unshift(`${T.changes(control.changes.length)}: ${control.changes[0].tag}, ${control.changes[0].why}`);
    lines.push(...reasons(control, site.currency));
    for (const finding of control.findings) lines.unshift(T.finding(finding.subject, finding.text));
    if (control.commissioning) lines.unshift(T.commissioning(control.commissioning.test, control.commissioning.tests));
    if (control.model_error !== null) lines.push(T.modelError(`${number(100 * control.model_error, 1)} %`));
    const load = control.load_target;
    if (load) lines.unshift(T.loadTarget(quantity(load.target_kw, "kW"), quantity(load.measured_kw, "kW"), when(load.start_ms, "minute"), when(load.end_ms, "minute"), T.loadPhase[load.phase]));
    say(notes, lines.slice(0, 5).join(" · "));
    set(notes, "title", lines.join("\n") || null);
    keyed(zones, view.zones, (zone) => zone.name, (zone) => zoneChip(zone.name, site, ask), (row, zone) => row.update(zone));
  };
}

// What the plan expects to cost, what the plant as found would, and what wider limits are worth.
function reasons(control, currency) {
  const money = (value) => `${number(value)} ${currency}`;
  const lines = [];
  const terms = control.cost_per_h.filter(([, value]) => Math.abs(value) > 1e-9);
  if (terms.length) {
    const sum = terms.reduce((total, [, value]) => total + value, 0);
    const asFound = control.as_found_per_h === null ? "" : money(control.as_found_per_h);
    lines.push(T.costs(money(sum), asFound, terms.map(([name, value]) => T.costTerm(name, money(value))).join(", ")));
  }
  const worth = control.worth_per_h.filter(([, value]) => value > 1e-9);
  if (worth.length) lines.push(T.worth(worth.map(([name, value]) => T.worthTerm(name, money(value))).join(", ")));
  return lines;
}

function zoneChip(name, site, ask) {
  const level = h("span", {});
  const authority = h("span", { class: "authority" });
  const causes = h("span", { class: "causes" });
  const button = h("button", { type: "button", class: "small", onclick: () => ask.authority(name) }, h("span", { class: "hidden" }, T.setAuthority(name)), h("span", { "aria-hidden": "true" }, "…"));
  return {
    node: h("li", { class: "zone" }, h("b", {}, name), level, authority, button, causes),
    update(zone) {
      say(level, `${LEVEL_MARK[zone.level]} ${T.level[zone.level]}`);
      set(level, "class", `level ${zone.level}`);
      const asked = zone.wanted === zone.authority ? "" : `, ${T.asked(T.authority[zone.wanted])}`;
      say(authority, `${AUTHORITY_MARK[zone.authority]} ${T.authority[zone.authority]}${asked}`);
      set(authority, "class", `authority ${asked ? "lowered" : ""}`);
      set(authority, "title", T.authorityHint[zone.authority]);
      say(causes, zone.causes.join("; "));
      causes.hidden = !zone.causes.length;
      button.disabled = !site.actions;
    },
  };
}

// Energy, water, heat, carbon and cost: now, today, in all.
export function books(site) {
  const currency = site.currency;
  const money = (value) => (Number.isFinite(value) ? `${number(value)} ${currency}` : DASH);
  const used = (totals) => totals.evaporation_l + totals.drift_l + totals.blowdown_l;
  const rows = [
    [T.itEnergy, (books) => quantity(books.it_kw, "kW"), (t) => energy(t.it_kwh)],
    [T.coolingEnergy, (books) => quantity(books.cooling_kw, "kW"), (t) => energy(t.cooling_kwh), "strong"],
    [T.siteEnergy, () => "", (t) => energy(t.site_kwh)],
    [T.water, () => "", (t) => volume(used(t)), "strong"],
    [T.evaporation, () => "", (t) => volume(t.evaporation_l), "part"],
    [T.blowdown, () => "", (t) => volume(t.blowdown_l), "part"],
    [T.reused, (books) => quantity(books.reused_kw, "kW"), (t) => energy(t.reused_kwh), "strong"],
    [T.carbon, (books) => `${number(books.co2e_kg_per_h)} kg/h`, (t) => mass(t.co2e_kg), "strong"],
    [T.coolingCost, () => "", (t) => money(t.cooling_cost), "strong"],
    [T.cost, (books) => `${number(books.cost_per_h)} ${currency}/h`, (t) => money(t.cost)],
  ];
  const indicators = [
    [T.pue, "pue", 3], [T.wue, "wue_l_per_kwh", 2], [T.erf, "erf", 3], [T.cue, "cue_kg_per_kwh", 3], [T.ref, "ref", 2],
  ];
  const cells = [];
  const cell = (read) => {
    const node = h("td", {});
    cells.push([node, read]);
    return node;
  };
  const head = (...names) => h("tr", {}, h("td", {}), names.map((name) => h("th", { scope: "col" }, name)));
  const note = h("p", { class: "muted note" });
  byId("books").append(
    h("table", { class: "figures" }, h("thead", {}, head(T.now, T.today, T.total)),
      h("tbody", {}, rows.map(([name, now, counter, style]) => h("tr", { class: style }, h("th", { scope: "row" }, name),
        cell(now), cell((books) => counter(books.today)), cell((books) => counter(books.total))))),
      h("thead", {}, h("tr", {}, h("th", { scope: "row", class: "sub" }, T.indicators), h("td", {}), h("td", {}), h("td", {}))),
      h("tbody", {}, indicators.map(([name, key, digits]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}),
        cell((books) => number(books.today_indicators[key], digits)), cell((books) => number(books.total_indicators[key], digits)))))),
    note);
  return (view) => {
    for (const [node, read] of cells) say(node, read(view.books));
    const { covered_s, estimated_s } = view.books.today;
    say(note, covered_s > 0 && estimated_s > 0 ? T.estimated(`${number((100 * estimated_s) / covered_s, 0)} %`) : "");
  };
}

function table(columns) {
  const body = h("tbody", {});
  const node = h("div", { class: "scroll", tabindex: "0" }, h("table", { class: "list" }, h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))), body));
  return { node, body };
}

// A row of text cells; `update` takes the texts and the row's class.
function textRow(count) {
  const cells = Array.from({ length: count }, () => h("td", {}));
  const node = h("tr", {}, cells);
  return {
    node,
    update(texts, style) {
      texts.forEach((text, index) => say(cells[index], text ?? ""));
      set(node, "class", style);
    },
  };
}

const SEVERITY_MARK = { info: "·", warning: "▲", alarm: "◆" };

export function events() {
  const list = h("ol", { class: "scroll log", tabindex: "0" });
  const empty = h("p", { class: "muted" }, T.noEvents);
  byId("events").append(empty, list);
  // An event that is said again moves up with its count; it stays the same row.
  const key = (event) => [event.severity, event.code, event.subject, event.text].join("|");
  return (view) => {
    empty.hidden = view.events.length > 0;
    keyed(list, view.events, key, eventRow, (row, event) => {
      say(row.time, when(event.wall_ms, "second"));
      say(row.times, event.times > 1 ? T.times(event.times) : "");
    });
  };
}

function eventRow({ severity, subject, text }) {
  const time = h("time", {});
  const times = h("span", { class: "muted" });
  const node = h("li", { class: severity }, time, h("b", { class: "severity" }, `${SEVERITY_MARK[severity]} ${T.severity[severity]}`), h("span", { class: "muted" }, subject), times, h("p", {}, text));
  return { node, time, times };
}

export function jobs() {
  const summary = h("p", { class: "muted" });
  const list = table([T.job, T.state, T.start, T.gpus, T.nodes, T.limit, T.user, T.name]);
  byId("jobs").append(summary, list.node);
  return ({ jobs }) => {
    say(summary, jobs.age_s === null ? T.noQueue : `${T.jobsSummary(jobs)}; ${T.queueAge(duration(jobs.age_s))}`);
    list.node.hidden = !jobs.list.length;
    keyed(list.body, jobs.list, (job) => job.id, () => textRow(8), (row, job) =>
      row.update([job.id, T.jobState[job.state], job.start_ms === null ? T.unknownStart : when(job.start_ms, "minute"), String(job.gpus), String(job.nodes),
        job.time_limit_s ? duration(job.time_limit_s) : DASH, job.user, job.name], job.state));
  };
}

export function devices() {
  const summary = h("p", { class: "muted" });
  const list = table([T.device, T.link, T.lastAnswer, T.errors]);
  byId("devices").append(summary, list.node);
  return ({ devices, store }) => {
    const up = devices.filter((device) => device.connected).length;
    say(summary, `${T.devicesSummary(up, devices.length)} · ${T.store(store.state, store.segments, bytes(store.bytes))}`);
    const order = [...devices].sort((a, b) => a.connected - b.connected);
    keyed(list.body, order, (device) => device.id, () => textRow(4), (row, device) =>
      row.update([device.id, device.connected ? `✓ ${T.connected}` : `✖ ${T.disconnected(device.last_error)}`, device.age_s === null ? T.never : duration(device.age_s), String(device.errors)], device.connected ? null : "alarm"));
  };
}
