//! Secure channels: INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, and what protects the commands after
//! them. The type of the key set says which protocol it is.

mod scp02;
mod scp03;

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, Environment, Response, StatusWord};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Session;
use crate::keys::{self, KeySet, KeyType};
use crate::store::{self, LifeCycle};

/// Security levels.
const C_MAC: u8 = 0x01;
const C_DECRYPTION: u8 = 0x02;
const R_MAC: u8 = 0x10;
const R_ENCRYPTION: u8 = 0x20;

/// Authentication of the host failed.
const FAILED: StatusWord = StatusWord(0x6300);

/// Between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE.
pub struct Authenticating {
    channel: SecureChannel,
    host_cryptogram: Vec<u8>,
    /// Security levels that the host may ask for.
    levels: &'static [u8],
    /// Key set, and its counter after this session, where opening the channel counts.
    version: u8,
    counts: Option<u32>,
}

/// An open secure channel.
pub struct SecureChannel {
    protocol: Protocol,
    version: u8,
    level: u8,
}

enum Protocol {
    Scp02(scp02::Channel),
    Scp03(scp03::Channel),
}

/// What a protocol makes of INITIALIZE UPDATE.
struct Begun {
    protocol: Protocol,
    host_cryptogram: Vec<u8>,
    levels: &'static [u8],
    counts: Option<u32>,
    /// The response after the key diversification data.
    answer: Vec<u8>,
}

/// INITIALIZE UPDATE (GlobalPlatform Card Specification 2.3.1 §E.5.1, Amendment D §7.1.1).
pub fn initialize(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    *session = Session::default();
    if command.p2 != 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    if store::life_cycle(environment.memory) == LifeCycle::Terminated {
        return Err(StatusWord::CONDITIONS);
    }
    if store::is_blocked(environment.memory) {
        return Err(StatusWord::BLOCKED);
    }
    let keys =
        KeySet::read(environment.memory, command.p1).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let channels = store::channels(environment.memory);
    let options = match keys.key_type {
        KeyType::Tdes => channels.scp02,
        KeyType::Aes => channels.scp03,
    };
    let options = options.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let begun = match keys.key_type {
        KeyType::Tdes => scp02::begin(environment, &keys, options, command.data)?,
        KeyType::Aes => scp03::begin(environment, &keys, options, command.data)?,
    };
    let mut answer = crate::data::key_diversification_data(store::cplc(environment.memory));
    answer.extend(begun.answer);
    let version = keys.version;
    session.authenticating = Some(Authenticating {
        channel: SecureChannel { protocol: begun.protocol, version, level: 0 },
        host_cryptogram: begun.host_cryptogram,
        levels: begun.levels,
        version,
        counts: begun.counts,
    });
    Ok(answer)
}

/// EXTERNAL AUTHENTICATE (§E.5.2, Amendment D §7.1.2).
pub fn external_authenticate(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let authenticating = session.authenticating.take().ok_or(StatusWord::CONDITIONS)?;
    *session = Session::default();
    let level = command.p1;
    if !authenticating.levels.contains(&level) || command.p2 != 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    // Counted before the comparison, so that cutting the power does not save the try.
    store::count_try(environment.memory)?;
    let mut channel = authenticating.channel;
    channel.level = C_MAC;
    let cryptogram = channel.unwrap(command).map_err(|_| FAILED)?;
    if !bool::from(authenticating.host_cryptogram.ct_eq(&cryptogram)) {
        return Err(FAILED);
    }
    let counts = authenticating.counts;
    let counter = counts.map(|counter| keys::counter_record(authenticating.version, counter));
    store::reset_tries(environment.memory, counter)?;
    channel.level = level;
    channel.open();
    session.channel = Some(channel);
    Ok(Vec::new())
}

impl SecureChannel {
    /// Whether commands have a MAC.
    pub const fn authenticates(&self) -> bool {
        self.level & C_MAC != 0
    }

    /// Version of the key set that it was opened with.
    pub const fn key_version(&self) -> u8 {
        self.version
    }

    /// Bytes of a block of the data encryption key's cipher.
    pub const fn data_block_len(&self) -> usize {
        match &self.protocol {
            Protocol::Scp02(_) => 8,
            Protocol::Scp03(_) => 16,
        }
    }

    /// Bytes that the protection adds to a response at most.
    pub fn response_overhead(&self) -> usize {
        let mac = match &self.protocol {
            Protocol::Scp02(_) => 8,
            Protocol::Scp03(channel) => channel.mac_len(),
        };
        match self.level & (R_MAC | R_ENCRYPTION) {
            0 => 0,
            R_MAC => mac,
            _ => mac + 16,
        }
    }

    /// Decrypts data under the data encryption key (§E.4.7, Amendment D §6.2.8); the padding stays.
    pub fn decrypt_data(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        match &self.protocol {
            Protocol::Scp02(channel) => channel.decrypt_data(data),
            Protocol::Scp03(channel) => channel.decrypt_data(data),
        }
    }

    /// Takes the protection off a command.
    ///
    /// # Errors
    /// 6982: the channel is then to be ended.
    pub fn unwrap(&mut self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        if !self.authenticates() {
            return Ok(Zeroizing::new(command.data.to_vec()));
        }
        if command.cla & 0x04 == 0 {
            return Err(StatusWord::SECURITY_STATUS);
        }
        let decrypts = self.level & C_DECRYPTION != 0;
        match &mut self.protocol {
            Protocol::Scp02(channel) => channel.unwrap(command, decrypts),
            Protocol::Scp03(channel) => channel.unwrap(command, decrypts),
        }
    }

    /// Protects the response to a command, which is given without its protection. Errors go out
    /// without any.
    pub fn wrap(&mut self, command: &Command<'_>, response: Response) -> Response {
        let protects = matches!(response.status.0 >> 8, 0x90 | 0x62 | 0x63);
        if self.level & R_MAC == 0 || !protects {
            return response;
        }
        let encrypts = self.level & R_ENCRYPTION != 0;
        let data = match &mut self.protocol {
            Protocol::Scp02(channel) => channel.protect(command, &response),
            Protocol::Scp03(channel) => channel.protect(&response, encrypts),
        };
        data.map_or_else(Response::from, |data| Response { data, status: response.status })
    }

    /// The host is authentic.
    fn open(&mut self) {
        match &mut self.protocol {
            Protocol::Scp02(channel) => channel.open(),
            Protocol::Scp03(channel) => channel.open(),
        }
    }
}
