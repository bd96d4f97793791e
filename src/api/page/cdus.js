// One card a CDU: what it measures, what is set and by whom, and its heat against the forecast.
import { T } from "/texts.js";
import { AHEAD, heatChart, heatData } from "/trends.js";
import { DASH, byId, duration, flaw, good, h, number, quantity, say, set } from "/dom.js";
import { held, marginClass } from "/mimic.js";

const READINGS = [
  "secondary_supply_temperature", "secondary_return_temperature", "secondary_flow", "secondary_differential_pressure",
  "primary_supply_temperature", "primary_return_temperature", "primary_flow", "primary_valve_position", "pump_speed", "power",
];

export function ownerText(owner) {
  return owner ? T.owner[owner.kind]?.(owner.name) ?? owner.kind : T.notCommanded;
}

// A setpoint's row: value, who set it, and what it was as found.
export function setpointRow(tag, name, unit, ask, prefix = "") {
  const value = h("b", {});
  const owner = h("span", { class: "owner" });
  const found = h("span", { class: "muted" });
  const clear = h("button", { type: "button", class: "small", onclick: () => ask.clear(tag) }, T.clear);
  const button = h("button", { type: "button", class: "small", "aria-label": `${T.override} ${tag}`, onclick: () => ask.override(tag) }, T.override);
  const node = h("div", { class: "setpoint" }, h("span", {}, prefix + (T.quantity[name] ?? name)), value, h("span", { class: "by" }, owner, " · ", found), h("span", { class: "do" }, clear, button));
  return {
    node,
    update(setpoint) {
      const present = setpoint.commanded ?? setpoint.reading?.value;
      say(value, quantity(present, unit));
      const owned = ownerText(setpoint.owner);
      const proposed = !setpoint.owner && setpoint.planned !== null ? `, ${T.planned(quantity(setpoint.planned, unit))}` : "";
      say(owner, owned + proposed);
      set(owner, "class", `owner ${setpoint.owner?.kind ?? "none"}`);
      say(found, T.asFound(quantity(setpoint.release, unit)));
      set(node, "class", `setpoint ${setpoint.owner?.kind === "operator" ? "held" : ""}`);
      clear.hidden = setpoint.owner?.kind !== "operator";
    },
  };
}

export function build(site, units, ask) {
  const host = byId("cdus");
  host.setAttribute("aria-label", T.cdus);
  const cards = site.cdus.map((cdu) => card(cdu, site, units, ask));
  host.append(...cards.map((each) => each.node));
  return (view) => cards.forEach((each, index) => view.cdus[index] && each.update(view.cdus[index], view));
}

// The setpoints of the plant: pump skids, heat rejection, reuse, air units.
export function plant(site, units, ask) {
  const rows = [];
  for (const kind of ["loops", "rejection", "reuse", "air_units"]) site[kind].forEach((item, index) => {
    for (const tag of units.keys()) {
      const [name, quantityName] = tag.split(".");
      if (name !== item.name || !(quantityName.endsWith("_setpoint") || quantityName === "enable")) continue;
      rows.push({ kind, index, quantityName, row: setpointRow(tag, quantityName, units.get(tag), ask, `${name}: `) });
    }
  });
  byId("plant").append(h("div", { class: "setpoints wide" }, rows.map((each) => each.row.node)));
  return (view) => {
    for (const { kind, index, quantityName, row } of rows) {
      const setpoint = view[kind][index]?.setpoints[quantityName];
      if (setpoint) row.update(setpoint);
    }
  };
}

function card(cdu, site, units, ask) {
  const unit = (name) => units.get(`${cdu.name}.${name}`);
  const flag = h("span", { class: "flag" });
  const heat = h("b", { class: "big" });
  const soon = h("p", { class: "muted" });
  const margin = h("b", {});
  const marginNote = h("span", { class: "muted" });
  const values = READINGS.filter((name) => units.has(`${cdu.name}.${name}`)).map((name) => {
    const value = h("dd", {});
    return { name, value, node: h("div", {}, h("dt", {}, T.quantity[name]), value) };
  });
  const setpoints = ["secondary_supply_temperature_setpoint", "secondary_differential_pressure_setpoint"]
    .filter((name) => units.has(`${cdu.name}.${name}`))
    .map((name) => ({ name, row: setpointRow(`${cdu.name}.${name}`, name, unit(name), ask) }));
  const plot = heatChart(T.heatTrend, 104, 5);
  const node = h("article", { class: "panel card", id: cdu.name, tabindex: "-1", "aria-label": cdu.name },
    h("header", {}, h("h3", {}, cdu.name), flag),
    h("div", { class: "heat" }, h("div", {}, heat, " ", h("span", { class: "muted" }, T.rated(`${number(cdu.nameplate.rated_kw, 0)} kW`))), h("div", { class: "worst" }, h("span", { class: "muted" }, `${T.worst} `), margin, " ", marginNote)),
    soon, plot.node,
    h("dl", { class: "values" }, values.map((each) => each.node)),
    h("div", { class: "setpoints" }, setpoints.map((each) => each.row.node)));

  return {
    node,
    update(shown, view) {
      say(heat, quantity(shown.heat.now_kw, "kW"));
      say(soon, T.heatSoon(quantity(shown.heat.mean_kw[AHEAD.index], "kW"), quantity(shown.heat.upper_kw[AHEAD.index], "kW")));
      const left = shown.worst_margin_k ?? undefined;
      say(margin, left === undefined ? T.noMargin : quantity(left, "K"));
      set(margin, "class", `chip ${marginClass(left, site.limits.chip_margin_k)}`);
      say(marginNote, shown.worst_rack ?? "");
      for (const { name, value } of values) {
        const reading = shown.readings[name];
        const flawed = flaw(reading);
        say(value, reading ? quantity(reading.value, unit(name)) : DASH);
        set(value, "class", flawed ? "old" : null);
        set(value, "title", flawed || null);
      }
      for (const { name, row } of setpoints) if (shown.setpoints[name]) row.update(shown.setpoints[name]);
      const leak = good(shown.readings.leak) === 1;
      const local = good(shown.readings.local_control) === 1;
      const oldest = Math.max(0, ...values.map((each) => (flaw(shown.readings[each.name]) ? shown.readings[each.name]?.age_s ?? 0 : 0)));
      say(flag, leak ? T.leak : held(shown) ? T.overrideFlag : local ? T.local : oldest ? T.aged(T.quality.stale, duration(oldest)) : "");
      set(flag, "class", `flag ${leak || local ? "alarm" : held(shown) ? "hand" : "quiet"}`);
      set(node, "class", `panel card ${held(shown) ? "held" : ""} ${leak ? "leaking" : ""}`);
      plot.show(heatData(cdu.name, shown.heat, view.forecast.horizons_s, view.wall_ms));
    },
  };
}

