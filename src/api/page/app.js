// Starts the page: reads what the facility is, follows the stream, and says so when the stream or the cycles stop.
import { T } from "/texts.js";
import * as actions from "/actions.js";
import * as cdus from "/cdus.js";
import * as mimic from "/mimic.js";
import * as panels from "/panels.js";
import * as trends from "/trends.js";
import { byId, number, say, set, setZone, when } from "/dom.js";

const LEAST_PATIENCE = 3000; // ms
for (const node of document.querySelectorAll("[data-text]")) say(node, T[node.dataset.text]);

let latest = null; // the latest view, when it came, and how long until the next is overdue
let connected = true;

function start() {
  // The page comes with what it needs to draw at once.
  const { site, points, state } = JSON.parse(byId("first").textContent);
  setZone(site.time_zone);
  say(byId("site"), site.name);
  document.title = `${site.name} · Isotherm`;
  const units = new Map(points.map((point) => [point.tag, ["fraction", "flag"].includes(point.kind) ? point.kind : point.unit]));
  const operator = actions.build(site, points);
  const parts = [
    header, operator.update, panels.why(site, operator.asks), mimic.build(site, units), panels.books(site), trends.build(site),
    cdus.build(site, units, operator.asks), cdus.plant(site, units, operator.asks), panels.events(), panels.jobs(), panels.devices(),
  ];
  trends.load(site).then(() => latest && show(latest.view));
  const take = (view) => {
    const patience = Math.max(LEAST_PATIENCE, (3000 * view.pace.period_s) / view.speed);
    // The first view of a connection may be an old one of a controller that has stopped: only a new cycle is a sign of life.
    if (view.cycle !== latest?.view.cycle) latest = { view, came: performance.now(), patience };
    connected = true;
    trends.take(view);
    show(view);
    watch();
  };
  const show = (view) => { for (const part of parts) part(view); };
  if (state) take(state);
  else {
    say(byId("banner"), T.waiting);
    byId("banner").hidden = false;
  }
  const stream = new EventSource("/api/v1/stream");
  stream.addEventListener("view", (event) => take(JSON.parse(event.data)));
  stream.addEventListener("error", () => { connected = false; watch(); });
  setInterval(watch, 500);
}

function header(view) {
  const mode = byId("mode");
  const fast = view.speed !== 1;
  mode.hidden = view.mode === "plant" && !fast;
  say(mode, view.mode === "simulated" ? T.simulated(number(view.speed, 0)) : fast ? T.fastPlant(view.speed) : "");
  say(byId("clock"), when(view.wall_ms, "long"));
  const { step_ms, late, overruns } = view.pace;
  say(byId("cycle"), T.cycle(view.cycle.toLocaleString("en-GB"), number(step_ms)) + (late || overruns ? T.late(late, overruns) : ""));
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
  if (overdue) say(banner, connected ? T.dead(seconds) : T.lost(seconds));
  set(document.body, "class", overdue ? "dead" : "live");
}

start();
