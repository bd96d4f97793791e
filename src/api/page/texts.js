// Every word of the page, in the language of the browser or the one that was chosen: en.json and zh-Hant.json have the
// same keys, which a test holds them to.
const tables = JSON.parse(document.getElementById("texts").textContent);
const KEPT = "isotherm-language";

export const languages = Object.keys(tables);
const chosen = localStorage.getItem(KEPT);
const spoken = (navigator.languages ?? [navigator.language]).map((tag) => (/^zh/i.test(tag) ? "zh-Hant" : tag.slice(0, 2)));
export const language = languages.includes(chosen) ? chosen : spoken.find((tag) => languages.includes(tag)) ?? "en";
export const T = tables[language];
document.documentElement.lang = language;

export const nameOf = (tag) => tables[tag].language;

export function speak(tag) {
  localStorage.setItem(KEPT, tag);
  location.reload();
}

// A text with its {places} filled.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
