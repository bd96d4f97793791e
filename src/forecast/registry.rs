//! Models as files: what they look like, whether to trust them, and the card that goes with each.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `ISOMODEL` |
//! | 2 | version of the format, little endian |
//! | 32 | SHA-256 of the rest |
//! | rest | the model, as postcard |

use super::features::NAMES;
use super::{JobModel, TrainingReport};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const MAGIC: &[u8; 8] = b"ISOMODEL";
const VERSION: u16 = 2;
const HEADER: usize = MAGIC.len() + 2 + 32;

/// Larger files are refused unread.
pub const LARGEST_MODEL: usize = 16 * 1024 * 1024;

/// Why a file is not a model that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Another kind of file.
    #[error("this is not a model file: it does not begin with ISOMODEL; make one with `isotherm train`")]
    Foreign,
    /// Written by a release with another format.
    #[error("the model has format {0} and this release reads format {VERSION}; train it anew with this release")]
    Version(u16),
    /// Too large.
    #[error("the model has {0} bytes and may have {LARGEST_MODEL}")]
    TooLarge(usize),
    /// The checksum does not hold.
    #[error("the model file is damaged: its checksum does not hold; copy it again or train anew")]
    Damaged,
    /// The checksum holds but the content is not a model.
    #[error("the model file has a sound checksum but not a sound model: {0}; train it anew")]
    Unsound(String),
}

impl JobModel {
    /// The model that the binary carries.
    pub fn embedded() -> Self {
        // A test holds that the file is sound.
        Self::from_bytes(include_bytes!("../../models/base-1.model")).unwrap_or_else(|_| Self::nameplate())
    }

    /// The model as the content of a file.
    ///
    /// # Errors
    /// The model cannot be serialised.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let payload = postcard::to_stdvec(self).map_err(|error| ModelError::Unsound(error.to_string()))?;
        Ok([
            MAGIC.as_slice(),
            &VERSION.to_le_bytes(),
            &Sha256::digest(&payload),
            &payload,
        ]
        .concat())
    }

    /// The model of a file's content.
    ///
    /// # Errors
    /// Says whether the file is foreign, of another format, damaged or unsound.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ModelError::Foreign)?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or(ModelError::Damaged)?;
        match u16::from_le_bytes(*version) {
            VERSION => {}
            other => return Err(ModelError::Version(other)),
        }
        if bytes.len() > LARGEST_MODEL {
            return Err(ModelError::TooLarge(bytes.len()));
        }
        let (sum, payload) = rest.split_first_chunk::<32>().ok_or(ModelError::Damaged)?;
        if Sha256::digest(payload).as_slice() != sum {
            return Err(ModelError::Damaged);
        }
        let model: Self = postcard::from_bytes(payload).map_err(|error| ModelError::Unsound(error.to_string()))?;
        model.check().map_err(|what| ModelError::Unsound(what.to_owned()))?;
        Ok(model)
    }

    /// First 8 bytes of [`JobModel::hash`], as records name a model; 0 where it cannot be serialised.
    pub fn fingerprint(&self) -> u64 {
        let hash = self.hash().unwrap_or_default();
        hash.get(..16)
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .unwrap_or(0)
    }

    /// SHA-256 of the model, hex: its name in cards and records; the checksum in its file.
    ///
    /// # Errors
    /// The model cannot be serialised.
    pub fn hash(&self) -> Result<String, ModelError> {
        let bytes = self.to_bytes()?;
        let sum = bytes.get(HEADER - 32..HEADER).unwrap_or_default();
        Ok(sum.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }
}

