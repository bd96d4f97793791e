//! `isotherm trial --tradeoff`: what a site can trade by its prices, as a table and as a picture.

use super::Failure;
use crate::site::Site;
use crate::trial::{Axis, Choice, Options, tradeoff};
use std::fmt::Write as _;
use std::path::Path;

/// Size of the picture, px.
const WIDTH: f64 = 640.0;
/// See [`WIDTH`].
const HEIGHT: f64 = 420.0;
/// Room for the axes' names and ends, px.
const MARGIN: f64 = 70.0;

pub(super) fn run(site: &Site, options: &Options, axes: &[Axis], svg: Option<&Path>) -> Result<(), Failure> {
    let choices = tradeoff(site, options, axes, |done, all| {
        eprint!("\r{done}/{all} choices of prices");
    })
    .map_err(|error| Failure::of("trade", &error))?;
    eprintln!();
    let currency = &site.currency;
    println!(
        "{:>12}{:>12}{:>14}{:>12}{:>10}{:>12}{:>14}{:>10}  front of {}",
        format!("{currency}/m3"),
        format!("{currency}/kg CO2"),
        "cooling kWh",
        "water L",
        "WUE",
        "CO2e kg",
        format!("cost {currency}"),
        "K min",
        axes.iter().map(|axis| axis.name()).collect::<Vec<_>>().join(", "),
    );
    for choice in &choices {
        println!(
            "{:>12.2}{:>12.3}{:>14.1}{:>12.0}{:>10.3}{:>12.0}{:>14.2}{:>10.2}  {}",
            choice.water_per_m3,
            choice.carbon_per_kg,
            choice.energy_kwh,
            choice.water_l,
            choice.wue_l_per_kwh,
            choice.co2e_kg,
            choice.cost,
            choice.limit_k_min,
            if choice.on_front { "yes" } else { "" },
        );
    }
    if let (Some(file), [x, y, ..]) = (svg, axes) {
        std::fs::write(file, picture(&choices, *x, *y, currency))
            .map_err(|error| Failure::of(&format!("write `{}`", file.display()), &error))?;
    }
    Ok(())
}

/// The choices over two axes: dots, and a line through those on the front of all axes.
fn picture(choices: &[Choice], x: Axis, y: Axis, currency: &str) -> String {
    let across = Scale::over(choices, x, (MARGIN, WIDTH - MARGIN));
    let up = Scale::over(choices, y, (HEIGHT - MARGIN, MARGIN));
    let at = |choice: &Choice| (across.at(choice.on(x)), up.at(choice.on(y)));
    let mut front: Vec<(f64, f64)> = choices.iter().filter(|choice| choice.on_front).map(at).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let line: Vec<String> = front.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let mut dots = String::new();
    for choice in choices {
        let (cx, cy) = at(choice);
        let fill = if choice.on_front { "#0b6e99" } else { "#b8c4cc" };
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            dots,
            "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"4\" fill=\"{fill}\"><title>{:.2} {currency}/m3, {:.3} {currency}/kg</title></circle>",
            choice.water_per_m3, choice.carbon_per_kg
        );
    }
    let name = |axis: Axis| {
        let unit = if axis.unit().is_empty() { currency } else { axis.unit() };
        format!("{}, {unit}", axis.name())
    };
    let (bottom, middle) = (HEIGHT - MARGIN, HEIGHT / 2.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <path d=\"M{MARGIN},{MARGIN}V{bottom}H{right}\" fill=\"none\" stroke=\"#5a6872\"/>\n\
         <text x=\"{centre}\" y=\"{below}\" text-anchor=\"middle\">{}</text>\n\
         <text transform=\"translate(18,{middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"{MARGIN}\" y=\"{ends}\" text-anchor=\"middle\">{:.0}</text>\n\
         <text x=\"{right}\" y=\"{ends}\" text-anchor=\"middle\">{:.0}</text>\n\
         <text x=\"{left}\" y=\"{bottom}\" text-anchor=\"end\">{:.0}</text>\n\
         <text x=\"{left}\" y=\"{MARGIN}\" text-anchor=\"end\">{:.0}</text>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#0b6e99\"/>\n{dots}</svg>\n",
        name(x),
        name(y),
        across.low,
        across.high,
        up.low,
        up.high,
        line.join(" "),
        right = WIDTH - MARGIN,
        centre = WIDTH / 2.0,
        below = HEIGHT - 20.0,
        ends = HEIGHT - MARGIN + 20.0,
        left = MARGIN - 6.0,
    )
}

/// A range of values laid over a range of px.
struct Scale {
    low: f64,
    high: f64,
    px: (f64, f64),
}

impl Scale {
    fn over(choices: &[Choice], axis: Axis, px: (f64, f64)) -> Self {
        let values = || choices.iter().map(|choice| choice.on(axis));
        Self {
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
            px,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let span = (self.high - self.low).max(f64::MIN_POSITIVE);
        self.px.0 + (value - self.low) / span * (self.px.1 - self.px.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_dot_for_each_choice_and_a_line_through_the_front() {
        let choice = |energy_kwh: f64, water_l: f64, on_front: bool| Choice {
            water_per_m3: 2.0,
            carbon_per_kg: 0.1,
            energy_kwh,
            water_l,
            wue_l_per_kwh: 1.0,
            co2e_kg: 1.0,
            cost: 1.0,
            limit_k_min: 0.0,
            on_front,
        };
        let choices = [
            choice(100.0, 900.0, true),
            choice(200.0, 500.0, true),
            choice(200.0, 900.0, false),
        ];
        let svg = picture(&choices, Axis::Energy, Axis::Water, "EUR");
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("points=\"70.0,70.0 570.0,350.0\""), "{svg}");
        assert!(svg.contains("energy, kWh") && svg.contains("water, L"));
    }
}
