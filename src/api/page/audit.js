// Audit: what was done and what happened, newest first, with its author; people's doings apart from the plant's.
import { T } from "/texts.js";
import { chooser, eventRow, page, panel } from "/parts.js";
import { h, keyed, say, when } from "/dom.js";

const BY_PEOPLE = new Set([
  "override_set", "override_ended", "authority_set", "stopped", "request_refused", "strategy_changed", "plan_accepted", "plan_declined",
  "alarm_acknowledged", "alarm_shelved", "alarm_unshelved", "advice_taken", "advice_declined",
]);
const FILTERS = { people: (event) => BY_PEOPLE.has(event.code), notable: (event) => event.severity !== "info" || BY_PEOPLE.has(event.code), all: () => true };
const PAGE = 200;

export function build({ latest }) {
  let filter = "people";
  let events = [];
  let next = null;
  let asked = -1;
  const list = h("ol", { class: "log", tabindex: "0", "aria-label": T.pages.audit });
  const empty = h("p", { class: "muted" });
  const older = h("button", { type: "button", onclick: () => more() }, T.older);
  const find = h("input", { type: "search", name: "find", oninput: () => draw() });
  const choice = chooser(T.show, Object.keys(FILTERS), (name) => T.auditFilter[name], filter, (name) => { filter = name; draw(); });
  const node = page("audit", panel(T.pages.audit, { class: "grow" }, h("div", { class: "tools" }, choice.node, h("label", { class: "inline" }, T.find, find)), empty, list, older));
  // An event that is said again moves up with its count; it stays the same row.
  const key = (event) => [event.severity, event.code, event.subject, event.text].join("|");

  async function fetchPage(cursor) {
    const response = await fetch(`/api/v1/events?limit=${PAGE}${cursor === null ? "" : `&cursor=${cursor}`}`);
    return response.ok ? response.json() : { items: [], next: null };
  }
  async function more() {
    const page = await fetchPage(next);
    events = merge(events, page.items);
    next = page.next;
    draw();
  }
  const merge = (known, added) => [...new Map([...known, ...added].sort((a, b) => a.seq - b.seq).map((event) => [key(event), event])).values()].sort((a, b) => b.seq - a.seq);

  function draw() {
    const word = find.value.trim().toLowerCase();
    const wanted = events.filter(FILTERS[filter]).filter((event) => !word || `${event.code} ${event.subject} ${event.text}`.toLowerCase().includes(word));
    say(empty, wanted.length ? "" : T.noEvents);
    older.hidden = next === null;
    keyed(list, wanted, key, eventRow, (line, event) => {
      say(line.time, when(event.wall_ms, "long"));
      say(line.times, event.times > 1 ? `×${event.times}` : "");
    });
  }
  return {
    node,
    async enter() {
      const page = await fetchPage(null);
      events = merge(events, page.items);
      next = page.next;
      draw();
    },
    update(view) {
      if ((view.events[0]?.seq ?? 0) === asked) return;
      asked = view.events[0]?.seq ?? 0;
      events = merge(events, view.events);
      if (latest()) draw();
    },
  };
}
