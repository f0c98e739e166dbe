//! Reading a card back as an inspection system does: access control, every file byte by byte, and
//! proof of the chip's keys.

use rand_core::CryptoRng;

use super::limits;
use super::link::Traffic;
use super::personalize::{Inspection, ReadBack, ReadBackError};
use crate::apdu::Ne;
use crate::document::MrzKey;
use crate::error::ErrorCode;
use crate::issue::{AccessRule, CardImage, ChipAuthenticationKey, ImageFile, Location};
use crate::lds::{
    CardSecurity, FileId, PublicKey, SecurityInfo, SecurityInfoKind, SecurityInfos, decode_dg15,
    security_infos_of_dg14,
};
use crate::terminal::active_authentication::authenticate_actively;
use crate::terminal::bac::Bac;
use crate::terminal::chip_authentication::{ChipAuthenticationParameters, authenticate_chip};
use crate::terminal::pace::{
    ChipAuthenticationMappingEvidence, Pace, PaceParameters, PacePassword, verify_cam,
};
use crate::terminal::{Session, TerminalError, commands, max_protected_data};
use crate::transport::CardTransport;

/// The longest response data field of an extended APDU.
const MAX_EXTENDED: usize = 65_536;
/// The highest offset that READ BINARY with even instruction can name.
const MAX_EVEN_OFFSET: usize = 0x7FFF;

type Card<'a> = Session<&'a mut dyn CardTransport>;

/// Reads back through the terminal's own protocols.
pub struct TerminalInspection<'a> {
    random: &'a mut dyn CryptoRng,
}

impl<'a> TerminalInspection<'a> {
    /// Takes the source of randomness for the protocols.
    #[must_use]
    pub const fn new(random: &'a mut dyn CryptoRng) -> Self {
        Self { random }
    }
}

impl core::fmt::Debug for TerminalInspection<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TerminalInspection")
    }
}

/// A way to open the card.
#[derive(Debug, Clone)]
enum Opening {
    Pace(PaceParameters, PacePassword),
    Bac(MrzKey),
}

impl Opening {
    /// All that prove a key of the image, PACE first: the variant that a reader would take with
    /// each password, the other variants with one password, BAC.
    fn all(image: &CardImage) -> Result<Vec<Self>, TerminalError> {
        let mrz = image.mrz_key.as_ref().map(|key| MrzKey::from_bytes(**key));
        let mut ways = Vec::new();
        if !image.pace.is_empty() {
            let access = image.file(Location::MasterFile, FileId::CARD_ACCESS.0);
            let content = access.map(|file| file.content.as_slice()).unwrap_or_default();
            let infos = SecurityInfos::decode("EF.CardAccess", content)?;
            let best = PaceParameters::select(&infos)?;
            let mut passwords: Vec<PacePassword> = Vec::new();
            passwords.extend(image.can.clone().map(PacePassword::Can));
            passwords.extend(mrz.clone().map(PacePassword::Mrz));
            let first = passwords.first().cloned();
            passwords.extend(image.pin.clone().map(|(pin, _)| PacePassword::Pin(pin)));
            passwords.extend(image.puk.clone().map(|(puk, _)| PacePassword::Puk(puk)));
            ways.extend(passwords.into_iter().map(|p| Self::Pace(best.clone(), p)));
            for (info, password) in infos.pace().zip(first.into_iter().cycle()) {
                let found = PaceParameters::from_info(&infos, info)?;
                let variant = PaceParameters { name_parameters: best.name_parameters, ..found };
                if variant != best {
                    ways.push(Self::Pace(variant, password));
                }
            }
        }
        if image.bac {
            ways.extend(mrz.map(Self::Bac));
        }
        Ok(ways)
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Pace(_, PacePassword::Can(_)) => "PACE-CAN",
            Self::Pace(_, PacePassword::Mrz(_)) => "PACE-MRZ",
            Self::Pace(_, PacePassword::Pin(_)) => "PACE-PIN",
            Self::Pace(_, PacePassword::Puk(_)) => "PACE-PUK",
            Self::Bac(_) => "BAC",
        }
    }

    /// Whether files can be read behind it: the PUK only unblocks the PIN (BSI TR-03110-2 §3.3).
    const fn opens_files(&self) -> bool {
        !matches!(self, Self::Pace(_, PacePassword::Puk(_)))
    }

    /// Runs the protocol; PACE leaves the master file selected, BAC the application.
    fn run(
        &self,
        session: &mut Card<'_>,
        random: &mut dyn CryptoRng,
    ) -> Result<Option<ChipAuthenticationMappingEvidence>, TerminalError> {
        match self {
            Self::Pace(parameters, password) => {
                let mut pace = Pace::new(parameters.clone(), password.clone(), random);
                let result = session.run(&mut pace)?;
                session.start_secure_messaging(result.secure_messaging);
                Ok(result.chip_authentication_mapping)
            }
            Self::Bac(key) => {
                select_application(session)?;
                let keys = session.run(&mut Bac::new(key, random))?;
                session.start_secure_messaging(keys);
                Ok(None)
            }
        }
    }
}

