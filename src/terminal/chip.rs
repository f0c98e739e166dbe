//! The whole conversation with a chip: opens it, reads what it holds, lets it prove that it is no
//! copy.
//!
//! Nothing is judged here. What comes out is bytes and evidence, from which an inspection computes
//! its verdict, at once or later.

use std::time::{Duration, Instant};

use rand_core::CryptoRng;

use super::access::{
    AccessOutcome, AccessPlan, CardSecurityReading, PaceKeys, open_card, open_card_reading,
    read_once,
};
use super::active_authentication::{ActiveAuthenticationEvidence, authenticate_actively};
use super::chip_authentication::{
    ChipAuthenticationEvidence, ChipAuthenticationParameters, ChipAuthenticationPreference,
    PendingChipAuthentication, authenticate_chip,
};
use super::public_key::compress_public_key;
use super::reading::{FileRead, FileReader, ReadLimits, ReadStatistics};
use super::session::{Counters, Session};
use super::terminal_authentication::{
    TerminalAuthenticationOutcome, TerminalBinding, TerminalCredentials, authenticate_terminal,
    decode_ef_cvca, document_number_of_dg1,
};
use super::{TerminalError, commands};
use crate::cvc::HolderReference;
use crate::lds::sod::Sod;
use crate::lds::{AtrInfo, Com, DgNumber, FileId, decode_dg15, security_infos_of_dg14};
use crate::transport::CardTransport;

/// Name of the step in errors.
const TERMINAL: &str = "Terminal Authentication";

/// Whether extended-length APDUs are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtendedLength {
    /// Never.
    Never,
    /// Where the reader takes them and EF.ATR/INFO announces them; reading it costs one APDU.
    #[default]
    Announced,
    /// Where the reader takes them: the card is known to.
    Assumed {
        /// Longest response APDU of the card in bytes.
        max_response: usize,
    },
}

/// What to read and which proofs to ask for.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Use of extended length.
    pub extended_length: ExtendedLength,
    /// Bounds.
    pub limits: ReadLimits,
    /// Only these data groups (EF.COM and EF.SOD always); `None` for all that are listed.
    pub groups: Option<Vec<DgNumber>>,
    /// Also ask for the data groups that neither EF.SOD nor EF.COM lists, and for EF.CardSecurity
    /// where nothing announces it, one APDU each.
    pub probe_unlisted: bool,
    /// Run Chip Authentication where DG14 has a key for it.
    pub chip_authentication: bool,
    /// Which of several keys of Chip Authentication to take; none for the strongest.
    pub chip_authentication_preference: Option<ChipAuthenticationPreference>,
    /// Run Active Authentication where there is a DG15.
    pub active_authentication: bool,
    /// Run Terminal Authentication with these, for DG3 and DG4.
    pub terminal: Option<TerminalCredentials>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            extended_length: ExtendedLength::default(),
            limits: ReadLimits::default(),
            groups: None,
            probe_unlisted: false,
            chip_authentication: true,
            chip_authentication_preference: None,
            active_authentication: true,
            terminal: None,
        }
    }
}

/// One file and what reading it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipFile {
    /// The file.
    pub file: FileId,
    /// Content, or why there is none.
    pub read: FileRead,
}

/// What came of a proof.
#[derive(Debug, Clone)]
pub enum Proof<E> {
    /// Not asked for.
    NotTried,
    /// The chip announces no key for it.
    NotOffered,
    /// It failed.
    Failed(TerminalError),
    /// The chip answered; the evidence is still to be judged.
    Answered(E),
}

impl<E> Proof<E> {
    /// The evidence, if there is one.
    pub const fn evidence(&self) -> Option<&E> {
        match self {
            Self::Answered(evidence) => Some(evidence),
            _ => None,
        }
    }
}

