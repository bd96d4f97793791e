//! Places in a hall for jobs whose trace says when they ran but not where.

/// Slots of a hall, the first free ones first.
pub(super) struct Slots {
    /// For each slot, when it is free again, s, and how much of it is taken.
    pub(super) ends: Vec<Vec<(f64, f64)>>,
}

impl Slots {
    /// Takes `share` of a slot from `start_s` to `end_s`.
    pub(super) fn take(&mut self, start_s: f64, end_s: f64, share: f64) -> usize {
        for slot in &mut self.ends {
            slot.retain(|(until_s, _)| *until_s > start_s);
        }
        let room = |slot: &Vec<(f64, f64)>| 1.0 - slot.iter().map(|(_, taken)| taken).sum::<f64>() >= share - 1e-9;
        let place = self.ends.iter().position(room).unwrap_or_else(|| {
            self.ends.push(Vec::new());
            self.ends.len() - 1
        });
        self.ends[place].push((end_s, share));
        place
    }
}

/// Names of slots as nodes of a laid-out hall.
pub(super) fn node(slot: usize, nodes: usize) -> String {
    format!("r{:04}n{:03}", slot / nodes, slot % nodes + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_place_is_taken_and_parts_share_one() {
        let mut slots = Slots { ends: vec![] };
        assert_eq!(slots.take(0.0, 10.0, 1.0), 0);
        assert_eq!(slots.take(1.0, 20.0, 0.5), 1);
        assert_eq!(slots.take(2.0, 20.0, 0.5), 1);
        assert_eq!(slots.take(3.0, 20.0, 0.5), 2);
        assert_eq!(slots.take(10.0, 20.0, 1.0), 0);
        assert_eq!(node(17, 16), "r0001n002");
    }
}