fn select_application(session: &mut Card<'_>) -> Result<(), TerminalError> {
    let status = session.transmit(&commands::select_lds1())?.status;
    if status.is_ok() {
        return Ok(());
    }
    Err(TerminalError::Refused { step: "SELECT of the LDS1 application", status })
}

fn failed(error: &TerminalError) -> ReadBackError {
    ReadBackError::Failed { code: error.code(), message: error.to_string() }
}

impl Inspection for TerminalInspection<'_> {
    fn is_same_document(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<bool, ReadBackError> {
        let mut session = start(card, image);
        let ways = Opening::all(image).map_err(|error| failed(&error))?;
        let Some(way) = ways.first() else { return Ok(false) };
        let opened = way.run(&mut session, self.random);
        match opened.and_then(|_| select_application(&mut session)) {
            Ok(()) => {}
            Err(error @ TerminalError::Transport(_)) => return Err(failed(&error)),
            Err(_) => return Ok(false),
        }
        let Some(dg1) = image.file(Location::Lds1, 0x0101) else { return Ok(false) };
        match read(&mut session, dg1) {
            Ok(content) => Ok(content == dg1.content),
            Err(error @ TerminalError::Transport(_)) => Err(failed(&error)),
            Err(_) => Ok(false),
        }
    }

    fn read_back(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<ReadBack, ReadBackError> {
        let mut report = ReadBack::default();
        let mut session = start(&mut *card, image);
        let open =
            |f: &&ImageFile| f.location == Location::MasterFile && f.access == AccessRule::Always;
        for file in image.files.iter().filter(open) {
            compare(&mut session, file, &mut report)?;
        }
        report.add(&session);
        let ways = Opening::all(image).map_err(|error| failed(&error))?;
        for (index, way) in ways.iter().enumerate() {
            reset(&mut *card)?;
            let mut session = start(&mut *card, image);
            let mapped = way.run(&mut session, self.random).map_err(|error| failed(&error))?;
            if let Some(evidence) = mapped {
                prove_mapping(image, &evidence)?;
                report.proven("PACE-CAM");
            }
            if index == 0 {
                report.access = Some(way.name().to_owned());
                self.read_all(&mut session, image, &mut report)?;
            } else if way.opens_files() {
                // One protected exchange shows that both sides derived the same keys.
                select_application(&mut session).map_err(|error| failed(&error))?;
                read_head(&mut session)?;
            } else {
                reset_pin_counter(&mut session)?;
            }
            report.proven(way.name());
            report.add(&session);
        }
        if ways.is_empty() {
            reset(&mut *card)?;
            let mut session = start(&mut *card, image);
            self.read_all(&mut session, image, &mut report)?;
            report.add(&session);
        }
        self.prove_other_chip_keys(card, image, ways.first(), &mut report)?;
        Ok(report)
    }
}

impl TerminalInspection<'_> {
    /// Reads the protected files of the master file and all of the application, then has the chip
    /// prove its keys.
    fn read_all(
        &mut self,
        session: &mut Card<'_>,
        image: &CardImage,
        report: &mut ReadBack,
    ) -> Result<(), ReadBackError> {
        let protected = |f: &&ImageFile| {
            f.location == Location::MasterFile && f.access == AccessRule::AfterAccessControl
        };
        for file in image.files.iter().filter(protected) {
            compare(session, file, report)?;
        }
        select_application(session).map_err(|error| failed(&error))?;
        for file in image.files.iter().filter(|file| file.location == Location::Lds1) {
            match file.access {
                AccessRule::Dg3Right | AccessRule::Dg4Right => report.unread.push(file.fid),
                AccessRule::Always | AccessRule::AfterAccessControl => {
                    compare(session, file, report)?;
                }
            }
        }
        if image.active_authentication.is_some() {
            self.prove_active_authentication(session, image)?;
            report.proven("AA");
        }
        if let Some(key) = chip_keys(image).next() {
            self.prove_chip_authentication(session, image, key)?;
            report.proven("CA");
        }
        Ok(())
    }

    /// Each further key of Chip Authentication in a session of its own.
    fn prove_other_chip_keys(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
        way: Option<&Opening>,
        report: &mut ReadBack,
    ) -> Result<(), ReadBackError> {
        for key in chip_keys(image).skip(1) {
            reset(&mut *card)?;
            let mut session = start(&mut *card, image);
            if let Some(way) = way {
                way.run(&mut session, self.random).map_err(|error| failed(&error))?;
            }
            select_application(&mut session).map_err(|error| failed(&error))?;
            self.prove_chip_authentication(&mut session, image, key)?;
            report.add(&session);
        }
        Ok(())
    }

    fn prove_active_authentication(
        &mut self,
        session: &mut Card<'_>,
        image: &CardImage,
    ) -> Result<(), ReadBackError> {
        const PROTOCOL: &str = "Active Authentication";
        let wrong = |message: String| ReadBackError::Key { protocol: PROTOCOL, message };
        let dg15 = image.file(Location::Lds1, 0x010F);
        let dg15 = dg15.ok_or_else(|| wrong("the image has no DG15".to_owned()))?;
        let key = decode_dg15(&dg15.content).map_err(|error| wrong(error.to_string()))?;
        let algorithm = dg14(image).and_then(|infos| infos.active_authentication_algorithm());
        let evidence = authenticate_actively(session, &key, self.random)
            .map_err(|error| transport_or(error, wrong))?;
        evidence.verify(&key, algorithm).map_err(|error| wrong(error.to_string()))?;
        Ok(())
    }

    fn prove_chip_authentication(
        &mut self,
        session: &mut Card<'_>,
        image: &CardImage,
        key: &ChipAuthenticationKey,
    ) -> Result<(), ReadBackError> {
        const PROTOCOL: &str = "Chip Authentication";
        let wrong = |message: String| ReadBackError::Key { protocol: PROTOCOL, message };
        let infos = dg14(image).ok_or_else(|| wrong("the image has no DG14".to_owned()))?;
        let infos = only_of(infos, key);
        let parameters = ChipAuthenticationParameters::select(&infos)
            .map_err(|error| wrong(error.to_string()))?
            .ok_or_else(|| wrong("DG14 has no key for it".to_owned()))?;
        let key = parameters.card_key.clone();
        let pending = authenticate_chip(session, parameters, self.random)
            .map_err(|error| transport_or(error, wrong))?;
        read_head(session)?;
        let proven = pending.confirm(session).is_some_and(|e| e.proves_possession_of(&key));
        if proven { Ok(()) } else { Err(wrong("the card did not prove its key".to_owned())) }
    }
}

