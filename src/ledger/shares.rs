//! Who used it: every cycle's amounts spread over racks, and from racks over the jobs on them.
//!
//! *Racks.* The IT meter's energy goes to racks as their own power readings go; the cooling meter's as the energy of their
//! CDU and of their loop's plant goes, by the racks' heat; the rest of the site, water, reused heat, carbon and money as
//! the electricity goes that causes them. So the racks' sums are the meters' amounts.
//!
//! *Jobs.* A rack's idle power belongs to all its GPUs alike; what it draws beyond it, to the GPUs that jobs hold. What
//! falls on GPUs without a job is the idle share, and is shown as such. So jobs and idle sum up to the racks.

use super::totals::Totals;
use crate::site::{NodeFinder, Site};
use crate::snapshot::{Job, JobQueue, JobState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What somebody used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Amounts {
    /// IT energy, kWh.
    pub it_kwh: f64,
    /// Cooling energy, kWh.
    pub cooling_kwh: f64,
    /// Share of lights and losses, kWh.
    pub other_kwh: f64,
    /// Make-up water, L.
    pub water_l: f64,
    /// Heat handed over, kWh.
    pub reused_kwh: f64,
    /// Carbon, location-based, kg.
    pub co2e_kg: f64,
    /// Electricity, water and waste water, less heat sold.
    pub cost: f64,
}

impl Amounts {
    /// The sum of two.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        self.plus(other, 1.0)
    }

    /// With a share of another added.
    #[must_use]
    fn plus(self, other: &Self, share: f64) -> Self {
        Self {
            it_kwh: self.it_kwh + share * other.it_kwh,
            cooling_kwh: self.cooling_kwh + share * other.cooling_kwh,
            other_kwh: self.other_kwh + share * other.other_kwh,
            water_l: self.water_l + share * other.water_l,
            reused_kwh: self.reused_kwh + share * other.reused_kwh,
            co2e_kg: self.co2e_kg + share * other.co2e_kg,
            cost: self.cost + share * other.cost,
        }
    }
}

/// What a job used on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobShare {
    /// The scheduler's id.
    pub id: String,
    /// User.
    pub user: String,
    /// Tenant: the scheduler's account or project.
    pub tenant: String,
    /// GPU hours held.
    pub gpu_h: f64,
    /// What it used.
    pub used: Amounts,
}

/// A job that runs, and what it has used since the day or it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Slot {
    share: JobShare,
    nodes: usize,
    /// Rack and GPUs there.
    places: Vec<(usize, f64)>,
}

/// A rack's amounts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct RackBook {
    /// Not yet spread over jobs.
    open: Amounts,
    /// Since the day began, but for what is open.
    day: Amounts,
}

/// The books of racks and jobs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Shares {
    racks: Vec<RackBook>,
    /// Time that is not yet spread over jobs, s.
    open_s: f64,
    slots: Vec<Slot>,
    ended: Vec<JobShare>,
    idle: Amounts,
    /// What each tenant has used since the ledger began; [`IDLE`] is what no tenant has.
    tenants: BTreeMap<String, Amounts>,
}

/// The name of what fell on GPUs without a job, among the tenants.
pub const IDLE: &str = "(idle)";
/// The name under which tenants beyond the first 200 are counted together: names are foreign text, and each is a
/// series in a database.
pub const OTHERS: &str = "(others)";
const TENANTS: usize = 200;

/// What racks and jobs used on a day, so far or in all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DayShares {
    /// Each rack, in the order of the site; empty but on the last page of a day.
    pub racks: Vec<Amounts>,
    /// Each job that ended since the last page, or that the day's end cut off.
    pub jobs: Vec<JobShare>,
    /// What fell on GPUs without a job.
    pub idle: Amounts,
}

impl Shares {
    pub(super) fn fit(&mut self, site: &Site) {
        self.racks = vec![RackBook::default(); site.racks.len()];
        self.slots.clear();
    }

