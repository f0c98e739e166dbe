//! The list of people through time: each version approved by supervisors of the one before.

use cancuoc_primitives::CryptoRng;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::people::MAX_LIST;
use super::{ActKind, ApprovalFile, People, Person, RoleError, Statement, Wanted, authorize};
use crate::production::Digest;
use crate::production::audit::{Act, acts};

/// Most bytes of a file.
const MAX_FILE: usize = 64 << 20;
/// Most versions.
const MAX_VERSIONS: u64 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    people: &'a RawValue,
    #[serde(borrow, default)]
    approval: Option<&'a RawValue>,
}

/// A next version of the list, and its approval as far as it has come; a line of JSON as it stands in the
/// history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeopleChange {
    /// The version.
    pub people: People,
    /// Who approved it.
    pub approval: ApprovalFile,
}

impl PeopleChange {
    /// Proposes other people, to be approved within so long.
    ///
    /// # Errors
    /// [`RoleError`].
    pub fn propose(
        current: &People,
        people: Vec<Person>,
        now: Timestamp,
        life: SignedDuration,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, RoleError> {
        let people = current.next(people, now)?;
        let digest = people.digest().to_string();
        let wanted = Wanted { act: ActKind::ChangePeople, subject: &digest, run: None };
        let statement = Statement::new(&wanted, now, life, random)?;
        Ok(Self { people, approval: ApprovalFile::new(statement) })
    }

    /// The line, with its end.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let approval = self.approval.encode();
        let line: [&[u8]; 5] = [
            br#"{"people":"#,
            &self.people.encode(),
            br#","approval":"#,
            approval.trim_ascii_end(),
            b"}\n",
        ];
        line.concat()
    }

    /// Reads a line; whether it is approved is not asked here.
    ///
    /// # Errors
    /// [`RoleError`].
    pub fn decode(line: &[u8]) -> Result<Self, RoleError> {
        let (people, approval) = read(line.trim_ascii_end())?;
        let reason = "nobody approved it";
        let approval = approval.ok_or(RoleError::History { version: people.version, reason })?;
        Ok(Self { people, approval })
    }
}

/// All versions of the list, verified: a file of lines of JSON, one for each version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeopleHistory {
    first: Digest,
    current: People,
    bytes: Vec<u8>,
}

impl PeopleHistory {
    /// Begins with a first version, which nobody approves: its digest must be told to whoever shall
    /// trust it.
    #[must_use]
    pub fn begin(people: People) -> Self {
        let mut bytes = br#"{"people":"#.to_vec();
        bytes.extend(people.encode());
        bytes.extend(b"}\n");
        Self { first: people.digest(), current: people, bytes }
    }

    /// Digest of the first version.
    #[must_use]
    pub const fn first(&self) -> Digest {
        self.first
    }

    /// The list as it is now.
    #[must_use]
    pub const fn current(&self) -> &People {
        &self.current
    }

    /// The file.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a file and verifies every version; `first` is the digest of the first one, known from
    /// elsewhere, where it is known.
    ///
    /// # Errors
    /// [`RoleError`].
    pub fn decode(bytes: &[u8], first: Option<Digest>) -> Result<Self, RoleError> {
        if bytes.len() > MAX_FILE {
            return Err(malformed("too long"));
        }
        let text = bytes.strip_suffix(b"\n").ok_or(malformed("it does not end with a line"))?;
        let mut lines = text.split(|b| *b == b'\n');
        let (people, approval) = read(lines.next().unwrap_or_default())?;
        if approval.is_some() || people.version != 1 {
            return Err(RoleError::History { version: people.version, reason: "not a first one" });
        }
        let mut history = Self::begin(people);
        if first.is_some_and(|first| first != history.first) {
            return Err(RoleError::OtherBeginning);
        }
        for line in lines {
            let change = PeopleChange::decode(line)?;
            if change.people.version > MAX_VERSIONS {
                return Err(malformed("too many versions"));
            }
            // Whether the time of its approval is past now is not the question.
            history.accept(&change, change.people.time)?;
        }
        if history.bytes == bytes { Ok(history) } else { Err(malformed("not the canonical form")) }
    }

    /// Takes the next version, which two supervisors of the current one approved; gives the act for the
    /// audit record.
    ///
    /// # Errors
    /// [`RoleError`].
    pub fn accept(&mut self, change: &PeopleChange, now: Timestamp) -> Result<Act, RoleError> {
        let PeopleChange { people, approval } = change;
        let version = people.version;
        let wrong = |reason| Err(RoleError::History { version, reason });
        if self.current.version.checked_add(1) != Some(version) {
            return wrong("not the number after the one before");
        }
        if people.previous != self.current.digest() {
            return wrong("made after another one");
        }
        if people.time < self.current.time {
            return wrong("older than the one before");
        }
        let digest = people.digest().to_string();
        let wanted = Wanted { act: ActKind::ChangePeople, subject: &digest, run: None };
        // Once at the time that the list tells, which is all that a later reader of the file can check.
        authorize(&self.current, approval, &wanted, people.time)?;
        let authorized = authorize(&self.current, approval, &wanted, now)?;
        self.check_advantage(people, authorized.people())?;
        self.bytes.extend(change.encode());
        self.current = people.clone();
        Ok(Act::new(now, "people", acts::PEOPLE_CHANGED)
            .on(digest)
            .with("version", i64::try_from(version).unwrap_or(i64::MAX))
            .with("approved_by", authorized.people().join(",")))
    }

    /// Nobody approves a role or key that they get themselves.
    fn check_advantage(&self, people: &People, approved: &[String]) -> Result<(), RoleError> {
        for id in approved {
            let before = self.current.find(id)?;
            let gains = |after: &Person| {
                after.key() != before.key() || !after.roles.is_subset(&before.roles)
            };
            if people.find(id).is_ok_and(gains) {
                return Err(RoleError::Own(id.clone()));
            }
        }
        Ok(())
    }
}

fn read(line: &[u8]) -> Result<(People, Option<ApprovalFile>), RoleError> {
    if line.len() > 2 * MAX_LIST {
        return Err(malformed("a line is too long"));
    }
    let line: Line<'_> = serde_json::from_slice(line)
        .map_err(|_| malformed("a line is no JSON, or has not the fields of a version"))?;
    let approval = line.approval.map(|raw| ApprovalFile::decode(raw.get().as_bytes()));
    Ok((People::decode(line.people.get().as_bytes())?, approval.transpose()?))
}

fn malformed(reason: &'static str) -> RoleError {
    RoleError::Malformed { what: "list of people", reason }
}