/// The keys of Chip Authentication.
fn chip_keys(image: &CardImage) -> impl Iterator<Item = &ChipAuthenticationKey> {
    image.chip_authentication.iter().filter(|key| key.uses.chip_authentication)
}

/// The infos of one key, so that this one is taken.
fn only_of(infos: SecurityInfos, key: &ChipAuthenticationKey) -> SecurityInfos {
    let of_key = |info: &SecurityInfo| match &info.kind {
        SecurityInfoKind::ChipAuthentication(info) => info.key_id == key.key_id,
        SecurityInfoKind::ChipAuthenticationPublicKey(info) => info.key_id == key.key_id,
        _ => false,
    };
    SecurityInfos { infos: infos.infos.into_iter().filter(of_key).collect() }
}

/// The evidence of PACE-CAM against the key in EF.CardSecurity of the image.
fn prove_mapping(
    image: &CardImage,
    evidence: &ChipAuthenticationMappingEvidence,
) -> Result<(), ReadBackError> {
    const PROTOCOL: &str = "PACE with Chip Authentication Mapping";
    let wrong = |message: String| ReadBackError::Key { protocol: PROTOCOL, message };
    let file = image.file(Location::MasterFile, FileId::SOD.0);
    let file = file.ok_or_else(|| wrong("the image has no EF.CardSecurity".to_owned()))?;
    let object = CardSecurity::decode(&file.content).map_err(|error| wrong(error.to_string()))?;
    let curve = evidence.mapping_key.curve();
    let keys = object.infos.chip_authentication_keys();
    let mut keys = keys.filter_map(|key| PublicKey::from_spki_der(&key.spki).ok());
    let fits = |key: &PublicKey| matches!(key, PublicKey::Ec(point) if point.curve() == curve);
    let key = keys.find_map(|(key, _)| fits(&key).then_some(key));
    let key = key.ok_or_else(|| wrong("EF.CardSecurity has no key for it".to_owned()))?;
    verify_cam(evidence, &key).map_err(|error| wrong(error.to_string()))
}

