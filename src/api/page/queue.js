// The queue: jobs that run, start and wait, with what they will draw where the controller says; and when a job that can
// wait had better start.
import { T, fill } from "/texts.js";
import { page, panel, row, table, tiles } from "/parts.js";
import { DASH, duration, energy, h, keyed, mass, number, quantity, say, set, volume, when } from "/dom.js";

const AGAIN = 5000; // ms between two questions for what the controller predicts of each job
const ADVISE_AGAIN = 60000;
const ADVISED = 12; // waiting jobs that are asked about

export function build({ site }) {
  const figures = tiles([T.jobState.running, T.jobState.starting, T.jobState.pending, T.gpusAtWork]);
  const age = h("p", { class: "muted" });
  const list = table([T.job, T.state, T.name, T.user, T.gpus, T.nodes, T.start, T.runs, T.limit, T.predictedPower, T.usedEnergy, T.remainingEnergy, T.coolingShare, T.waterShare, T.carbonShare, T.cost], T.jobs);
  const windows = table([T.job, T.name, T.startNow, T.goal.cost, T.saves, T.goal.carbon, T.savesCarbon], T.windows);
  const adviser = panel(T.windows, {}, h("p", { class: "muted" }, T.windowsText), windows.node);
  adviser.hidden = true;
  const node = page("queue", panel(T.rightNow, {}, figures.node, age), adviser, panel(T.jobs, { class: "grow" }, list.node));
  let known = new Map();
  let advised = [];
  let due = 0;
  let adviseDue = 0;
  let absent = false;

  const ask = async (path) => {
    try {
      const response = await fetch(path);
      absent ||= response.status === 404;
      return response.ok ? await response.json() : null;
    } catch {
      return null; // the stream says that the controller is gone
    }
  };

  // What the controller predicts of each job, where this version of it does; and when those that wait had better start.
  async function predictions() {
    if (absent || performance.now() < due) return;
    due = performance.now() + AGAIN;
    const answer = await ask("/api/v1/jobs?limit=500");
    if (answer) known = new Map(answer.items.map((job) => [job.id, job]));
    if (performance.now() < adviseDue) return;
    adviseDue = performance.now() + ADVISE_AGAIN;
    const waiting = [...known.values()].filter((job) => job.state === "pending").slice(0, ADVISED);
    const answers = await Promise.all(waiting.map((job) => ask(`/api/v1/jobs/${encodeURIComponent(job.id)}/windows`)));
    advised = answers.flatMap((windows, index) => (windows ? [{ ...windows, name: waiting[index].name }] : []));
  }

  const both = (job, name) => (job.to_come ? (job.spent?.[name] ?? 0) + job.to_come[name] : undefined);
  return {
    node,
    enter() { due = 0; adviseDue = 0; },
    update(view) {
      predictions();
      const { jobs } = view;
      figures.update([String(jobs.running), String(jobs.starting), String(jobs.pending), number(jobs.running_gpus, 0)]);
      say(age, jobs.age_s === null ? T.noQueue : `${fill(T.queueAge, { age: duration(jobs.age_s) })}. ${known.size ? "" : T.noPredictions} ${jobs.feed?.last_error || jobs.feed?.unknown_nodes ? jobs.feed.text : ""}`);
      keyed(list.body, jobs.list, (job) => job.id, () => row(16), (line, job) => {
        const more = known.get(job.id) ?? {};
        const runs = job.state === "running" && job.start_ms !== null ? (view.wall_ms - job.start_ms) / 1000 : NaN;
        line.update([
          job.id, T.jobState[job.state], job.name, job.user, String(job.gpus), String(job.nodes),
          job.start_ms === null ? T.unknownStart : when(job.start_ms, "date"), duration(runs), job.time_limit_s ? duration(job.time_limit_s) : DASH,
          more.mean_kw === undefined ? DASH : `${quantity(more.mean_kw, "kW")}${more.measured ? "" : ` (${T.byModel})`}`, energy(more.spent?.it_kwh), energy(more.to_come?.it_kwh),
          energy(both(more, "cooling_kwh")), volume(both(more, "water_l")), mass(both(more, "co2e_kg")), more.to_come ? `${number(both(more, "cost"))} ${site.currency}` : DASH,
        ], job.state);
      });
      set(list.node, "class", known.size ? "scroll" : "scroll unpredicted");
      adviser.hidden = !advised.length;
      keyed(windows.body, advised, (job) => job.id, () => row(7), (line, job) => {
        const best = (goal) => job.advice.find((each) => each.goal === goal);
        const [cost, carbon] = [best("cost"), best("carbon")];
        line.update([job.id, job.name, when(job.soonest.start_ms, "date"), when(cost?.best.start_ms, "date"), cost ? `${number(cost.saves.cost)} ${site.currency}` : DASH, when(carbon?.best.start_ms, "date"), mass(carbon?.saves.co2e_kg)]);
      });
    },
  };
}
