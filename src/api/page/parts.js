// Parts that several pages share: headings, tables, tiles, owners, setpoints, heat against its forecast.
import { T, fill } from "/texts.js";
import { chart } from "/charts.js";
import { AHEAD, HOUR, moved } from "/history.js";
import { duration, h, quantity, say, set, when } from "/dom.js";

export const LEVEL_MARK = { normal: "✓", guarded: "▲", critical: "◆", failsafe: "✖" };
export const AUTHORITY_MARK = { observe: "○○○", advise: "●○○", bounded: "●●○", full: "●●●" };
export const SEVERITY_MARK = { info: "·", warning: "▲", alarm: "◆" };

// A page: its heading, what it is for in one line, and its content.
export function page(name, ...content) {
  return h("div", { class: `page ${name}` },
    h("div", { class: "page-head" }, h("h2", { class: "page-title", tabindex: "-1" }, T.pages[name]), h("p", { class: "muted" }, T.purpose[name])), ...content);
}

let panels = 0;
export function panel(title, attributes, ...content) {
  const id = `panel-${(panels += 1)}`;
  return h("section", { ...attributes, class: `panel ${attributes?.class ?? ""}`, "aria-labelledby": id }, h("h3", { id, class: "panel-title" }, title), ...content);
}

// Figures with a name: `update` takes the texts in order.
export function tiles(names) {
  const values = names.map(() => h("b", {}));
  const notes = names.map(() => h("small", { class: "muted" }));
  const node = h("dl", { class: "tiles" }, names.map((name, index) => h("div", {}, h("dt", {}, name), h("dd", {}, values[index], notes[index]))));
  return {
    node,
    update(texts) {
      texts.forEach((text, index) => {
        const [value, note] = Array.isArray(text) ? text : [text, ""];
        say(values[index], value);
        say(notes[index], note ?? "");
      });
    },
  };
}

export function table(columns, label) {
  const body = h("tbody", {});
  const node = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, h("table", { class: "list" }, h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))), body));
  return { node, body };
}

// A row of cells; `update` takes their texts, or nodes that are put in once, and the row's class.
export function row(count) {
  const cells = Array.from({ length: count }, () => h("td", {}));
  const node = h("tr", {}, cells);
  return {
    node,
    cells,
    update(texts, style) {
      texts.forEach((text, index) => {
        if (text instanceof Node) { if (cells[index].firstChild !== text) cells[index].replaceChildren(text); }
        else say(cells[index], text ?? "");
      });
      set(node, "class", style || null);
    },
  };
}

export function ownerText(owner) {
  if (!owner) return T.notCommanded;
  if (owner.kind === "strategy") return T.strategy[owner.name] ?? owner.name;
  return fill(T.owner[owner.kind] ?? owner.kind, { name: owner.name });
}

// Until when, and how long that is.
export const until = (ms, now) => fill(T.until, { at: when(ms, "minute"), left: duration(Math.max(0, (ms - now) / 1000)) });

// A setpoint's row: value, who set it and until when, and what it was as found.
export function setpointRow(tag, unit, asks, prefix = "") {
  const name = tag.slice(tag.indexOf(".") + 1);
  const value = h("b", {});
  const owner = h("span", { class: "owner" });
  const found = h("span", { class: "muted" });
  const clear = h("button", { type: "button", class: "small", "aria-label": `${T.clear} ${tag}`, onclick: () => asks.clear(tag) }, T.clear);
  const button = h("button", { type: "button", class: "small", "aria-label": `${T.override} ${tag}`, onclick: () => asks.override(tag) }, T.override);
  const node = h("div", { class: "setpoint" }, h("span", {}, prefix + (T.quantity[name] ?? name)), value, h("span", { class: "by" }, owner, " · ", found), h("span", { class: "do" }, clear, button));
  return {
    node,
    update(setpoint, now) {
      const present = setpoint.commanded ?? setpoint.reading?.value;
      say(value, quantity(present, unit));
      const held = setpoint.owner?.kind === "operator";
      const proposed = !setpoint.owner && setpoint.planned !== null ? `, ${fill(T.planned, { value: quantity(setpoint.planned, unit) })}` : "";
      say(owner, ownerText(setpoint.owner) + (held && setpoint.until_ms ? ` ${until(setpoint.until_ms, now)}` : "") + proposed);
      set(owner, "class", `owner ${setpoint.owner?.kind ?? "none"}`);
      say(found, fill(T.asFound, { value: quantity(setpoint.release, unit) }));
      set(node, "class", `setpoint ${held ? "held" : ""}`);
      clear.hidden = !held;
    },
  };
}

