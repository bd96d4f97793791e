// Green: how efficient the site is and by which part, water, carbon, reused heat; and what could be done about it.
import { T, fill } from "/texts.js";
import { page, panel, row, table } from "/parts.js";
import { DASH, energy, h, keyed, mass, number, say, set, volume, when } from "/dom.js";

const PARTS = ["energy", "water", "carbon", "reuse"];

export function build({ site, asks }) {
  const periods = ["today", "total"].map((period) => score(period));
  const sides = table([site.name, T.today, T.total], T.sideBySide);
  const lines = [
    [T.pue, (a) => number(a.indicators.pue, 3)], [T.wue, (a) => number(a.indicators.wue_l_per_kwh, 2)], [T.cue, (a) => number(a.indicators.cue_kg_per_kwh, 3)], [T.erf, (a) => number(a.indicators.erf, 3)], [T.ref, (a) => number(a.indicators.ref, 2)],
    [T.water, (a) => volume(a.totals.makeup_l)], [T.carbon, (a) => mass(a.totals.co2e_kg)], [T.reused, (a) => energy(a.totals.reused_kwh)], [T.coolingEnergy, (a) => energy(a.totals.cooling_kwh)], [T.coolingCost, (a) => `${number(a.totals.cooling_cost)} ${site.currency}`],
  ].map(([name, read]) => ({ name, read }));
  const advised = h("ol", { class: "advice-list" });
  const none = h("p", { class: "muted" }, T.noAdvice);
  const taken = table([T.advice, T.takenAt, T.promised, T.came, T.over], T.followUp);
  const followUp = panel(T.followUp, {}, h("p", { class: "muted" }, T.followUpText), taken.node);
  const node = page("green", h("div", { class: "three" }, ...periods.map((each) => each.node), panel(T.sideBySide, {}, sides.node, h("p", { class: "note muted" }, T.interim))),
    panel(T.advice, { class: "grow" }, h("p", { class: "muted" }, T.adviceText), none, advised), followUp);
  return {
    node,
    update(view) {
      const { books } = view;
      const sets = { today: { totals: books.today, indicators: books.today_indicators, score: books.today_score }, total: { totals: books.total, indicators: books.total_indicators, score: books.total_score } };
      for (const each of periods) each.update(sets[each.period].score);
      keyed(sides.body, lines, (line) => line.name, () => row(3), (line, { name, read }) => line.update([name, read(sets.today), read(sets.total)]));
      const advice = view.advice ?? { open: [], taken: [] };
      none.hidden = advice.open.length > 0;
      keyed(advised, advice.open, (each) => each.id, (each) => adviceCard(each, site, asks), (card, each) => card.update(each));
      followUp.hidden = advice.taken.length === 0;
      const money = (value) => (value === null || value === undefined ? DASH : `${number(value)} ${site.currency}`);
      keyed(taken.body, advice.taken, (each) => each.id, () => row(5), (line, each) =>
        line.update([`${T.adviceKind[each.kind] ?? each.kind}: ${each.subject}`, `${when(each.taken_ms, "date")}, ${each.taken_by}`, `${money(each.promised_per_day)}/${T.d}`, each.came_per_day === null ? T.notYet : `${money(each.came_per_day)}/${T.d}`, `${number(each.watched_h, 1)} ${T.h}`]));
    },
  };
}

function adviceCard(first, site, asks) {
  const named = `${T.adviceKind[first.kind] ?? first.kind}: ${first.subject}`;
  const saving = h("p", { class: "saving" });
  const text = h("p", {});
  const action = h("p", { class: "muted" });
  const node = h("li", { class: "advice-card" }, h("div", { class: "line" }, h("b", {}, named), saving), text, action,
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "small primary", "aria-label": `${T.takeAdvice}: ${named}`, onclick: () => asks.takeAdvice(first.id, named) }, T.takeAdvice),
      h("button", { type: "button", class: "small", "aria-label": `${T.declineAdvice}: ${named}`, onclick: () => asks.declineAdvice(first.id, named) }, T.declineAdvice)));
  return {
    node,
    update(each) {
      say(saving, fill(T.savesADay, { money: `${number(each.money_per_day)} ${site.currency}`, energy: energy(each.kwh_per_day), water: volume(each.litres_per_day), carbon: mass(each.co2e_kg_per_day) }));
      say(text, each.text);
      say(action, fill(T.adviceHow, { action: each.action, confidence: `${number(100 * each.confidence, 0)} %`, risk: each.risk }));
    },
  };
}

function score(period) {
  const value = h("b", { class: "score" });
  const bars = PARTS.map((part) => {
    const bar = h("meter", { min: 0, max: 100, "aria-label": T.scorePart[part] });
    const number_ = h("b", {});
    return { part, bar, number: number_, node: h("div", { class: "score-part" }, h("span", {}, T.scorePart[part]), bar, number_) };
  });
  const node = panel(`${T.score}, ${T[period].toLowerCase()}`, { class: "score-panel" }, h("p", {}, value, h("span", { class: "muted" }, ` ${T.of100}`)), ...bars.map((each) => each.node), h("p", { class: "note muted" }, T.scoreText));
  return {
    period,
    node,
    update(parts) {
      say(value, number(parts.score, 0));
      for (const each of bars) {
        say(each.number, number(parts[each.part], 0));
        set(each.bar, "value", parts[each.part] ?? 0);
      }
    },
  };
}
