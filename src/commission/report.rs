//! The report, for the file of the plant.

use super::{Finding, Mark};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Who answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name.
    pub name: String,
    /// When, ISO 8601.
    pub at: String,
}

/// A commissioning of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The site's name.
    pub site: String,
    /// The site's hash.
    pub hash: String,
    /// How long was watched, s.
    pub watched_s: f64,
    /// What was found without writing.
    pub verified: Vec<Finding>,
    /// What the steps showed.
    pub steps: Vec<Finding>,
}

impl Report {
    /// What stands against signing it.
    pub fn failures(&self) -> usize {
        let all = self.verified.iter().chain(&self.steps);
        all.filter(|finding| finding.mark == Mark::Fail).count()
    }

    /// The report as text. It is signed only where nothing failed; the digest is over all lines before it.
    pub fn render(&self, signature: Option<&Signature>) -> String {
        let mut text = format!(
            "# Commissioning of {}\n\nsite hash {}; watched for {:.0} s\n",
            self.site, self.hash, self.watched_s
        );
        section(&mut text, "Points and heat balances", &self.verified);
        section(&mut text, "Steps", &self.steps);
        let failures = self.failures();
        // Writing to a String cannot fail.
        let _infallible = match signature {
            Some(by) if failures == 0 => writeln!(text, "\nSigned off by {} at {}.", by.name, by.at),
            Some(by) => writeln!(text, "\nNot signed off: {failures} failed. ({}, {})", by.name, by.at),
            None => writeln!(text, "\nNot signed off: no name was given. {failures} failed."),
        };
        let digest = Sha256::digest(text.as_bytes());
        let hex = digest
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        text + &format!("SHA-256 of the lines above: {hex}\n")
    }
}

fn section(text: &mut String, title: &str, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    let _infallible = writeln!(text, "\n## {title}\n");
    for finding in findings {
        let mark = match finding.mark {
            Mark::Pass => "pass",
            Mark::Look => "LOOK",
            Mark::Fail => "FAIL",
        };
        let _infallible = write!(text, "{mark}  {}  {}", finding.subject, finding.seen);
        let _infallible = match &finding.likely {
            Some(likely) => writeln!(text, "; likely: {likely}"),
            None => writeln!(text),
        };
    }
}
