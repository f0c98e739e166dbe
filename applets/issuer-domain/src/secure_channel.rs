//! SCP03, the card's end (GlobalPlatform Card Specification 2.3.1 Amendment D).

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, Environment, Response, StatusWord};
use cancuoc_primitives::cipher::{self, BlockCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Session;
use crate::store::{self, KeySet, LifeCycle};

/// Derivation constants (Amendment D table 4-1).
mod constant {
    pub const CARD_CRYPTOGRAM: u8 = 0x00;
    pub const HOST_CRYPTOGRAM: u8 = 0x01;
    pub const CARD_CHALLENGE: u8 = 0x02;
    pub const S_ENC: u8 = 0x04;
    pub const S_MAC: u8 = 0x06;
    pub const S_RMAC: u8 = 0x07;
}

/// Security levels and options.
const C_MAC: u8 = 0x01;
const C_DECRYPTION: u8 = 0x02;
const R_MAC: u8 = 0x10;
const R_ENCRYPTION: u8 = 0x20;
const PSEUDO_RANDOM: u8 = 0x10;

/// Authentication of the host failed.
const FAILED: StatusWord = StatusWord(0x6300);

/// Between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE.
pub struct Authenticating {
    channel: SecureChannel,
    host_cryptogram: [u8; 8],
    options: u8,
}

/// An open secure channel.
pub struct SecureChannel {
    cipher: BlockCipher,
    encryption: Zeroizing<Vec<u8>>,
    authentication: Zeroizing<Vec<u8>>,
    response_authentication: Zeroizing<Vec<u8>>,
    data_key: Zeroizing<Vec<u8>>,
    level: u8,
    /// MAC chaining value.
    chaining: [u8; 16],
    /// Commands since the channel was opened, for the initial chaining vectors of encryption.
    counter: u128,
}

/// Key derivation in counter mode with CMAC (NIST SP 800-108, Amendment D §4.1.5).
fn derive(
    cipher: BlockCipher,
    key: &[u8],
    constant: u8,
    bits: u16,
    context: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
    let mut out = Zeroizing::new(Vec::new());
    let wanted = usize::from(bits / 8);
    for counter in 1..=wanted.div_ceil(16) as u8 {
        let [high, low] = bits.to_be_bytes();
        let mut input = alloc::vec![0; 11];
        input.extend([constant, 0, high, low, counter]);
        input.extend_from_slice(context);
        let block = cipher::cmac(cipher, key, &input).map_err(|_| StatusWord::MEMORY_FAILURE)?;
        out.extend(block);
    }
    out.truncate(wanted);
    Ok(out)
}

fn derive_8(
    cipher: BlockCipher,
    key: &[u8],
    constant: u8,
    context: &[u8],
) -> Result<[u8; 8], StatusWord> {
    let bytes = derive(cipher, key, constant, 64, context)?;
    bytes.first_chunk::<8>().copied().ok_or(StatusWord::MEMORY_FAILURE)
}

/// INITIALIZE UPDATE (Amendment D §7.1.1).
pub fn initialize(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    *session = Session::default();
    let host_challenge: &[u8; 8] = command.data.try_into().map_err(|_| StatusWord::WRONG_LENGTH)?;
    if command.p2 != 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    if store::life_cycle(environment.memory) == LifeCycle::Terminated {
        return Err(StatusWord::CONDITIONS);
    }
    if store::failed_tries(environment.memory) >= store::MAX_FAILED_TRIES {
        return Err(StatusWord::BLOCKED);
    }
    let keys =
        KeySet::read(environment.memory, command.p1).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let cipher = BlockCipher::aes(keys.encryption.len()).ok_or(StatusWord::MEMORY_FAILURE)?;
    let options = store::options(environment.memory);
    let (challenge, sequence) = card_challenge(environment, &keys, cipher, options)?;
    let context = [&host_challenge[..], &challenge].concat();
    let bits = (cipher.key_len() * 8) as u16;
    let key = |static_key: &[u8], c| derive(cipher, static_key, c, bits, &context);
    let channel = SecureChannel {
        cipher,
        encryption: key(&keys.encryption, constant::S_ENC)?,
        authentication: key(&keys.authentication, constant::S_MAC)?,
        response_authentication: key(&keys.authentication, constant::S_RMAC)?,
        data_key: keys.data.clone(),
        level: 0,
        chaining: [0; 16],
        counter: 0,
    };
    let mac_key = &channel.authentication;
    let card_cryptogram = derive_8(cipher, mac_key, constant::CARD_CRYPTOGRAM, &context)?;
    let host_cryptogram = derive_8(cipher, mac_key, constant::HOST_CRYPTOGRAM, &context)?;
    let mut answer = crate::data::key_diversification_data(store::cplc(environment.memory));
    answer.extend([keys.version, 0x03, options]);
    answer.extend(challenge);
    answer.extend(card_cryptogram);
    answer.extend(sequence);
    session.authenticating = Some(Authenticating { channel, host_cryptogram, options });
    Ok(answer)
}

/// A random card challenge, or a pseudo-random one with its sequence counter (Amendment D
/// §6.2.2.1).
fn card_challenge(
    environment: &mut Environment<'_>,
    keys: &KeySet,
    cipher: BlockCipher,
    options: u8,
) -> Result<([u8; 8], Vec<u8>), StatusWord> {
    if options & PSEUDO_RANDOM == 0 {
        let mut challenge = [0; 8];
        environment.random.fill_bytes(&mut challenge);
        return Ok((challenge, Vec::new()));
    }
    let sequence = store::next_sequence_counter(environment.memory)?;
    let context = [&sequence[..], &crate::AID].concat();
    let challenge = derive_8(cipher, &keys.encryption, constant::CARD_CHALLENGE, &context)?;
    Ok((challenge, sequence.to_vec()))
}

/// EXTERNAL AUTHENTICATE (Amendment D §7.1.2).
pub fn external_authenticate(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let authenticating = session.authenticating.take().ok_or(StatusWord::CONDITIONS)?;
    *session = Session::default();
    let level = command.p1;
    let allowed = matches!(level, 0x00 | C_MAC | 0x03)
        || matches!(level, 0x11 | 0x13) && authenticating.options & 0x20 != 0
        || level == 0x33 && authenticating.options & 0x60 == 0x60;
    if !allowed || command.p2 != 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    // Counted before the comparison, so that cutting the power does not save the try.
    let tries = store::failed_tries(environment.memory);
    store::set_failed_tries(environment.memory, tries + 1)?;
    let mut channel = authenticating.channel;
    channel.level = C_MAC;
    let cryptogram = channel.check_mac(command).map_err(|_| FAILED)?;
    if !bool::from(authenticating.host_cryptogram[..].ct_eq(cryptogram)) {
        return Err(FAILED);
    }
    store::set_failed_tries(environment.memory, 0)?;
    channel.level = level;
    session.channel = Some(channel);
    Ok(Vec::new())
}

impl SecureChannel {
    /// Whether commands come encrypted.
    pub const fn decrypts(&self) -> bool {
        self.level & C_DECRYPTION != 0
    }

    /// Decrypts data under the static data encryption key (Amendment D §6.2.8); the padding
    /// stays.
    pub fn decrypt_data(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        cipher::cbc_decrypt(self.cipher, &self.data_key, &[0; 16], data)
            .map(Zeroizing::new)
            .map_err(|_| StatusWord::WRONG_DATA)
    }

    /// Checks the C-MAC and gives the data without it (Amendment D §6.2.4).
    fn check_mac<'a>(&mut self, command: &Command<'a>) -> Result<&'a [u8], StatusWord> {
        if command.cla & 0x04 == 0 {
            return Err(StatusWord::SECURITY_STATUS);
        }
        let (data, mac) =
            command.data.split_last_chunk::<8>().ok_or(StatusWord::SECURITY_STATUS)?;
        let mut input = self.chaining.to_vec();
        input.extend([command.cla, command.ins, command.p1, command.p2]);
        let length = command.data.len();
        if command.extended {
            input.extend([0, (length >> 8) as u8, length as u8]);
        } else {
            input.push(length as u8);
        }
        input.extend_from_slice(data);
        let full = cipher::cmac(self.cipher, &self.authentication, &input)
            .map_err(|_| StatusWord::SECURITY_STATUS)?;
        if !bool::from(full[..8].ct_eq(mac)) {
            return Err(StatusWord::SECURITY_STATUS);
        }
        self.chaining = full;
        Ok(data)
    }

    /// Takes the protection off a command.
    ///
    /// # Errors
    /// 6982: the channel is then to be ended.
    pub fn unwrap(&mut self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        if self.level & C_MAC == 0 {
            return Ok(Zeroizing::new(command.data.to_vec()));
        }
        let data = self.check_mac(command)?;
        // Counted for every command, data or not (Amendment D §6.2.6).
        self.counter += 1;
        if !self.decrypts() || data.is_empty() {
            return Ok(Zeroizing::new(data.to_vec()));
        }
        let iv = self.chaining_vector(self.counter)?;
        let padded = cipher::cbc_decrypt(self.cipher, &self.encryption, &iv, data)
            .map_err(|_| StatusWord::SECURITY_STATUS)?;
        let padded = Zeroizing::new(padded);
        let plain = cipher::unpad(&padded).ok_or(StatusWord::SECURITY_STATUS)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    fn chaining_vector(&self, block: u128) -> Result<Vec<u8>, StatusWord> {
        cipher::encrypt_block(self.cipher, &self.encryption, &block.to_be_bytes())
            .map_err(|_| StatusWord::SECURITY_STATUS)
    }

    /// Protects a response (Amendment D §6.2.5, §6.2.7). Errors go out without protection.
    pub fn wrap(&self, response: Response) -> Response {
        let protects = matches!(response.status.0 >> 8, 0x90 | 0x62 | 0x63);
        if self.level & R_MAC == 0 || !protects {
            return response;
        }
        self.try_wrap(&response)
            .map_or_else(Response::from, |data| Response { data, status: response.status })
    }

    fn try_wrap(&self, response: &Response) -> Result<Vec<u8>, StatusWord> {
        let mut data = response.data.clone();
        if self.level & R_ENCRYPTION != 0 && !data.is_empty() {
            // The counter's first byte tells responses from commands.
            let iv = self.chaining_vector(self.counter | 0x80 << 120)?;
            let padded = cipher::pad(&data, 16);
            data = cipher::cbc_encrypt(self.cipher, &self.encryption, &iv, &padded)
                .map_err(|_| StatusWord::MEMORY_FAILURE)?;
        }
        let status = response.status.0.to_be_bytes();
        let input = [&self.chaining[..], &data, &status].concat();
        let mac = cipher::cmac(self.cipher, &self.response_authentication, &input)
            .map_err(|_| StatusWord::MEMORY_FAILURE)?;
        data.extend_from_slice(&mac[..8]);
        Ok(data)
    }
}
