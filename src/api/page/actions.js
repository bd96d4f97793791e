// What an operator may do: strategy, authority, override, stop. Each asks first and tells what became of it.
import { T, fill, language, languages, nameOf, speak } from "/texts.js";
import { choices, fromShown, prefer, preference, symbol, toShown } from "/units.js";
import { byId, h, number, say, set } from "/dom.js";

// The second secret of the session; the first is a cookie that no script can read.
const CSRF = "isotherm-csrf";

export function build(site, points, units) {
  const dialog = byId("dialog");
  const point = new Map(points.map((each) => [each.tag, each]));

  // A dialog with a form; `bodies` makes the requests from the form, once the operator applies it.
  function ask(title, text, fields, apply, bodies) {
    const failure = h("p", { class: "failure", role: "alert" });
    const token = sessionStorage.getItem(CSRF);
    const tokenField = h("label", {}, T.token, h("input", { name: "token", type: "password", required: true, autocomplete: "off" }), h("small", { class: "muted" }, T.tokenText));
    tokenField.hidden = Boolean(token);
    tokenField.querySelector("input").disabled = Boolean(token);
    const submit = h("button", { type: "submit", class: "primary" }, apply);
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), text ? h("p", {}, text) : null, fields, tokenField, failure,
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, T.cancel), submit));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const data = new FormData(form);
      submit.disabled = true;
      const begun = data.get("token") ? await login(data.get("token")) : { ok: true };
      const answer = begun.ok ? await all(bodies(data)) : begun;
      submit.disabled = false;
      if (answer.status === 401) {
        sessionStorage.removeItem(CSRF);
        tokenField.hidden = false;
        tokenField.querySelector("input").disabled = false;
        answer.text = T.wrongToken;
      }
      if (!answer.ok) return say(failure, fill(T.failed, { why: answer.text }));
      dialog.close();
      toast(answer.text);
    });
    dialog.replaceChildren(site.actions ? form : h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, title), h("p", {}, T.noActions), h("div", { class: "buttons" }, h("button", { class: "primary" }, T.cancel))));
    dialog.showModal();
  }

  const choice = (name, values, texts, hints, chosen) => h("fieldset", {}, values.map((value) =>
    h("label", { class: "choice" }, h("input", { type: "radio", name, value, required: true, checked: value === chosen }), h("span", {}, h("b", {}, texts[value]), h("small", { class: "muted" }, hints[value])))));

  let view = null;
  const asks = {
    stop: () => ask(T.stopTitle, T.stopText, [], T.stopDo, () => ({ kind: "stop" })),
    strategy: () => ask(T.strategyTitle, "", choice("strategy", ["fixed", "trim_respond", "predictive"], T.strategy, T.strategyHint, view?.control.strategy), T.apply,
      (data) => ({ kind: "set_strategy", strategy: data.get("strategy") })),
    authority: (zone) => ask(fill(T.authorityTitle, { zone }), "", choice("authority", ["observe", "advise", "bounded", "full"], T.authority, T.authorityHint, view?.zones.find((each) => each.name === zone)?.wanted), T.apply,
      (data) => ({ kind: "set_authority", zone, authority: data.get("authority") })),
    clear: (tag) => ask(T.clear, tag, [], T.apply, () => ({ kind: "clear_override", tag })),
    acknowledge: (alarms) => ask(T.acknowledgeTitle, fill(T.acknowledgeText, { count: alarms.length }), [], T.acknowledge, () => alarms.map((alarm) => ({ kind: "acknowledge", alarm }))),
    shelve: (alarm, named) => ask(T.shelveTitle, named, [minutes(60, Math.floor(site.shelve_max_s / 60)), h("p", { class: "muted" }, T.shelveText)], T.shelve,
      (data) => ({ kind: "shelve", alarm, for_s: Number(data.get("minutes")) * 60 })),
    unshelve: (alarm) => ask(T.unshelve, fill(T.alarmNumber, { id: alarm }), [], T.unshelve, () => ({ kind: "unshelve", alarm })),
    acceptPlan: (zone) => ask(fill(T.acceptTitle, { zone }), T.acceptText, [minutes(30, Math.floor(site.override_max_s / 60))], T.acceptPlan,
      (data) => ({ kind: "accept_plan", zone, for_s: Number(data.get("minutes")) * 60 })),
    declinePlan: (zone) => ask(fill(T.declineTitle, { zone }), T.declineText, [], T.declinePlan, () => ({ kind: "decline_plan", zone })),
    takeAdvice: (advice, named) => ask(T.takeAdvice, named, [h("p", { class: "muted" }, T.takeText)], T.takeAdvice, () => ({ kind: "take_advice", advice })),
    declineAdvice: (advice, named) => ask(T.declineAdvice, named, [], T.declineAdvice, () => ({ kind: "decline_advice", advice })),
    override: (tag) => {
      const { write } = point.get(tag);
      const unit = units.get(tag);
      const at = tag.indexOf(".");
      const [equipment, name] = [tag.slice(0, at), tag.slice(at + 1)];
      const there = (value) => Number(toShown(value, unit).toPrecision(6));
      const longest = Math.floor(site.override_max_s / 60);
      const range = fill(T.overrideText, { min: number(there(write.min)), max: number(there(write.max)), unit: symbol(unit), found: number(there(write.release)) });
      ask(fill(T.overrideTitle, { equipment, quantity: T.quantity[name] ?? name }), range, [
        h("p", { class: "muted tagname" }, tag),
        h("label", {}, symbol(unit) ? `${T.value}, ${symbol(unit)}` : T.value,
          h("input", { name: "value", type: "number", step: "any", min: there(write.min), max: there(write.max), value: there(present(tag) ?? write.release), required: true })),
        minutes(30, longest),
      ], T.apply, (data) => {
        // What was typed may miss the bound by a rounding of its unit.
        const value = Math.min(write.max, Math.max(write.min, fromShown(Number(data.get("value")), unit)));
        return { kind: "override", tag, value, for_s: Number(data.get("minutes")) * 60 };
      });
    },
  };

  const minutes = (usual, longest) => h("label", {}, T.minutes, h("input", { name: "minutes", type: "number", min: 1, max: longest, value: Math.min(usual, longest), required: true }));

  function present(tag) {
    const [name, quantityName] = tag.split(".");
    const all = view ? [view.cdus, view.loops, view.rejection, view.reuse, view.air_units].flat() : [];
    const setpoint = all.find((each) => each.name === name)?.setpoints[quantityName];
    return setpoint?.commanded ?? setpoint?.reading?.value;
  }

  // Language and units are this browser's own; nothing is sent.
  function settings() {
    const select = (name, label, values, texts, chosen) => h("label", {}, label, h("select", { name }, values.map((value) => h("option", { value, selected: value === chosen }, texts(value)))));
    const form = h("form", { method: "dialog" }, h("h2", { id: "dialog-title" }, T.settings),
      select("language", T.languageLabel, languages, nameOf, language),
      select("temperature", T.temperature, choices.temperature, symbol_, preference.temperature), select("flow", T.flow, choices.flow, symbol_, preference.flow), select("heat", T.heatUnit, choices.heat, (unit) => (unit === "tons" ? T.tons : unit), preference.heat),
      h("p", { class: "muted" }, fill(T.zoneNote, { zone: site.time_zone })),
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, T.cancel), h("button", { type: "submit", class: "primary" }, T.apply)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const data = new FormData(form);
      prefer(Object.fromEntries(Object.keys(choices).map((name) => [name, data.get(name)])));
      speak(data.get("language"));
    });
    dialog.replaceChildren(form);
    dialog.showModal();
  }
  const symbol_ = (unit) => ({ degC: "°C", degF: "°F" })[unit] ?? unit;

  byId("buttons").append(
    h("button", { type: "button", onclick: settings }, T.settings),
    h("button", { type: "button", class: "stop", onclick: asks.stop }, T.stop));
  return { asks, update: (next) => { view = next; } };
}

