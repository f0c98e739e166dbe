//! Reading an evidence file: it may come from anybody.

use std::borrow::Cow;
use std::collections::BTreeSet;

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Curve, Point};
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::encode::{CARD_ACCESS, CARD_SECURITY};
use super::format::{
    Access, ActiveAuthentication, Bytes, ChipAuthentication, Command, Document, ExpectedText,
    Facts, File, HasFacts, Hash, Head, Mapping, Pace, Proof, RecordedCheck, Terminal,
};
use super::{EvidenceError, InspectionRecord, SCHEMA};
use crate::apdu::{CommandApdu, Ne, ResponseApdu};
use crate::document::{CardProfile, Mrz, PersonalNumber, QrText};
use crate::lds::{DgNumber, FileId, PaceProtocol, decode_domain_parameters};
use crate::terminal::WireExchange;
use crate::terminal::active_authentication::ActiveAuthenticationEvidence;
use crate::terminal::chip_authentication::{
    ChipAuthenticationEvidence, ChipAuthenticationParameters,
};
use crate::terminal::pace::{ChipAuthenticationMappingEvidence, PaceParameters};
use crate::verify::{
    AccessOutcome, Check, CheckId, ChipEvidence, ChipOutcome, DocumentFiles, Expected, LeftOut,
    Material, Policy, TerminalOutcome, Verdict, reasons,
};

/// Most certificates, revocation lists and checks that are read, each.
const MOST: usize = 64;

impl InspectionRecord {
    /// Reads the first line of an evidence file, without the end of the line.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn decode(line: &[u8]) -> Result<Self, EvidenceError> {
        let (mut record, recorded) = read::<Facts>(line)?;
        record.checks = recorded.into_iter().map(check).collect::<Result<_, _>>()?;
        Ok(record)
    }
}

/// How a recorded check ended: the name of its status.
pub(super) type RecordedStatus = (CheckId, &'static str);

/// Reads the first line, and of the checks in it only how they ended.
pub(super) fn without_facts(
    line: &[u8],
) -> Result<(InspectionRecord, Vec<RecordedStatus>), EvidenceError> {
    let (record, recorded) = read::<HasFacts>(line)?;
    let status = |recorded: RecordedCheck<'_, HasFacts>| {
        let HasFacts(has_facts) = recorded.detail;
        let (id, _) = named(&recorded)?;
        let status = Check::recorded_status(&recorded.status, has_facts);
        Ok((id, status.ok_or_else(|| wrong_check(NO_STATUS))?))
    };
    let statuses = recorded.into_iter().map(status).collect::<Result<_, _>>()?;
    Ok((record, statuses))
}

/// A record whose checks are still as they stand in the file.
type Read<'a, D> = (InspectionRecord, Vec<RecordedCheck<'a, D>>);

fn read<'a, D: Deserialize<'a>>(line: &'a [u8]) -> Result<Read<'a, D>, EvidenceError> {
    if line.len() > super::MAX_LENGTH {
        return Err(EvidenceError::TooLong);
    }
    // Once for the whole line, strings that are read past included.
    let text = std::str::from_utf8(line).map_err(|error| EvidenceError::Malformed {
        what: "no UTF-8",
        line: 1,
        column: error.valid_up_to() + 1,
    })?;
    let document: Document<'a, D> =
        serde_json::from_str(text).map_err(|error| fault(line, &error))?;
    if document.schema != SCHEMA {
        return Err(schema(&document.schema));
    }
    interpret(document)
}

fn schema(found: &str) -> EvidenceError {
    EvidenceError::Schema { found: found.chars().take(60).collect() }
}

/// What is wrong: another schema explains all else that is.
fn fault(line: &[u8], error: &serde_json::Error) -> EvidenceError {
    match serde_json::from_slice::<Head<'_>>(line) {
        Ok(head) if head.schema != SCHEMA => schema(&head.schema),
        _ => EvidenceError::json(error),
    }
}