/// What the PUK is for; the PIN has all its tries before and after.
fn reset_pin_counter(session: &mut Card<'_>) -> Result<(), ReadBackError> {
    const STEP: &str = "RESET RETRY COUNTER of the PIN";
    let command = commands::reset_retry_counter_of_pin();
    let status = session.transmit(&command).map_err(|error| failed(&error))?.status;
    if status.is_ok() {
        return Ok(());
    }
    Err(failed(&TerminalError::Refused { step: STEP, status }))
}

/// A card that went away is no wrong key.
fn transport_or(error: TerminalError, wrong: impl Fn(String) -> ReadBackError) -> ReadBackError {
    match error {
        TerminalError::Transport(_) => failed(&error),
        _ => wrong(error.to_string()),
    }
}

fn dg14(image: &CardImage) -> Option<SecurityInfos> {
    let file = image.file(Location::Lds1, 0x010E)?;
    security_infos_of_dg14(&file.content).ok()
}

impl ReadBack {
    /// Notes a key that was proven, once.
    fn proven(&mut self, name: &'static str) {
        if !self.keys_proven.contains(&name) {
            self.keys_proven.push(name);
        }
    }

    fn add(&mut self, session: &Card<'_>) {
        let counters = session.counters();
        self.traffic = Traffic {
            apdus: self.traffic.apdus + counters.apdus,
            sent: self.traffic.sent + counters.sent_bytes,
            received: self.traffic.received + counters.received_bytes,
        };
    }
}

fn reset(card: &mut dyn CardTransport) -> Result<(), ReadBackError> {
    card.reset().map_err(|error| failed(&error.into()))
}

