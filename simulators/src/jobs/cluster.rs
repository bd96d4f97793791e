//! Nodes, GPUs and racks of the hall, as the scheduler counts them.

use std::sync::Arc;

/// The nodes of one rack.
#[derive(Debug, Clone, PartialEq)]
pub struct RackNodes {
    /// Power with all nodes idle, kW.
    pub idle_kw: f64,
    /// Power with all nodes at full load, kW.
    pub rated_kw: f64,
    /// GPUs in the rack, a multiple of its nodes.
    pub gpus: u32,
    /// The scheduler's names of its nodes.
    pub nodes: Vec<String>,
}

/// Why racks do not make a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rack {rack}: {message}")]
pub struct ClusterError {
    /// Place of the rack, from 0.
    pub rack: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Who holds which GPUs.
#[derive(Debug, Clone)]
pub struct Cluster {
    racks: Vec<RackNodes>,
    names: Arc<Vec<String>>,
    /// For each node: its rack and its GPUs, all and free.
    nodes: Vec<(usize, u32, u32)>,
    free_gpus: u32,
    gpus: u32,
}

/// The part of a job on one rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub rack: usize,
    pub gpus: u32,
}

/// GPUs held on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub node: usize,
    pub gpus: u32,
}

impl Cluster {
    /// The cluster of these racks, in the order of the plant's racks.
    ///
    /// # Errors
    /// A rack without nodes, or whose GPUs do not divide evenly over them.
    pub fn new(racks: Vec<RackNodes>) -> Result<Self, ClusterError> {
        let (mut nodes, mut names) = (Vec::new(), Vec::new());
        for (place, rack) in racks.iter().enumerate() {
            let count = u32::try_from(rack.nodes.len()).unwrap_or(0);
            let fault = |message: String| Err(ClusterError { rack: place, message });
            if count == 0 || rack.gpus == 0 || rack.gpus % count != 0 {
                return fault(format!(
                    "{} GPUs on {count} nodes: write the same whole number of GPUs for every node",
                    rack.gpus
                ));
            }
            if !(rack.idle_kw >= 0.0 && rack.rated_kw > rack.idle_kw) {
                return fault(format!(
                    "rated_kw {} must exceed idle_kw {}",
                    rack.rated_kw, rack.idle_kw
                ));
            }
            nodes.extend(rack.nodes.iter().map(|_| (place, rack.gpus / count, rack.gpus / count)));
            names.extend(rack.nodes.iter().cloned());
        }
        let gpus = nodes.iter().map(|node| node.1).sum();
        Ok(Self {
            racks,
            names: Arc::new(names),
            nodes,
            free_gpus: gpus,
            gpus,
        })
    }

    /// GPUs in all.
    pub fn gpus(&self) -> u32 {
        self.gpus
    }

    /// GPUs free.
    pub fn free_gpus(&self) -> u32 {
        self.free_gpus
    }

    /// GPUs of the largest node.
    pub fn gpus_per_node(&self) -> u32 {
        self.nodes.iter().map(|node| node.1).max().unwrap_or(1)
    }

    /// Racks, in the order of the plant.
    pub fn racks(&self) -> &[RackNodes] {
        &self.racks
    }

    /// Names of all nodes; allocations are indices into it.
    pub fn node_names(&self) -> &Arc<Vec<String>> {
        &self.names
    }

    /// Nodes that a job of `gpus` takes.
    pub fn nodes_for(&self, gpus: u32) -> u32 {
        gpus.div_ceil(self.gpus_per_node()).max(1)
    }

    /// Holds `gpus`: a part of one node, or whole free nodes in order. `None` where they are not free.
    pub(super) fn allocate(&mut self, gpus: u32) -> Option<Vec<Held>> {
        if gpus == 0 || gpus > self.free_gpus {
            return None;
        }
        let mut held = Vec::new();
        if gpus < self.gpus_per_node() {
            // The fullest node that still has room leaves whole nodes for those who need them.
            let fits = self.nodes.iter().enumerate().filter(|(_, node)| node.2 >= gpus);
            let (node, _) = fits.min_by_key(|(place, node)| (node.2, *place))?;
            held.push(Held { node, gpus });
        } else {
            let mut missing = gpus;
            for (node, (_, all, free)) in self.nodes.iter().enumerate() {
                if missing > 0 && free == all {
                    held.push(Held { node, gpus: *all });
                    missing = missing.saturating_sub(*all);
                }
            }
            if missing > 0 {
                return None;
            }
        }
        for part in &held {
            self.nodes[part.node].2 -= part.gpus;
            self.free_gpus -= part.gpus;
        }
        Some(held)
    }

    /// Gives GPUs back.
    pub(super) fn release(&mut self, held: &[Held]) {
        for part in held {
            self.nodes[part.node].2 += part.gpus;
            self.free_gpus += part.gpus;
        }
    }

    /// What is held, by rack.
    pub(super) fn parts(&self, held: &[Held]) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for part in held {
            let rack = self.nodes[part.node].0;
            match parts.last_mut().filter(|last| last.rack == rack) {
                Some(last) => last.gpus += part.gpus,
                None => parts.push(Part { rack, gpus: part.gpus }),
            }
        }
        parts
    }

    /// Power of one GPU of `rack` with its share of the node, idle and in addition at full load, kW.
    pub(super) fn gpu_kw(&self, rack: usize) -> (f64, f64) {
        let rack = &self.racks[rack];
        let gpus = f64::from(rack.gpus);
        (rack.idle_kw / gpus, (rack.rated_kw - rack.idle_kw) / gpus)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `racks` racks with 18 nodes of 4 GPUs.
    pub(crate) fn cluster(racks: usize) -> Cluster {
        let rack = |r: usize| RackNodes {
            idle_kw: 24.0,
            rated_kw: 120.0,
            gpus: 72,
            nodes: (0..18).map(|n| format!("r{r:02}n{n:02}")).collect(),
        };
        Cluster::new((0..racks).map(rack).collect()).unwrap()
    }

    #[test]
    fn small_jobs_share_a_node_and_large_ones_take_whole_nodes() {
        let mut cluster = cluster(2);
        let one = cluster.allocate(1).unwrap();
        let two = cluster.allocate(2).unwrap();
        assert_eq!(one[0].node, two[0].node);
        let large = cluster.allocate(72).unwrap();
        assert_eq!(large.len(), 18);
        assert!(large.iter().all(|held| held.node != one[0].node));
        assert_eq!(
            cluster.parts(&large),
            vec![Part { rack: 0, gpus: 68 }, Part { rack: 1, gpus: 4 }]
        );
        assert_eq!(cluster.free_gpus(), 144 - 75);
        for held in [one, two, large] {
            cluster.release(&held);
        }
        assert_eq!(cluster.free_gpus(), cluster.gpus());
        assert!(cluster.allocate(145).is_none() && cluster.allocate(0).is_none());
    }

    #[test]
    fn uneven_racks_are_refused() {
        let rack = RackNodes {
            idle_kw: 1.0,
            rated_kw: 9.0,
            gpus: 7,
            nodes: vec!["a".into(), "b".into()],
        };
        assert!(Cluster::new(vec![rack]).is_err_and(|e| e.message.contains("7 GPUs")));
    }
}