    /// Adds a cycle: `rack_kwh` are the racks' own readings, `delta` the cycle's amounts.
    pub(super) fn add(&mut self, site: &Site, rack_kwh: &[f64], delta: &Totals) {
        self.open_s += delta.covered_s;
        let all: f64 = rack_kwh.iter().sum();
        let rated: f64 = site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum();
        let weights: Vec<f64> = if all > 0.0 {
            rack_kwh.iter().map(|kwh| kwh / all).collect()
        } else {
            site.racks.iter().map(|rack| rack.nameplate.rated_kw / rated).collect()
        };
        let cooling = cooling_weights(site, &weights, &delta.cooling_kwh_by_equipment);
        let other_kwh = delta.other_kwh();
        let site_kwh = delta.site_kwh;
        let spread = delta.water_cost - delta.heat_income;
        for ((book, weight), cooling) in self.racks.iter_mut().zip(&weights).zip(&cooling) {
            let it_kwh = weight * delta.it_kwh;
            let cooling_kwh = cooling * delta.cooling_kwh;
            let own_kwh = it_kwh + cooling_kwh + weight * other_kwh;
            let electric = if site_kwh > 0.0 { own_kwh / site_kwh } else { *weight };
            let used = Amounts {
                it_kwh,
                cooling_kwh,
                other_kwh: weight * other_kwh,
                water_l: weight * delta.makeup_l,
                reused_kwh: weight * delta.reused_kwh,
                co2e_kg: electric * delta.co2e_kg,
                cost: electric * delta.energy_cost + weight * spread,
            };
            book.open = book.open.and(&used);
        }
    }

    /// Takes up the queue: where other jobs hold the GPUs than before, what is open is spread over those before.
    pub(super) fn follow(&mut self, site: &Site, queue: &JobQueue) {
        let running = || {
            let jobs = queue.jobs.iter();
            jobs.filter(|job| matches!(job.state, JobState::Running { .. }) && !job.nodes.is_empty())
        };
        let same = running().count() == self.slots.len()
            && running()
                .zip(&self.slots)
                .all(|(job, slot)| job.nodes.len() == slot.nodes && job.id == slot.share.id);
        if same {
            return;
        }
        self.settle(site);
        let mut before: BTreeMap<String, Slot> = std::mem::take(&mut self.slots)
            .into_iter()
            .map(|slot| (slot.share.id.clone(), slot))
            .collect();
        let mut finder = NodeFinder::new(site);
        for job in running() {
            let known = before.remove(&job.id);
            self.slots.push(match known {
                Some(slot) if slot.nodes == job.nodes.len() => slot,
                known => Slot {
                    share: known.map_or_else(|| nothing_yet(job), |slot| slot.share),
                    nodes: job.nodes.len(),
                    places: places(job, &mut finder),
                },
            });
        }
        self.ended.extend(before.into_values().map(|slot| slot.share));
    }

    /// Spreads what is open over the jobs.
    fn settle(&mut self, site: &Site) {
        let hours = self.open_s / 3600.0;
        let mut held = vec![0.0; self.racks.len()];
        for (rack, gpus) in self.slots.iter().flat_map(|slot| &slot.places) {
            if let Some(sum) = held.get_mut(*rack) {
                *sum += gpus;
            }
        }
        // Of a rack's amounts, what one GPU's job gets.
        let per_gpu: Vec<f64> = (site.racks.iter().zip(&self.racks).zip(&held))
            .map(|((rack, book), held)| {
                let kwh = book.open.it_kwh;
                if *held <= 0.0 || kwh <= 0.0 {
                    return 0.0;
                }
                let idle = (rack.nameplate.idle_kw * hours / kwh).min(1.0);
                idle / held.max(f64::from(rack.nameplate.gpus)) + (1.0 - idle) / held
            })
            .collect();
        for slot in &mut self.slots {
            let mut used = Amounts::default();
            for (rack, gpus) in &slot.places {
                if let (Some(book), Some(each)) = (self.racks.get(*rack), per_gpu.get(*rack)) {
                    used = used.plus(&book.open, gpus * each);
                    slot.share.gpu_h += gpus * hours;
                }
            }
            slot.share.used = slot.share.used.and(&used);
            let name = slot.share.tenant.as_str();
            let full = self.tenants.len() >= TENANTS && !self.tenants.contains_key(name);
            add(&mut self.tenants, if full { OTHERS } else { name }, &used);
        }
        for ((book, held), each) in self.racks.iter_mut().zip(&held).zip(&per_gpu) {
            let idle = Amounts::default().plus(&book.open, 1.0 - held * each);
            self.idle = self.idle.and(&idle);
            add(&mut self.tenants, IDLE, &idle);
            book.day = book.day.and(&book.open);
            book.open = Amounts::default();
        }
        self.open_s = 0.0;
    }