fn start<'a>(card: &'a mut dyn CardTransport, image: &CardImage) -> Card<'a> {
    let long = limits::longest_data(card.atr(), card.max_command_length(), Some(image));
    let mut session = Session::new(card);
    session.allow_extended_length(long > limits::SHORT_DATA);
    session
}

/// Bytes to ask for in one READ BINARY.
fn block(session: &Card<'_>) -> usize {
    match (session.secure_messaging(), session.extended_length()) {
        (None, false) => 256,
        (None, true) => MAX_EXTENDED,
        (Some(sm), false) => max_protected_data(sm.cipher().block_len()),
        (Some(sm), true) => {
            // DO'99', DO'8E' and the head of DO'87' take 19 bytes, the padding at least one.
            let length = sm.cipher().block_len();
            (MAX_EXTENDED - 19) / length * length - 1
        }
    }
}

fn compare(
    session: &mut Card<'_>,
    file: &ImageFile,
    report: &mut ReadBack,
) -> Result<(), ReadBackError> {
    let content = read(session, file).map_err(|error| failed(&error))?;
    if content != file.content {
        let same = content.iter().zip(&file.content).take_while(|(a, b)| a == b).count();
        let (location, fid) = (file.location, file.fid);
        return Err(ReadBackError::Differs { location, fid, offset: same });
    }
    report.bytes += content.len() as u64;
    report.files += 1;
    Ok(())
}

/// As many bytes of the file as the image has, or fewer where the card ends it before.
fn read(session: &mut Card<'_>, file: &ImageFile) -> Result<Vec<u8>, TerminalError> {
    const STEP: &str = "READ BINARY";
    let id = FileId(file.fid);
    let short = file.sfi.and_then(|_| id.short()).filter(|short| Some(short.get()) == file.sfi);
    if short.is_none() {
        let status = session.transmit(&commands::select_file(id))?.status;
        if !status.is_ok() {
            return Err(TerminalError::Refused { step: "SELECT of a file", status });
        }
    }
    let mut content = Vec::with_capacity(file.content.len());
    // Also an empty file is asked for a byte: it must be there.
    while content.len() < file.content.len().max(1) {
        let offset = content.len();
        let wanted = (file.content.len().max(1) - offset).min(block(session));
        let command = match (offset, short) {
            (0, Some(short)) => commands::read_binary_short(short, Ne::new(wanted)),
            (0..=MAX_EVEN_OFFSET, _) => commands::read_binary(offset as u16, Ne::new(wanted)),
            // DO'53' has a head of four bytes at most.
            _ => {
                commands::read_binary_odd(offset as u32, Ne::new((wanted + 4).min(block(session))))
            }
        };
        let response = session.transmit(&command)?;
        let data = if offset > MAX_EVEN_OFFSET {
            discretionary(&response.data).to_vec()
        } else {
            response.data
        };
        let end = !response.status.is_ok();
        let warning = response.status.sw1() == 0x62;
        if end && !warning && !(file.content.is_empty() && response.status.sw1() == 0x6B) {
            return Err(TerminalError::Refused { step: STEP, status: response.status });
        }
        content.extend_from_slice(&data);
        if end || data.is_empty() {
            break;
        }
    }
    Ok(content)
}

/// The value of DO'53'.
fn discretionary(data: &[u8]) -> &[u8] {
    match crate::apdu::tlv::Tlv::parse_exact(data) {
        Ok(object) if object.tag.0 == 0x53 => object.value,
        _ => &[],
    }
}

/// One byte of EF.COM, for the exchange.
fn read_head(session: &mut Card<'_>) -> Result<(), ReadBackError> {
    const STEP: &str = "READ BINARY of EF.COM";
    let short = FileId::COM.short();
    let Some(short) = short else { return Ok(()) };
    let command = commands::read_binary_short(short, Ne::new(1));
    let status = session.transmit(&command).map_err(|error| failed(&error))?.status;
    if status.is_ok() {
        return Ok(());
    }
    Err(failed(&TerminalError::Refused { step: STEP, status }))
}
