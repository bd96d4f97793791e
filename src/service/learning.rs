//! The desk at work, on a thread of its own: jobs and their power are followed beside the cycles, models are trained on
//! a schedule, tried in the shadow of the one in use, and changed.

use super::finished::Finished;
use super::models::{Models, name_of};
use crate::forecast::{self, JobModel};
use crate::jobs::{Desk, Duel, Outlooks, Sight};
use crate::site::Site;
use crate::snapshot::{Event, FinishedJob, Now, Severity};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Sights that may wait; further ones are passed over.
const SIGHTS: usize = 4;

/// How often a change of model by a person is looked for; real time.
const LOOK: Duration = Duration::from_millis(500);

/// Seed of the learners.
const SEED: u64 = 1;

/// Another model for the control loop, and the words for the record.
pub(super) struct Swap {
    /// The model, where it is to be another.
    pub(super) model: Option<Arc<JobModel>>,
    /// What to record.
    pub(super) event: Event,
}

/// The control loop's end.
pub(super) struct Learning {
    sights: Option<SyncSender<Sight>>,
    swaps: Mutex<Receiver<Swap>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread owns.
struct Worker {
    site: Arc<Site>,
    desk: Desk,
    in_use: Arc<JobModel>,
    models: Option<Models>,
    finished: Option<Finished>,
    swaps: mpsc::Sender<Swap>,
    outlooks: watch::Sender<Option<Arc<Outlooks>>>,
    revision: u64,
    /// When a training was last begun, wall ms; a first one comes a whole period after the start.
    trained_ms: Option<i64>,
    training: Option<JoinHandle<Result<Trained, String>>>,
}

struct Trained {
    model: JobModel,
    card: String,
    jobs: usize,
}

impl Learning {
    /// Starts the thread. Without a directory of the record nothing is kept, and so nothing is learned.
    pub(super) fn start(
        site: Arc<Site>,
        model: Arc<JobModel>,
    ) -> std::io::Result<(Self, watch::Receiver<Option<Arc<Outlooks>>>)> {
        let dir = (!site.store.dir.is_empty()).then(|| Path::new(&site.store.dir));
        let models = dir.map(Models::beside);
        let finished = dir.map(Finished::beside);
        let mut desk = Desk::new(Arc::clone(&site), Arc::clone(&model));
        match finished.as_ref().map(Finished::read) {
            Some(Ok(jobs)) => jobs.iter().for_each(|job| desk.remember(job)),
            Some(Err(error)) => tracing::warn!(%error, "the jobs that finished earlier cannot be read"),
            None => {}
        }
        let (sights, seen) = sync_channel(SIGHTS);
        let (swaps, swapped) = mpsc::channel();
        let (outlooks, shown) = watch::channel(None);
        let worker = Worker {
            revision: models.as_ref().map_or(0, Models::revision),
            trained_ms: models.as_ref().and_then(Models::trained_ms),
            site,
            desk,
            in_use: model,
            models,
            finished,
            swaps,
            outlooks,
            training: None,
        };
        let thread = std::thread::Builder::new()
            .name("jobs".into())
            .spawn(move || worker.run(&seen))?;
        let learning = Self {
            sights: Some(sights),
            swaps: Mutex::new(swapped),
            thread: Some(thread),
        };
        Ok((learning, shown))
    }

    /// Hands a cycle's sight over; never waits. Where the thread is busy the sight is passed over: the meter bridges it.
    pub(super) fn see(&self, sight: Sight) {
        if let Some(sights) = &self.sights
            && let Err(TrySendError::Disconnected(_)) = sights.try_send(sight)
        {
            tracing::debug!("the desk of jobs is closed");
        }
    }

    /// Changes of model that wait.
    pub(super) fn take_swaps(&self) -> Vec<Swap> {
        let swaps = self.swaps.lock().unwrap_or_else(PoisonError::into_inner);
        swaps.try_iter().collect()
    }

    /// Ends the thread.
    pub(super) fn finish(&mut self) {
        drop(self.sights.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of jobs panicked");
        }
    }
}

impl Worker {
    fn run(mut self, sights: &Receiver<Sight>) {
        let mut looked = Instant::now();
        loop {
            match sights.recv_timeout(LOOK) {
                Ok(sight) => self.take(&sight),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look_for_appointment();
            }
        }
    }

