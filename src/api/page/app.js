// Starts the page: reads what the facility is, follows the stream, shows the page that the address names, and says so when
// the stream or the cycles stop.
import { T, fill } from "/texts.js";
import * as actions from "/actions.js";
import * as history from "/history.js";
import { follow, go, here, pages, where } from "/route.js";
import { build as alarms, unseen } from "/alarms.js";
import { build as audit } from "/audit.js";
import { build as cdus } from "/cdus.js";
import { build as control } from "/control.js";
import { build as energy } from "/energy.js";
import { build as green } from "/green.js";
import { build as hall } from "/hall.js";
import { build as queue } from "/queue.js";
import { build as record } from "/record.js";
import { byId, h, number, say, set, setZone, when } from "/dom.js";

const LEAST_PATIENCE = 3000; // ms
const builders = { hall, cdus, queue, energy, green, record, alarms, control, audit };
for (const node of document.querySelectorAll("[data-text]")) say(node, T[node.dataset.text]);

let latest = null; // the latest view, when it came, and how long until the next is overdue
let connected = true;

function start() {
  // The page comes with what it needs to draw at once.
  const { site, points, state } = JSON.parse(byId("first").textContent);
  setZone(site.time_zone);
  say(byId("site"), site.name);
  const units = new Map(points.map((point) => [point.tag, unitOf(point)]));
  const operator = actions.build(site, points, units);
  const context = { site, points, units, asks: operator.asks, latest: () => latest?.view, go };
  const links = navigation();
  const built = {};
  let shown = null;

  const take = (view) => {
    const patience = Math.max(LEAST_PATIENCE, (3000 * view.pace.period_s) / view.speed);
    // The first view of a connection may be an old one of a controller that has stopped: only a new cycle is a sign of life.
    if (view.cycle !== latest?.view.cycle) latest = { view, came: performance.now(), patience };
    connected = true;
    history.take(view);
    operator.update(view);
    header(view, links);
    shown?.update(view);
    watch();
  };
  const open = (moved) => {
    const route = where();
    built[route.page] ??= builders[route.page](context);
    const page = built[route.page];
    if (shown !== page) {
      shown?.leave?.();
      shown = page;
      byId("main").replaceChildren(page.node);
      window.scrollTo(0, 0);
    }
    for (const [name, link] of links.all) set(link, "aria-current", name === route.page ? "page" : null);
    document.title = `${[...route.rest.slice(0, 1), T.pages[route.page]].join(" · ")} · ${site.name} · Isotherm`;
    page.enter?.(route);
    if (latest) page.update(latest.view);
    // A page that was walked to is read from its heading on.
    if (moved) page.node.querySelector("h2")?.focus({ preventScroll: true });
  };
  if (state) take(state);
  else {
    say(byId("banner"), T.waiting);
    byId("banner").hidden = false;
  }
  open(false);
  follow(() => open(true));
  const stream = new EventSource("/api/v1/stream");
  stream.addEventListener("view", (event) => take(JSON.parse(event.data)));
  stream.addEventListener("error", () => { connected = false; watch(); });
  setInterval(watch, 500);
}

// Shares and switches are shown by their kind; heat may be shown in tons, electric power may not.
function unitOf({ tag, kind, unit }) {
  if (["fraction", "flag"].includes(kind)) return kind;
  return tag.endsWith(".heat") && unit === "kW" ? "heat" : unit;
}

function navigation() {
  const badge = h("span", { class: "count" });
  const all = pages.map((name) => [name, h("a", { href: here(name) }, T.pages[name], name === "alarms" ? badge : null)]);
  byId("nav").append(...all.map(([, link]) => link));
  return { all, badge };
}

function header(view, { badge }) {
  const mode = byId("mode");
  const fast = view.speed !== 1;
  mode.hidden = view.mode === "plant" && !fast;
  const speed = number(view.speed, 0);
  say(mode, view.mode === "simulated" ? fill(fast ? T.simulatedFast : T.simulated, { speed }) : fast ? fill(T.fastPlant, { speed }) : "");
  say(byId("clock"), when(view.wall_ms, "long"));
  const { step_ms, late, overruns } = view.pace;
  say(byId("cycle"), fill(T.cycle, { number: view.cycle.toLocaleString("en-GB"), step: number(step_ms) }) + (late || overruns ? fill(T.late, { late, overruns }) : ""));
  const count = unseen(view.alarms).length;
  say(badge, count ? String(count) : "");
  set(badge, "aria-label", count ? fill(T.unseen, { count }) : null);
  set(badge, "class", count ? "count on" : "count");
}

// A dead controller must be unmistakable.
function watch() {
  if (!latest) return;
  const silence = performance.now() - latest.came;
  const overdue = silence > latest.patience;
  // In steps, so that a screen reader is not kept talking.
  const seconds = silence < 10000 ? Math.floor(silence / 1000) : Math.floor(silence / 10000) * 10;
  const banner = byId("banner");
  banner.hidden = !overdue;
  if (overdue) say(banner, fill(connected ? T.dead : T.lost, { seconds }));
  set(document.body, "class", overdue ? "dead" : "live");
}

start();
