// Alarms: what stands, what is over and unseen, what is put aside; which came first; and the links to the devices.
import { T, fill } from "/texts.js";
import { HOUR } from "/history.js";
import { SEVERITY_MARK, chooser, codeText, page, panel, row, table } from "/parts.js";
import { here } from "/route.js";
import { bytes, duration, h, keyed, say, set, when } from "/dom.js";

const RANK = { alarm: 0, warning: 1, info: 2 };
const EVIDENCE = HOUR / 4;

export const stateOf = (alarm) => (alarm.shelved_until_ms ? "shelved" : alarm.over_ms !== null ? "over" : alarm.acknowledged_by ? "seen" : "standing");

// What a person has not dealt with yet, worst first.
export const unseen = (alarms) => alarms.filter((alarm) => !alarm.acknowledged_by && !alarm.shelved_until_ms).sort(worst);
const worst = (a, b) => RANK[a.severity] - RANK[b.severity] || (a.over_ms !== null) - (b.over_ms !== null) || b.id - a.id;

const FILTERS = {
  asking: (alarm) => !alarm.acknowledged_by && !alarm.shelved_until_ms,
  standing: (alarm) => alarm.over_ms === null && !alarm.shelved_until_ms,
  shelved: (alarm) => Boolean(alarm.shelved_until_ms),
  all: () => true,
};

export function build({ points, asks, latest }) {
  let filter = "asking";
  const list = h("ul", { class: "alarm-list" });
  const none = h("p", { class: "muted" });
  const choice = chooser(T.show, Object.keys(FILTERS), (name) => T.alarmFilter[name], filter, (name) => {
    filter = name;
    if (latest()) draw(latest());
  });
  const everything = h("button", { type: "button", class: "small", onclick: () => asks.acknowledge(unseen(latest()?.alarms ?? []).map((alarm) => alarm.id)) }, T.acknowledgeAll);
  const links = devices();
  const node = page("alarms", panel(T.pages.alarms, { class: "grow" }, h("div", { class: "tools" }, choice.node, everything), none, list), links.node);
  const tags = points.map((point) => point.tag);

  function draw(view) {
    const wanted = view.alarms.filter(FILTERS[filter]).sort(worst);
    say(none, wanted.length ? "" : filter === "asking" ? T.noAlarms : T.noneHere);
    everything.disabled = unseen(view.alarms).length === 0;
    const groups = new Map();
    for (const alarm of view.alarms) groups.set(alarm.first_up, (groups.get(alarm.first_up) ?? 0) + 1);
    keyed(list, wanted, (alarm) => alarm.id, (alarm) => card(alarm, tags, asks), (line, alarm) => line.update(alarm, view, groups.get(alarm.first_up)));
  }
  return {
    node,
    update(view) {
      draw(view);
      links.update(view);
    },
  };
}

