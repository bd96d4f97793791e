//! A simulated liquid-cooled AI hall: the plant, what happens around it, and its devices on real protocols.
//!
//! Physics and equipment are written apart from the controller's model of them; what both share is the
//! vendor's manual ([`wire`]) and the properties of fluids ([`thermo`]).
//!
//! | module | subject |
//! |---|---|
//! | [`plant`] | the physics, from nameplates: loops, CDUs, racks, towers, meters, sensors |
//! | [`weather`] | outdoor air from files or made up |
//! | [`network`] | the district network that takes heat |
//! | [`jobs`] | users, jobs and the scheduler that places them |
//! | [`heat_trace`] | measured CDU heat instead of jobs |
//! | [`world`] | all of the above in one virtual time |
//! | [`faults`] | what fails in it, alone, in pairs or at random |
//! | [`devices`] | the same on Modbus TCP and MQTT, with a broker and the queue document |
//! | [`random`] | the one seeded source of chance |

pub mod devices;
pub mod dsx;
pub mod faults;
pub mod heat_trace;
pub mod jobs;
pub mod network;
pub mod plant;
pub mod random;
pub mod weather;
pub mod world;
