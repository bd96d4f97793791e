// The CDUs: all of them as a table, and each with its trends, its setpoints, its racks, and how long it would last.
import { T, fill } from "/texts.js";
import { chart } from "/charts.js";
import { AHEAD, HOUR, heatTags, watched } from "/history.js";
import { flagOf, held, marginClass } from "/mimic.js";
import { marginChart, marginData } from "/hall.js";
import { chooser, heatChart, heatData, page, panel, row, setpointRow, table } from "/parts.js";
import { here } from "/route.js";
import { DASH, duration, flaw, good, h, keyed, number, quantity, say, set } from "/dom.js";

const READINGS = [
  "secondary_supply_temperature", "secondary_return_temperature", "secondary_flow", "secondary_differential_pressure",
  "primary_supply_temperature", "primary_return_temperature", "primary_flow", "primary_valve_position", "pump_speed", "power",
];
const SPANS = [HOUR, 6 * HOUR, 24 * HOUR, 168 * HOUR];
const RIDES = ["flow_s", "pump_s", "tower_s"];

export function build(context) {
  const host = h("div", {});
  const node = page("cdus", host);
  const all = overview(context);
  const one = detail(context);
  let shown = all;
  return {
    node,
    enter({ rest }) {
      const cdu = context.site.cdus.find((each) => each.name === rest[0]);
      shown = cdu ? one : all;
      if (cdu) one.enter(cdu);
      else one.leave();
      host.replaceChildren(shown.node);
    },
    leave: () => one.leave(),
    update: (view) => shown.update(view),
  };
}

export function flagText(flag) {
  return flag ? `${{ leak: "◆", lost: "✖", held: "✋", local: "▲" }[flag]} ${T.flags[flag]}` : "";
}
const flagClass = (flag) => `flag ${flag === "held" ? "hand" : flag ? "alarm" : "fine"}`;

function overview({ site, units }) {
  const list = table([T.cdu, T.state, T.heat, T.ofRated, T.in5min, T.quantity.secondary_supply_temperature, T.quantity.secondary_return_temperature, T.quantity.secondary_flow, T.worst, T.ride.flow_s, T.ride.pump_s, T.ride.tower_s], T.cdus);
  const node = panel(T.cdus, { class: "grow" }, list.node, h("p", { class: "note muted" }, T.rideNote));
  return {
    node,
    update(view) {
      keyed(list.body, view.cdus, (cdu) => cdu.name, (cdu) => {
        const line = row(12);
        const link = h("a", { href: here("cdus", [cdu.name]) }, cdu.name);
        const chip = h("b", {});
        const flag = h("span", {});
        return { ...line, link, chip, flag };
      }, (line, cdu) => {
        const rated = site.cdus.find((each) => each.name === cdu.name).nameplate.rated_kw;
        const flag = flagOf(cdu, view);
        say(line.flag, flagText(flag) || `✓ ${T.fine}`);
        set(line.flag, "class", flagClass(flag));
        const left = cdu.worst_margin_k ?? undefined;
        say(line.chip, left === undefined ? T.noMargin : quantity(left, "K"));
        set(line.chip, "class", `chip ${marginClass(left, site.limits.chip_margin_k)}`);
        const reading = (name) => quantity(good(cdu.readings[name]), units.get(`${cdu.name}.${name}`));
        line.update([
          line.link, line.flag, quantity(cdu.heat.now_kw, "heat"), `${number((100 * cdu.heat.now_kw) / rated, 0)} %`, quantity(cdu.heat.upper_kw[AHEAD.index], "heat"),
          reading("secondary_supply_temperature"), reading("secondary_return_temperature"), reading("secondary_flow"), line.chip,
          ...RIDES.map((name) => duration(cdu.ride[name])),
        ], flag ? `row-${flag}` : "");
      });
    },
  };
}

