// Energy now: power and where it goes, the rates of cost and carbon, the hour ahead, and the books.
import { T, fill } from "/texts.js";
import { chart } from "/charts.js";
import { AHEAD, HOUR, hallHeat, load, past } from "/history.js";
import { heatChart, heatData, page, panel, row, table, tiles } from "/parts.js";
import { DASH, energy, good, h, keyed, mass, number, quantity, say, set, volume } from "/dom.js";

export function build({ site }) {
  const figures = tiles([T.itEnergy, T.coolingEnergy, T.siteEnergy, T.pue, T.reused, T.costRate, T.carbonRate, T.intensity]);
  const ahead = tiles([T.heatNow, T.heatInHour, T.heatAtMost, T.expectedCooling]);
  const terms = table([T.expectedCost, fill(T.perHour, { unit: site.currency })], T.expectedCost);
  const parts = table([T.equipment, T.quantity.power, T.shareOfCooling], T.whereCooling);
  const heat = heatChart(T.heatTrend, 150, 10);
  const powers = chart(T.powerTrend, { minSpan: 10, fromZero: true, lines: [{ key: "it", label: T.itEnergy, style: "actual" }, { key: "reused", label: T.reused, style: "warm" }] });
  const cooling = chart(T.coolingTrend, { minSpan: 2, fromZero: true, lines: [{ key: "cooling", label: T.cooling, style: "actual" }] });
  const cost = chart(fill(T.costTrend, { currency: site.currency }), { minSpan: 5, fromZero: true, lines: [{ key: "cost", label: T.cost, style: "actual" }] });
  const carbon = chart(T.carbonTrend, { minSpan: 10, fromZero: true, lines: [{ key: "carbon", label: T.carbon, style: "actual" }] });
  const ledger = books(site);
  const node = page("energy", panel(T.rightNow, {}, figures.node),
    h("div", { class: "charts" }, [powers, cooling, cost, carbon].map((each) => each.node)),
    h("div", { class: "three" }, panel(T.hourAhead, {}, ahead.node, heat.node, terms.node), panel(T.whereCooling, {}, parts.node), panel(T.books, {}, ledger.node)));
  const equipment = ["cdus", "loops", "rejection", "air_units"];
  return {
    node,
    enter() {},
    update(view) {
      load(site, view);
      const { books: account, forecast, control } = view;
      figures.update([
        quantity(account.it_kw, "kW"), quantity(account.cooling_kw, "kW"), quantity(account.site_kw, "kW"), number(account.site_kw / account.it_kw, 3), quantity(account.reused_kw, "heat"),
        `${number(account.cost_per_h)} ${site.currency}/${T.h}`, `${mass(account.co2e_kg_per_h)}/${T.h}`, `${number((1000 * account.co2e_kg_per_h) / account.site_kw, 0)} g/kWh`,
      ]);
      const whole = hallHeat(view);
      const hour = forecast.horizons_s.length - 1;
      ahead.update([quantity(whole.now_kw, "heat"), quantity(whole.mean_kw[hour], "heat"), quantity(whole.upper_kw[hour], "heat"), quantity(control.expected_cooling_kw ?? undefined, "kW")]);
      keyed(terms.body, control.cost_per_h, ([name]) => name, () => row(2), (line, [name, value]) => line.update([T.costTerm[name] ?? name, number(value)]));
      const now = view.wall_ms;
      const range = { from: now - HOUR, to: now, now };
      heat.show(heatData("hall", whole, forecast.horizons_s, now, past));
      powers.show({ data: { it: past("hall.it_power"), reused: past("hall.reused_heat") }, ...range });
      cooling.show({ data: { cooling: past("hall.cooling_power") }, ...range });
      cost.show({ data: { cost: past("hall.cost_rate") }, ...range });
      carbon.show({ data: { carbon: past("hall.co2e_rate") }, ...range });
      const drawing = equipment.flatMap((kind) => view[kind]).filter((each) => each.readings.power);
      drawing.sort((a, b) => (good(b.readings.power) ?? -1) - (good(a.readings.power) ?? -1) || a.name.localeCompare(b.name));
      keyed(parts.body, drawing, (each) => each.name, () => row(3), (line, each) => {
        const kw = good(each.readings.power);
        line.update([each.name, quantity(kw, "kW"), kw === undefined ? DASH : `${number((100 * kw) / account.cooling_kw, 0)} %`]);
      });
      ledger.update(view);
    },
  };
}

// Counters of today and in all.
function books(site) {
  const cells = [];
  const cell = (read) => {
    const node = h("td", {});
    cells.push([node, read]);
    return node;
  };
  const counters = [
    [T.itEnergy, (totals) => energy(totals.it_kwh)], [T.coolingEnergy, (totals) => energy(totals.cooling_kwh), "strong"], [T.siteEnergy, (totals) => energy(totals.site_kwh)],
    [T.water, (totals) => volume(totals.makeup_l), "strong"], [T.evaporation, (totals) => volume(totals.evaporation_l), "part"], [T.blowdown, (totals) => volume(totals.blowdown_l), "part"], [T.drift, (totals) => volume(totals.drift_l), "part"],
    [T.reused, (totals) => energy(totals.reused_kwh), "strong"], [T.carbon, (totals) => mass(totals.co2e_kg), "strong"],
    [T.coolingCost, (totals) => `${number(totals.cooling_cost)} ${site.currency}`, "strong"], [T.cost, (totals) => `${number(totals.cost)} ${site.currency}`],
  ];
  const indicators = [[T.pue, "pue", 3], [T.wue, "wue_l_per_kwh", 2], [T.erf, "erf", 3], [T.cue, "cue_kg_per_kwh", 3], [T.ref, "ref", 2]];
  const note = h("p", { class: "note muted" });
  const head = (name) => h("thead", {}, h("tr", {}, h("th", { scope: "col" }, name), h("th", { scope: "col" }, T.today), h("th", { scope: "col" }, T.total)));
  const node = h("div", {}, h("table", { class: "figures" },
    head(T.counters),
    h("tbody", {}, counters.map(([name, read, style]) => h("tr", { class: style }, h("th", { scope: "row" }, name), cell((account) => read(account.today)), cell((account) => read(account.total))))),
    head(T.indicators),
    h("tbody", {}, indicators.map(([name, key, digits]) => h("tr", {}, h("th", { scope: "row" }, name), cell((account) => number(account.today_indicators[key], digits)), cell((account) => number(account.total_indicators[key], digits)))))), note);
  return {
    node,
    update(view) {
      for (const [target, read] of cells) say(target, read(view.books));
      const { covered_s, estimated_s } = view.books.today;
      say(note, covered_s > 0 && estimated_s > 0 ? fill(T.estimated, { share: `${number((100 * estimated_s) / covered_s, 0)} %` }) : "");
      set(note, "hidden", note.textContent ? null : "");
    },
  };
}
