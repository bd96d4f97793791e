//! One cycle's readings, commands and plan by point, handed out by equipment.

use super::view::{EquipmentView, OwnerView, ReadingView, SetpointView, rounded};
use crate::cycle::CycleRecord;
use crate::site::{EquipmentId, PointId, Site};
use crate::snapshot::Author;
use std::collections::BTreeMap;

/// One cycle's values by point.
pub(super) struct Sheet<'a> {
    site: &'a Site,
    points: &'a BTreeMap<EquipmentId, Vec<PointId>>,
    pub(super) readings: Vec<Option<ReadingView>>,
    commanded: Vec<Option<(f64, &'a Author)>>,
    planned: Vec<Option<f64>>,
    /// Wall time at which each point's override ends, ms.
    until_ms: Vec<Option<i64>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(
        site: &'a Site,
        points: &'a BTreeMap<EquipmentId, Vec<PointId>>,
        record: &'a CycleRecord,
    ) -> Self {
        let mut commanded = vec![None; site.points.len()];
        for command in &record.commands {
            if let Some(slot) = commanded.get_mut(command.point.0) {
                *slot = Some((command.value, &command.author));
            }
        }
        let mut planned = vec![None; site.points.len()];
        for setpoint in &record.plan.setpoints {
            if let Some(slot) = planned.get_mut(setpoint.point.0) {
                *slot = Some(setpoint.value);
            }
        }
        let mut until_ms = vec![None; site.points.len()];
        for held in &record.safety.overrides {
            if let Some(slot) = site.point(&held.tag).and_then(|point| until_ms.get_mut(point.0)) {
                #[expect(clippy::cast_possible_truncation, reason = "saturates; within the longest override")]
                let left_ms = (held.left_s * 1000.0) as i64;
                *slot = Some(record.now.wall_ms.saturating_add(left_ms));
            }
        }
        let snapshot = &record.inputs.snapshot;
        let reading = |index| Some(ReadingView::of(snapshot.reading(PointId(index))?, record.now));
        Self {
            site,
            points,
            readings: (0..site.points.len()).map(reading).collect(),
            commanded,
            planned,
            until_ms,
        }
    }

    pub(super) fn all(&self, count: usize, id: impl Fn(usize) -> EquipmentId) -> Vec<EquipmentView> {
        (0..count).map(|index| self.equipment(id(index))).collect()
    }

    pub(super) fn equipment(&self, id: EquipmentId) -> EquipmentView {
        let name = self.site.equipment_name(id).to_owned();
        let mut shown = EquipmentView {
            name,
            ..EquipmentView::default()
        };
        for point in self.points.get(&id).into_iter().flatten() {
            let spec = self.site.spec(*point);
            let reading = self.readings.get(point.0).copied().flatten();
            let Some(write) = &spec.write else {
                shown.readings.insert(spec.quantity.clone(), reading);
                continue;
            };
            let command = self.commanded.get(point.0).copied().flatten();
            let setpoint = SetpointView {
                reading,
                commanded: command.map(|(value, _)| rounded(value)),
                owner: command.map(|(_, author)| owner(author)),
                planned: self.planned.get(point.0).copied().flatten().map(rounded),
                release: write.release,
                until_ms: self.until_ms.get(point.0).copied().flatten(),
            };
            shown.setpoints.insert(spec.quantity.clone(), setpoint);
        }
        shown
    }
}

fn owner(author: &Author) -> OwnerView {
    match author {
        Author::Strategy(kind) => OwnerView {
            kind: "strategy",
            name: kind.name().to_owned(),
        },
        Author::Operator(name) => OwnerView {
            kind: "operator",
            name: name.clone(),
        },
        Author::Bus(name) => OwnerView {
            kind: "bus",
            name: name.clone(),
        },
        Author::Safety => OwnerView {
            kind: "safety",
            name: String::new(),
        },
        Author::Release => OwnerView {
            kind: "release",
            name: String::new(),
        },
    }
}