// All writable equipment of a view.
export const equipmentOf = (view) => [view.cdus, view.loops, view.rejection, view.reuse, view.air_units].flat();

// The data of a heat chart: actual, what was expected of it, and what is expected from now on. `read` gives a tag's series.
export function heatData(name, heat, horizons, now, read, span = HOUR) {
  const made = (tag) => moved(read(tag)).filter(([ms]) => ms <= now);
  const ahead = (values) => [[now, heat.now_kw], ...values.map((value, index) => [now + horizons[index] * 1000, value])];
  return {
    data: {
      actual: read(`${name}.heat`), mean: made(`${name}.heat_mean_${AHEAD.name}`), upper: made(`${name}.heat_upper_${AHEAD.name}`),
      aheadMean: ahead(heat.mean_kw), aheadUpper: ahead(heat.upper_kw),
    },
    from: now - span, to: now + HOUR, now,
  };
}

export const heatChart = (title, height, minSpan) => chart(title, {
  height, minSpan, fromZero: true, unit: "heat",
  bands: [{ low: "mean", high: "upper", style: "forecast" }, { low: "aheadMean", high: "aheadUpper", style: "forecast" }],
  lines: [
    { key: "mean", label: T.expected, style: "forecast" },
    { key: "aheadMean", label: T.ahead, style: "forecast ahead", unlisted: true, whole: true },
    { key: "actual", label: T.actual, style: "actual" },
  ],
});

// A row of choices, one of which holds.
export function chooser(label, values, texts, chosen, pick) {
  const buttons = values.map((value) => h("button", { type: "button", class: "small", onclick: () => { mark(value); pick(value); } }, texts(value)));
  const mark = (value) => values.forEach((each, index) => set(buttons[index], "aria-pressed", String(each === value)));
  mark(chosen);
  return { node: h("div", { class: "chooser", role: "group", "aria-label": label }, buttons), mark };
}

export function eventRow({ severity, code, subject, text }) {
  const time = h("time", {});
  const times = h("span", { class: "muted" });
  const node = h("li", { class: severity },
    time, h("b", { class: "severity" }, `${SEVERITY_MARK[severity]} ${T.severity[severity]}`), h("span", { class: "subject" }, subject), times,
    h("p", {}, h("span", { class: "what" }, codeText(code)), " ", text === "over" ? "" : text));
  return { node, time, times };
}

// What a person asked for, why, and what became of it.
export function actionRow({ who, what, why, accepted, notes }) {
  const time = h("time", {});
  const node = h("li", { class: accepted ? "info" : "warning" },
    time, h("b", { class: "severity" }, accepted ? `✓ ${T.actionDone}` : `✕ ${T.actionRefused}`), h("span", { class: "subject" }, who), h("span", {}),
    h("p", {}, h("span", { class: "what" }, what), why ? ` · “${why}”` : "", notes.length ? ` · ${notes.join("; ")}` : ""));
  return { node, time };
}

// What a code means, in the reader's language; the evidence beside it is the controller's own words.
export function codeText(code) {
  const ended = code.endsWith("_over");
  const name = T.code[code] ?? T.code[ended ? code.slice(0, -5) : code] ?? code.replaceAll("_", " ");
  return ended && !T.code[code] ? fill(T.isOver, { what: name }) : name;
}
