//! The edge to the scheduler: Slurm, an MQTT feed, trace files.
