//! Approvals: what several people sign, and whether it is enough.

use std::collections::BTreeSet;

use cancuoc_primitives::CryptoRng;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{People, Person, Role, RoleError};
use crate::pki::Signer;
use crate::production::Digest;
use crate::production::audit::{Act, acts};
use crate::production::signed::{base64_text, sign, time_text};

const STATEMENT: &str = "cancuoc.statement/1";
const APPROVAL: &str = "cancuoc.approval/1";
/// Most bytes of a file of approvals.
const MAX_FILE: usize = 64 << 10;
/// Most signatures of a file.
const MAX_APPROVALS: usize = 8;
/// Most bytes of a subject or run.
const MAX_TEXT: usize = 128;
/// The longest time that an approval is worth anything.
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How far clocks of a site may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(2);

/// An act that people must approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// A card or record goes on from quarantine.
    Release,
    /// A batch that was stopped goes on.
    Unlock,
    /// Keys are brought in.
    ImportKeys,
    /// The site key is changed.
    ChangeSiteKey,
    /// The list of people is changed.
    ChangePeople,
    /// Somebody begins to work at a station.
    OpenSession,
}

impl ActKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Release,
        Self::Unlock,
        Self::ImportKeys,
        Self::ChangeSiteKey,
        Self::ChangePeople,
        Self::OpenSession,
    ];

    /// The act of a name as [`Self::as_str`] gives it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == name)
    }

    /// `release`, `unlock`, `import_keys`, `change_site_key`, `change_people`, `open_session`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Unlock => "unlock",
            Self::ImportKeys => "import_keys",
            Self::ChangeSiteKey => "change_site_key",
            Self::ChangePeople => "change_people",
            Self::OpenSession => "open_session",
        }
    }

    /// Who must approve: for each signature the roles of which the person must have one.
    #[must_use]
    pub const fn needs(self) -> &'static [&'static [Role]] {
        const EITHER: &[Role] = &[Role::Operator, Role::Supervisor];
        const SUPERVISOR: &[Role] = &[Role::Supervisor];
        const CUSTODIAN: &[Role] = &[Role::KeyCustodian];
        match self {
            Self::Release => &[SUPERVISOR, EITHER],
            Self::Unlock | Self::ChangePeople => &[SUPERVISOR, SUPERVISOR],
            Self::ImportKeys | Self::ChangeSiteKey => &[CUSTODIAN, CUSTODIAN],
            Self::OpenSession => &[EITHER],
        }
    }
}

/// What is approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    schema: String,
    /// The act.
    pub act: ActKind,
    /// On what: a record, a run, the digest of a document, a station.
    pub subject: String,
    /// In which run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
    /// Random: an approval is used once.
    pub nonce: Digest,
    /// From when.
    #[serde(with = "time_text")]
    pub issued: Timestamp,
    /// To when, at most [`LONGEST_LIFE`] later.
    #[serde(with = "time_text")]
    pub expires: Timestamp,
}

impl Statement {
    /// A statement that is worth something from now on for so long.
    ///
    /// # Errors
    /// [`RoleError::Malformed`], [`RoleError::Time`].
    pub fn new(
        wanted: &Wanted<'_>,
        now: Timestamp,
        life: SignedDuration,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, RoleError> {
        let mut nonce = [0; Digest::LENGTH];
        random.fill_bytes(&mut nonce);
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        let statement = Self {
            schema: STATEMENT.to_owned(),
            act: wanted.act,
            subject: wanted.subject.to_owned(),
            run: wanted.run.map(ToOwned::to_owned),
            nonce: Digest::new(nonce),
            issued: whole(now),
            expires: whole(now.saturating_add(life).unwrap_or(now)),
        };
        statement.check()?;
        Ok(statement)
    }

    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RoleError> {
        let statement: Self = serde_json::from_slice(bytes)
            .map_err(|_| malformed("no JSON, or not the fields of a statement"))?;
        statement.check()?;
        if statement.encode() != bytes {
            return Err(malformed("not the canonical form"));
        }
        Ok(statement)
    }

    fn check(&self) -> Result<(), RoleError> {
        if self.schema != STATEMENT {
            return Err(malformed("not of the schema cancuoc.statement/1"));
        }
        let is_fine = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
        for text in self.run.iter().chain([&self.subject]) {
            if !(1..=MAX_TEXT).contains(&text.len()) || !text.bytes().all(is_fine) {
                return Err(malformed("subject and run are 1 to 128 letters, digits and ._:/-"));
            }
        }
        let life = self.expires.duration_since(self.issued);
        if life <= SignedDuration::ZERO || life > LONGEST_LIFE {
            return Err(self.time("for no time, or for more than a day"));
        }
        Ok(())
    }

    fn time(&self, reason: &'static str) -> RoleError {
        RoleError::Time { reason, issued: self.issued, expires: self.expires }
    }
}

/// Somebody's signature over a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub person: String,
    /// Over the bytes of the statement.
    #[serde(with = "base64_text")]
    pub signature: Vec<u8>,
}

