//! The list of people.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RoleError;
use crate::lds::{ParameterForm, PublicKey, SignatureAlgorithm};
use crate::pki::Signer;
use crate::production::Digest;
use crate::production::signed::{algorithm_from, algorithm_text, base64_text, time_text};

/// Schema of a list.
const SCHEMA: &str = "cancuoc.people/1";
/// Most bytes of a list.
pub(super) const MAX_LIST: usize = 1 << 20;
/// Most people in a list.
const MAX_PEOPLE: usize = 1_000;
/// Fewest supervisors: what one alone does, another must approve.
const FEWEST_SUPERVISORS: usize = 2;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs stations.
    Operator,
    /// Answers for runs and people.
    Supervisor,
    /// Holds components of keys.
    KeyCustodian,
    /// Reads the record, and does nothing else.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Operator, Self::Supervisor, Self::KeyCustodian, Self::Auditor];

    /// The role of a name as [`Self::as_str`] gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// `operator`, `supervisor`, `key_custodian`, `auditor`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Supervisor => "supervisor",
            Self::KeyCustodian => "key_custodian",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Somebody of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// A name at the site, 1 to 32 lower-case letters, digits and `._-`: it stands in the audit record.
    pub id: String,
    /// Roles, at least one.
    pub roles: BTreeSet<Role>,
    /// SubjectPublicKeyInfo.
    #[serde(with = "base64_text")]
    key: Vec<u8>,
    /// AlgorithmIdentifier of this key's signatures, in hexadecimal digits.
    algorithm: String,
}

impl Person {
    /// Somebody with roles, and a key.
    #[must_use]
    pub fn new(id: &str, roles: BTreeSet<Role>, key: &PublicKey, with: SignatureAlgorithm) -> Self {
        let key = key.to_spki_der(ParameterForm::Named);
        Self { id: id.to_owned(), roles, key, algorithm: algorithm_text(with) }
    }

    /// Digest of the key.
    #[must_use]
    pub fn key(&self) -> Digest {
        Digest::of(&self.key)
    }

    /// Whether a signer has this person's key.
    #[must_use]
    pub fn has_key_of(&self, signer: &dyn Signer) -> bool {
        Digest::of_key(&signer.public_key()) == self.key()
    }

    /// Whether the person signed the message.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = PublicKey::from_spki_der(&self.key).ok();
        let both = key.zip(algorithm_from(&self.algorithm));
        both.is_some_and(|((key, _), algorithm)| algorithm.verify(&key, message, signature).is_ok())
    }

    fn check(&self) -> Result<(), RoleError> {
        let is_fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if !(1..=32).contains(&self.id.len()) || !self.id.bytes().all(is_fine) {
            return Err(malformed("a name is 1 to 32 lower-case letters, digits and ._-"));
        }
        let key = PublicKey::from_spki_der(&self.key).ok().filter(|(key, _)| {
            // One form of each key, or a person could have two digests.
            key.to_spki_der(ParameterForm::Named) == self.key
        });
        if key.is_none() || algorithm_from(&self.algorithm).is_none() {
            return Err(malformed("a key or its algorithm cannot be used"));
        }
        if self.roles.is_empty() {
            return Err(RoleError::Separation("somebody without a role"));
        }
        if self.roles.contains(&Role::Auditor) && self.roles.len() > 1 {
            return Err(RoleError::Separation("an auditor has no other role"));
        }
        Ok(())
    }
}

/// One version of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    schema: String,
    /// From 1.
    pub version: u64,
    /// Digest of the version before; zero for the first.
    pub previous: Digest,
    /// Since when.
    #[serde(with = "time_text")]
    pub time: Timestamp,
    people: Vec<Person>,
}

impl People {
    /// A first version.
    ///
    /// # Errors
    /// [`RoleError::Separation`], [`RoleError::Malformed`].
    pub fn first(people: Vec<Person>, time: Timestamp) -> Result<Self, RoleError> {
        Self::version(1, Digest::ZERO, people, time)
    }

    /// The version after this one, with other people.
    ///
    /// # Errors
    /// [`RoleError::Separation`], [`RoleError::Malformed`].
    pub fn next(&self, people: Vec<Person>, time: Timestamp) -> Result<Self, RoleError> {
        Self::version(self.version.saturating_add(1), self.digest(), people, time)
    }

    fn version(
        version: u64,
        previous: Digest,
        mut people: Vec<Person>,
        time: Timestamp,
    ) -> Result<Self, RoleError> {
        people.sort_by(|a, b| a.id.cmp(&b.id));
        let time = Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
        let list = Self { schema: SCHEMA.to_owned(), version, previous, time, people };
        list.check()?;
        Ok(list)
    }

    /// Everybody, by name.
    #[must_use]
    pub fn all(&self) -> &[Person] {
        &self.people
    }

    /// Somebody by name.
    ///
    /// # Errors
    /// [`RoleError::Unknown`].
    pub fn find(&self, id: &str) -> Result<&Person, RoleError> {
        let found = self.people.iter().find(|person| person.id == id);
        found.ok_or_else(|| RoleError::Unknown(id.chars().take(32).collect()))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Fails for maps with keys that are no text, of which there are none.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Reads a list; the bytes must be canonical.
    ///
    /// # Errors
    /// [`RoleError::Malformed`], [`RoleError::Separation`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RoleError> {
        if bytes.len() > MAX_LIST {
            return Err(malformed("too long"));
        }
        let list: Self = serde_json::from_slice(bytes)
            .map_err(|_| malformed("no JSON, or not the fields of a list of people"))?;
        list.check()?;
        if list.encode() == bytes { Ok(list) } else { Err(malformed("not the canonical form")) }
    }

    fn check(&self) -> Result<(), RoleError> {
        if self.schema != SCHEMA {
            return Err(malformed("not of the schema cancuoc.people/1"));
        }
        if self.version == 0 || (self.version == 1) != (self.previous == Digest::ZERO) {
            return Err(malformed("the version does not fit the one before"));
        }
        if self.people.len() > MAX_PEOPLE {
            return Err(malformed("more than 1000 people"));
        }
        self.people.iter().try_for_each(Person::check)?;
        if !self.people.windows(2).all(|two| two[0].id < two[1].id) {
            return Err(RoleError::Separation("a name stands twice, or not in order"));
        }
        let keys: BTreeSet<&[u8]> = self.people.iter().map(|person| &*person.key).collect();
        if keys.len() < self.people.len() {
            return Err(RoleError::Separation("two people have the same key"));
        }
        let supervisors = self.people.iter().filter(|p| p.roles.contains(&Role::Supervisor));
        if supervisors.count() < FEWEST_SUPERVISORS {
            return Err(RoleError::Separation("fewer than two supervisors"));
        }
        Ok(())
    }
}

fn malformed(reason: &'static str) -> RoleError {
    RoleError::Malformed { what: "list of people", reason }
}
