//! Where device profiles come from: the folder beside the site's file, else those that the binary carries.

use super::Mistake;
use super::findings::{Findings, unknown};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use wire::Profile;
use wire::embedded::PROFILES;

/// The profiles of one site, each read once.
pub(super) struct Profiles {
    directory: Option<PathBuf>,
    read: BTreeMap<String, Option<Arc<Profile>>>,
    /// Text of every profile in use, for the site's hash.
    pub(super) sources: BTreeMap<String, String>,
}

impl Profiles {
    /// Those in a folder, and the embedded ones for names that it lacks.
    pub(super) const fn beside(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
            read: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    /// The embedded ones alone.
    pub(super) const fn embedded() -> Self {
        Self {
            directory: None,
            read: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    /// The profile of a name; a mistake, once for each name, where there is none or it has mistakes of its own.
    pub(super) fn find(&mut self, name: &str, path: &str, findings: &Findings<'_>) -> Option<Arc<Profile>> {
        if let Some(known) = self.read.get(name) {
            return known.clone();
        }
        let profile = self.load(name, path, findings).map(Arc::new);
        self.read.insert(name.to_owned(), profile.clone());
        profile
    }

    fn load(&mut self, name: &str, path: &str, findings: &Findings<'_>) -> Option<Profile> {
        // A name is a file's stem, never a way out of the folder.
        let plain = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let file = self
            .directory
            .as_ref()
            .filter(|_| plain)
            .map(|directory| directory.join(format!("{name}.toml")));
        let embedded = || {
            PROFILES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, text)| (*text).to_owned())
        };
        let text = match &file {
            Some(file) if file.is_file() => match std::fs::read_to_string(file) {
                Ok(text) => Some(text),
                Err(error) => {
                    findings.add(path, format!("{} cannot be read: {error}", file.display()));
                    return None;
                }
            },
            _ => embedded(),
        };
        let Some(text) = text else {
            let known: Vec<_> = PROFILES.iter().map(|(known, _)| *known).collect();
            findings.add(path, unknown("profile", name, &known));
            return None;
        };
        let shown = file
            .filter(|file| file.is_file())
            .map_or_else(|| name.to_owned(), |file| file.display().to_string());
        match Profile::parse(&text, &shown) {
            Ok(profile) => {
                self.sources.insert(name.to_owned(), text);
                Some(profile)
            }
            Err(errors) => {
                for error in errors {
                    findings.add_elsewhere(Mistake::at(&error.file, error.line, &error.key, error.message));
                }
                None
            }
        }
    }
}
