//! Parquet: one row group for each run of series, names in a dictionary, LZ4.

use super::{Table, quality};
use crate::store::{Bucket, Sample, SeriesName};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows of a group.
const GROUP: usize = 1 << 20;

const RAW: &str = "message samples {
    required int64 time (TIMESTAMP(MILLIS,true));
    required binary series (STRING);
    required double value;
    required binary quality (STRING);
}";

const BUCKETS: &str = "message buckets {
    required int64 time (TIMESTAMP(MILLIS,true));
    required binary series (STRING);
    required double mean;
    required double min;
    required double max;
    required double last;
    required int64 count;
    required int64 covered_percent;
}";

pub(super) struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    raw: bool,
    times: Vec<i64>,
    names: Vec<ByteArray>,
    name: Option<(SeriesName, ByteArray)>,
    numbers: [Vec<f64>; 4],
    qualities: Vec<ByteArray>,
    wholes: [Vec<i64>; 2],
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn begin(out: W, raw: bool) -> io::Result<Self> {
        let schema = parse_message_type(if raw { RAW } else { BUCKETS }).map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::LZ4_RAW)
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(io::Error::other)?,
            raw,
            times: Vec::new(),
            names: Vec::new(),
            name: None,
            numbers: Default::default(),
            qualities: Vec::new(),
            wholes: Default::default(),
        })
    }

    fn head(&mut self, name: &SeriesName, ms: i64) {
        let text = match &self.name {
            Some((known, text)) if known == name => text.clone(),
            _ => {
                let text = ByteArray::from(name.to_string().into_bytes());
                self.name = Some((name.clone(), text.clone()));
                text
            }
        };
        self.times.push(ms);
        self.names.push(text);
    }

    fn group(&mut self) -> parquet::errors::Result<()> {
        if self.times.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let [mean, min, max, last] = &self.numbers;
        let [counts, covered] = &self.wholes;
        let times = Data::Wholes(&self.times);
        let columns = if self.raw {
            vec![
                times,
                Data::Texts(&self.names),
                Data::Numbers(mean),
                Data::Texts(&self.qualities),
            ]
        } else {
            let numbers = [mean, min, max, last].map(|column| Data::Numbers(column));
            let wholes = [Data::Wholes(counts), Data::Wholes(covered)];
            [times, Data::Texts(&self.names)]
                .into_iter()
                .chain(numbers)
                .chain(wholes)
                .collect()
        };
        for data in columns {
            let Some(mut column) = group.next_column()? else { break };
            match (column.untyped(), data) {
                (ColumnWriter::Int64ColumnWriter(column), Data::Wholes(values)) => {
                    column.write_batch(values, None, None)?
                }
                (ColumnWriter::DoubleColumnWriter(column), Data::Numbers(values)) => {
                    column.write_batch(values, None, None)?
                }
                (ColumnWriter::ByteArrayColumnWriter(column), Data::Texts(values)) => {
                    column.write_batch(values, None, None)?
                }
                _ => {
                    return Err(parquet::errors::ParquetError::General(
                        "a column of another type".to_owned(),
                    ));
                }
            };
            column.close()?;
        }
        group.close()?;
        self.times.clear();
        self.names.clear();
        self.qualities.clear();
        self.numbers.iter_mut().for_each(Vec::clear);
        self.wholes.iter_mut().for_each(Vec::clear);
        Ok(())
    }
}

enum Data<'a> {
    Wholes(&'a [i64]),
    Numbers(&'a [f64]),
    Texts(&'a [ByteArray]),
}

impl<W: Write + Send> Table for Parquet<W> {
    fn sample(&mut self, name: &SeriesName, sample: &Sample) -> io::Result<()> {
        self.head(name, sample.ms);
        let [values, ..] = &mut self.numbers;
        values.push(sample.value);
        self.qualities.push(ByteArray::from(quality(sample)));
        Ok(())
    }

    fn bucket(&mut self, name: &SeriesName, bucket: &Bucket) -> io::Result<()> {
        self.head(name, bucket.ms);
        let numbers = [bucket.mean, bucket.min, bucket.max, bucket.last];
        self.numbers
            .iter_mut()
            .zip(numbers)
            .for_each(|(column, value)| column.push(value));
        let wholes = [i64::from(bucket.count), i64::from(bucket.covered_percent)];
        self.wholes
            .iter_mut()
            .zip(wholes)
            .for_each(|(column, value)| column.push(value));
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.times.len() >= GROUP {
            self.group().map_err(io::Error::other)
        } else {
            Ok(())
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.group().map_err(io::Error::other)?;
        self.writer.finish().map_err(io::Error::other)?;
        self.writer.inner_mut().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Quality;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn a_file_reads_back() {
        let mut file = tempfile::tempfile().unwrap();
        let mut table = Box::new(Parquet::begin(file.try_clone().unwrap(), true).unwrap());
        let name = SeriesName::point("cdu1.power", "kW");
        for row in 0..1000_i32 {
            let sample = Sample {
                ms: i64::from(row) * 1000,
                value: f64::from(row) / 10.0,
                quality: Quality::Good,
            };
            table.sample(&name, &sample).unwrap();
        }
        table.finish().unwrap();
        file.flush().unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1000);
        assert_eq!(rows[7].get_timestamp_millis(0).unwrap(), 7000);
        assert_eq!(rows[7].get_string(1).unwrap(), &name.to_string());
        assert_eq!(rows[7].get_double(2).unwrap().to_bits(), 0.7_f64.to_bits());
        assert_eq!(rows[7].get_string(3).unwrap(), "good");
    }
}