function detail({ site, units, asks, latest }) {
  const node = h("div", { class: "cdu-page" });
  let parts = null;
  let span = HOUR;
  let series = { found: new Map(), from: 0, to: 0 };
  const record = watched((answer) => {
    series = answer;
    if (parts && latest()) parts.curves(latest());
  });
  const tagsOf = (cdu) => [
    ...heatTags(cdu.name),
    ...["secondary_supply_temperature", "secondary_return_temperature", "primary_supply_temperature", "secondary_flow", "secondary_differential_pressure"].map((name) => `${cdu.name}.${name}`),
    ...cdu.racks.map((rack) => `${rack}.chip_margin`),
  ].filter((tag) => units.has(tag) || /\.heat/.test(tag));

  function enter(cdu) {
    if (parts?.cdu !== cdu) {
      series = { found: new Map(), from: 0, to: 0 };
      parts = make(cdu);
      node.replaceChildren(...parts.nodes);
    }
    record.set(tagsOf(cdu), span);
  }

  function make(cdu) {
    const read = (tag) => series.found.get(tag) ?? [];
    const at = site.cdus.indexOf(cdu);
    const beside = (step) => site.cdus[(at + step + site.cdus.length) % site.cdus.length].name;
    const flag = h("span", { class: "flag", role: "status" });
    const heat = h("b", { class: "big" });
    const soon = h("p", { class: "muted" });
    const margin = h("b", {});
    const marginNote = h("span", { class: "muted" });
    const heats = heatChart(T.heatTrend, 170, 5);
    const temperatures = chart(T.temperatureTrend, {
      minSpan: 5, unit: "degC",
      lines: [
        { key: "return", label: T.quantity.secondary_return_temperature, style: "warm" }, { key: "supply", label: T.quantity.secondary_supply_temperature, style: "actual" },
        { key: "water", label: T.quantity.primary_supply_temperature, style: "cool" }, { key: "critical", label: T.supplyCritical, style: "critical", whole: true },
      ],
    });
    const flows = chart(T.flowTrend, { minSpan: 20, fromZero: true, unit: "L/min", lines: [{ key: "flow", label: T.quantity.secondary_flow, style: "actual" }] });
    const margins = marginChart(site, T.cduMarginTrend);
    const period = chooser(T.period, SPANS, (value) => duration(value / 1000), span, (value) => {
      span = value;
      record.set(tagsOf(cdu), span);
      if (latest()) record.look(latest());
    });
    const values = READINGS.filter((name) => units.has(`${cdu.name}.${name}`)).map((name) => {
      const value = h("dd", {});
      return { name, value, node: h("div", {}, h("dt", {}, T.quantity[name]), value) };
    });
    const setpoints = [...units.keys()].filter((tag) => tag.startsWith(`${cdu.name}.`) && tag.endsWith("_setpoint"))
      .map((tag) => ({ name: tag.slice(cdu.name.length + 1), row: setpointRow(tag, units.get(tag), asks) }));
    const rides = RIDES.map((name) => ({ name, value: h("b", { class: "big" }), node: null }));
    for (const ride of rides) ride.node = h("div", {}, h("dt", {}, T.rideLong[ride.name]), h("dd", {}, ride.value));
    const racks = table([T.rack, T.margin, T.quantity.power, T.quantity.liquid_supply_temperature, T.quantity.liquid_return_temperature, T.quantity.liquid_flow], T.racks);
    const head = panel(cdu.name, { class: "cdu-head" },
      h("div", { class: "heat" },
        h("div", {}, heat, " ", h("span", { class: "muted" }, fill(T.rated, { value: quantity(cdu.nameplate.rated_kw, "heat") }))), flag,
        h("div", { class: "worst" }, h("span", { class: "muted" }, `${T.worst} `), margin, " ", marginNote)), soon);
    return {
      cdu,
      nodes: [
        h("nav", { class: "between", "aria-label": T.cdus },
          h("a", { href: here("cdus", [beside(-1)]) }, `← ${beside(-1)}`), h("a", { href: here("cdus") }, T.allCdus), h("a", { href: here("cdus", [beside(1)]) }, `${beside(1)} →`), period.node),
        head,
        h("div", { class: "charts" }, heats.node, temperatures.node, flows.node, margins.node),
        h("div", { class: "three" },
          panel(T.setpoints, {}, h("div", { class: "setpoints" }, setpoints.map((each) => each.row.node))),
          panel(T.rideTitle, { class: "ride" }, h("dl", {}, rides.map((each) => each.node)), h("p", { class: "note muted" }, T.rideNote)),
          panel(T.readings, {}, h("dl", { class: "values" }, values.map((each) => each.node)))),
        panel(T.racks, {}, racks.node),
      ],
      curves(view) {
        const now = view.wall_ms;
        const from = now - span;
        const shown = view.cdus[at];
        heats.show(heatData(cdu.name, shown.heat, view.forecast.horizons_s, now, read, span));
        const own = (name) => read(`${cdu.name}.${name}`);
        const critical = site.limits.secondary_supply_c.critical;
        temperatures.show({ data: { return: own("secondary_return_temperature"), supply: own("secondary_supply_temperature"), water: own("primary_supply_temperature"), critical: [[from, critical], [now, critical]] }, from, to: now, now });
        flows.show({ data: { flow: own("secondary_flow") }, from, to: now, now });
        margins.show(marginData(least(cdu.racks.map((rack) => read(`${rack}.chip_margin`))), site, from, now));
      },
      update(view) {
        const shown = view.cdus[at];
        if (!shown) return;
        say(heat, quantity(shown.heat.now_kw, "heat"));
        say(soon, fill(T.heatSoon, { mean: quantity(shown.heat.mean_kw[AHEAD.index], "heat"), upper: quantity(shown.heat.upper_kw[AHEAD.index], "heat") }));
        const left = shown.worst_margin_k ?? undefined;
        say(margin, left === undefined ? T.noMargin : quantity(left, "K"));
        set(margin, "class", `chip ${marginClass(left, site.limits.chip_margin_k)}`);
        say(marginNote, shown.worst_rack ?? "");
        for (const { name, value } of values) {
          const reading = shown.readings[name];
          const flawed = flaw(reading);
          say(value, reading ? quantity(reading.value, units.get(`${cdu.name}.${name}`)) + (flawed ? ` (${flawed})` : "") : `${DASH} (${flawed})`);
          set(value, "class", flawed ? "old" : null);
        }
        for (const { name, row } of setpoints) if (shown.setpoints[name]) row.update(shown.setpoints[name], view.wall_ms);
        for (const { name, value } of rides) say(value, duration(shown.ride[name]));
        const worst = flagOf(shown, view);
        say(flag, flagText(worst));
        set(flag, "class", flagClass(worst));
        set(head, "class", `panel cdu-head ${held(shown) ? "held" : ""} ${worst === "leak" || worst === "lost" ? "leaking" : ""}`);
        keyed(racks.body, view.racks.filter((rack) => cdu.racks.includes(rack.name)), (rack) => rack.name, () => ({ ...row(6), chip: h("b", {}) }), (line, rack) => {
          const reading = (name) => {
            const found = rack.readings[name];
            return found ? quantity(found.value, units.get(`${rack.name}.${name}`)) + (flaw(found) ? ` (${flaw(found)})` : "") : DASH;
          };
          const own = good(rack.readings.chip_margin);
          say(line.chip, own === undefined ? T.noMargin : quantity(own, "K"));
          set(line.chip, "class", `chip ${marginClass(own, site.limits.chip_margin_k)}`);
          line.update([rack.name, line.chip, reading("power"), reading("liquid_supply_temperature"), reading("liquid_return_temperature"), reading("liquid_flow")]);
        });
        this.curves(view);
      },
    };
  }

  return {
    node,
    enter,
    leave: () => record.set(null),
    update(view) {
      record.look(view);
      parts?.update(view);
    },
  };
}

// The smallest of several series at each moment that any of them has.
function least(all) {
  const lowest = new Map();
  for (const points of all) for (const [ms, value] of points) lowest.set(ms, Math.min(value, lowest.get(ms) ?? Infinity));
  return [...lowest].sort((a, b) => a[0] - b[0]);
}
