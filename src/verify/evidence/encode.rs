//! Writing an evidence file.

use std::borrow::Cow;

use super::format::{
    Access, ActiveAuthentication, Bytes, ChipAuthentication, Command, Document, ExpectedText, File,
    Hash, Mapping, Outcome, Pace, Proof, RecordedCheck, Terminal,
};
use super::{EvidenceError, InspectionRecord, SCHEMA};
use crate::apdu::CommandApdu;
use crate::lds::{FileId, ParameterForm, encode_domain_parameters};
use crate::terminal::active_authentication::ActiveAuthenticationEvidence;
use crate::terminal::chip_authentication::ChipAuthenticationEvidence;
use crate::terminal::pace::{ChipAuthenticationMappingEvidence, PaceParameters};
use crate::verify::{AccessOutcome, ChipOutcome, DocumentFiles, Expected, TerminalOutcome};
use cancuoc_primitives::group::DomainParameters;

/// Name of EF.CardSecurity, whose identifier is EF.SOD's.
pub(super) const CARD_SECURITY: &str = "EF.CardSecurity";
/// Name of EF.CardAccess.
pub(super) const CARD_ACCESS: &str = "EF.CardAccess";

impl InspectionRecord {
    /// The record as a line of JSON, without the end of the line.
    ///
    /// # Errors
    /// [`EvidenceError::Field`] for a card profile that cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>, EvidenceError> {
        let material = &self.material;
        let bytes = |all: &[Vec<u8>]| all.iter().cloned().map(Bytes).collect();
        let checks = self.checks.iter().map(|check| RecordedCheck {
            id: check.id.as_str().into(),
            status: check.status_name().into(),
            code: check.code.into(),
            detail: check.detail().clone(),
        });
        let document = Document {
            schema: SCHEMA.into(),
            program: self.program.as_str().into(),
            time: self.time.to_string().into(),
            redacted: self.redacted,
            policy: self.policy.to_toml().into(),
            expected: expected(&self.expected)?,
            files: files(&self.files),
            issuing_state: self
                .files
                .issuing_state
                .map(|s| String::from_utf8_lossy(&s).into_owned().into()),
            access: self.chip.access.as_ref().map(access),
            chip_authentication: proof(&self.chip.chip_authentication, chip_authentication),
            pace_chip_authentication_mapping: self
                .chip
                .chip_authentication_mapping
                .as_ref()
                .map(mapping),
            active_authentication: proof(&self.chip.active_authentication, active_authentication),
            terminal_authentication: terminal(&self.chip.terminal_authentication),
            certificates: bytes(&material.certificates),
            revocation_lists: bytes(&material.revocation_lists),
            session: self.session,
            outcome: Outcome { verdict: self.verdict.as_str().into(), checks: checks.collect() },
        };
        serde_json::to_vec(&document).map_err(|error| EvidenceError::json(&error))
    }
}

fn expected(expected: &Expected) -> Result<ExpectedText<'_>, EvidenceError> {
    let profile = expected.profile.as_ref().map(toml::to_string).transpose();
    let profile = profile.map_err(|error| EvidenceError::field("expected.profile", error))?;
    Ok(ExpectedText {
        mrz: expected.mrz.as_ref().map(|mrz| mrz.as_str().into()),
        number: expected.number.as_ref().map(|number| number.as_str().into()),
        qr: expected.qr.as_ref().map(|qr| qr.text().into()),
        profile: profile.map(Cow::Owned),
    })
}

fn files(files: &DocumentFiles) -> Vec<File<'_>> {
    let empty = |name: String| File {
        name: name.into(),
        bytes: None,
        trailing: None,
        left_out: None,
        withheld: None,
        unreadable: None,
    };
    let content = |name: &str, bytes: &Vec<u8>| File {
        bytes: Some(Bytes(bytes.clone())),
        ..empty(name.to_owned())
    };
    let mut all = Vec::new();
    all.extend(files.card_access.as_ref().map(|bytes| content(CARD_ACCESS, bytes)));
    all.extend(files.card_security.as_ref().map(|bytes| content(CARD_SECURITY, bytes)));
    all.extend(files.files.iter().map(|(file, bytes)| File {
        trailing: files.trailing.get(file).copied(),
        ..content(&file.name(), bytes)
    }));
    all.extend(files.left_out.iter().map(|(file, left_out)| File {
        trailing: files.trailing.get(file).copied(),
        left_out: Some(Hash {
            length: left_out.length,
            algorithm: left_out.algorithm.name().to_owned(),
            hash: Bytes(left_out.hash.clone()),
        }),
        ..empty(file.name())
    }));
    let withheld = |file: &FileId| File { withheld: Some(true), ..empty(file.name()) };
    all.extend(files.protected.iter().map(withheld));
    all.extend(files.unreadable.iter().map(|(file, error)| File {
        unreadable: Some(error.as_str().into()),
        ..empty(file.name())
    }));
    all
}

