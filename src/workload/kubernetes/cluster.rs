//! The cluster's objects together, as jobs: pods of one owner are one job, and what is asked for without pods yet waits.

use super::objects::{self, Phase, Pod, Wanted};
use crate::snapshot::{Job, JobState};
use crate::workload::{FeedError, MOST_JOBS};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The resources that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pod,
    Job,
    Workload,
}

/// What is known of the cluster.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    pods: BTreeMap<String, Pod>,
    jobs: BTreeMap<String, Wanted>,
    workloads: BTreeMap<String, Wanted>,
    /// Whether the watch of each kind stands.
    stands: [bool; 3],
    changed: bool,
}

impl Cluster {
    /// Whether every watch stands, so that what is known is true.
    pub(super) fn is_whole(&self) -> bool {
        self.stands.iter().all(|stands| *stands)
    }

    pub(super) fn stands(&mut self, kind: Kind, stands: bool) {
        if let Some(known) = self.stands.get_mut(kind as usize) {
            *known = stands;
        }
    }

    /// The server has no such resource: there is nothing of it to know.
    pub(super) fn absent(&mut self, kind: Kind) {
        self.replace(kind, &[]);
        self.stands(kind, true);
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Takes a whole list in place of what was known; what of it cannot be read is answered.
    pub(super) fn replace(&mut self, kind: Kind, found: &[Value]) -> Vec<FeedError> {
        match kind {
            Kind::Pod => self.pods.clear(),
            Kind::Job => self.jobs.clear(),
            Kind::Workload => self.workloads.clear(),
        }
        self.changed = true;
        let put = found.iter().filter_map(|object| self.put(kind, object).err());
        put.collect()
    }

    /// Takes an object as it is now.
    pub(super) fn put(&mut self, kind: Kind, object: &Value) -> Result<(), FeedError> {
        let key = objects::key(object)?;
        let known = self.pods.len() + self.jobs.len() + self.workloads.len();
        if known >= 4 * MOST_JOBS {
            return Err(FeedError::Document(format!(
                "more than {known} objects with accelerators"
            )));
        }
        self.changed = true;
        match kind {
            Kind::Pod => put(&mut self.pods, key, objects::pod(object)),
            Kind::Job => put(&mut self.jobs, key, objects::job(object)),
            Kind::Workload => put(&mut self.workloads, key, objects::workload(object)),
        }
    }

    /// Takes an object away.
    pub(super) fn remove(&mut self, kind: Kind, object: &Value) -> Result<(), FeedError> {
        let key = objects::key(object)?;
        self.changed |= match kind {
            Kind::Pod => self.pods.remove(&key).is_some(),
            Kind::Job => self.jobs.remove(&key).is_some(),
            Kind::Workload => self.workloads.remove(&key).is_some(),
        };
        Ok(())
    }

    /// The jobs, by id: `namespace/name` of the owner.
    pub(super) fn jobs(&self) -> Vec<Job> {
        let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
        for pod in self.pods.values() {
            groups.entry(&pod.identity.group).or_default().pods.push(pod);
        }
        for job in self.jobs.values() {
            // The job's own name, which its pods carry; its owner's, where it is a part of something larger.
            groups.entry(&job.identity.group).or_default().jobs.push(job);
        }
        for workload in self.workloads.values() {
            groups.entry(&workload.identity.group).or_default().workload = Some(workload);
        }
        let jobs = groups.into_iter().filter_map(|(id, group)| group.job(id));
        jobs.take(MOST_JOBS).collect()
    }
}

/// Something that cannot be read is no longer what it was, either.
fn put<T>(known: &mut BTreeMap<String, T>, key: String, read: Result<Option<T>, FeedError>) -> Result<(), FeedError> {
    match read {
        Ok(Some(object)) => drop(known.insert(key, object)),
        Ok(None) => drop(known.remove(&key)),
        Err(error) => {
            known.remove(&key);
            return Err(FeedError::Job {
                id: key,
                what: error.to_string(),
            });
        }
    }
    Ok(())
}

/// All that belongs to one job.
#[derive(Default)]
struct Group<'a> {
    pods: Vec<&'a Pod>,
    jobs: Vec<&'a Wanted>,
    workload: Option<&'a Wanted>,
}

impl Group<'_> {
    fn job(&self, id: &str) -> Option<Job> {
        let identity = (self.pods.first().map(|pod| &pod.identity))
            .or_else(|| self.jobs.first().map(|job| &job.identity))
            .or_else(|| self.workload.map(|workload| &workload.identity))?;
        let asked = self.workload.or_else(|| self.jobs.first().copied());
        let placed = || self.pods.iter().filter(|pod| !pod.node.is_empty());
        let started = self.pods.iter().filter_map(|pod| match pod.phase {
            Phase::Running(start_ms) => Some(start_ms),
            Phase::Waiting | Phase::Bound(_) => None,
        });
        let bound = self.pods.iter().filter_map(|pod| match pod.phase {
            Phase::Bound(at_ms) => Some(at_ms),
            Phase::Waiting | Phase::Running(_) => None,
        });
        let state = if let Some(start_ms) = started.min() {
            JobState::Running { start_ms }
        } else if let Some(start_ms) = bound.max() {
            JobState::Starting { start_ms }
        } else if let Some(start_ms) = self.workload.and_then(|workload| workload.admitted_ms) {
            JobState::Starting { start_ms }
        } else {
            JobState::Pending {
                expected_start_ms: None,
            }
        };
        let (pods_gpus, pods) = if placed().next().is_some() {
            (placed().map(|pod| pod.gpus).sum(), placed().count())
        } else {
            let of_pods: f64 = self.pods.iter().map(|pod| pod.gpus).sum();
            let of_jobs: f64 = self.jobs.iter().map(|job| job.gpus).sum();
            let gpus = self.workload.map_or(of_jobs, |workload| workload.gpus).max(of_pods);
            (gpus, asked.map_or(self.pods.len(), |asked| asked.pods as usize))
        };
        let nodes: BTreeSet<&str> = placed().map(|pod| pod.node.as_str()).collect();
        let queue = [
            self.workload.map(|workload| &workload.identity.queue),
            Some(&identity.queue),
        ];
        let priority = asked
            .map(|asked| &asked.priority)
            .or_else(|| Some(&self.pods.first()?.priority));
        let limit_s = asked
            .map(|asked| asked.limit_s)
            .or_else(|| Some(self.pods.first()?.limit_s));
        let made = self.pods.iter().map(|pod| pod.identity.made_ms);
        let made = made.chain(self.jobs.iter().map(|job| job.identity.made_ms));
        let made = made.chain(self.workload.map(|workload| workload.identity.made_ms));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by the objects' counts; the cast saturates"
        )]
        let gpus = pods_gpus.ceil() as u32;
        Some(Job {
            id: id.to_owned(),
            state,
            user: identity.namespace.clone(),
            account: queue
                .into_iter()
                .flatten()
                .find(|queue| !queue.is_empty())
                .cloned()
                .unwrap_or_default(),
            name: id.split_once('/').map_or(id, |(_, name)| name).to_owned(),
            partition: priority.cloned().unwrap_or_default(),
            gpus,
            node_count: u32::try_from(if nodes.is_empty() { pods } else { nodes.len() }).unwrap_or(u32::MAX),
            nodes: nodes.into_iter().map(str::to_owned).collect(),
            submit_ms: made.min().unwrap_or(0),
            time_limit_s: limit_s.unwrap_or(0.0),
        })
    }
}