    fn take(&mut self, sight: &Sight) {
        let learned = self.desk.observe(sight);
        if let Some(finished) = &self.finished
            && let Err(error) = finished.append(&learned, self.site.store.retention_days)
        {
            tracing::warn!(%error, "finished jobs were not kept");
        }
        if let Some(queue) = &sight.queue {
            let outlooks = self.desk.outlooks(queue, sight.now);
            self.outlooks.send_replace(Some(Arc::new(outlooks)));
        }
        self.judge(sight.now);
        self.train(sight.now);
    }

    fn tell(&self, severity: Severity, code: &str, text: String, model: Option<Arc<JobModel>>) {
        let event = Event {
            severity,
            code: code.into(),
            subject: "model".into(),
            text,
        };
        // Nobody listens only when the controller ends.
        drop(self.swaps.send(Swap { model, event }));
    }

    /// A person may have appointed another model.
    fn look_for_appointment(&mut self) {
        let Some(models) = self.models.clone() else { return };
        let revision = models.revision();
        if revision == self.revision {
            return;
        }
        self.revision = revision;
        let appointed = match models.history() {
            Ok(history) => history.into_iter().next_back(),
            Err(error) => return self.refuse(&error.to_string()),
        };
        let Some(appointed) = appointed.filter(|one| one.model != name_of(self.in_use.fingerprint())) else {
            return;
        };
        match models.load(&appointed.model) {
            Ok(model) => self.change(Arc::new(model), &appointed.why),
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    fn refuse(&self, why: &str) {
        let text = format!("{why}; {} stays in use", name_of(self.in_use.fingerprint()));
        self.tell(Severity::Warning, "model_refused", text, None);
    }

    fn change(&mut self, model: Arc<JobModel>, why: &str) {
        let (old, new) = (name_of(self.in_use.fingerprint()), name_of(model.fingerprint()));
        self.desk.change_model(Arc::clone(&model));
        self.in_use = Arc::clone(&model);
        let text = format!("model {new} takes the place of {old}: {why}");
        self.tell(Severity::Info, "model_changed", text, Some(model));
    }

    /// Ends a shadow period whose time has come.
    fn judge(&mut self, now: Now) {
        let shadow_h = self.site.forecast.shadow_h;
        let verdict = self
            .desk
            .duel
            .as_ref()
            .and_then(|duel| duel.verdict(shadow_h, now.mono_ms));
        let Some(verdict) = verdict else { return };
        let Some(duel) = self.desk.duel.take() else { return };
        let name = name_of(duel.challenger.fingerprint());
        let scores = format!(
            "mean absolute error {:.1} W per GPU against {:.1} W on {} jobs that finished in its shadow period",
            verdict.challenger_mae_w, verdict.champion_mae_w, verdict.jobs
        );
        if !verdict.better {
            let text = format!("model {name} is not better and is dropped: {scores}");
            return self.tell(Severity::Info, "model_dropped", text, None);
        }
        let appointed = self
            .models
            .as_ref()
            .map(|models| models.appoint(&name, now.wall_ms, &scores));
        match appointed {
            Some(Ok(_)) => {
                self.revision = self.models.as_ref().map_or(0, Models::revision);
                self.change(duel.challenger, &scores);
            }
            Some(Err(error)) => self.refuse(&error.to_string()),
            None => {}
        }
    }

    /// Trains when the time has come, on yet another thread; what comes out is kept and tried.
    fn train(&mut self, now: Now) {
        if let Some(training) = self.training.take_if(|training| training.is_finished()) {
            let trained = training.join().unwrap_or_else(|_| Err("the training panicked".into()));
            match trained.and_then(|trained| self.challenge(trained, now)) {
                Ok(text) => self.tell(Severity::Info, "model_trained", text, None),
                Err(why) => self.tell(
                    Severity::Info,
                    "model_not_trained",
                    format!("no new model: {why}"),
                    None,
                ),
            }
        }
        let retrain_h = self.site.forecast.retrain_h;
        let (Some(finished), true) = (&self.finished, retrain_h > 0.0) else {
            return;
        };
        let since_ms = *self.trained_ms.get_or_insert(now.wall_ms);
        let due = now.wall_ms.saturating_sub(since_ms) as f64 >= 3_600_000.0 * retrain_h;
        if !due || self.training.is_some() || self.desk.duel.is_some() {
            return;
        }
        self.trained_ms = Some(now.wall_ms);
        if let Some(Err(error)) = self.models.as_ref().map(|models| models.note_training(now.wall_ms)) {
            tracing::warn!(%error, "the time of the training was not kept");
        }
        let (finished, name) = (finished.clone(), self.site.name.clone());
        let training = std::thread::Builder::new().name("training".into()).spawn(move || {
            let jobs = finished.read().map_err(|error| error.to_string())?;
            learn(&jobs, &name)
        });
        match training {
            Ok(training) => self.training = Some(training),
            Err(error) => tracing::warn!(%error, "no thread to train on"),
        }
    }

    fn challenge(&mut self, trained: Trained, now: Now) -> Result<String, String> {
        let models = self.models.as_ref().ok_or("no directory to keep it in")?;
        let name = models
            .keep(&trained.model, &trained.card)
            .map_err(|error| error.to_string())?;
        if name == name_of(self.in_use.fingerprint()) {
            return Err(format!("the jobs that finished since give {name} again"));
        }
        self.desk.duel = Some(Duel::new(Arc::new(trained.model), now.mono_ms));
        Ok(format!(
            "model {name}, trained on {} jobs that finished in service, is tried beside {} for {} h",
            trained.jobs,
            name_of(self.in_use.fingerprint()),
            self.site.forecast.shadow_h
        ))
    }
}

fn learn(jobs: &[FinishedJob], site: &str) -> Result<Trained, String> {
    let (model, report) = forecast::train(jobs, SEED).map_err(|error| error.to_string())?;
    let hash = model.hash().map_err(|error| error.to_string())?;
    let data = format!("jobs that finished in service at the site {site}, with power from rack readings");
    let name = name_of(model.fingerprint());
    Ok(Trained {
        card: forecast::card(&name, &data, &hash, &report),
        model,
        jobs: jobs.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Totals;
    use crate::site::load_embedded;
    use crate::snapshot::{Job, JobState};

    const MINUTE_MS: i64 = 60_000;

    /// What a job of a user draws on a whole rack, W per GPU.
    fn watts(user: usize) -> f64 {
        700.0 + 150.0 * user as f64
    }

    fn finished(index: usize, gpus: u32) -> FinishedJob {
        let end_ms = i64::try_from(index).unwrap() * 20 * MINUTE_MS;
        FinishedJob {
            id: format!("old{index}"),
            user: format!("user{}", index % 4),
            account: "a".into(),
            name: "train".into(),
            partition: "gpu".into(),
            gpus,
            nodes: 18,
            time_limit_s: 3600.0,
            submit_ms: end_ms - 16 * MINUTE_MS,
            start_ms: end_ms - 15 * MINUTE_MS,
            end_ms,
            mean_gpu_w: watts(index % 4),
            peak_gpu_w: watts(index % 4) * 1.1,
            ramp_s: None,
        }
    }

    /// A worker, with its swaps, at a site that has seen 120 jobs finish.
    fn worker(dir: &Path, champion: JobModel) -> (Worker, Receiver<Swap>) {
        let mut site = load_embedded("demo").unwrap().unwrap();
        site.store.dir = dir.to_string_lossy().into_owned();
        (site.forecast.retrain_h, site.forecast.shadow_h) = (1.0, 1.0);
        let site = Arc::new(site);
        let history = Finished::beside(dir);
        let jobs: Vec<_> = (0..120)
            .map(|index| finished(index, site.racks[0].nameplate.gpus))
            .collect();
        history.append(&jobs, 400).unwrap();
        let models = Models::beside(dir);
        let name = models.keep(&champion, "").unwrap();
        models.appoint(&name, 0, "the first").unwrap();
        let champion = Arc::new(champion);
        let (swaps, swapped) = mpsc::channel();
        let worker = Worker {
            desk: Desk::new(Arc::clone(&site), Arc::clone(&champion)),
            in_use: champion,
            revision: models.revision(),
            models: Some(models),
            finished: Some(history),
            swaps,
            outlooks: watch::channel(None).0,
            trained_ms: None,
            training: None,
            site,
        };
        (worker, swapped)
    }

    /// A minute of a hall in which every rack runs one job for a quarter of an hour, and then the next.
    fn minute(site: &Site, minute: i64) -> Sight {
        let round = minute / 16;
        let wall_ms = 10_000 * 86_400_000 + minute * MINUTE_MS;
        let start_ms = wall_ms - minute % 16 * MINUTE_MS;
        let user = |rack: usize| (rack + usize::try_from(round).unwrap()) % 4;
        let racks = || site.racks.iter().enumerate();
        let job = |(rack, of): (usize, &crate::site::Rack)| Job {
            id: format!("{round}-{rack}"),
            state: JobState::Running { start_ms },
            user: format!("user{}", user(rack)),
            account: "a".into(),
            name: "train".into(),
            partition: "gpu".into(),
            gpus: of.nameplate.gpus,
            node_count: 18,
            nodes: of.nodes.clone(),
            submit_ms: start_ms,
            time_limit_s: 3600.0,
        };
        let runs = minute % 16 < 15;
        let power = |(rack, of): (usize, &crate::site::Rack)| {
            Some(if runs {
                watts(user(rack)) * f64::from(of.nameplate.gpus) / 1000.0
            } else {
                of.nameplate.idle_kw
            })
        };
        Sight {
            now: Now {
                mono_ms: u64::try_from(minute * MINUTE_MS).unwrap(),
                wall_ms,
                utc_offset_s: 0,
            },
            queue: Some(if runs { racks().map(job).collect() } else { Vec::new() }),
            rack_kw: racks().map(power).collect(),
            total: Totals::default(),
        }
    }

    /// Lets minutes pass until a word of this code is heard.
    fn until(worker: &mut Worker, swaps: &Receiver<Swap>, at: &mut i64, code: &str) -> Swap {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            worker.take(&minute(&worker.site.clone(), *at));
            if worker.training.is_none() {
                *at += 1;
            } else {
                std::thread::yield_now();
            }
            for swap in swaps.try_iter() {
                if swap.event.code == code {
                    return swap;
                }
                assert_ne!(swap.event.code, "model_refused", "{}", swap.event.text);
            }
            assert!(Instant::now() < deadline && *at < 2000, "waited in vain for {code}");
        }
    }

    #[test]
    fn a_better_model_takes_over_after_its_shadow_period_and_can_be_undone() {
        let dir = tempfile::tempdir().unwrap();
        // The champion knows nothing: the nameplate.
        let (mut worker, swaps) = worker(dir.path(), JobModel::nameplate());
        let first = name_of(worker.in_use.fingerprint());
        let mut at = 0;
        let trained = until(&mut worker, &swaps, &mut at, "model_trained");
        assert!(trained.model.is_none(), "it is only tried");
        let begun = at;
        let changed = until(&mut worker, &swaps, &mut at, "model_changed");
        assert!(
            (55..180).contains(&(at - begun)),
            "after an hour of shadow, not {} min",
            at - begun
        );
        assert!(
            changed.event.text.contains("jobs that finished in its shadow period"),
            "{}",
            changed.event.text
        );
        let second = name_of(changed.model.unwrap().fingerprint());
        let models = worker.models.clone().unwrap();
        assert_eq!(models.history().unwrap().last().unwrap().model, second);
        assert!(models.card(&second).contains("finished in service"));
        assert!(
            Finished::beside(dir.path()).read().unwrap().len() > 150,
            "what finished is kept"
        );

        // A person goes back, by one line in the history.
        models
            .appoint(&models.before().unwrap(), 1, "a person went back to it")
            .unwrap();
        worker.look_for_appointment();
        let back = swaps.try_iter().last().unwrap();
        assert_eq!(name_of(back.model.unwrap().fingerprint()), first);
        // One that cannot be used leaves the one in use in place.
        let file = dir.path().join(format!("models/{second}.model"));
        std::fs::write(&file, b"ISOMODEL damaged").unwrap();
        let line = format!("{{\"wall_ms\":2,\"model\":\"{second}\",\"why\":\"by hand\"}}\n");
        let history = std::fs::read_to_string(dir.path().join("models/history")).unwrap();
        std::fs::write(dir.path().join("models/history"), history + &line).unwrap();
        worker.look_for_appointment();
        let refused = swaps.try_iter().last().unwrap();
        assert_eq!(
            (refused.event.code.as_str(), refused.model.is_none()),
            ("model_refused", true)
        );
        assert!(
            refused.event.text.contains(&format!("{first} stays in use")),
            "{}",
            refused.event.text
        );
        assert_eq!(name_of(worker.in_use.fingerprint()), first);
    }
}