fn domain(parameters: &DomainParameters) -> Bytes {
    let form = match parameters.id() {
        Some(_) => ParameterForm::Named,
        None => ParameterForm::Explicit,
    };
    Bytes(encode_domain_parameters(parameters, form))
}

fn access(access: &AccessOutcome) -> Access<'_> {
    let pace = |pace: &PaceParameters| Pace {
        protocol: pace.protocol.oid().to_string(),
        domain: domain(&pace.domain),
        parameter_id: pace.parameter_id,
        name_parameters: pace.name_parameters,
    };
    Access {
        pace: access.pace.as_ref().map(pace),
        cipher: access.cipher.as_str().into(),
        password: access.password.as_str().into(),
        downgraded: access.downgraded,
    }
}

fn proof<E, T>(outcome: &ChipOutcome<E>, answer: impl Fn(&E) -> T) -> Proof<T> {
    match outcome {
        ChipOutcome::NotTried => Proof::NotTried,
        ChipOutcome::Answered(evidence) => Proof::Answered(answer(evidence)),
        ChipOutcome::Refused(why) => Proof::Refused(why.clone()),
        ChipOutcome::Unsupported(what) => Proof::Unsupported(what.clone()),
        ChipOutcome::LeftOut => Proof::LeftOut,
    }
}

fn chip_authentication(evidence: &ChipAuthenticationEvidence) -> ChipAuthentication {
    let parameters = &evidence.parameters;
    ChipAuthentication {
        cipher: parameters.cipher.name().to_owned(),
        domain: domain(&parameters.card_key.domain_parameters()),
        card_key: Bytes(parameters.card_key.to_bytes()),
        key_id: parameters.key_id.clone().map(Bytes),
        assumed: parameters.assumed,
        terminal_key: Bytes(evidence.ephemeral.to_bytes().to_vec()),
        command: command(&evidence.confirmation.plain),
        response: Bytes(
            [
                &evidence.confirmation.response.data[..],
                &evidence.confirmation.response.status.0.to_be_bytes(),
            ]
            .concat(),
        ),
    }
}

fn command(command: &CommandApdu) -> Command {
    Command {
        header: Bytes(command.header().to_vec()),
        data: Bytes(command.data.clone()),
        ne: command.ne.map(|ne| ne.get() as u32),
    }
}

fn mapping(evidence: &ChipAuthenticationMappingEvidence) -> Mapping {
    Mapping {
        parameter_id: evidence.parameter_id,
        encrypted: Bytes(evidence.encrypted.clone()),
        data: evidence.data.as_ref().map(|data| Bytes(data.to_vec())),
        curve: evidence.mapping_key.curve().name().to_owned(),
        mapping_key: Bytes(evidence.mapping_key.to_uncompressed()),
    }
}

fn active_authentication(evidence: &ActiveAuthenticationEvidence) -> ActiveAuthentication {
    ActiveAuthentication {
        challenge: Bytes(evidence.challenge.to_vec()),
        response: Bytes(evidence.response.clone()),
    }
}

fn terminal(outcome: &TerminalOutcome) -> Terminal {
    match outcome.clone() {
        TerminalOutcome::NotTried => Terminal::NotTried,
        TerminalOutcome::NotOffered => Terminal::NotOffered,
        TerminalOutcome::Failed { code, message } => Terminal::Failed { code, message },
        TerminalOutcome::Passed { trust_point, chain, dg3, dg4 } => {
            Terminal::Passed { trust_point, chain, dg3, dg4 }
        }
    }
}