fn interpret<D>(document: Document<'_, D>) -> Result<Read<'_, D>, EvidenceError> {
    let mut files = files(document.files)?;
    files.issuing_state = match document.issuing_state {
        None => None,
        Some(state) => {
            let state = state.as_bytes().try_into();
            Some(state.map_err(|_| EvidenceError::field("issuing_state", "not three characters"))?)
        }
    };
    files.revocation_lists = several("revocation_lists", document.revocation_lists)?;
    let material = Material {
        certificates: several("certificates", document.certificates)?,
        revocation_lists: files.revocation_lists.clone(),
    };
    let policy = match Policy::builtin_of(&document.policy) {
        Some(policy) => Cow::Borrowed(policy),
        None => Cow::Owned(
            Policy::from_toml(&document.policy).map_err(|e| EvidenceError::field("policy", e))?,
        ),
    };
    let chip = ChipEvidence {
        access: document.access.map(access).transpose()?,
        chip_authentication: proof(document.chip_authentication, chip_authentication)?,
        chip_authentication_mapping: document
            .pace_chip_authentication_mapping
            .map(mapping)
            .transpose()?,
        active_authentication: proof(document.active_authentication, active_authentication)?,
        terminal_authentication: terminal(document.terminal_authentication),
    };
    if document.outcome.checks.len() > MOST {
        return Err(EvidenceError::field("outcome.checks", "more than there are"));
    }
    let record = InspectionRecord {
        program: document.program.chars().take(60).collect(),
        time: document.time.parse().map_err(|_| EvidenceError::field("time", "no time"))?,
        policy,
        expected: expected(&document.expected)?,
        files,
        chip,
        material,
        session: document.session,
        redacted: document.redacted,
        verdict: Verdict::from_name(&document.outcome.verdict)
            .ok_or_else(|| EvidenceError::field("outcome.verdict", "none of the three"))?,
        checks: Vec::new(),
    };
    Ok((record, document.outcome.checks))
}

fn several(field: &'static str, all: Vec<Bytes>) -> Result<Vec<Vec<u8>>, EvidenceError> {
    if all.len() > MOST {
        return Err(EvidenceError::field(field, "more than a verdict rests on"));
    }
    Ok(all.into_iter().map(|bytes| bytes.0).collect())
}

fn file_of(name: &str) -> Option<FileId> {
    let file = match name {
        "EF.COM" => FileId::COM,
        "EF.SOD" => FileId::SOD,
        other => DgNumber::new(other.strip_prefix("EF.DG")?.parse().ok()?)?.file(),
    };
    // Neither a sign nor a zero before the number.
    (file.name() == name).then_some(file)
}

fn files(entries: Vec<File<'_>>) -> Result<DocumentFiles, EvidenceError> {
    let mut files = DocumentFiles::default();
    let mut seen = BTreeSet::new();
    for entry in entries {
        let wrong = |reason| EvidenceError::field("files", reason);
        if !seen.insert(entry.name.clone()) {
            return Err(wrong("a file stands twice"));
        }
        let File { name, bytes, trailing, left_out, withheld, unreadable } = entry;
        match (&*name, bytes) {
            (CARD_ACCESS, Some(bytes)) => files.card_access = Some(bytes.0),
            (CARD_SECURITY, Some(bytes)) => files.card_security = Some(bytes.0),
            (name, bytes) => {
                let file = file_of(name).ok_or_else(|| wrong("a file that no card has"))?;
                match (bytes, left_out, withheld, unreadable) {
                    (Some(bytes), None, None, None) => files.insert(file, bytes.0),
                    (None, Some(hash), None, None) => {
                        files.left_out.insert(file, left_out_of(hash)?);
                    }
                    (None, None, Some(true), None) => files.protected.push(file),
                    (None, None, None, Some(error)) => {
                        files.unreadable.insert(file, error.into_owned());
                    }
                    _ => return Err(wrong("a file with other than one state")),
                }
                if let Some(trailing) = trailing {
                    files.trailing.insert(file, trailing);
                }
            }
        }
    }
    Ok(files)
}

fn left_out_of(hash: Hash) -> Result<LeftOut, EvidenceError> {
    let algorithm = HashAlgorithm::from_name(&hash.algorithm)
        .filter(|algorithm| algorithm.output_len() == hash.hash.0.len())
        .ok_or_else(|| EvidenceError::field("files.left_out", "no hash of a known function"))?;
    Ok(LeftOut { length: hash.length, algorithm, hash: hash.hash.0 })
}

fn expected(text: &ExpectedText<'_>) -> Result<Expected, EvidenceError> {
    let mrz = text.mrz.as_deref().map(|mrz| Mrz::parse(mrz.as_bytes())).transpose();
    let number = text.number.as_deref().map(PersonalNumber::new).transpose();
    let qr = text.qr.as_deref().map(QrText::parse).transpose();
    let profile = text.profile.as_deref().map(CardProfile::from_toml).transpose();
    Ok(Expected {
        mrz: mrz.map_err(|e| EvidenceError::field("expected.mrz", e))?,
        number: number.map_err(|e| EvidenceError::field("expected.number", e))?,
        qr: qr.map_err(|e| EvidenceError::field("expected.qr", e))?,
        profile: profile.map_err(|e| EvidenceError::field("expected.profile", e))?,
    })
}

fn domain(field: &'static str, bytes: &Bytes) -> Result<DomainParameters, EvidenceError> {
    let decoded = decode_domain_parameters(&bytes.0);
    decoded.map(|(domain, _)| domain).map_err(|error| EvidenceError::field(field, error))
}

fn access(access: Access<'_>) -> Result<AccessOutcome, EvidenceError> {
    let pace = |pace: Pace| {
        let protocol = ObjectIdentifier::new(&pace.protocol).ok();
        let protocol = protocol.and_then(|oid| PaceProtocol::from_oid(&oid));
        Ok(PaceParameters {
            protocol: protocol.ok_or_else(|| EvidenceError::field("access.pace", "no PACE"))?,
            domain: domain("access.pace.domain", &pace.domain)?,
            parameter_id: pace.parameter_id,
            name_parameters: pace.name_parameters,
        })
    };
    Ok(AccessOutcome {
        pace: access.pace.map(pace).transpose()?,
        cipher: access.cipher.into_owned(),
        password: access.password.into_owned(),
        downgraded: access.downgraded,
    })
}

fn proof<T, E>(
    proof: Proof<T>,
    answer: impl Fn(T) -> Result<E, EvidenceError>,
) -> Result<ChipOutcome<E>, EvidenceError> {
    Ok(match proof {
        Proof::NotTried => ChipOutcome::NotTried,
        Proof::Answered(evidence) => ChipOutcome::Answered(answer(evidence)?),
        Proof::Refused(why) => ChipOutcome::Refused(why),
        Proof::Unsupported(what) => ChipOutcome::Unsupported(what),
        Proof::LeftOut => ChipOutcome::LeftOut,
    })
}

const CIPHERS: [BlockCipher; 4] =
    [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];

fn chip_authentication(
    evidence: ChipAuthentication,
) -> Result<ChipAuthenticationEvidence, EvidenceError> {
    const FIELD: &str = "chip_authentication";
    let wrong = |reason: String| EvidenceError::field(FIELD, reason);
    let cipher = CIPHERS.into_iter().find(|cipher| cipher.name() == evidence.cipher);
    let domain = domain("chip_authentication.domain", &evidence.domain)?;
    let card_key = PublicElement::decode(&domain, &evidence.card_key.0);
    let terminal_key = Zeroizing::new(evidence.terminal_key.0);
    let ephemeral = GroupSecret::from_bytes(&domain, &terminal_key);
    Ok(ChipAuthenticationEvidence {
        parameters: ChipAuthenticationParameters {
            cipher: cipher.ok_or_else(|| wrong("unknown cipher".to_owned()))?,
            card_key: card_key.map_err(|e| wrong(e.to_string()))?,
            key_id: evidence.key_id.map(|id| id.0),
            assumed: evidence.assumed,
        },
        ephemeral: ephemeral.map_err(|e| wrong(e.to_string()))?,
        confirmation: WireExchange {
            plain: command(evidence.command)?,
            response: ResponseApdu::parse(&evidence.response.0)
                .map_err(|e| wrong(e.to_string()))?,
        },
    })
}

fn command(command: Command) -> Result<CommandApdu, EvidenceError> {
    let [cla, ins, p1, p2] = command.header.0[..] else {
        let reason = "not four bytes";
        return Err(EvidenceError::field("chip_authentication.command.header", reason));
    };
    let ne = command.ne.map(|ne| Ne::new(usize::try_from(ne).unwrap_or(usize::MAX)));
    Ok(CommandApdu { cla, ins, p1, p2, data: command.data.0, ne })
}

fn mapping(evidence: Mapping) -> Result<ChipAuthenticationMappingEvidence, EvidenceError> {
    const FIELD: &str = "pace_chip_authentication_mapping";
    let curve = Curve::ALL.into_iter().find(|curve| curve.name() == evidence.curve);
    let curve = curve.ok_or_else(|| EvidenceError::field(FIELD, "unknown curve"))?;
    let mapping_key = Point::from_uncompressed(curve, &evidence.mapping_key.0);
    Ok(ChipAuthenticationMappingEvidence {
        parameter_id: evidence.parameter_id,
        encrypted: evidence.encrypted.0,
        data: evidence.data.map(|data| Zeroizing::new(data.0)),
        mapping_key: mapping_key.map_err(|e| EvidenceError::field(FIELD, e))?,
    })
}

fn active_authentication(
    evidence: ActiveAuthentication,
) -> Result<ActiveAuthenticationEvidence, EvidenceError> {
    let wrong = |_| EvidenceError::field("active_authentication.challenge", "not eight bytes");
    Ok(ActiveAuthenticationEvidence {
        challenge: evidence.challenge.0.try_into().map_err(wrong)?,
        response: evidence.response.0,
    })
}

fn terminal(outcome: Terminal) -> TerminalOutcome {
    match outcome {
        Terminal::NotTried => TerminalOutcome::NotTried,
        Terminal::NotOffered => TerminalOutcome::NotOffered,
        Terminal::Failed { code, message } => TerminalOutcome::Failed { code, message },
        Terminal::Passed { trust_point, chain, dg3, dg4 } => {
            TerminalOutcome::Passed { trust_point, chain, dg3, dg4 }
        }
    }
}

const NO_STATUS: &str = "unknown status, or a check without evidence";

fn wrong_check(reason: &str) -> EvidenceError {
    EvidenceError::field("outcome.checks", reason)
}

/// Identifier and reason code of a recorded check.
fn named<D>(recorded: &RecordedCheck<'_, D>) -> Result<(CheckId, &'static str), EvidenceError> {
    let id = CheckId::from_name(&recorded.id).ok_or_else(|| wrong_check("unknown check"))?;
    let reason = reasons::find(&recorded.code);
    let (code, _) = reason.ok_or_else(|| wrong_check("unknown reason code"))?;
    Ok((id, code))
}

fn check(recorded: RecordedCheck<'_, Facts>) -> Result<Check, EvidenceError> {
    let (id, code) = named(&recorded)?;
    let check = Check::recorded(id, &recorded.status, code, recorded.detail);
    check.ok_or_else(|| wrong_check(NO_STATUS))
}
