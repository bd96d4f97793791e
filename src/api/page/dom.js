// Elements and numbers. Data reaches the page as text nodes and attributes only, never as markup.
import { T, fill, language } from "/texts.js";
import { symbol, toShown } from "/units.js";

const SVG = "http://www.w3.org/2000/svg";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);
export const byId = (id) => document.getElementById(id);

// Setters that touch the document only where something changed.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
export function set(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// A list whose rows are made once and kept by key.
const rowsOf = new WeakMap();
export function keyed(host, items, key, make, update) {
  if (!rowsOf.has(host)) rowsOf.set(host, new Map());
  const rows = rowsOf.get(host);
  const seen = new Set();
  let place = host.firstChild;
  for (const item of items) {
    const id = key(item);
    if (seen.has(id)) continue;
    seen.add(id);
    let row = rows.get(id);
    if (!row) rows.set(id, (row = make(item)));
    update(row, item);
    if (row.node === place) place = place.nextSibling;
    else host.insertBefore(row.node, place);
  }
  for (const [id, row] of rows) {
    if (seen.has(id)) continue;
    row.node.remove();
    rows.delete(id);
  }
}

export const DASH = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);

// A number with so many decimals that it has about three digits.
export function number(value, decimals) {
  if (!known(value)) return DASH;
  const size = Math.abs(value);
  const digits = decimals ?? (size >= 100 ? 0 : size >= 10 ? 1 : 2);
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const DECIMALS = { degC: 1, K: 1, "L/min": 0, kPa: 0, kW: 1, heat: 1, s: 0, "uS/cm": 0, fraction: 0 };

// A value in its unit as shown, without the symbol.
export function shown(value, unit) {
  const there = toShown(value, unit);
  return number(there, (unit === "kW" || unit === "heat") && Math.abs(there) >= 1000 ? 0 : DECIMALS[unit]);
}

// A value with its unit; shares in per cent.
export function quantity(value, unit) {
  if (!known(value)) return DASH;
  if (unit === "flag") return value ? T.on : T.off;
  if (!unit) return number(value, Number.isInteger(value) ? 0 : 2);
  return `${shown(value, unit)} ${symbol(unit)}`;
}

// Counters in the prefix that keeps them short.
export function energy(kwh) {
  if (!known(kwh)) return DASH;
  return Math.abs(kwh) >= 100000 ? `${number(kwh / 1000)} MWh` : `${number(kwh)} kWh`;
}
export function volume(litres) {
  if (!known(litres)) return DASH;
  return Math.abs(litres) >= 10000 ? `${number(litres / 1000)} m³` : `${number(litres)} L`;
}
export function mass(kg) {
  if (!known(kg)) return DASH;
  return Math.abs(kg) >= 10000 ? `${number(kg / 1000)} t` : `${number(kg)} kg`;
}
export function bytes(count) {
  return count >= 1048576 ? `${number(count / 1048576)} MiB` : `${number(count / 1024)} KiB`;
}
export function duration(seconds) {
  if (!known(seconds)) return DASH;
  if (seconds < 90) return `${number(seconds, seconds < 10 ? 1 : 0)} ${T.s}`;
  if (seconds < 5400) return `${number(seconds / 60, 0)} ${T.min}`;
  const [amount, unit] = seconds < 172800 ? [seconds / 3600, T.h] : [seconds / 86400, T.d];
  return `${number(amount, amount < 10 && !Number.isInteger(amount) ? 1 : 0)} ${unit}`;
}

let clock = {};
let zone = "UTC";
const LOCALE = language === "en" ? "en-GB" : "zh-TW";
export function setZone(timeZone) {
  const make = (options) => {
    try {
      return new Intl.DateTimeFormat(LOCALE, { ...options, hourCycle: "h23", timeZone });
    } catch {
      return new Intl.DateTimeFormat(LOCALE, { ...options, hourCycle: "h23", timeZone: "UTC" });
    }
  };
  zone = timeZone;
  clock = {
    day: make({ weekday: "short", day: "numeric", month: "short" }),
    date: make({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
    long: make({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }),
    second: make({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    minute: make({ hour: "2-digit", minute: "2-digit" }),
  };
}
export const when = (ms, kind) => (known(ms) ? clock[kind].format(ms) : DASH);

// The good value of a reading, else nothing.
export const good = (reading) => (reading?.quality === "good" ? reading.value : undefined);

// What is to be said of a reading's quality; nothing where it is good.
export function flaw(reading) {
  if (!reading) return T.quality.none;
  if (reading.quality === "good") return "";
  return fill(T.aged, { quality: T.quality[reading.quality], age: duration(reading.age_s) });
}

// Wall time in the site's zone as a field of type datetime-local wants it, and back.
export function toField(ms) {
  const part = Object.fromEntries(new Intl.DateTimeFormat("en-GB", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone,
  }).formatToParts(ms).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}`;
}
export function fromField(text) {
  const asUtc = Date.parse(`${text}Z`);
  if (!Number.isFinite(asUtc)) return undefined;
  // The offset at that moment, found twice since it may change between.
  const offset = (ms) => Date.parse(`${toField(ms)}Z`) - ms;
  const once = asUtc - offset(asUtc);
  return asUtc - offset(once);
}
