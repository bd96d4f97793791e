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
    trained_ms: Option<u64>,
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
            site,
            desk,
            in_use: model,
            models,
            finished,
            swaps,
            outlooks,
            trained_ms: None,
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
        let since_ms = *self.trained_ms.get_or_insert(now.mono_ms);
        let due = now.seconds_since(since_ms) >= 3600.0 * retrain_h;
        if !due || self.training.is_some() || self.desk.duel.is_some() {
            return;
        }
        self.trained_ms = Some(now.mono_ms);
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