/// A statement with the signatures that it has so far; JSON (`cancuoc.approval/1`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalFile {
    /// What is approved.
    pub statement: Statement,
    /// By whom.
    pub approvals: Vec<Approval>,
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    schema: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    statement: &'a RawValue,
    approvals: Vec<Approval>,
}

impl ApprovalFile {
    /// A statement that nobody signed yet.
    #[must_use]
    pub fn new(statement: Statement) -> Self {
        let bytes = statement.encode();
        Self { statement, approvals: Vec::new(), bytes }
    }

    /// Adds the signature of somebody of the list.
    ///
    /// # Errors
    /// [`RoleError::Unknown`], [`RoleError::OtherKey`], [`RoleError::Twice`], [`RoleError::Missing`] for
    /// somebody whose roles the act does not ask for, [`RoleError::Signer`].
    pub fn approve(
        &mut self,
        people: &People,
        person: &str,
        signer: &dyn Signer,
        random: &mut dyn CryptoRng,
    ) -> Result<(), RoleError> {
        let person = people.find(person)?;
        if !person.has_key_of(signer) {
            return Err(RoleError::OtherKey(person.id.clone()));
        }
        if self.approvals.iter().any(|approval| approval.person == person.id) {
            return Err(RoleError::Twice(person.id.clone()));
        }
        let needs = self.statement.act.needs();
        if !needs.iter().any(|roles| fills(person, roles)) {
            return Err(missing(0, &[], needs));
        }
        let signature = sign(signer, &self.bytes, random)?;
        self.approvals.push(Approval { person: person.id.clone(), signature });
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let raw = std::str::from_utf8(&self.bytes).unwrap_or_default();
        let statement: &RawValue = serde_json::from_str(raw).unwrap_or(RawValue::NULL);
        let file = File { schema: APPROVAL.into(), statement, approvals: self.approvals.clone() };
        let mut bytes = serde_json::to_vec(&file).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a file, which may come from anybody.
    ///
    /// # Errors
    /// [`RoleError::Malformed`], [`RoleError::Time`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RoleError> {
        if bytes.len() > MAX_FILE {
            return Err(malformed("too long"));
        }
        let file: File<'_> = serde_json::from_slice(bytes)
            .map_err(|_| malformed("no JSON, or not the fields of an approval"))?;
        if file.schema != APPROVAL {
            return Err(malformed("not of the schema cancuoc.approval/1"));
        }
        if file.approvals.len() > MAX_APPROVALS {
            return Err(malformed("more than 8 signatures"));
        }
        let bytes = file.statement.get().as_bytes().to_vec();
        let statement = Statement::decode(&bytes)?;
        Ok(Self { statement, approvals: file.approvals, bytes })
    }
}

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The act.
    pub act: ActKind,
    /// On what.
    pub subject: &'a str,
    /// In which run.
    pub run: Option<&'a str>,
}

/// That an act was approved. Only [`authorize`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized {
    statement: Statement,
    people: Vec<String>,
    list: u64,
    time: Timestamp,
}

impl Authorized {
    /// The nonce: whoever carries the act out stores it in the same transaction, and refuses one that is
    /// stored already ([`RoleError::Used`]).
    #[must_use]
    pub const fn nonce(&self) -> Digest {
        self.statement.nonce
    }