    /// What each tenant has used since the ledger began, as of the last settlement.
    pub(super) const fn tenants(&self) -> &BTreeMap<String, Amounts> {
        &self.tenants
    }

    /// The rows that go with a page: jobs that ended, and at a day's end everything.
    pub(super) fn hand_over(&mut self, site: &Site, day_ends: bool) -> DayShares {
        self.settle(site);
        if !day_ends {
            return DayShares {
                jobs: std::mem::take(&mut self.ended),
                ..DayShares::default()
            };
        }
        let mut jobs = std::mem::take(&mut self.ended);
        for slot in &mut self.slots {
            jobs.push(slot.share.clone());
            slot.share.used = Amounts::default();
            slot.share.gpu_h = 0.0;
        }
        let racks = self.racks.iter_mut().map(|book| std::mem::take(&mut book.day));
        DayShares {
            racks: racks.collect(),
            jobs,
            idle: std::mem::take(&mut self.idle),
        }
    }
}

fn add(tenants: &mut BTreeMap<String, Amounts>, name: &str, used: &Amounts) {
    match tenants.get_mut(name) {
        Some(sum) => *sum = sum.and(used),
        None => drop(tenants.insert(name.to_owned(), *used)),
    }
}

fn nothing_yet(job: &Job) -> JobShare {
    JobShare {
        id: job.id.clone(),
        user: job.user.clone(),
        tenant: job.account.clone(),
        gpu_h: 0.0,
        used: Amounts::default(),
    }
}

/// A job's GPUs by rack; nodes that belong to no rack of the site hold none.
fn places(job: &Job, finder: &mut NodeFinder<'_>) -> Vec<(usize, f64)> {
    let gpus_a_node = f64::from(job.gpus) / job.nodes.len().max(1) as f64;
    let mut places: Vec<(usize, f64)> = Vec::new();
    for node in &job.nodes {
        let Some(rack) = finder.rack(node) else { continue };
        match places.last_mut() {
            Some((last, gpus)) if *last == rack => *gpus += gpus_a_node,
            _ => places.push((rack, gpus_a_node)),
        }
    }
    places
}

