// The hall at a glance: what the controller does and why, the drawing, what asks for a person, and where the heat goes.
import { T, fill } from "/texts.js";
import { chart } from "/charts.js";
import { HOUR, hallHeat, load, past } from "/history.js";
import * as mimic from "/mimic.js";
import { unseen } from "/alarms.js";
import { AUTHORITY_MARK, LEVEL_MARK, SEVERITY_MARK, codeText, heatChart, heatData, page, panel, tiles } from "/parts.js";
import { here } from "/route.js";
import { h, keyed, mass, number, quantity, say, set, when } from "/dom.js";

const ALARMS = 6;

export function build({ site, units }) {
  const reasons = why(site);
  const drawing = mimic.build(site, units);
  const figures = tiles([T.itEnergy, T.coolingEnergy, T.pue, T.reused, T.costRate, T.carbonRate]);
  const asking = attention();
  const heat = heatChart(T.heatTrend, 150, 10);
  const margin = marginChart(site);
  const node = page("hall", reasons.node,
    h("div", { class: "hall-grid" },
      panel(T.hallDrawing, { class: "hall" }, drawing.legend, drawing.host),
      h("div", { class: "column" }, panel(T.rightNow, {}, figures.node), asking.node),
      h("div", { class: "charts" }, heat.node, margin.node)));
  let began = false;
  return {
    node,
    update(view) {
      if (!began) {
        began = true;
        load(site, view).then(() => curves(view));
      }
      reasons.update(view);
      drawing.update(view);
      asking.update(view);
      const { books } = view;
      figures.update([
        quantity(books.it_kw, "kW"), quantity(books.cooling_kw, "kW"), number(books.site_kw / books.it_kw, 3), quantity(books.reused_kw, "heat"),
        `${number(books.cost_per_h)} ${site.currency}/${T.h}`, `${mass(books.co2e_kg_per_h)}/${T.h}`,
      ]);
      curves(view);
    },
  };

  function curves(view) {
    const now = view.wall_ms;
    heat.show(heatData("hall", hallHeat(view), view.forecast.horizons_s, now, past));
    margin.show(marginData(past("hall.chip_margin"), site, now - HOUR, now));
  }
}

export const marginChart = (site, title = T.marginTrend) => chart(title, {
  minSpan: 5, fromZero: true, unit: "K",
  lines: [
    { key: "margin", label: T.margin, style: "actual" },
    { key: "target", label: T.marginTarget, style: "target", whole: true },
    { key: "critical", label: T.marginCritical, style: "critical", whole: true },
  ],
});

export function marginData(margin, site, from, to) {
  const level = (value) => [[from, value], [to, value]];
  const { target, critical } = site.limits.chip_margin_k;
  return { data: { margin, target: level(target), critical: level(critical) }, from, to, now: to };
}

// What the controller does and why, with the zones.
function why(site) {
  const strategy = h("span", { class: "badge strategy" });
  const source = h("span", { class: "badge" });
  const sentence = h("p", { class: "sentence" });
  const notes = h("p", { class: "notes muted" });
  const zones = h("ul", { class: "zones" });
  const node = h("section", { class: "why", "aria-label": T.why }, h("div", { class: "reasons" }, h("div", { class: "badges" }, strategy, source), sentence, notes), zones);
  return {
    node,
    update({ control, forecast, zones: states }) {
      const extra = [control.imposed ? T.imposed : "", control.status === "fell_back" ? T.fellBack : ""].filter(Boolean).join(", ");
      say(strategy, (T.strategy[control.strategy] ?? control.strategy) + (extra ? ` (${extra})` : ""));
      set(strategy, "class", `badge strategy ${extra ? "warning" : ""}`);
      say(source, T.source[forecast.source]);
      set(source, "class", `badge ${forecast.source === "queue" ? "" : "warning"}`);
      say(sentence, control.sentence || T.noSentence);
      const changed = control.changes.length;
      const target = control.load_target;
      say(notes, [
        target ? fill(T.loadTarget, { target: quantity(target.target_kw, "kW"), now: quantity(target.measured_kw, "kW"), from: when(target.start_ms, "minute"), to: when(target.end_ms, "minute"), phase: T.loadPhase[target.phase] }) : "",
        control.commissioning ? fill(T.commissioning, control.commissioning) : "",
        ...control.findings.map((finding) => `${finding.subject}: ${finding.text}`),
        ...costLines(control, site.currency),
        ...forecast.notes.filter((note) => !control.sentence.includes(note.slice(0, 20))),
        changed ? fill(changed === 1 ? T.changedOne : T.changed, { count: changed, which: `${control.changes[0].tag}, ${control.changes[0].why}` }) : "",
        control.binding.length ? fill(T.binding, { list: control.binding.join(", ") }) : "",
      ].filter(Boolean).join(" · "));
      keyed(zones, states, (zone) => zone.name, zoneRow, (line, zone) => line.update(zone));
    },
  };
}