    /// Until when the nonce must be kept.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.statement.expires
    }

    /// Who approved, in the order of their signatures.
    #[must_use]
    pub fn people(&self) -> &[String] {
        &self.people
    }

    /// The act for the audit record: who approved what, by which version of the list of people.
    #[must_use]
    pub fn act(&self, actor: &str) -> Act {
        let mut act = Act::new(self.time, actor, acts::APPROVED)
            .on(self.statement.subject.as_str())
            .with("act", self.statement.act.as_str())
            .with("nonce", self.statement.nonce)
            .with("people", self.people.join(","))
            .with("people_version", i64::try_from(self.list).unwrap_or(i64::MAX));
        act.run.clone_from(&self.statement.run);
        act
    }
}

/// Decides whether an act is approved.
///
/// # Errors
/// [`RoleError`]: what is missing or wrong.
pub fn authorize(
    people: &People,
    file: &ApprovalFile,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<Authorized, RoleError> {
    let statement = &file.statement;
    check_subject(statement, wanted)?;
    if now > statement.expires {
        return Err(statement.time("worth nothing any more"));
    }
    if now.saturating_add(CLOCKS).unwrap_or(now) < statement.issued {
        return Err(statement.time("not worth anything yet: is a clock wrong?"));
    }
    let signed = signers(people, file)?;
    let needs = statement.act.needs();
    assign(&signed, needs).map_err(|have| missing(have, &signed, needs))?;
    Ok(Authorized {
        statement: statement.clone(),
        people: signed.iter().map(|person| person.id.clone()).collect(),
        list: people.version,
        time: now,
    })
}

fn check_subject(statement: &Statement, wanted: &Wanted<'_>) -> Result<(), RoleError> {
    if statement.act != wanted.act {
        return Err(RoleError::Other("act"));
    }
    if statement.subject != wanted.subject {
        return Err(RoleError::Other("subject"));
    }
    if statement.run.as_deref() != wanted.run {
        return Err(RoleError::Other("run"));
    }
    Ok(())
}

/// Who signed, each once, each signature verified.
fn signers<'a>(people: &'a People, file: &ApprovalFile) -> Result<Vec<&'a Person>, RoleError> {
    let mut names = BTreeSet::new();
    let mut signed = Vec::new();
    for approval in &file.approvals {
        let person = people.find(&approval.person)?;
        if !names.insert(&person.id) {
            return Err(RoleError::Twice(person.id.clone()));
        }
        if !person.signed(&file.bytes, &approval.signature) {
            return Err(RoleError::Signature(person.id.clone()));
        }
        signed.push(person);
    }
    Ok(signed)
}

fn fills(person: &Person, roles: &[Role]) -> bool {
    roles.iter().any(|role| person.roles.contains(role))
}

/// Whether each place can be filled by somebody else. The places are at most two, so they are tried.
///
/// # Errors
/// How many can be filled.
fn assign(people: &[&Person], places: &[&[Role]]) -> Result<(), usize> {
    let Some((place, rest)) = places.split_first() else { return Ok(()) };
    let mut most = 0;
    for person in people.iter().filter(|person| fills(person, place)) {
        let others: Vec<&Person> = people.iter().copied().filter(|p| p.id != person.id).collect();
        match assign(&others, rest) {
            Ok(()) => return Ok(()),
            Err(have) => most = most.max(1 + have),
        }
    }
    // The first place may be empty and a later one filled.
    Err(most.max(assign(people, rest).map_or_else(|have| have, |()| rest.len())))
}

fn missing(have: usize, people: &[&Person], places: &[&[Role]]) -> RoleError {
    let unfilled = places.iter().find(|place| !people.iter().any(|person| fills(person, place)));
    let roles = unfilled.or(places.last());
    let missing = roles.and_then(|roles| roles.first()).copied().unwrap_or(Role::Supervisor);
    RoleError::Missing { have, need: places.len(), missing }
}

fn malformed(reason: &'static str) -> RoleError {
    RoleError::Malformed { what: "approval", reason }
}
