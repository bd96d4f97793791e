//! Charts as inline SVG: bars that stack, and a line over them.

use std::fmt::Write as _;

/// A series of bars.
pub(super) struct Bars<'a> {
    pub(super) name: &'a str,
    pub(super) colour: &'a str,
    pub(super) values: Vec<f64>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 22.0;

/// Stacked bars, one stack a label. Negative values hang below the axis.
pub(super) fn stacks(title: &str, unit: &str, labels: &[&str], series: &[Bars<'_>]) -> String {
    let count = labels.len().max(1);
    let at = |place: usize| series.iter().filter_map(move |bars| bars.values.get(place)).copied();
    let ups = (0..count).map(|place| at(place).map(|value| value.max(0.0)).sum::<f64>());
    let downs = (0..count).map(|place| at(place).map(|value| value.min(0.0)).sum::<f64>());
    let (most, least) = (
        round_up(ups.fold(0.0, f64::max)),
        0.0 - round_up(-downs.fold(0.0, f64::min)),
    );
    let span = if most - least > 0.0 { most - least } else { 1.0 };
    let y = |value: f64| TOP + (most - value) / span * (HEIGHT - TOP - BOTTOM);
    let step = (WIDTH - LEFT) / count as f64;
    let mut out = open(title, unit);
    for value in [least, 0.0, 0.5 * most, most] {
        axis(&mut out, y(value), value);
    }
    for (place, label) in labels.iter().enumerate() {
        let x = LEFT + (place as f64 + 0.12) * step;
        let (mut up, mut down) = (0.0, 0.0);
        for bars in series {
            let value = bars.values.get(place).copied().unwrap_or(0.0);
            let base = if value >= 0.0 { &mut up } else { &mut down };
            let (from, to) = (*base, *base + value);
            *base = to;
            let (top, bottom) = (y(from.max(to)), y(from.min(to)));
            put(
                &mut out,
                format_args!(
                    "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{} {label}: {}</title></rect>",
                    step * 0.76,
                    (bottom - top).max(0.0),
                    bars.colour,
                    bars.name,
                    figure(value)
                ),
            );
        }
        axis_label(&mut out, place, count, LEFT + (place as f64 + 0.5) * step, label);
    }
    legend(&mut out, series.iter().map(|bars| (bars.name, bars.colour)));
    out + "</svg>"
}

/// A line through values; a gap where one is not known.
pub(super) fn line(title: &str, unit: &str, labels: &[&str], colour: &str, values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(f64::MAX, f64::min), known().fold(f64::MIN, f64::max));
    let mut out = open(title, unit);
    if low > high {
        return out + "</svg>";
    }
    let room = (0.1 * (high - low)).max(1e-3 * high.abs()).max(1e-9);
    let (least, most) = (low - room, high + room);
    let y = |value: f64| TOP + (most - value) / (most - least) * (HEIGHT - TOP - BOTTOM);
    let step = (WIDTH - LEFT) / values.len().max(1) as f64;
    for value in [least, 0.5 * (least + most), most] {
        axis(&mut out, y(value), value);
    }
    let mut path = String::new();
    let mut pen_down = false;
    for (place, value) in values.iter().enumerate() {
        let x = LEFT + (place as f64 + 0.5) * step;
        axis_label(
            &mut out,
            place,
            values.len(),
            x,
            labels.get(place).copied().unwrap_or_default(),
        );
        match value {
            Some(value) => {
                put(
                    &mut path,
                    format_args!("{}{x:.1} {:.1}", if pen_down { "L" } else { "M" }, y(*value)),
                );
                put(
                    &mut out,
                    format_args!(
                        "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"2.2\" fill=\"{colour}\"/>",
                        y(*value)
                    ),
                );
                pen_down = true;
            }
            None => pen_down = false,
        }
    }
    put(
        &mut out,
        format_args!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/></svg>"),
    );
    out
}

fn open(title: &str, unit: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><text x=\"{LEFT}\" y=\"12\" class=\"t\">{title}, {unit}</text>"
    )
}

fn axis(out: &mut String, y: f64, value: f64) {
    put(
        out,
        format_args!(
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"g\"/><text x=\"{:.1}\" y=\"{:.1}\" class=\"n\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            figure(value)
        ),
    );
}

/// At most some dozen labels, so that they stay apart.
fn axis_label(out: &mut String, place: usize, count: usize, x: f64, label: &str) {
    if place.is_multiple_of(count.div_ceil(12).max(1)) {
        put(
            out,
            format_args!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"l\">{label}</text>",
                HEIGHT - BOTTOM + 14.0
            ),
        );
    }
}

fn legend<'a>(out: &mut String, names: impl Iterator<Item = (&'a str, &'a str)>) {
    for (place, (name, colour)) in names.enumerate() {
        let x = LEFT + place as f64 * 150.0;
        put(
            out,
            format_args!(
                "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{:.0}\" class=\"k\">{name}</text>",
                HEIGHT - 13.0,
                x + 14.0,
                HEIGHT - 4.0
            ),
        );
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = out.write_fmt(text);
}

/// A number short enough for an axis.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if size >= 1e4 {
        format!("{:.1} k", value / 1e3)
    } else if size >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(value)));
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(value)
}
