// Units by preference. Everything is kept and sent in the canonical unit; only what is shown, and what is typed, changes.
import { T } from "/texts.js";

const KEPT = "isotherm-units";
export const choices = { temperature: ["degC", "degF"], flow: ["L/min", "gpm"], heat: ["kW", "tons"] };
const imperial = /^en-US$/i.test(navigator.language);
export const preference = { temperature: imperial ? "degF" : "degC", flow: imperial ? "gpm" : "L/min", heat: "kW", ...stored() };

function stored() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return Object.fromEntries(Object.entries(kept).filter(([name, unit]) => choices[name]?.includes(unit)));
  } catch {
    return {};
  }
}

// Kept for the next start of the page.
export function prefer(wanted) {
  localStorage.setItem(KEPT, JSON.stringify(wanted));
}

const GALLON = 3.785411784; // L
const TON = 3.516853; // kW of heat

// Unit as kept, to unit as shown: its symbol, and how to get there. `heat` is kW of heat, which may be shown in tons.
const SAME = (symbol) => ({ symbol, to: (value) => value, from: (value) => value });
function shownAs(unit) {
  if (unit === "degC" && preference.temperature === "degF") return { symbol: "°F", to: (c) => c * 1.8 + 32, from: (f) => (f - 32) / 1.8 };
  if (unit === "K" && preference.temperature === "degF") return { symbol: "°F", to: (k) => k * 1.8, from: (f) => f / 1.8 };
  if (unit === "L/min" && preference.flow === "gpm") return { symbol: "gpm", to: (lpm) => lpm / GALLON, from: (gpm) => gpm * GALLON };
  if (unit === "heat") return preference.heat === "tons" ? { symbol: T.tons, to: (kw) => kw / TON, from: (tons) => tons * TON } : SAME("kW");
  if (unit === "fraction") return { symbol: "%", to: (share) => share * 100, from: (percent) => percent / 100 };
  return SAME({ degC: "°C", "uS/cm": "µS/cm" }[unit] ?? unit ?? "");
}

export const symbol = (unit) => shownAs(unit).symbol;
export const toShown = (value, unit) => shownAs(unit).to(value);
export const fromShown = (value, unit) => shownAs(unit).from(value);