/// Everything a chip told.
#[derive(Debug, Clone)]
pub struct ChipReading {
    /// How it was opened; EF.CardAccess is in it.
    pub access: AccessOutcome,
    /// EF.ATR/INFO, where it was read.
    pub atr_info: Option<Vec<u8>>,
    /// EF.CardSecurity, where it was read: after PACE with Chip Authentication Mapping, and where
    /// the card has one.
    pub card_security: Option<Vec<u8>>,
    /// The files of the LDS1 application in the order of reading.
    pub files: Vec<ChipFile>,
    /// Chip Authentication.
    pub chip_authentication: Proof<ChipAuthenticationEvidence>,
    /// Active Authentication.
    pub active_authentication: Proof<ActiveAuthenticationEvidence>,
    /// Terminal Authentication: what gave the right to DG3 and DG4.
    pub terminal_authentication: Proof<TerminalAuthenticationOutcome>,
    /// Cost of reading the files.
    pub statistics: ReadStatistics,
    /// Everything on the wire.
    pub counters: Counters,
    /// Time on the air from activation to the end, where the card stands behind a model of a link.
    pub air: Option<Duration>,
    /// Microseconds from the start until the application was selected.
    pub access_micros: u64,
    /// Microseconds from then to the end.
    pub read_micros: u64,
}

impl ChipReading {
    /// Content of a file.
    #[must_use]
    pub fn content(&self, file: FileId) -> Option<&[u8]> {
        self.files.iter().find(|f| f.file == file).and_then(|f| f.read.content())
    }

    /// Content of a data group.
    #[must_use]
    pub fn data_group(&self, number: DgNumber) -> Option<&[u8]> {
        self.content(number.file())
    }
}

/// Tells how far reading is: the file just finished, and the bytes read so far.
pub type ProgressReport<'a> = &'a mut dyn FnMut(FileId, u64);

/// Opens a powered card and reads it.
///
/// The order: EF.SOD and EF.COM; DG14 and Chip Authentication, so that everything personal is read
/// under its keys, the first answer being its proof; Terminal Authentication, where the terminal has
/// a key for it; the other data groups; Active Authentication.
/// A card that breaks the session in Chip Authentication is reset, opened again and read without
/// it: what it holds is evidence too.
///
/// # Errors
/// [`TerminalError`] when the card cannot be opened, is torn out or breaks the session outside of
/// Chip Authentication. Files that are absent or denied are no errors.
pub fn read_chip<T: CardTransport>(
    transport: T,
    plan: &AccessPlan,
    options: &ReadOptions,
    random: &mut dyn CryptoRng,
    progress: ProgressReport<'_>,
) -> Result<ChipReading, TerminalError> {
    let start = Instant::now();
    let mut session = Session::new(transport);
    let (atr_info, extended_limit) = negotiate_length(&mut session, options.extended_length)?;
    let reading = CardSecurityReading { probe: options.probe_unlisted, extended_limit };
    let mut plan = plan.clone();
    // EF.CVCA may be missing: BSI TR-03110 asks for it, ICAO Doc 9303 does not.
    plan.pace.request_certification_authorities |= options.terminal.is_some();
    let plan = &plan;
    let mut access = open_card_reading(&mut session, plan, reading, random)?;
    let card_security = access.card_security.take();
    let access_micros = micros_since(start);
    let start = Instant::now();
    let files = FileReader::new(options.limits).with_extended_length(extended_limit);
    let mut reading = Reading {
        session,
        files,
        options,
        plan,
        random,
        progress,
        found: Vec::new(),
        pace_keys: access.pace_keys.clone(),
        chip_authentication_mapping: access.chip_authentication_mapping.is_some(),
    };
    let Proofs { chip_authentication, terminal_authentication, active_authentication } =
        reading.run()?;
    let Reading { session, files, found, .. } = reading;
    Ok(ChipReading {
        access,
        atr_info,
        card_security,
        files: found,
        chip_authentication,
        active_authentication,
        terminal_authentication,
        statistics: *files.statistics(),
        counters: session.counters(),
        air: session.air_time(),
        access_micros,
        read_micros: micros_since(start),
    })
}

fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Longest command without extended length: header, Lc, 255 bytes, Le.
const SHORT_COMMAND: usize = 261;
/// Longest command that is sent with extended length: a READ BINARY under secure messaging or a
/// public key takes far less, so that readers with small buffers count too.
const EXTENDED_OVERHEAD: usize = 9;

/// Allows extended length where reader and card take it; gives EF.ATR/INFO, where it was read, and
/// the longest response data field.
fn negotiate_length<T: CardTransport>(
    session: &mut Session<T>,
    wanted: ExtendedLength,
) -> Result<(Option<Vec<u8>>, Option<usize>), TerminalError> {
    let reader = session.max_command_length();
    if wanted == ExtendedLength::Never || reader <= SHORT_COMMAND {
        return Ok((None, None));
    }
    let (atr_info, card) = match wanted {
        ExtendedLength::Assumed { max_response } => (None, Some(max_response)),
        _ => {
            let bytes = read_once(session, FileId::ATR_INFO)?;
            let decoded = bytes.as_deref().and_then(|bytes| AtrInfo::decode(bytes).ok());
            let announced = decoded.filter(AtrInfo::extended_length);
            let length = announced.map(|info| {
                info.max_response_length.and_then(|n| usize::try_from(n).ok()).unwrap_or(65_538)
            });
            (bytes, length)
        }
    };
    let reader_limit = reader.saturating_sub(EXTENDED_OVERHEAD);
    // The status word is no part of the data field.
    let limit = card.map(|max| max.saturating_sub(2).min(65_536).min(reader_limit.max(256)));
    let limit = limit.filter(|limit| *limit > 256);
    session.allow_extended_length(limit.is_some());
    Ok((atr_info, limit))
}

struct Reading<'a, T: CardTransport> {
    session: Session<T>,
    files: FileReader,
    options: &'a ReadOptions,
    plan: &'a AccessPlan,
    random: &'a mut dyn CryptoRng,
    progress: ProgressReport<'a>,
    found: Vec<ChipFile>,
    /// What PACE left for Terminal Authentication; renewed when the card is opened again.
    pace_keys: Option<PaceKeys>,
    /// PACE ran with Chip Authentication Mapping.
    chip_authentication_mapping: bool,
}

struct Proofs {
    chip_authentication: Proof<ChipAuthenticationEvidence>,
    terminal_authentication: Proof<TerminalAuthenticationOutcome>,
    active_authentication: Proof<ActiveAuthenticationEvidence>,
}

