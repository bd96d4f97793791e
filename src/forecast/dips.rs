//! Which running jobs are in a dip, told from what racks draw less than their jobs are known to.
//!
//! Racks are measured, jobs are not, and small jobs share a rack. A job that pauses takes its known part from all of its
//! racks at once; so, while racks draw less than they should, the job is looked for whose pause explains most of what is
//! missing, then the next (matching pursuit, Mallat and Zhang 1993, with each job's known dip for an atom).

use super::tracked::Placed;

/// A rack misses something from this share of what its jobs are known to draw on.
const MISSING: f64 = 0.008;
/// Share of what is missing on its racks, by energy, that a dip must explain.
const EXPLAINED: f64 = 0.8;
/// Bonus of a job that was in a dip a moment ago.
const STAYS: f64 = 3.0;

/// A job that may be in a dip.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    /// Where it is.
    pub(super) placed: &'a [Placed],
    /// Share of its prediction that it draws at work and in a dip.
    pub(super) level: f64,
    pub(super) in_dip: f64,
    /// Whether it was in a dip a moment ago.
    pub(super) was: bool,
}

/// Which of the jobs are in a dip. `known_kw` is what the jobs at work would draw above idle, by rack, and `measured_kw` what
/// is drawn; `None` where it is not measured.
pub(super) fn find(jobs: &[Option<Candidate<'_>>], known_kw: &[f64], measured_kw: &[Option<f64>]) -> Vec<bool> {
    let mut dipped = vec![false; jobs.len()];
    let mut missing: Vec<f64> = known_kw
        .iter()
        .zip(measured_kw)
        .map(|(known, measured)| measured.map_or(0.0, |measured| known - measured))
        .collect();
    let lacks = |missing: &[f64], rack: usize| {
        let of = |all: &[f64]| all.get(rack).copied().unwrap_or(0.0);
        of(missing) > MISSING * of(known_kw).max(1e-6)
    };
    // Only jobs all of whose racks lack something can be in a dip.
    let mut open: Vec<usize> = (0..jobs.len())
        .filter(|index| {
            let job = jobs.get(*index).and_then(Option::as_ref);
            job.is_some_and(|job| {
                !job.placed.is_empty() && job.placed.iter().all(|placed| lacks(&missing, placed.rack))
            })
        })
        .collect();
    // Each round settles one job, so the work is bounded; large halls have few dips at a time.
    for _ in 0..open.len().min(64) {
        let mut best: Option<(f64, usize, usize)> = None;
        for (place, index) in open.iter().enumerate() {
            let Some(job) = jobs.get(*index).and_then(Option::as_ref) else {
                continue;
            };
            let (before, after) = job.placed.iter().fold((0.0, 0.0), |(before, after), placed| {
                let lack = missing.get(placed.rack).copied().unwrap_or(0.0);
                let part = (job.level - job.in_dip) * placed.mean_kw;
                (before + lack * lack, after + (lack - part) * (lack - part))
            });
            let explained = (before - after) * if job.was { STAYS } else { 1.0 };
            if explained > EXPLAINED * before && best.is_none_or(|(most, _, _)| explained > most) {
                best = Some((explained, place, *index));
            }
        }
        let Some((_, place, index)) = best else { break };
        open.swap_remove(place);
        if let Some(flag) = dipped.get_mut(index) {
            *flag = true;
        }
        if let Some(job) = jobs.get(index).and_then(Option::as_ref) {
            for placed in job.placed {
                if let Some(missing) = missing.get_mut(placed.rack) {
                    *missing -= (job.level - job.in_dip) * placed.mean_kw;
                }
            }
        }
    }
    dipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(parts: &[(usize, f64)]) -> Vec<Placed> {
        let part = |(rack, mean_kw): &(usize, f64)| Placed {
            rack: *rack,
            gpus: 4.0,
            mean_kw: *mean_kw,
            peak_kw: *mean_kw,
        };
        parts.iter().map(part).collect()
    }

    fn candidate(placed: &[Placed]) -> Candidate<'_> {
        Candidate {
            placed,
            level: 1.0,
            in_dip: 0.3,
            was: false,
        }
    }

    #[test]
    fn a_small_job_on_a_shared_rack_and_a_large_one_across_racks_are_told_apart() {
        let (small, other, large) = (
            placed(&[(0, 20.0)]),
            placed(&[(0, 35.0)]),
            placed(&[(0, 40.0), (1, 80.0), (2, 80.0)]),
        );
        let jobs = [
            Some(candidate(&small)),
            Some(candidate(&other)),
            Some(candidate(&large)),
            None,
        ];
        let known = [95.0, 80.0, 80.0];
        let find = |lack: [f64; 3]| {
            let measured: Vec<Option<f64>> = known.iter().zip(lack).map(|(known, lack)| Some(known - lack)).collect();
            find(&jobs, &known, &measured)
        };
        assert_eq!(find([0.0; 3]), [false; 4]);
        assert_eq!(find([14.0, 0.0, 0.0]), [true, false, false, false]);
        assert_eq!(find([25.0, 0.0, 0.0]), [false, true, false, false]);
        assert_eq!(find([28.0, 56.0, 56.0]), [false, false, true, false]);
        assert_eq!(find([42.0, 56.0, 56.0]), [true, false, true, false]);
    }

    #[test]
    fn what_is_not_measured_tells_nothing() {
        let job = placed(&[(0, 20.0)]);
        assert_eq!(find(&[Some(candidate(&job))], &[20.0], &[None]), [false]);
    }
}
