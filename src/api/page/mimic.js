// The hall as a drawing: plant above, headers, CDUs, racks. Laid out for the width at hand, so that text keeps its
// size: 25 CDUs stand side by side on a wide screen and wrap on a phone.
import { T, fill } from "/texts.js";
import { DASH, flaw, good, h, number, quantity, say, set, svg } from "/dom.js";
import { symbol, toShown } from "/units.js";

const GAP = 6;
const RISER = 22; // room at the left for the pipes that join the rows
const LINE = 16;
const HEADERS = 20; // height of a pair of header pipes
const PLANT_WIDTH = 138;
const COMPACT_WIDTH = 66; // for units of which there are many
const MANY = 6;
const NARROW = 100; // a CDU column below this shows three numbers and stacks its racks

const classes = ["ample", "ok", "low", "critical", "unknown"];

const COMPACT_LINES = ["leaving_temperature", "fan_speed"];

// How a chip margin stands to its limits.
export function marginClass(margin, band) {
  if (!Number.isFinite(margin)) return "unknown";
  if (margin <= band.critical) return "critical";
  if (margin < band.target) return "low";
  return margin < 2 * band.target ? "ok" : "ample";
}

const PLANT_LINES = {
  rejection: ["leaving_temperature", "fan_speed", "power"],
  loops: ["supply_temperature", "return_temperature", "flow", "differential_pressure", "power"],
  reuse: ["heat", "valve_position", "network_supply_temperature"],
  air_units: ["supply_air_temperature", "room_temperature", "fan_speed", "power"],
  weather: ["dry_bulb", "relative_humidity"],
};

