//! The models of a controller on disk, beside its record: every model that was ever in use, its card, and who appointed
//! it when. The last line of the history names the one in use, so that going back is one line more.
//!
//! `<store.dir>/models/` holds `<hash>.model`, `<hash>.md`, `history` (one JSON object a line, oldest first) and `trained`
//! (when a training was last begun in service, wall ms).

use crate::forecast::{JobModel, LARGEST_MODEL, ModelError};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Characters of a hash in file names and messages: enough to be one model's alone, and as records name it.
pub const NAME: usize = 16;

/// An appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// When, wall ms.
    pub wall_ms: i64,
    /// First 16 digits of the model's SHA-256: its name.
    pub model: String,
    /// Why, in words.
    pub why: String,
}

/// Why a model is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The directory cannot be used.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file is no model.
    #[error("the model `{}` cannot be used: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: ModelError,
    },
    /// The file's name says another model.
    #[error("`{}` holds the model {found}: its name and its content differ", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// There is nothing to go back to.
    #[error("no other model was in use before: there is nothing to go back to")]
    First,
    /// No model has such a name.
    #[error("no model begins with `{wanted}`; there are {known}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
}

/// A controller's models.
#[derive(Debug, Clone)]
pub struct Models {
    dir: PathBuf,
}

/// The name of a model: what records and the history call it.
pub fn name_of(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

impl Models {
    /// The models beside the record in `store`.
    pub fn beside(store: &Path) -> Self {
        Self {
            dir: store.join("models"),
        }
    }

    /// Keeps a model's file and its card; answers its name. One that is there already stays as it is.
    pub fn keep(&self, model: &JobModel, card: &str) -> Result<String, ModelsError> {
        let name = name_of(model.fingerprint());
        let path = self.file(&name);
        if self.load(&name).is_ok() {
            return Ok(name);
        }
        let bytes = model.to_bytes().map_err(|source| ModelsError::Model {
            path: path.clone(),
            source,
        })?;
        fs::create_dir_all(&self.dir).map_err(at(&self.dir))?;
        replace(&path, &bytes)?;
        replace(&self.dir.join(format!("{name}.md")), card.as_bytes())?;
        Ok(name)
    }

    /// A model by its name.
    pub fn load(&self, name: &str) -> Result<JobModel, ModelsError> {
        let path = self.file(name);
        let model = read(&path)?;
        let found = name_of(model.fingerprint());
        if found == name {
            Ok(model)
        } else {
            Err(ModelsError::Other { path, found })
        }
    }

    /// A model's card; empty where it has none.
    pub fn card(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(format!("{name}.md"))).unwrap_or_default()
    }

    /// The only model whose name begins so.
    pub fn find(&self, wanted: &str) -> Result<String, ModelsError> {
        let names = self.names()?;
        let mut found = names
            .iter()
            .filter(|name| !wanted.is_empty() && name.starts_with(wanted));
        match (found.next(), found.next()) {
            (Some(name), None) => Ok(name.clone()),
            _ => Err(ModelsError::Unknown {
                wanted: wanted.to_owned(),
                known: if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                },
            }),
        }
    }

    /// The names of all models that are kept.
    pub fn names(&self) -> Result<Vec<String>, ModelsError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at(&self.dir))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(at(&self.dir))?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".model"));
            names.extend(name.filter(|name| name.len() == NAME).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The appointments, oldest first. A line that was torn by a crash is passed over.
    pub fn history(&self) -> Result<Vec<Appointment>, ModelsError> {
        let path = self.history_file();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            text => {
                let text = text.map_err(at(&path))?;
                Ok(text
                    .lines()
                    .filter_map(|line| serde_json::from_str(line).ok())
                    .collect())
            }
        }
    }

    /// Makes a model the one in use. It must be kept and sound; otherwise all stays as it was.
    pub fn appoint(&self, name: &str, wall_ms: i64, why: &str) -> Result<Appointment, ModelsError> {
        self.load(name)?;
        let appointment = Appointment {
            wall_ms,
            model: name.to_owned(),
            why: why.to_owned(),
        };
        let path = self.history_file();
        // A torn line before it must not swallow this one.
        let torn = fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
        let line = serde_json::to_string(&appointment)
            .map_err(io::Error::other)
            .map_err(at(&path))?;
        let line = format!("{}{line}\n", if torn { "\n" } else { "" });
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.sync_data()
        })
        .map_err(at(&path))?;
        Ok(appointment)
    }

    /// The model that was in use before the present one.
    pub fn before(&self) -> Result<String, ModelsError> {
        let history = self.history()?;
        let present = history.last().map(|last| last.model.as_str());
        let mut earlier = history.iter().rev().filter(|one| Some(one.model.as_str()) != present);
        // A rollback is no appointment to go back over: it returned to an earlier line already.
        let before = earlier.find(|one| Some(one.model.as_str()) != present);
        before.map(|one| one.model.clone()).ok_or(ModelsError::First)
    }

    /// When a training was last begun in service, wall ms; `None` where none ever was.
    pub fn trained_ms(&self) -> Option<i64> {
        fs::read_to_string(self.dir.join("trained")).ok()?.trim().parse().ok()
    }

    /// Notes that a training begins.
    pub fn note_training(&self, wall_ms: i64) -> Result<(), ModelsError> {
        fs::create_dir_all(&self.dir).map_err(at(&self.dir))?;
        replace(&self.dir.join("trained"), wall_ms.to_string().as_bytes())
    }

    /// What tells whether the history has changed: its length.
    pub fn revision(&self) -> u64 {
        fs::metadata(self.history_file()).map_or(0, |meta| meta.len())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.model"))
    }

    fn history_file(&self) -> PathBuf {
        self.dir.join("history")
    }
}