impl<T: CardTransport> Reading<'_, T> {
    fn run(&mut self) -> Result<Proofs, TerminalError> {
        self.read(FileId::SOD)?;
        self.read(FileId::COM)?;
        let groups = self.groups();
        let dg14 = DgNumber::new(14);
        let mut chip = Proof::NotTried;
        if self.options.chip_authentication {
            chip = Proof::NotOffered;
            if let Some(dg14) = dg14.filter(|dg14| groups.contains(dg14)) {
                self.read(dg14.file())?;
                chip = self.chip_authentication(dg14, &groups)?;
            }
        }
        let terminal = self.terminal_authentication(&chip)?;
        for group in groups {
            if !self.found.iter().any(|f| f.file == group.file()) {
                self.read(group.file())?;
            }
        }
        Ok(Proofs {
            chip_authentication: chip,
            terminal_authentication: terminal,
            active_authentication: self.active_authentication()?,
        })
    }

    fn read(&mut self, file: FileId) -> Result<(), TerminalError> {
        let read = match self.files.read(&mut self.session, file) {
            Err(error @ (TerminalError::File { .. } | TerminalError::Refused { .. })) => {
                FileRead::Malformed(error)
            }
            other => other?,
        };
        self.found.push(ChipFile { file, read });
        (self.progress)(file, self.files.statistics().payload);
        Ok(())
    }

    fn content(&self, file: FileId) -> Option<&[u8]> {
        self.found.iter().find(|f| f.file == file).and_then(|f| f.read.content())
    }

    /// The data groups to read: those of EF.SOD, then those that only EF.COM lists.
    fn groups(&self) -> Vec<DgNumber> {
        let signed = self.content(FileId::SOD).and_then(|bytes| {
            let object = Sod::decode(bytes).ok()?.security_object().ok()?;
            let numbers = object.hashes.iter().filter_map(|(n, _)| u8::try_from(*n).ok());
            Some(numbers.filter_map(DgNumber::new).collect::<Vec<_>>())
        });
        let listed = self.content(FileId::COM).and_then(|bytes| Com::decode(bytes).ok());
        let listed = listed.map(|com| com.data_groups()).unwrap_or_default();
        let mut groups = signed.unwrap_or_default();
        groups.extend(listed);
        if self.options.probe_unlisted {
            groups.extend(DgNumber::all());
        }
        let wanted = |n: &DgNumber| self.options.groups.as_ref().is_none_or(|g| g.contains(n));
        let mut unique = Vec::new();
        for group in groups.into_iter().filter(wanted) {
            if !unique.contains(&group) {
                unique.push(group);
            }
        }
        unique
    }

    /// Runs Chip Authentication and reads the next file, whose first answer is the proof.
    fn chip_authentication(
        &mut self,
        dg14: DgNumber,
        groups: &[DgNumber],
    ) -> Result<Proof<ChipAuthenticationEvidence>, TerminalError> {
        let Some(bytes) = self.content(dg14.file()) else { return Ok(Proof::NotOffered) };
        let parameters = security_infos_of_dg14(bytes).map_err(TerminalError::from).and_then(
            |infos| match &self.options.chip_authentication_preference {
                Some(preference) => preference.select(&infos),
                None => ChipAuthenticationParameters::select(&infos),
            },
        );
        let parameters = match parameters {
            Ok(Some(parameters)) => parameters,
            Ok(None) => return Ok(Proof::NotOffered),
            Err(error) => return Ok(Proof::Failed(error)),
        };
        match authenticate_chip(&mut self.session, parameters, self.random) {
            Ok(pending) => self.confirm(pending, groups),
            Err(error @ TerminalError::Refused { .. }) => Ok(Proof::Failed(error)),
            Err(error) => self.broken(error),
        }
    }

    /// The next file, whose first answer is the proof.
    fn confirm(
        &mut self,
        pending: PendingChipAuthentication,
        groups: &[DgNumber],
    ) -> Result<Proof<ChipAuthenticationEvidence>, TerminalError> {
        // What needs Terminal Authentication would be denied here.
        let next = |n: &&DgNumber| {
            !matches!(n.get(), 3 | 4) && !self.found.iter().any(|f| f.file == n.file())
        };
        let result = match groups.iter().find(next).copied() {
            Some(next) => self.read(next.file()),
            // Nothing left to read: any command will do.
            None => self.session.transmit(&commands::select_lds1()).map(drop),
        };
        match (pending.confirm(&self.session), result) {
            (Some(evidence), result) => result.map(|()| Proof::Answered(evidence)),
            (None, Err(error)) => self.broken(error),
            (None, Ok(())) => self.broken(TerminalError::SecureMessaging),
        }
    }

    /// The card broke the session: it is opened again, unless it is gone.
    fn broken<E>(&mut self, error: TerminalError) -> Result<Proof<E>, TerminalError> {
        if matches!(error, TerminalError::Transport(_)) {
            return Err(error);
        }
        self.open_again()?;
        Ok(Proof::Failed(error))
    }

    /// After a broken session: resets the card and opens it as before.
    fn open_again(&mut self) -> Result<(), TerminalError> {
        self.session.reset()?;
        let access = open_card(&mut self.session, self.plan, self.random)?;
        self.pace_keys = access.pace_keys;
        Ok(())
    }

    /// Shows the card the terminal's certificates, where there are some: after Chip Authentication,
    /// or after PACE with Chip Authentication Mapping alone.
    fn terminal_authentication(
        &mut self,
        chip: &Proof<ChipAuthenticationEvidence>,
    ) -> Result<Proof<TerminalAuthenticationOutcome>, TerminalError> {
        let Some(credentials) = &self.options.terminal else { return Ok(Proof::NotTried) };
        let mapped = self.chip_authentication_mapping;
        let after_mapping = self.pace_keys.as_ref().filter(|_| mapped).map(|keys| &keys.terminal);
        let key = chip.evidence().map(ChipAuthenticationEvidence::terminal_public_key);
        let key = match (key.as_ref().or(after_mapping), chip) {
            (Some(key), _) => compress_public_key(key),
            // It needs Chip Authentication before it.
            (None, Proof::Failed(error)) => return Ok(Proof::Failed(error.clone())),
            (None, _) => return Ok(Proof::NotOffered),
        };
        let Some(chip_identifier) = self.chip_identifier()? else {
            let detail = "the document number is needed and DG1 does not have it";
            return Ok(Proof::Failed(TerminalError::Protocol { step: TERMINAL, detail }));
        };
        let trusted = match self.trust_points() {
            Ok(trusted) if trusted.is_empty() => return Ok(Proof::NotOffered),
            Ok(trusted) => trusted,
            Err(error @ TerminalError::Certificates(_)) => return Ok(Proof::Failed(error)),
            Err(error) => return Err(error),
        };
        let binding = TerminalBinding { chip_identifier, terminal_key: key };
        let session = &mut self.session;
        match authenticate_terminal(session, credentials, &trusted, binding, self.random) {
            Ok(outcome) => Ok(Proof::Answered(outcome)),
            Err(error @ (TerminalError::Transport(_) | TerminalError::SecureMessaging)) => {
                Err(error)
            }
            Err(error) => Ok(Proof::Failed(error)),
        }
    }

    /// The chip's identifier: the key it used in PACE, or the document number after BAC.
    fn chip_identifier(&mut self) -> Result<Option<Vec<u8>>, TerminalError> {
        if let Some(keys) = &self.pace_keys {
            return Ok(Some(compress_public_key(&keys.card)));
        }
        let dg1 = FileId(0x0101);
        if self.content(dg1).is_none() {
            self.read(dg1)?;
        }
        Ok(self.content(dg1).and_then(document_number_of_dg1))
    }

    /// What the card trusts: told in PACE, or by EF.CVCA.
    fn trust_points(&mut self) -> Result<Vec<HolderReference>, TerminalError> {
        let told = self.pace_keys.as_ref().map(|keys| keys.certification_authorities.as_slice());
        if let Some(told @ [_, ..]) = told {
            let references = told.iter().map(|bytes| HolderReference::new(bytes));
            return Ok(references.collect::<Result<_, _>>()?);
        }
        let file = read_once(&mut self.session, FileId::CVCA)?;
        Ok(file.map(|bytes| decode_ef_cvca(&bytes)).transpose()?.unwrap_or_default())
    }

    fn active_authentication(
        &mut self,
    ) -> Result<Proof<ActiveAuthenticationEvidence>, TerminalError> {
        if !self.options.active_authentication {
            return Ok(Proof::NotTried);
        }
        let dg15 = DgNumber::new(15).and_then(|dg15| self.content(dg15.file()));
        let Some(bytes) = dg15 else { return Ok(Proof::NotOffered) };
        let Ok(key) = decode_dg15(bytes) else {
            let what = "the public key in DG15".to_owned();
            return Ok(Proof::Failed(TerminalError::Unsupported { what }));
        };
        match authenticate_actively(&mut self.session, &key, self.random) {
            Ok(evidence) => Ok(Proof::Answered(evidence)),
            Err(error @ TerminalError::Transport(_)) => Err(error),
            Err(error) => Ok(Proof::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests;