/// Each rack's share of the cooling energy; the shares sum up to 1.
fn cooling_weights(site: &Site, weights: &[f64], equipment_kwh: &[f64]) -> Vec<f64> {
    let mut of_cdu = vec![0.0; site.cdus.len()];
    let mut of_loop = vec![0.0; site.loops.len()];
    let loops = (site.loops.iter().enumerate().map(|(id, _)| id))
        .chain(site.rejection.iter().map(|unit| unit.facility_loop.0))
        .chain(site.air_units.iter().map(|unit| unit.facility_loop.0));
    let (cdus_kwh, plant_kwh) = equipment_kwh.split_at_checked(site.cdus.len()).unwrap_or_default();
    for (sum, kwh) in of_cdu.iter_mut().zip(cdus_kwh) {
        *sum = *kwh;
    }
    for (id, kwh) in loops.zip(plant_kwh) {
        if let Some(sum) = of_loop.get_mut(id) {
            *sum += kwh;
        }
    }
    let (mut heat_cdu, mut heat_loop) = (vec![0.0; of_cdu.len()], vec![0.0; of_loop.len()]);
    let place = |rack: &crate::site::Rack| {
        let cdu = rack.cdu.0;
        Some((cdu, site.cdus.get(cdu)?.facility_loop.0))
    };
    for (rack, weight) in site.racks.iter().zip(weights) {
        let Some((cdu, around)) = place(rack) else { continue };
        if let (Some(a), Some(b)) = (heat_cdu.get_mut(cdu), heat_loop.get_mut(around)) {
            *a += weight;
            *b += weight;
        }
    }
    let per = |of: &[f64], heat: &[f64], id: usize| match (of.get(id), heat.get(id)) {
        (Some(kwh), Some(heat)) if *heat > 0.0 => kwh / heat,
        _ => 0.0,
    };
    let raw: Vec<f64> = (site.racks.iter().zip(weights))
        .map(|(rack, weight)| {
            place(rack).map_or(0.0, |(cdu, around)| {
                weight * (per(&of_cdu, &heat_cdu, cdu) + per(&of_loop, &heat_loop, around))
            })
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    if sum > 0.0 {
        raw.iter().map(|share| share / sum).collect()
    } else {
        weights.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;
    use proptest::prelude::*;

    fn job(id: &str, nodes: &[&str], gpus: u32) -> Job {
        Job {
            id: id.into(),
            state: JobState::Running { start_ms: 0 },
            user: format!("user-{id}"),
            account: "team".into(),
            name: String::new(),
            partition: String::new(),
            gpus,
            node_count: 1,
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            submit_ms: 0,
            time_limit_s: 0.0,
        }
    }

    fn queue(jobs: Vec<Job>) -> JobQueue {
        JobQueue { mono_ms: Some(0), jobs }
    }

    fn hour(it_kwh: f64) -> Totals {
        Totals {
            covered_s: 3600.0,
            it_kwh,
            cooling_kwh: 0.1 * it_kwh,
            site_kwh: 1.15 * it_kwh,
            makeup_l: it_kwh,
            reused_kwh: 0.2 * it_kwh,
            co2e_kg: 0.4 * it_kwh,
            energy_cost: 0.1 * it_kwh,
            water_cost: 0.01 * it_kwh,
            heat_income: 0.02 * it_kwh,
            cooling_kwh_by_equipment: vec![1.0; 10],
            ..Totals::default()
        }
    }

    #[test]
    fn a_job_pays_its_share_of_idle_power_and_all_that_it_adds() {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut shares = Shares::default();
        shares.fit(&site);
        // Half of the first rack's 72 GPUs; it draws 100 kW of which 30 kW are idle power.
        let half: Vec<String> = (1..=9).map(|n| format!("r01n{n:02}")).collect();
        let nodes: Vec<&str> = half.iter().map(String::as_str).collect();
        shares.follow(&site, &queue(vec![job("a", &nodes, 36)]));
        let mut rack_kwh = vec![30.0; 16];
        rack_kwh[0] = 100.0;
        shares.add(&site, &rack_kwh, &hour(550.0));
        let day = shares.hand_over(&site, true);
        assert_eq!(day.jobs.len(), 1);
        let used = day.jobs[0].used;
        assert!((used.it_kwh - (15.0 + 70.0)).abs() < 1e-9, "{used:?}");
        assert!((day.jobs[0].gpu_h - 36.0).abs() < 1e-9);
        assert!((day.idle.it_kwh - (15.0 + 15.0 * 30.0)).abs() < 1e-9);
        assert!((day.racks[0].it_kwh - 100.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn jobs_and_idle_sum_up_to_racks_and_racks_to_the_meters(
            cycles in prop::collection::vec((prop::collection::vec(0.0..120.0f64, 16), 0..4usize, 0.5..1.5f64), 1..20)
        ) {
            let site = load_embedded("demo").unwrap().unwrap();
            let mut shares = Shares::default();
            shares.fit(&site);
            let pool = [
                job("a", &["r01n01", "r01n02"], 8), job("b", &["r01n03", "r02n01", "r16n18"], 12),
                job("c", &["r05n01", "nowhere"], 8), job("d", &["r01n01"], 400),
            ];
            let mut total = Totals::default();
            let mut jobs: Vec<JobShare> = vec![];
            for (racks, which, off) in &cycles {
                shares.follow(&site, &queue(pool.iter().skip(*which).cloned().collect()));
                let delta = hour(off * racks.iter().sum::<f64>());
                shares.add(&site, racks, &delta);
                total.add(&delta);
                jobs.extend(shares.hand_over(&site, false).jobs);
            }
            let day = shares.hand_over(&site, true);
            jobs.extend(day.jobs);
            let racks = day.racks.iter().fold(Amounts::default(), Amounts::and);
            let users = jobs.iter().fold(day.idle, |sum, own| sum.and(&own.used));
            for sum in [racks, users] {
                for (found, meter) in [
                    (sum.it_kwh, total.it_kwh), (sum.cooling_kwh, total.cooling_kwh), (sum.other_kwh, total.other_kwh()),
                    (sum.water_l, total.makeup_l), (sum.reused_kwh, total.reused_kwh), (sum.co2e_kg, total.co2e_kg),
                    (sum.cost, total.energy_cost + total.water_cost - total.heat_income),
                ] {
                    prop_assert!((found - meter).abs() <= 1e-9 * meter.abs().max(1.0), "{found} of {meter}");
                }
            }
        }
    }
}
