// Audit: what people asked for with their reasons and what became of it, and beside it what happened; newest first.
import { T } from "/texts.js";
import { actionRow, chooser, eventRow, page, panel } from "/parts.js";
import { h, keyed, say, when } from "/dom.js";

const PAGE = 200;

// What each choice lists: where it comes from, what is left of it, what a search looks at, and a row of it.
const actions = {
  path: "/api/v1/actions",
  key: (action) => action.seq,
  words: (action) => [action.who, action.what, action.why, ...action.notes].join(" "),
  row: actionRow,
};
const events = {
  path: "/api/v1/events",
  // An event that is said again moves up with its count; it stays the same row.
  key: (event) => [event.severity, event.code, event.subject, event.text].join("|"),
  words: (event) => `${event.code} ${event.subject} ${event.text}`,
  row: eventRow,
};
const LISTS = {
  people: { of: actions, wanted: () => true },
  notable: { of: events, wanted: (event) => event.severity !== "info" },
  all: { of: events, wanted: () => true },
};

export function build({ latest }) {
  let filter = "people";
  let asked = -1;
  const known = new Map([actions, events].map((source) => [source, { items: [], next: null }]));
  const list = h("ol", { class: "log", tabindex: "0", "aria-label": T.pages.audit });
  const empty = h("p", { class: "muted" });
  const older = h("button", { type: "button", onclick: () => more() }, T.older);
  const find = h("input", { type: "search", name: "find", oninput: () => draw() });
  const choice = chooser(T.show, Object.keys(LISTS), (name) => T.auditFilter[name], filter, (name) => { filter = name; draw(); });
  const node = page("audit", panel(T.pages.audit, { class: "grow" }, h("div", { class: "tools" }, choice.node, h("label", { class: "inline" }, T.find, find)), empty, list, older));

  async function fetchPage(source, cursor) {
    const response = await fetch(`${source.path}?limit=${PAGE}${cursor === null ? "" : `&cursor=${cursor}`}`);
    return response.ok ? response.json() : { items: [], next: null };
  }
  const merge = (source, old, added) => [...new Map([...old, ...added].sort((a, b) => a.seq - b.seq).map((item) => [source.key(item), item])).values()].sort((a, b) => b.seq - a.seq);
  async function take(source, cursor) {
    const page = await fetchPage(source, cursor);
    const state = known.get(source);
    // A look at the newest does not forget how far back was looked.
    const next = cursor === null && state.items.length > 0 ? state.next : page.next;
    known.set(source, { items: merge(source, state.items, page.items), next });
  }
  async function more() {
    const source = LISTS[filter].of;
    await take(source, known.get(source).next);
    draw();
  }

  function draw() {
    const { of: source, wanted } = LISTS[filter];
    const state = known.get(source);
    const word = find.value.trim().toLowerCase();
    const shown = state.items.filter(wanted).filter((item) => !word || source.words(item).toLowerCase().includes(word));
    say(empty, shown.length ? "" : T.noEvents);
    older.hidden = state.next === null;
    keyed(list, shown, (item) => `${source.path} ${source.key(item)}`, source.row, (line, item) => {
      say(line.time, when(item.wall_ms, "long"));
      if (line.times) say(line.times, item.times > 1 ? `×${item.times}` : "");
    });
  }
  return {
    node,
    async enter() {
      await Promise.all([take(actions, null), take(events, null)]);
      draw();
    },
    // Whatever is done is also told: a new event is the time to ask for new actions.
    async update(view) {
      const newest = view.events[0]?.seq ?? 0;
      if (newest === asked) return;
      asked = newest;
      const state = known.get(events);
      known.set(events, { ...state, items: merge(events, state.items, view.events) });
      await take(actions, null);
      if (latest()) draw();
    },
  };
}
