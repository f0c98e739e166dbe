//! Reading a card back as an inspection system does: access control, every file byte by byte, and
//! proof of the chip's keys.

use rand_core::CryptoRng;

use super::limits;
use super::link::Traffic;
use super::personalize::{Inspection, ReadBack, ReadBackError};
use crate::apdu::Ne;
use crate::document::MrzKey;
use crate::error::ErrorCode;
use crate::issue::{AccessRule, CardImage, ImageFile, Location};
use crate::lds::{FileId, SecurityInfos, decode_dg15, security_infos_of_dg14};
use crate::terminal::active_authentication::authenticate_actively;
use crate::terminal::bac::Bac;
use crate::terminal::chip_authentication::{ChipAuthenticationParameters, authenticate_chip};
use crate::terminal::pace::{Pace, PaceParameters, PacePassword};
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
    Pace(PacePassword),
    Bac(MrzKey),
}

impl Opening {
    /// All that the image has keys for; PACE first.
    fn all(image: &CardImage) -> Vec<Self> {
        let mrz = image.mrz_key.as_ref().map(|key| MrzKey::from_bytes(**key));
        let mut ways = Vec::new();
        if !image.pace.is_empty() {
            ways.extend(image.can.clone().map(|can| Self::Pace(PacePassword::Can(can))));
            ways.extend(mrz.clone().map(|key| Self::Pace(PacePassword::Mrz(key))));
        }
        if image.bac {
            ways.extend(mrz.map(Self::Bac));
        }
        ways
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Pace(PacePassword::Can(_)) => "PACE-CAN",
            Self::Pace(PacePassword::Mrz(_)) => "PACE-MRZ",
            Self::Pace(PacePassword::Pin(_)) => "PACE-PIN",
            Self::Pace(PacePassword::Puk(_)) => "PACE-PUK",
            Self::Bac(_) => "BAC",
        }
    }

    /// Opens the card and selects the application.
    fn open(
        &self,
        session: &mut Card<'_>,
        image: &CardImage,
        random: &mut dyn CryptoRng,
    ) -> Result<(), TerminalError> {
        match self {
            Self::Pace(password) => {
                let access = image.file(Location::MasterFile, FileId::CARD_ACCESS.0);
                let content = access.map(|file| file.content.as_slice()).unwrap_or_default();
                let infos = SecurityInfos::decode("EF.CardAccess", content)?;
                let parameters = PaceParameters::select(&infos)?;
                let mut pace = Pace::new(parameters, password.clone(), random);
                let result = session.run(&mut pace)?;
                session.start_secure_messaging(result.secure_messaging);
                select_application(session)
            }
            Self::Bac(key) => {
                select_application(session)?;
                let keys = session.run(&mut Bac::new(key, random))?;
                session.start_secure_messaging(keys);
                Ok(())
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
        let Some(way) = Opening::all(image).into_iter().next() else { return Ok(false) };
        match way.open(&mut session, image, self.random) {
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
        let master = |file: &&ImageFile| file.location == Location::MasterFile;
        for file in image.files.iter().filter(master) {
            compare(&mut session, file, &mut report)?;
        }
        report.add(&session);
        for (index, way) in Opening::all(image).iter().enumerate() {
            reset(&mut *card)?;
            let mut session = start(&mut *card, image);
            way.open(&mut session, image, self.random).map_err(|error| failed(&error))?;
            if index == 0 {
                report.access = Some(way.name().to_owned());
                self.read_application(&mut session, image, &mut report)?;
            } else {
                // One protected exchange shows that both sides derived the same keys.
                read_head(&mut session)?;
            }
            report.keys_proven.push(way.name());
            report.add(&session);
        }
        if Opening::all(image).is_empty() {
            reset(&mut *card)?;
            let mut session = start(&mut *card, image);
            select_application(&mut session).map_err(|error| failed(&error))?;
            self.read_application(&mut session, image, &mut report)?;
            report.add(&session);
        }
        Ok(report)
    }
}

impl TerminalInspection<'_> {
    /// Reads all files of the application, then has the chip prove its keys.
    fn read_application(
        &mut self,
        session: &mut Card<'_>,
        image: &CardImage,
        report: &mut ReadBack,
    ) -> Result<(), ReadBackError> {
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
            report.keys_proven.push("AA");
        }
        if !image.chip_authentication.is_empty() {
            self.prove_chip_authentication(session, image)?;
            report.keys_proven.push("CA");
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
    ) -> Result<(), ReadBackError> {
        const PROTOCOL: &str = "Chip Authentication";
        let wrong = |message: String| ReadBackError::Key { protocol: PROTOCOL, message };
        let infos = dg14(image).ok_or_else(|| wrong("the image has no DG14".to_owned()))?;
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
