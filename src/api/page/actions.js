// What an operator may do: strategy, authority, override, stop. Each asks first and tells what became of it.
import { T } from "/texts.js";
import { byId, h, number, say, set, unitText } from "/dom.js";

// The second secret of the session; the first is a cookie that no script can read.
const CSRF = "isotherm-csrf";

export function build(site, points) {
  const dialog = byId("dialog");
  const point = new Map(points.map((each) => [each.tag, each]));

  // A dialog with a form; `body` makes the request from the form, once the operator applies it.
  function ask(title, text, fields, apply, body) {
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
      const answer = begun.ok ? await post(body(data)) : begun;
      submit.disabled = false;
      if (answer.status === 401) {
        sessionStorage.removeItem(CSRF);
        tokenField.hidden = false;
        tokenField.querySelector("input").disabled = false;
        answer.text = T.wrongToken;
      }
      if (!answer.ok) return say(failure, T.failed(answer.text));
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
    authority: (zone) => ask(T.authorityTitle(zone), "", choice("authority", ["observe", "advise", "bounded", "full"], T.authority, T.authorityHint, view?.zones.find((each) => each.name === zone)?.wanted), T.apply,
      (data) => ({ kind: "set_authority", zone, authority: data.get("authority") })),
    clear: (tag) => ask(T.clear, tag, [], T.apply, () => ({ kind: "clear_override", tag })),
    override: (tag) => {
      const { write, unit, kind } = point.get(tag);
      const [equipment, name] = tag.split(".");
      // Shares are shown, and asked for, in per cent.
      const scale = kind === "fraction" ? 100 : 1;
      const shown = (value) => Number((value * scale).toPrecision(6));
      const symbol = kind === "fraction" ? "%" : unitText(unit);
      const longest = Math.floor(site.override_max_s / 60);
      const range = T.overrideText(number(shown(write.min)), number(shown(write.max)), symbol, number(shown(write.release)));
      ask(T.overrideTitle(equipment, T.quantity[name] ?? name), range, [
        h("p", { class: "muted tagname" }, tag),
        h("label", {}, symbol ? `${T.value}, ${symbol}` : T.value,
          h("input", { name: "value", type: "number", step: "any", min: shown(write.min), max: shown(write.max), value: shown(present(tag) ?? write.release), required: true })),
        h("label", {}, T.minutes, h("input", { name: "minutes", type: "number", min: 1, max: longest, value: Math.min(30, longest), required: true })),
      ], T.apply, (data) => ({ kind: "override", tag, value: Number(data.get("value")) / scale, for_s: Number(data.get("minutes")) * 60 }));
    },
  };

  function present(tag) {
    const [name, quantityName] = tag.split(".");
    const all = view ? [view.cdus, view.loops, view.rejection, view.reuse, view.air_units].flat() : [];
    const setpoint = all.find((each) => each.name === name)?.setpoints[quantityName];
    return setpoint?.commanded ?? setpoint?.reading?.value;
  }

  byId("buttons").append(
    h("button", { type: "button", onclick: asks.strategy }, T.setStrategy),
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

async function post(body) {
  try {
    const response = await fetch("/api/v1/requests", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": sessionStorage.getItem(CSRF) ?? "" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) return { ok: false, status: response.status, text: answer.detail ?? response.statusText };
    const text = [answer.accepted ? T.accepted(answer.cycle) : T.handed, ...(answer.notes ?? [])].join(" ");
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