/// A model of a file.
pub fn read(path: &Path) -> Result<JobModel, ModelsError> {
    let file = File::open(path).map_err(at(path))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_MODEL as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(at(path))?;
    JobModel::from_bytes(&bytes).map_err(|source| ModelsError::Model {
        path: path.to_owned(),
        source,
    })
}

/// Written beside and moved into place, so that a reader never sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), ModelsError> {
    let beside = path.with_extension("new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ModelsError {
    let path = path.to_owned();
    move |source| ModelsError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sound models that differ.
    fn two() -> (JobModel, JobModel) {
        (JobModel::embedded(), JobModel::nameplate())
    }

    #[test]
    fn what_was_in_use_can_be_gone_back_to() {
        let dir = tempfile::tempdir().unwrap();
        let models = Models::beside(dir.path());
        assert!(models.history().unwrap().is_empty() && models.names().unwrap().is_empty());
        assert!(matches!(models.before(), Err(ModelsError::First)));
        let (first, second) = two();
        let (first, second) = (
            models.keep(&first, "# one").unwrap(),
            models.keep(&second, "# two").unwrap(),
        );
        models.appoint(&first, 1, "the site's").unwrap();
        assert!(matches!(models.before(), Err(ModelsError::First)));
        models.appoint(&second, 2, "better").unwrap();
        assert_eq!(models.before().unwrap(), first);
        assert_eq!(
            (models.card(&second).as_str(), models.names().unwrap().len()),
            ("# two", 2)
        );
        assert_eq!(models.find(&second[..6]).unwrap(), second);
        assert!(models.find("zz").unwrap_err().to_string().contains(&first));

        // A crash tears the last line: the next appointment does not suffer.
        fs::write(models.history_file(), &fs::read(models.history_file()).unwrap()[..30]).unwrap();
        models.appoint(&second, 3, "again").unwrap();
        assert_eq!(models.history().unwrap().last().unwrap().why, "again");
    }

    #[test]
    fn a_damaged_or_foreign_model_is_not_appointed() {
        let dir = tempfile::tempdir().unwrap();
        let models = Models::beside(dir.path());
        let (first, second) = two();
        let (first, second) = (models.keep(&first, "").unwrap(), models.keep(&second, "").unwrap());
        models.appoint(&first, 1, "the site's").unwrap();
        let path = models.file(&second);
        let whole = fs::read(&path).unwrap();
        for (bytes, said) in [
            (whole[..whole.len() - 3].to_vec(), "damaged"),
            (b"PK\x03\x04 something else".to_vec(), "not a model file"),
            (fs::read(models.file(&first)).unwrap(), "differ"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = models.appoint(&second, 2, "better").unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(models.history().unwrap().len(), 1, "the first is still in use");
    }
}