export function build(site, units) {
  const host = h("div", { id: "mimic" });
  const legend = h("div", { class: "legend" });
  legend.append(h("span", {}, h("i", { class: "key cool", "aria-hidden": "true" }), T.supplyPipe), h("span", {}, h("i", { class: "key warm", "aria-hidden": "true" }), T.returnPipe));
  legend.append(h("span", {}, T.marginLegend), ...classes.map((name) => h("span", {}, h("i", { class: `swatch ${name}`, "aria-hidden": "true" }), T.marginClass[name])));
  let updates = [];
  let last = null;
  let width = 0;

  function layout() {
    updates = [];
    const drawing = svg("svg", { class: "mimic", role: "group", "aria-label": T.hall });
    drawing.append(svg("defs", {}, svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("rect", { class: "hatch-ground", width: 6, height: 6 }), svg("line", { class: "hatch-line", y2: 6 }))));
    let y = 0;
    site.loops.forEach((loop, index) => { y = drawLoop(drawing, loop, index, y); });
    set(drawing, "viewBox", `0 0 ${width} ${y}`);
    set(drawing, "width", width);
    set(drawing, "height", y);
    host.replaceChildren(drawing);
    if (last) refresh();
  }

  // Rows of boxes with a pair of headers under (plant) or over (CDUs) each row, joined by risers at the left.
  function drawLoop(drawing, loop, loopIndex, top) {
    const pipes = svg("g", { class: "pipes" });
    drawing.append(pipes);
    const rows = [];
    let y = top;
    const plant = [
      ...of("rejection", loop), { kind: "loops", item: loop, index: loopIndex }, ...of("reuse", loop), ...of("air_units", loop),
      ...(loopIndex === 0 && site.weather ? [{ kind: "weather", item: { name: T.weather } }] : []),
    ];
    const room = width - RISER;
    for (const row of shelves(plant, room)) {
      const height = 22 + Math.max(...row.map((each) => each.lines.length)) * LINE;
      let x = RISER;
      for (const each of row) {
        drawing.append(plantBox(each, x, y, each.width, height));
        if (each.kind !== "weather") stubs(pipes, x + each.width / 2, y + height, y + height + 6, 1);
        x += each.width + GAP;
      }
      y += height + 6;
      rows.push(y);
      y += HEADERS;
    }

    const cdus = site.cdus.map((cdu, index) => ({ ...cdu, index })).filter((cdu) => cdu.loop === loop.name);
    const most = Math.max(1, ...cdus.map((cdu) => cdu.racks.length));
    const fit = Math.max(1, Math.min(cdus.length, Math.floor((room + GAP) / (40 + GAP))));
    // Wide columns where they fit in at most two rows, else narrow ones.
    const wide = Math.max(1, Math.floor((room + GAP) / (150 + GAP)));
    const columns = Math.ceil(cdus.length / wide) <= 2 ? Math.min(wide, cdus.length) : Math.ceil(cdus.length / Math.ceil(cdus.length / fit));
    const columnWidth = Math.min(300, (room - GAP * (columns - 1)) / columns);
    for (let start = 0; start < cdus.length; start += columns) {
      if (start > 0) { rows.push(y); y += HEADERS; }
      y += 6;
      let deepest = 0;
      cdus.slice(start, start + columns).forEach((cdu, column) => {
        const x = RISER + column * (columnWidth + GAP);
        stubs(pipes, x + columnWidth / 2, y - 6, y, -1);
        deepest = Math.max(deepest, cduColumn(drawing, cdu, x, y, columnWidth, most));
      });
      y += deepest + GAP;
    }
    pipesOf(pipes, rows);
    return y + GAP;
  }

  const of = (kind, loop) => site[kind].map((item, index) => ({ kind, item, index })).filter((each) => each.item.loop === loop.name);

  // Breaks the plant into rows and stretches each to the room.
  function shelves(plant, room) {
    const rows = [];
    let used = Infinity;
    for (const each of plant) {
      each.compact = each.kind === "rejection" && site.rejection.length > MANY;
      each.lines = each.compact ? COMPACT_LINES : PLANT_LINES[each.kind];
      each.width = each.compact ? COMPACT_WIDTH : PLANT_WIDTH;
      if (used + each.width > room) { rows.push([]); used = 0; }
      rows.at(-1).push(each);
      used += each.width + GAP;
    }
    const taken = (row) => row.reduce((sum, each) => sum + each.width, 0);
    const widest = Math.max(...rows.map(taken));
    for (const row of rows) {
      const stretch = Math.min(1.7, (room - GAP * (row.length - 1)) / (rows.length > 1 ? Math.max(taken(row), 0.8 * widest) : taken(row)));
      for (const each of row) each.width *= stretch;
    }
    return rows;
  }

  const pipe = (style, x1, y1, x2, y2) => svg("line", { class: style, x1, y1, x2, y2 });
  function stubs(pipes, x, from, to, way) {
    // Return crosses over supply to reach its header.
    pipes.append(pipe("return", x - 7, from, x - 7, way > 0 ? to + 5 : to), pipe("supply", x + 7, way > 0 ? from : from - 7, x + 7, way > 0 ? to + 13 : to));
    if (way < 0) pipes.append(pipe("return", x - 7, from - 15, x - 7, to));
  }
  function pipesOf(pipes, rows) {
    for (const y of rows) pipes.append(pipe("return", 6, y + 5, width, y + 5), pipe("supply", 14, y + 13, width, y + 13));
    if (rows.length > 1) pipes.append(pipe("return", 6, rows[0] + 5, 6, rows.at(-1) + 5), pipe("supply", 14, rows[0] + 13, 14, rows.at(-1) + 13));
  }

  function plantBox({ kind, item, index, compact, lines }, x, y, w, height) {
    const box = svg("g", { class: "box", transform: `translate(${x} ${y})` });
    const name = svg("text", { class: "name", x: 8, y: 16 }, item.name);
    const mark = svg("text", { class: "mark", x: w - 8, y: 16, "text-anchor": "end" });
    box.append(svg("rect", { class: "frame", width: w, height, rx: 5 }), name, mark);
    const values = lines.map((quantityName, line) => {
      const at = 32 + line * LINE;
      const value = svg("text", { class: "value", x: w - 8, y: at, "text-anchor": "end" });
      if (!compact) box.append(svg("text", { class: "label", x: 8, y: at }, T.quantity[quantityName]));
      box.append(value);
      return [quantityName, value];
    });
    updates.push((view) => {
      const shown = kind === "weather" ? view.weather : view[kind][index];
      if (!shown) return;
      for (const [quantityName, node] of values) reading(node, shown, quantityName);
      const running = good(shown.readings.running);
      const local = good(shown.readings.local_control) === 1;
      const words = local ? T.localShort : running === 0 ? T.off : running === 1 ? T.running : "";
      if (!compact) say(mark, words);
      else if (local || running === 0) say(values.at(-1)[1], local ? T.localShort : T.off);
      set(mark, "class", `mark ${local ? "alarm" : ""}`);
      set(box, "class", `box ${running === 0 ? "idle" : ""} ${held(shown) ? "held" : ""}`);
    });
    return box;
  }

  function reading(node, shown, name) {
    const flawed = flaw(shown.readings[name]);
    say(node, shown.readings[name] ? quantity(shown.readings[name].value, units.get(`${shown.name}.${name}`)) : DASH);
    set(node, "class", flawed ? "value old" : "value");
  }

  function cduColumn(drawing, cdu, x, y, w, mostRacks) {
    const narrow = w < NARROW;
    const lines = narrow ? ["secondary_supply_temperature", "heat"] : ["secondary_supply_temperature", "secondary_return_temperature", "secondary_flow", "secondary_differential_pressure", "heat"];
    const height = 22 + lines.length * LINE + 8;
    const link = svg("a", { href: `#/cdus/${encodeURIComponent(cdu.name)}`, class: "box cdu", transform: `translate(${x} ${y})` });
    const mark = svg("text", { class: "mark", x: w - 6, y: 16, "text-anchor": "end" });
    const flags = w < 56 ? T.tinyFlags : narrow ? T.shortFlags : T.flags;
    const short = narrow ? cdu.name.replace(/^cdu[-_]?/i, "") : cdu.name;
    link.append(svg("rect", { class: "frame", width: w, height, rx: 5 }), svg("text", { class: "name", x: narrow ? 5 : 8, y: 16 }, short), mark);
    const values = lines.map((name, line) => {
      const at = 32 + line * LINE;
      const value = svg("text", { class: "value", x: narrow ? w - 5 : w - 8, y: at, "text-anchor": "end" });
      if (!narrow) link.append(svg("text", { class: "label", x: 8, y: at }, T.quantity[name]));
      link.append(value);
      return [name, value];
    });
    const track = w - 2 * (narrow ? 5 : 8);
    const bar = svg("rect", { class: "load", x: narrow ? 5 : 8, y: height - 9, height: 4, width: 0 });
    const soon = svg("line", { class: "soon", y1: height - 11, y2: height - 3 });
    link.append(svg("rect", { class: "track", x: narrow ? 5 : 8, y: height - 9, height: 4, width: track }), bar, soon);
    drawing.append(link);
    updates.push((view) => {
      const shown = view.cdus[cdu.index];
      if (!shown) return;
      for (const [name, node] of values) {
        if (name === "heat") {
          say(node, narrow ? number(toShown(shown.heat.now_kw, "heat"), 0) : quantity(shown.heat.now_kw, "heat"));
        } else if (narrow) {
          say(node, number(toShown(shown.readings[name]?.value, "degC"), 1));
          set(node, "class", flaw(shown.readings[name]) ? "value old" : "value");
        } else reading(node, shown, name);
      }
      const share = (kw) => Math.min(1, Math.max(0, (kw ?? 0) / cdu.nameplate.rated_kw)) * track;
      set(bar, "width", share(shown.heat.now_kw).toFixed(1));
      const tick = ((narrow ? 5 : 8) + share(shown.heat.upper_kw[1])).toFixed(1);
      set(soon, "x1", tick);
      set(soon, "x2", tick);
      const flag = flagOf(shown, view);
      say(mark, flags[flag] ?? "");
      set(mark, "class", `mark ${flag === "held" ? "hand" : "alarm"}`);
      set(link, "class", `box cdu ${flag === "leak" ? "leaking" : flag === "lost" ? "lost" : ""} ${held(shown) ? "held" : ""}`);
    });

    const across = Math.max(1, Math.min(cdu.racks.length, narrow ? 1 : Math.floor((w + 4) / 40)));
    const cellWidth = (w - 4 * (across - 1)) / across;
    const cellHeight = narrow ? 22 : 54;
    cdu.racks.forEach((name, place) => {
      const cell = rackCell(name, cellWidth, cellHeight, narrow || cellWidth < 52);
      set(cell, "transform", `translate(${x + (place % across) * (cellWidth + 4)} ${y + height + 5 + Math.floor(place / across) * (cellHeight + 4)})`);
      drawing.append(cell);
    });
    return height + 5 + Math.ceil(mostRacks / across) * (cellHeight + 4);
  }

  function rackCell(name, w, height, small) {
    const index = site.racks.findIndex((rack) => rack.name === name);
    const rack = site.racks[index];
    const tall = height > 30; // room for the name and the power
    const frame = svg("rect", { class: "rack unknown", width: w, height, rx: 3 });
    const margin = svg("text", { class: "margin", x: w / 2, y: tall ? 30 : 14, "text-anchor": "middle" });
    const bar = svg("rect", { class: "load", x: 3, y: height - 5, height: 2.5, width: 0 });
    const power = tall ? svg("text", { class: "power", x: w / 2, y: 44, "text-anchor": "middle" }) : null;
    const label = tall ? svg("text", { class: "power", x: w / 2, y: 14, "text-anchor": "middle" }, name) : null;
    const title = svg("title", {});
    const cell = svg("g", { class: "cell", role: "img" }, title, frame, label, margin, bar, power);
    updates.push((view) => {
      const shown = view.racks[index];
      if (!shown) return;
      const left = good(shown.readings.chip_margin);
      const style = marginClass(left, site.limits.chip_margin_k);
      const leak = good(shown.readings.leak) === 1;
      set(cell, "class", `cell ${style} ${leak ? "leaking" : ""}`);
      say(margin, leak ? T.leak : left === undefined ? "?" : `${style === "critical" ? "!" : ""}${number(toShown(left, "K"), 0)}${small ? "" : ` ${symbol("K")}`}`);
      const kw = shown.readings.power?.value;
      set(bar, "width", (Math.min(1, Math.max(0, (kw ?? 0) / rack.nameplate.rated_kw)) * (w - 6)).toFixed(1));
      if (power) {
        say(power, small ? number(kw, 0) : quantity(kw, "kW"));
        set(power, "class", flaw(shown.readings.power) ? "power old" : "power");
      }
      const text = fill(T.rackLabel, { rack: name, power: quantity(kw, "kW"), margin: left === undefined ? T.noMargin : quantity(left, "K") });
      say(title, text);
      set(cell, "aria-label", text);
    });
    return cell;
  }

  function refresh() {
    for (const update of updates) update(last);
  }

  new ResizeObserver(() => {
    const next = Math.floor(host.clientWidth);
    if (next === width || next < 100) return;
    width = next;
    requestAnimationFrame(layout);
  }).observe(host);
  return { host, legend, update(view) { last = view; refresh(); } };
}

// What most deserves to be said of an equipment, loudest first.
export function flagOf(shown, view) {
  if (good(shown.readings.leak) === 1) return "leak";
  if (view.devices.some((device) => device.id === shown.name && !device.connected)) return "lost";
  if (held(shown)) return "held";
  return good(shown.readings.local_control) === 1 ? "local" : null;
}

// Whether a person holds one of the setpoints.
export const held = (shown) => Object.values(shown.setpoints).some((setpoint) => setpoint.owner?.kind === "operator");
