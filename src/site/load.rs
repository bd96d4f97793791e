//! Layers the configuration and reports every mistake in it.

use super::Site;
use std::fmt;
use std::path::Path;

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file (or `environment`).
    pub file: String,
    /// Line, from 1, where the parser has it.
    pub line: Option<usize>,
    /// Key path, such as `cdu.cdu1.rated_kw`.
    pub key: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}: {}", self.file, self.key, self.message),
            None => write!(f, "{}: {}: {}", self.file, self.key, self.message),
        }
    }
}

/// Loads a site file, layered over the embedded defaults and under the environment.
pub fn load(_path: &Path) -> Result<Site, Vec<Mistake>> {
    Err(vec![])
}

/// A site that the binary carries: `demo` or `frontier`; `None` for another name.
pub fn load_embedded(_name: &str) -> Option<Result<Site, Vec<Mistake>>> {
    None
}