// What the plan expects to cost, what the plant as found would, and what wider limits are worth.
function costLines(control, currency) {
  const money = (value) => `${number(value)} ${currency}`;
  const named = (list) => list.map(([name, value]) => `${name} ${money(value)}`).join(", ");
  const terms = control.cost_per_h.filter(([, value]) => Math.abs(value) > 1e-9);
  const worth = control.worth_per_h.filter(([, value]) => value > 1e-9);
  return [
    terms.length ? fill(T.costs, { now: money(terms.reduce((sum, [, value]) => sum + value, 0)), terms: named(terms) }) : "",
    control.as_found_per_h === null ? "" : fill(T.asFoundCost, { money: money(control.as_found_per_h) }),
    worth.length ? fill(T.worth, { list: named(worth) }) : "",
  ];
}

function zoneRow({ name }) {
  const level = h("span", { class: "level" });
  const authority = h("span", { class: "authority" });
  const causes = h("span", { class: "causes" });
  const node = h("li", { class: "zone" }, h("b", {}, name), level, authority, h("a", { class: "more", href: here("control"), "aria-label": fill(T.controlOf, { zone: name }) }, "…"), causes);
  return {
    node,
    update(zone) {
      say(level, `${LEVEL_MARK[zone.level]} ${T.level[zone.level]}`);
      set(level, "class", `level ${zone.level}`);
      const differs = zone.authority !== zone.wanted;
      say(authority, `${AUTHORITY_MARK[zone.authority]} ${T.authority[zone.authority]}${differs ? ` (${fill(T.asked, { wanted: T.authority[zone.wanted] })})` : ""}`);
      set(authority, "class", `authority ${differs ? "lowered" : ""}`);
      say(causes, zone.causes.join("; "));
      causes.hidden = zone.causes.length === 0;
    },
  };
}

// The alarms that nobody has seen, and the overrides that hold: what a person should know on walking in.
function attention() {
  const list = h("ul", { class: "plain" });
  const none = h("p", { class: "muted" }, T.noAlarms);
  const more = h("a", { href: here("alarms") }, T.allAlarms);
  const node = panel(T.attention, { class: "attention" }, none, list, more);
  return {
    node,
    update(view) {
      const held = [view.cdus, view.loops, view.rejection, view.reuse, view.air_units].flat().flatMap((each) =>
        Object.entries(each.setpoints).filter(([, setpoint]) => setpoint.owner?.kind === "operator")
          .map(([name, setpoint]) => ({ key: `o${each.name}.${name}`, style: "hand", text: fill(T.heldBy, { tag: `${each.name}.${name}`, name: setpoint.owner.name, at: when(setpoint.until_ms, "minute") }), href: here("control") })));
      const asking = unseen(view.alarms).slice(0, ALARMS).map((alarm) => ({
        key: `a${alarm.id}`, style: alarm.severity, href: here("alarms"),
        text: `${SEVERITY_MARK[alarm.severity]} ${when(alarm.since_ms, "minute")} ${codeText(alarm.code)}: ${alarm.subject}`,
      }));
      const all = [...asking, ...held];
      none.hidden = all.length > 0;
      keyed(list, all, (each) => each.key, (each) => {
        const link = h("a", { href: each.href });
        return { node: h("li", {}, link), link };
      }, (line, each) => { say(line.link, each.text); set(line.link, "class", each.style); });
    },
  };
}
