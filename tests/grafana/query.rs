//! A query in `PromQL` and in Flux.

use crate::model::{How, Over, Query};
use std::fmt::Write as _;

/// In dashboards a variable chooses the sites; in alerts it is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Dashboard,
    Alert,
}

impl Query {
    pub(crate) fn promql(&self, place: Place) -> String {
        let mut labels = Vec::new();
        if place == Place::Dashboard {
            labels.push("site=~\"$site\"".to_owned());
        }
        for (label, value) in &self.labels {
            labels.push(match value.strip_prefix('~') {
                Some(pattern) => format!("{label}=~\"{pattern}\""),
                None => format!("{label}=\"{value}\""),
            });
        }
        let mut selector = format!("isotherm_{}", self.field);
        if !labels.is_empty() {
            let _infallible = write!(selector, "{{{}}}", labels.join(","));
        }
        let offset = self
            .ahead
            .as_ref()
            .map_or(String::new(), |ahead| format!(" offset {ahead}"));
        let window = match place {
            Place::Dashboard => "$__rate_interval",
            Place::Alert => "15m",
        };
        let value = match self.how {
            How::Value => format!("{selector}{offset}"),
            How::PerHour => format!("rate({selector}[{window}]{offset}) * 3600"),
            How::Increase => format!("increase({selector}[$__range]{offset})"),
        };
        let Some(over) = self.over else { return value };
        let mut by = vec!["site".to_owned()];
        by.extend(self.by.iter().cloned());
        let function = match over {
            Over::Sum => "sum",
            Over::Mean => "avg",
            Over::Min => "min",
            Over::Max => "max",
            Over::Count => "count",
        };
        format!("{function} by ({}) ({value})", by.join(", "))
    }

    pub(crate) fn flux(&self, place: Place) -> String {
        let (bucket, range) = match place {
            Place::Dashboard => ("${bucket}", "start: v.timeRangeStart, stop: v.timeRangeStop"),
            Place::Alert => ("isotherm", "start: -15m"),
        };
        let mut tests = vec![format!(
            "r._measurement == \"isotherm\" and r._field == \"{}\"",
            self.field
        )];
        if place == Place::Dashboard {
            tests.push("r.site =~ /^${site:regex}$/".to_owned());
        }
        for (label, value) in &self.labels {
            tests.push(match value.strip_prefix('~') {
                Some(pattern) => {
                    let pattern = pattern.replace("$equipment", "${equipment:regex}");
                    format!("r.{label} =~ /^({pattern})$/")
                }
                None => format!("r.{label} == \"{value}\""),
            });
        }
        let mut flux = format!("from(bucket: \"{bucket}\")\n  |> range({range})\n");
        for test in tests {
            let _infallible = writeln!(flux, "  |> filter(fn: (r) => {test})");
        }
        let every = if place == Place::Dashboard {
            "v.windowPeriod"
        } else {
            "1m"
        };
        let window = format!("  |> aggregateWindow(every: {every}, fn: last, createEmpty: false)\n");
        match self.how {
            How::Value => flux += &window,
            How::PerHour => {
                flux += &window;
                flux += "  |> derivative(unit: 1h, nonNegative: true)\n";
            }
            How::Increase => flux += "  |> increase()\n  |> last()\n",
        }
        if let Some(ahead) = &self.ahead {
            let _infallible = writeln!(flux, "  |> timeShift(duration: {ahead})");
        }
        if let Some(over) = self.over {
            let mut by = vec!["site".to_owned()];
            by.extend(self.by.iter().cloned());
            let listed = |names: &[String]| {
                let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
                quoted.join(", ")
            };
            let function = match over {
                Over::Sum => "sum",
                Over::Mean => "mean",
                Over::Min => "min",
                Over::Max => "max",
                Over::Count => "count",
            };
            let timed = [by.clone(), vec!["_time".to_owned()]].concat();
            let _infallible = write!(
                flux,
                "  |> group(columns: [{}])\n  |> {function}()\n  |> group(columns: [{}])\n",
                listed(&timed),
                listed(&by)
            );
        }
        flux
    }
}