async function login(token) {
  try {
    const response = await fetch("/api/v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    const answer = await response.json();
    if (!response.ok) return { ok: false, status: response.status, text: answer.detail ?? response.statusText };
    sessionStorage.setItem(CSRF, answer.csrf);
    return { ok: true };
  } catch {
    return { ok: false, status: 0, text: T.unreachable };
  }
}

// Sends one request, or several one after the other; the first that fails is what is told.
async function all(bodies) {
  let last = { ok: true, status: 200, text: T.nothingToDo };
  const list = Array.isArray(bodies) ? bodies : [bodies];
  for (const answer of await Promise.all(list.map((body) => post(body)))) {
    if (!answer.ok) return answer;
    last = answer;
  }
  return last;
}

async function post(body) {
  try {
    const response = await fetch("/api/v1/requests", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": sessionStorage.getItem(CSRF) ?? "" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) return { ok: false, status: response.status, text: answer.detail ?? response.statusText };
    const text = [answer.accepted ? fill(T.accepted, { cycle: answer.cycle }) : T.handed, ...(answer.notes ?? [])].join(" ");
    return { ok: true, status: response.status, text };
  } catch {
    return { ok: false, status: 0, text: T.unreachable };
  }
}

let hiding = 0;
function toast(text) {
  const node = byId("toast");
  say(node, text);
  set(node, "class", "toast shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => set(node, "class", "toast"), 8000);
}
