//! Who may do what: people with a role, known by tokens of which only hashes are kept.

use crate::site::Site;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Shortest token that is taken, characters.
const SHORTEST: usize = 16;

/// What a person may do; each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Hold setpoints, lower authority, stop.
    Operator,
    /// Raise authority, change the strategy.
    Engineer,
}

impl Role {
    /// Its name in files and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
        }
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// The name in records.
    pub name: String,
    pub role: Role,
}

/// Everybody who may do anything. Debug shows names and roles, never a hash.
#[derive(Clone, Default)]
pub struct People {
    known: Vec<(Person, [u8; 32])>,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.known.iter().map(|(person, _)| person))
            .finish()
    }
}

/// The file of users.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Users {
    #[serde(default)]
    user: Vec<User>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    role: Role,
    token_sha256: String,
}

impl People {
    /// Whoever has the operator's token of a site's settings.
    pub(super) fn with_token(site: &Site) -> Self {
        let mut people = Self::default();
        let token = &site.api.operator_token;
        if !token.is_empty() {
            let person = Person {
                name: site.api.operator_name.clone(),
                role: Role::Engineer,
            };
            people.known.push((person, Sha256::digest(token).into()));
        }
        people
    }

    /// Whoever the site's settings know: the operator's token, which is an engineer's, and the users' file.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file and what to write instead.
    pub fn of(site: &Site) -> Result<Self, String> {
        let mut people = Self::with_token(site);
        if !site.api.users.is_empty() {
            let file = Path::new(&site.api.users);
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("api.users: `{}` cannot be read: {error}", file.display()))?;
            people
                .add(&text)
                .map_err(|error| format!("api.users: `{}`: {error}", file.display()))?;
        }
        Ok(people)
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let users: Users = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        for user in users.user {
            if user.name.is_empty() || user.name.chars().count() > 64 {
                return Err("a user's name has 1 to 64 characters".to_owned());
            }
            if self.known.iter().any(|(person, _)| person.name == user.name) {
                return Err(format!(
                    "`{}` is there twice: give every user a name of his own",
                    user.name
                ));
            }
            let hash = from_hex(&user.token_sha256).ok_or_else(|| {
                format!(
                    "token_sha256 of `{}` is not 64 hexadecimal digits: `isotherm user {}` prints an entry",
                    user.name, user.name
                )
            })?;
            let person = Person {
                name: user.name,
                role: user.role,
            };
            self.known.push((person, hash));
        }
        Ok(())
    }

    /// Whether nobody is known: then nothing can be asked.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The person with a token. Takes the same time for everybody.
    pub(super) fn find(&self, token: &str) -> Option<&Person> {
        let given: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for (person, hash) in &self.known {
            if equal(&given, hash) && token.chars().count() >= SHORTEST {
                found = Some(person);
            }
        }
        found
    }
}

/// Compares without telling by its time where two differ.
pub(super) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// 32 bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// 32 bytes that nobody can guess, from the operating system.
///
/// # Errors
/// Where the system gives none.
pub fn random() -> std::io::Result<[u8; 32]> {
    use std::io::Read;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(text: &str) -> Result<People, String> {
        let mut people = People::default();
        people.add(text).map(|()| people)
    }

    fn entry(name: &str, role: &str, token: &str) -> String {
        let hash = to_hex(&Sha256::digest(token));
        format!("[[user]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_sha256 = \"{hash}\"\n")
    }

    #[test]
    fn a_token_finds_its_person_and_no_other_does() {
        let file =
            entry("night-shift", "operator", "a-long-enough-token") + &entry("board", "viewer", "another-long-token-1");
        let people = people(&file).unwrap();
        assert_eq!(
            people.find("a-long-enough-token").map(|person| person.role),
            Some(Role::Operator)
        );
        assert_eq!(people.find("another-long-token-1").unwrap().name, "board");
        for wrong in ["", "a-long-enough-toke", "a-long-enough-token "] {
            assert_eq!(people.find(wrong), None, "{wrong}");
        }
        assert!(!format!("{people:?}").contains(&to_hex(&Sha256::digest("a-long-enough-token"))));
    }

    #[test]
    fn a_short_token_is_no_token_whatever_the_file_says() {
        assert_eq!(people(&entry("a", "engineer", "short")).unwrap().find("short"), None);
    }

    #[test]
    fn mistakes_say_what_to_write() {
        assert!(people("[[user]]\nname = \"a\"\nrole = \"king\"\ntoken_sha256 = \"\"").is_err());
        assert!(
            people("[[user]]\nname = \"a\"\nrole = \"viewer\"\ntoken_sha256 = \"zz\"")
                .unwrap_err()
                .contains("isotherm user a")
        );
        let twice = entry("a", "viewer", "1") + &entry("a", "viewer", "2");
        assert!(people(&twice).unwrap_err().contains("twice"));
        assert!(Role::Engineer > Role::Operator && Role::Operator > Role::Viewer);
    }
}
