//! From the scheduler's node names to racks.

use super::Site;
use std::collections::BTreeMap;

/// Finds the racks of nodes. Node lists mostly run on in the order of the racks, so the next node is looked for there
/// first; only where that fails is an index of all nodes made.
#[derive(Debug)]
pub struct NodeFinder<'a> {
    site: &'a Site,
    last: (usize, usize),
    index: Option<BTreeMap<&'a str, (usize, usize)>>,
}

impl<'a> NodeFinder<'a> {
    /// A finder for a site's nodes.
    pub const fn new(site: &'a Site) -> Self {
        Self {
            site,
            last: (0, 0),
            index: None,
        }
    }

    /// Index of the rack that a node is in; `None` for a node of another site.
    pub fn rack(&mut self, node: &str) -> Option<usize> {
        let (rack, place) = self.last;
        let candidates = [(rack, place), (rack, place + 1), (rack + 1, 0)];
        let found = candidates.into_iter().find(|(rack, place)| {
            let known = self.site.racks.get(*rack).and_then(|of| of.nodes.get(*place));
            known.is_some_and(|name| name == node)
        });
        self.last = found.or_else(|| self.look_up(node))?;
        Some(self.last.0)
    }

    fn look_up(&mut self, node: &str) -> Option<(usize, usize)> {
        let site: &'a Site = self.site;
        let index = self.index.get_or_insert_with(|| {
            let racks = site.racks.iter().enumerate();
            let nodes = racks.flat_map(|(rack, of)| of.nodes.iter().enumerate().map(move |(k, name)| (rack, k, name)));
            nodes.map(|(rack, k, name)| (name.as_str(), (rack, k))).collect()
        });
        index.get(node).copied()
    }
}