/// The card of a model, in Markdown: what it was made from, how good it is, and what it is not for.
///
/// `name` is the model's, `data` says in a sentence where the jobs come from, `hash` is [`JobModel::hash`].
pub fn card(name: &str, data: &str, hash: &str, report: &TrainingReport) -> String {
    let mut text =
        format!("# {name}\n\nMean and peak power per GPU of a job, from what is known when it is submitted.\n\n");
    let days = (report.span_ms.1 - report.span_ms.0) as f64 / 86_400_000.0;
    let facts = [
        ("data", data.to_owned()),
        (
            "span",
            format!("{days:.1} days, {} to {}", day(report.span_ms.0), day(report.span_ms.1)),
        ),
        (
            "jobs",
            format!(
                "{} of {} users, up to {} GPUs",
                report.jobs, report.users, report.largest_gpus
            ),
        ),
        (
            "power in the data",
            format!(
                "{:.0} to {:.0} W per GPU, mean of a job",
                report.range_w.0, report.range_w.1
            ),
        ),
        (
            "judged on",
            format!(
                "the last {} by submit time, learned from {}; chosen on folds of the earlier ones",
                report.held_out_jobs, report.training_jobs
            ),
        ),
        ("seed", report.seed.to_string()),
        ("SHA-256", format!("`{hash}`")),
    ];
    text.push_str("| | |\n|---|---|\n");
    for (key, value) in facts {
        line(&mut text, format_args!("| {key} | {value} |"));
    }
    for target in &report.targets {
        line(
            &mut text,
            format_args!(
                "\n## {}\n\nKept: {}, then fitted on all jobs.\n",
                capital(&target.target),
                target.kept
            ),
        );
        text.push_str("| predictor | mean absolute error, W per GPU | share of the true value |\n|---|---:|---:|\n");
        for (predictor, score) in &target.scores {
            line(
                &mut text,
                format_args!("| {predictor} | {:.1} | {:.1} % |", score.mae_w, 100.0 * score.mape),
            );
        }
    }
    line(&mut text, format_args!("\n## Features\n\n{}.", NAMES.join("; ")));
    text.push_str(
        "\nPower of a group of jobs is that of its last runs which had finished when the job was submitted; digits in \
         names are left out.\n\n## Limits of use\n\n",
    );
    line(
        &mut text,
        format_args!(
            "- It knows the users, names and machines of its data; elsewhere it starts from their mean and learns from \
         measured racks as jobs finish. Train on the site's own accounting for the first day to be good.\n\
         - Nothing below {:.0} or above {:.0} W per GPU was in the data.\n\
         - It says nothing of when jobs start or end, and its error is not the error of the heat forecast, whose upper \
         bound is calibrated in service on what was measured.",
            report.range_w.0, report.range_w.1
        ),
    );
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    writeln!(text, "{arguments}").ok();
}

fn day(wall_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(wall_ms).map_or_else(|_| "?".to_owned(), |time| time.strftime("%F").to_string())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::train::{tests::jobs, train};
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static TRAINED: LazyLock<(JobModel, TrainingReport)> = LazyLock::new(|| train(&jobs(120), 5).unwrap());

    #[test]
    fn a_model_survives_its_file() {
        let bytes = TRAINED.0.to_bytes().unwrap();
        assert_eq!(JobModel::from_bytes(&bytes).unwrap(), TRAINED.0);
        assert!(bytes.len() < 400_000, "{}", bytes.len());
    }

    #[test]
    fn the_carried_model_is_sound() {
        let model = JobModel::from_bytes(include_bytes!("../../models/base-1.model")).unwrap();
        assert_eq!(model, JobModel::embedded());
    }

    #[test]
    fn foreign_newer_and_short_files_are_told_apart() {
        let bytes = TRAINED.0.to_bytes().unwrap();
        assert_eq!(JobModel::from_bytes(b"PK\x03\x04"), Err(ModelError::Foreign));
        assert_eq!(JobModel::from_bytes(b""), Err(ModelError::Foreign));
        assert_eq!(JobModel::from_bytes(&bytes[..20]), Err(ModelError::Damaged));
        let mut newer = bytes.clone();
        newer[8] = 9;
        assert_eq!(JobModel::from_bytes(&newer), Err(ModelError::Version(9)));
        let payload = b"not a model";
        let forged = [
            MAGIC.as_slice(),
            &VERSION.to_le_bytes(),
            &Sha256::digest(payload),
            payload,
        ]
        .concat();
        assert!(matches!(JobModel::from_bytes(&forged), Err(ModelError::Unsound(_))));
    }

    #[test]
    fn the_card_says_what_a_reader_needs() {
        let (model, report) = &*TRAINED;
        let card = card("base-9", "made up for a test", &model.hash().unwrap(), report);
        for part in [
            "# base-9",
            "made up for a test",
            "random forest",
            "training mean",
            "Limits of use",
            "weekend",
        ] {
            assert!(card.contains(part), "{part} is missing in\n{card}");
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_found(place in 0_usize..10_000, bit in 0_u8..8) {
            let mut bytes = TRAINED.0.to_bytes().unwrap();
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
            prop_assert!(JobModel::from_bytes(&bytes).is_err());
        }
    }
}
