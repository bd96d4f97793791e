//! CSV (RFC 4180).

use super::{Table, quality};
use crate::store::{Bucket, Sample, SeriesName};
use jiff::Timestamp;
use std::io::{self, Write};

pub(super) struct Csv<W> {
    out: W,
    /// The series of the last row, and how it is written.
    series: Option<(SeriesName, String)>,
}

impl<W: Write> Csv<W> {
    pub(super) fn begin(mut out: W, raw: bool) -> io::Result<Self> {
        let columns = if raw {
            "value,quality"
        } else {
            "mean,min,max,last,count,covered_percent"
        };
        writeln!(out, "time,series,{columns}\r")?;
        Ok(Self { out, series: None })
    }

    fn head(&mut self, name: &SeriesName, ms: i64) -> io::Result<()> {
        let text = match &self.series {
            Some((known, text)) if known == name => text,
            other => {
                let _ = other;
                let text = format!("\"{}\"", name.to_string().replace('"', "\"\""));
                &self.series.insert((name.clone(), text)).1
            }
        };
        let time = Timestamp::from_millisecond(ms).map_err(io::Error::other)?;
        write!(self.out, "{time:.3},{text},")
    }
}

impl<W: Write> Table for Csv<W> {
    fn sample(&mut self, name: &SeriesName, sample: &Sample) -> io::Result<()> {
        self.head(name, sample.ms)?;
        writeln!(self.out, "{},{}\r", sample.value, quality(sample))
    }

    fn bucket(&mut self, name: &SeriesName, bucket: &Bucket) -> io::Result<()> {
        self.head(name, bucket.ms)?;
        let Bucket {
            mean,
            min,
            max,
            last,
            count,
            covered_percent,
            ..
        } = bucket;
        writeln!(self.out, "{mean},{min},{max},{last},{count},{covered_percent}\r")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Quality;

    #[test]
    fn rows_are_as_documented() {
        let mut out = Vec::new();
        let mut table = Box::new(Csv::begin(&mut out, true).unwrap());
        let name = SeriesName::point("cdu1.secondary_flow", "L/min");
        let sample = Sample {
            ms: 1_780_000_000_250,
            value: 412.5,
            quality: Quality::Good,
        };
        table.sample(&name, &sample).unwrap();
        table.finish().unwrap();
        let expected = "time,series,value,quality\r\n\
                        2026-05-28T20:26:40.250Z,\"point{tag=\"\"cdu1.secondary_flow\"\",unit=\"\"L/min\"\"}\",412.5,good\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