function card(first, tags, asks) {
  const state = h("b", { class: "state" });
  const times = h("span", { class: "muted" });
  const origin = h("span", { class: "first-up" });
  const text = h("p", { class: "evidence" });
  const marks = h("p", { class: "muted" });
  const id = first.id;
  const named = (what) => `${what}: ${codeText(first.code)}, ${first.subject}`;
  const evidence = h("a", { "aria-label": named(T.evidence) }, T.evidence);
  const acknowledge = h("button", { type: "button", class: "small", "aria-label": named(T.acknowledge), onclick: () => asks.acknowledge([id]) }, T.acknowledge);
  const shelve = h("button", { type: "button", class: "small", "aria-label": named(T.shelve), onclick: () => asks.shelve(id, named("")) }, T.shelve);
  const unshelve = h("button", { type: "button", class: "small", "aria-label": named(T.unshelve), onclick: () => asks.unshelve(id) }, T.unshelve);
  const node = h("li", {},
    h("div", { class: "alarm-head" }, h("b", { class: "severity" }, `${SEVERITY_MARK[first.severity]} ${T.severity[first.severity]}`), h("b", {}, codeText(first.code)), h("span", { class: "subject" }, first.subject), state, times, origin),
    text, marks, h("div", { class: "alarm-do" }, evidence, acknowledge, shelve, unshelve));
  // The readings around the moment it began, of the point itself or of the equipment's temperatures and flows.
  const own = tags.includes(first.subject) ? [first.subject] : tags.filter((tag) => tag.startsWith(`${first.subject}.`) && !/setpoint|heartbeat|local_control|energy|enable/.test(tag)).slice(0, 4);
  evidence.hidden = !own.length;
  return {
    node,
    update(alarm, view, inGroup) {
      const now = stateOf(alarm);
      say(state, T.alarmState[now]);
      say(times, `${when(alarm.since_ms, "long")} · ${fill(T.lasts, { time: duration(((alarm.over_ms ?? view.wall_ms) - alarm.since_ms) / 1000) })}${alarm.times > 1 ? ` · ×${alarm.times}` : ""}`);
      say(origin, inGroup > 1 ? (alarm.first_up === alarm.id ? fill(T.firstUp, { count: inGroup - 1 }) : fill(T.followsUp, { id: alarm.first_up })) : "");
      set(origin, "class", `first-up ${alarm.first_up === alarm.id ? "leads" : ""}`);
      say(text, `#${alarm.id} · ${alarm.text}`);
      say(marks, [
        alarm.acknowledged_by ? fill(T.acknowledgedBy, { name: alarm.acknowledged_by, at: when(alarm.acknowledged_ms, "minute") }) : "",
        alarm.shelved_by ? fill(T.shelvedBy, { name: alarm.shelved_by, at: when(alarm.shelved_until_ms, "minute") }) : "",
      ].filter(Boolean).join(" · "));
      acknowledge.hidden = Boolean(alarm.acknowledged_by);
      shelve.hidden = now === "shelved";
      unshelve.hidden = now !== "shelved";
      set(evidence, "href", here("record", [], { tags: own.join(","), from: alarm.since_ms - EVIDENCE, to: Math.min(view.wall_ms, alarm.since_ms + EVIDENCE) }));
      set(node, "class", `alarm-card ${alarm.severity} ${now}`);
    },
  };
}

function forwarded({ target, state, backlog, lag_s, rejected, canary }) {
  const parts = [fill(T.forward, { target, state })];
  if (backlog) parts.push(fill(T.forwardBehind, { lag: duration(lag_s), backlog }));
  if (rejected) parts.push(fill(T.forwardRefused, { rejected }));
  if (canary === false) parts.push(T.canaryMissing);
  return parts.join(", ");
}

function paired({ id, role, holder, term, members, trouble }) {
  const text = role === "active" ? fill(T.pairActive, { id, term, members }) : fill(T.pairStandby, { id, holder: holder || T.pairNobody, members });
  return trouble ? `${text}; ${fill(T.pairTrouble, { trouble })}` : text;
}

function devices() {
  const summary = h("p", { class: "muted" });
  const list = table([T.device, T.link, T.lastAnswer, T.errors], T.devices);
  const node = panel(T.devices, { class: "devices" }, summary, list.node);
  return {
    node,
    update({ devices: all, store, forward, pair }) {
      const up = all.filter((device) => device.connected).length;
      say(summary, `${fill(T.devicesSummary, { up, all: all.length })} · ${fill(T.store, { state: store.state, segments: store.segments, size: bytes(store.bytes) })}${forward ? ` · ${forwarded(forward)}` : ""}${pair ? ` · ${paired(pair)}` : ""}`);
      const order = [...all].sort((a, b) => a.connected - b.connected);
      keyed(list.body, order, (device) => device.id, () => row(4), (line, device) =>
        line.update([device.id, device.connected ? `✓ ${T.connected}` : `✖ ${device.last_error ? fill(T.disconnectedBy, { error: device.last_error }) : T.disconnected}`, device.age_s === null ? T.never : duration(device.age_s), String(device.errors)], device.connected ? "" : "alarm"));
    },
  };
}
