// Control: who may write what, by zone; what a person holds and until when; the plan in advise; every setpoint with its owner.
import { T, fill } from "/texts.js";
import { AUTHORITY_MARK, LEVEL_MARK, equipmentOf, ownerText, page, panel, row, setpointRow, table, until } from "/parts.js";
import { h, keyed, quantity, say, set } from "/dom.js";

export function build({ site, units, asks }) {
  const strategy = h("b", { class: "big" });
  const sentence = h("p", { class: "sentence" });
  const zones = h("ul", { class: "zone-list" });
  const overrides = table([T.setpoint, T.value, T.heldByWhom, T.ends, ""], T.overrides);
  const none = h("p", { class: "muted" }, T.noOverrides);
  const overridden = panel(T.overrides, { class: "overrides" }, none, overrides.node);
  const every = setpoints(site, units, asks);
  const node = page("control",
    panel(T.strategyNow, { class: "strategy-now" }, h("div", { class: "line" }, strategy, h("button", { type: "button", onclick: asks.strategy }, T.setStrategy)), sentence),
    panel(T.zones, {}, zones), overridden, every.node);
  return {
    node,
    update(view) {
      const { control } = view;
      say(strategy, (T.strategy[control.strategy] ?? control.strategy) + (control.imposed ? ` (${T.imposed})` : "") + (control.status === "fell_back" ? ` (${T.fellBack})` : ""));
      say(sentence, control.sentence || T.noSentence);
      keyed(zones, view.zones, (zone) => zone.name, (zone) => zoneCard(zone.name, site, units, asks), (card, zone) => card.update(zone, view));
      const held = equipmentOf(view).flatMap((each) => Object.entries(each.setpoints).filter(([, setpoint]) => setpoint.owner?.kind === "operator").map(([name, setpoint]) => ({ tag: `${each.name}.${name}`, setpoint })));
      none.hidden = held.length > 0;
      overrides.node.hidden = held.length === 0;
      set(overridden, "class", `panel overrides ${held.length ? "held" : ""}`);
      keyed(overrides.body, held, ({ tag }) => tag, ({ tag }) => ({ ...row(5), end: h("button", { type: "button", class: "small", "aria-label": `${T.clear} ${tag}`, onclick: () => asks.clear(tag) }, T.clear) }), (line, { tag, setpoint }) =>
        line.update([tag, quantity(setpoint.commanded, units.get(tag)), `✋ ${ownerText(setpoint.owner)}`, setpoint.until_ms ? until(setpoint.until_ms, view.wall_ms) : "", line.end], "hand"));
      every.update(view);
    },
  };
}

// A zone: its level and authority, and, in advise, the plan that waits for a word.
function zoneCard(name, site, units, asks) {
  const level = h("span", { class: "level" });
  const authority = h("span", { class: "authority" });
  const causes = h("ul", { class: "plain muted" });
  const plan = table([T.setpoint, T.present, T.plannedValue], fill(T.planOf, { zone: name }));
  const accepted = h("p", { class: "flag hand" });
  const proposal = h("div", { class: "proposal" }, h("h4", {}, fill(T.planOf, { zone: name })), accepted, h("p", { class: "muted" }, T.planText), plan.node,
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "primary", onclick: () => asks.acceptPlan(name) }, T.acceptPlan),
      h("button", { type: "button", onclick: () => asks.declinePlan(name) }, T.declinePlan)));
  const node = h("li", { class: "zone-card" },
    h("div", { class: "line" }, h("b", {}, name), level, authority, h("button", { type: "button", class: "small", "aria-label": `${T.setAuthorityShort} ${name}`, onclick: () => asks.authority(name) }, T.setAuthorityShort)),
    causes, proposal);
  const own = new Set(["loops", "cdus", "rejection", "reuse", "air_units"].flatMap((kind) => site[kind].filter((each) => each.zone === name).map((each) => each.name)));
  return {
    node,
    update(zone, view) {
      say(level, `${LEVEL_MARK[zone.level]} ${T.level[zone.level]}`);
      set(level, "class", `level ${zone.level}`);
      const differs = zone.authority !== zone.wanted;
      say(authority, `${AUTHORITY_MARK[zone.authority]} ${T.authority[zone.authority]}, ${T.authorityHint[zone.authority]}${differs ? ` (${fill(T.asked, { wanted: T.authority[zone.wanted] })})` : ""}`);
      set(authority, "class", `authority ${differs ? "lowered" : ""}`);
      keyed(causes, zone.causes.map((text, index) => ({ text, index })), (cause) => cause.index, () => ({ node: h("li", {}) }), (line, cause) => say(line.node, cause.text));
      proposal.hidden = zone.wanted !== "advise";
      if (proposal.hidden) return;
      const taken = zone.authority !== "advise" && zone.authority !== "observe";
      say(accepted, taken ? `✋ ${T.planAccepted}` : "");
      const wants = equipmentOf(view).filter((each) => own.has(each.name)).flatMap((each) => Object.entries(each.setpoints)
        .filter(([, setpoint]) => setpoint.planned !== null && Math.abs(setpoint.planned - (setpoint.reading?.value ?? NaN)) > 1e-3)
        .map(([quantityName, setpoint]) => ({ tag: `${each.name}.${quantityName}`, setpoint })));
      keyed(plan.body, wants, ({ tag }) => tag, () => row(3), (line, { tag, setpoint }) =>
        line.update([tag, quantity(setpoint.reading?.value, units.get(tag)), quantity(setpoint.planned, units.get(tag))]));
    },
  };
}

function setpoints(site, units, asks) {
  const rows = [];
  for (const kind of ["loops", "cdus", "rejection", "reuse", "air_units"]) site[kind].forEach((item, index) => {
    for (const tag of units.keys()) {
      const name = tag.slice(item.name.length + 1);
      if (!tag.startsWith(`${item.name}.`) || !(name.endsWith("_setpoint") || name === "enable")) continue;
      rows.push({ kind, index, name, row: setpointRow(tag, units.get(tag), asks, `${item.name}: `) });
    }
  });
  return {
    node: panel(T.everySetpoint, {}, h("div", { class: "setpoints wide" }, rows.map((each) => each.row.node))),
    update(view) {
      for (const { kind, index, name, row: line } of rows) {
        const setpoint = view[kind][index]?.setpoints[name];
        if (setpoint) line.update(setpoint, view.wall_ms);
      }
    },
  };
}
