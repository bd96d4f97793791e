//! A hall laid out for a trace: racks behind CDUs, with nodes named in order.

use crate::site::{self, Mistake, Site};
use std::fmt::Write as _;

/// A hall of equal racks.
#[derive(Debug, Clone, PartialEq)]
pub struct HallSpec {
    /// Its name.
    pub name: String,
    /// Racks behind each CDU.
    pub racks_a_cdu: Vec<usize>,
    /// Nodes in a rack.
    pub nodes: usize,
    /// GPUs of a node.
    pub gpus_a_node: u32,
    /// Power of a rack with all nodes idle and at most, kW.
    pub idle_kw: f64,
    /// See `idle_kw`.
    pub rated_kw: f64,
}

/// The site of a hall: its cooling is sized to its racks and stands in for any.
///
/// # Errors
/// Mistakes of the layout.
pub fn lay_out(spec: &HallSpec) -> Result<Site, Vec<Mistake>> {
    let mut text = format!(
        "[site]\nname = \"{}\"\ntime_zone = \"UTC\"\naltitude_m = 0\ncurrency = \"EUR\"\n\n\
         [limits]\nsecondary_supply_c = {{ target = 40, critical = 44, trip = 48 }}\n\
         rack_return_c = {{ target = 58, critical = 62, trip = 66 }}\ndesign_wet_bulb_c = 22\n\n\
         [prices]\nenergy_per_kwh = 0.1\nwater_per_m3 = 2\nsewer_per_m3 = 2\ncarbon_per_kg = 0\n\
         carbon_g_per_kwh = [{}]\n\n[[zone]]\nid = \"hall\"\nauthority = \"full\"\n\n\
         [mqtt]\nbroker = \"127.0.0.1:1883\"\n\n\
         [[tower_cell]]\nid = \"tower\"\nloop = \"loop1\"\nrated_kw = 50000\npower_kw = 900\nflow_lpm = 50000\n\
         approach_k = 4\ndesign_ambient_c = 22\n\n\
         [[loop]]\nid = \"loop1\"\nvolume_l = 10000\ntransport_s = 60\npumps = 2\npump_flow_lpm = 6600\n\
         pump_head_kpa = 300\npump_kw = 55\n",
        spec.name,
        ["300"; 24].join(", ")
    );
    let mut rack = 0;
    for (cdu, racks) in spec.racks_a_cdu.iter().enumerate() {
        let rated_kw = spec.rated_kw * (*racks).max(1) as f64;
        // 1 kW needs about 1.2 L/min of water at a rise of 12 K.
        let flow_lpm = 1.2 * rated_kw;
        line(
            &mut text,
            format_args!(
                "\n[[cdu]]\nid = \"cdu{cdu:03}\"\nloop = \"loop1\"\ncoolant = \"water\"\nrated_kw = {rated_kw}\n\
                 approach_k = 4\nsecondary_flow_lpm = {flow_lpm}\nsecondary_pressure_kpa = 150\n\
                 primary_flow_lpm = {flow_lpm}\nprimary_pressure_kpa = 100\npump_kw = {}\nvolume_l = 500",
                0.0067 * rated_kw
            ),
        );
        for _ in 0..*racks {
            line(
                &mut text,
                format_args!(
                    "\n[[rack]]\nid = \"r{rack:04}\"\ncdu = \"cdu{cdu:03}\"\nnodes = [\"r{rack:04}n[{:03}-{:03}]\"]\n\
                     rated_kw = {}\nidle_kw = {}\nliquid_fraction = 1\ngpus = {}\nmin_flow_lpm_per_kw = 0.7\n\
                     flow_lpm = {}\nchip_kw = 0.5\nchip_resistance_k_per_kw = 40\nchip_limit_c = 90\n\
                     device = {{ profile = \"rack-mqtt\" }}",
                    1,
                    spec.nodes,
                    spec.rated_kw,
                    spec.idle_kw,
                    spec.nodes * spec.gpus_a_node as usize,
                    1.2 * spec.rated_kw
                ),
            );
            rack += 1;
        }
    }
    site::parse(&spec.name, &text)
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    writeln!(text, "{arguments}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hall_is_a_site_without_mistakes() {
        let spec = HallSpec {
            name: "hall".into(),
            racks_a_cdu: vec![3, 2],
            nodes: 16,
            gpus_a_node: 1,
            idle_kw: 0.0,
            rated_kw: 6.4,
        };
        let site = lay_out(&spec).unwrap();
        assert_eq!((site.cdus.len(), site.racks.len()), (2, 5));
        assert_eq!(site.racks[4].nodes[15], "r0004n016");
        assert!(site.racks.iter().all(|rack| rack.points.power.is_some()));
    }
}
