//! What the tests of the domain share: a memory whose power can be cut, a card with two applications
//! that do nothing but remember, and hosts for both secure channels.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use cancuoc_card_runtime::{
    Application, Command, Environment, MemoryError, NonVolatileMemory, OperatingSystem, Response,
    StatusWord, Write,
};
use cancuoc_primitives::cipher::{self, BlockCipher};
use zeroize::Zeroizing;

use crate::{AID, Channels, IssuerDomain, KeySet, KeyType, Provisioning};

/// Records in RAM.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Memory {
    pub records: BTreeMap<u32, Vec<u8>>,
    /// Calls of `apply` until the power goes; `None` for never.
    pub writes_left: Option<usize>,
}

impl NonVolatileMemory for Memory {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.records.get(&key).map(Vec::as_slice)
    }

    fn keys(&self) -> Vec<u32> {
        self.records.keys().copied().collect()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or(MemoryError::Failed)?;
        }
        for write in writes {
            match *write {
                Write::Put { key, value } => {
                    self.records.insert(key, value.to_vec());
                }
                Write::Patch { key, offset, data } => {
                    let record = self.records.get_mut(&key).unwrap();
                    record[offset..offset + data.len()].copy_from_slice(data);
                }
                Write::Delete { key } => {
                    self.records.remove(&key);
                }
            }
        }
        Ok(())
    }
}

/// Random numbers that a test says.
#[derive(Clone)]
pub struct Fixed(pub Vec<u8>);

impl rand_core::TryRng for Fixed {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.0[..out.len()]);
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Fixed {}

/// An application that keeps what it gets, and cannot be erased once it got something.
struct Keeper {
    aid: &'static [u8],
    load_file: &'static [u8],
}

pub const FIRST: &[u8] = b"FIRST-APP";
pub const FIRST_FILE: &[u8] = b"FIRST-FILE";
pub const SECOND: &[u8] = b"SECOND-APP";
pub const SECOND_FILE: &[u8] = b"SECOND-FILE";

impl Application for Keeper {
    fn aid(&self) -> &[u8] {
        self.aid
    }
    fn load_file(&self) -> &[u8] {
        self.load_file
    }
    fn power_on(&mut self, _: &mut Environment<'_>) {}
    fn select(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        Response::ok(self.aid.to_vec())
    }
    fn deselect(&mut self) {}
    fn process(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        StatusWord::INS_NOT_SUPPORTED.into()
    }
    fn personalize(
        &mut self,
        environment: &mut Environment<'_>,
        identifier: u16,
        data: &[u8],
    ) -> Result<(), StatusWord> {
        let write = Write::Put { key: identifier.into(), value: data };
        environment.memory.apply(&[write]).map_err(StatusWord::from)
    }
    fn is_default_selected(&self, _: &dyn NonVolatileMemory) -> bool {
        false
    }
    /// Grouping FF locks it.
    fn is_erasable(&self, memory: &dyn NonVolatileMemory) -> bool {
        memory.read(0xFF).is_none()
    }
}

pub fn key_set(version: u8, key_type: KeyType, keys: [&[u8]; 3]) -> KeySet {
    let [encryption, authentication, data] = keys.map(|key| Zeroizing::new(key.to_vec()));
    KeySet { version, key_type, encryption, authentication, data }
}

/// A card whose domain is selected.
pub struct Card {
    pub memory: Memory,
    pub random: Fixed,
    system: OperatingSystem,
}

impl Card {
    pub fn new(keys: KeySet, channels: Channels) -> Self {
        let mut memory = Memory::default();
        let provisioning = Provisioning { keys, channels, max_failed_tries: 3, cplc: [0; 42] };
        crate::provision(&mut memory, &provisioning).unwrap();
        Self::on(memory)
    }

    /// The card on a memory that holds one, powered on.
    pub fn on(mut memory: Memory) -> Self {
        let first = Keeper { aid: FIRST, load_file: FIRST_FILE };
        let second = Keeper { aid: SECOND, load_file: SECOND_FILE };
        let applications: Vec<Box<dyn Application>> = vec![Box::new(first), Box::new(second)];
        let mut system = OperatingSystem::new(Box::<IssuerDomain>::default(), applications);
        let mut random = Fixed(vec![0x5A; 16]);
        system.power_on(&mut memory, &mut random);
        Self { memory, random, system }
    }

    pub fn transmit(&mut self, apdu: &[u8]) -> (Vec<u8>, u16) {
        let mut answer = self.system.transmit(&mut self.memory, &mut self.random, apdu);
        let status = answer.split_off(answer.len() - 2);
        (answer, u16::from_be_bytes([status[0], status[1]]))
    }

    pub fn select(&mut self, aid: &[u8]) -> u16 {
        self.transmit(&[&[0, 0xA4, 4, 0, aid.len() as u8][..], aid, &[0]].concat()).1
    }
}

/// A host with an open channel.
pub trait Host {
    fn wrap(&mut self, header: [u8; 4], data: &[u8]) -> Vec<u8>;
    fn unwrap(&mut self, data: &[u8], status: u16) -> Vec<u8>;
    /// Encrypts whole blocks under the data encryption key.
    fn encrypt_data(&self, data: &[u8]) -> Vec<u8>;
    /// Bytes of such a block.
    fn data_block_len(&self) -> usize;
    /// A command over the channel.
    fn send(&mut self, card: &mut Card, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
        let command = self.wrap(header, data);
        let (answer, status) = card.transmit(&command);
        (self.unwrap(&answer, status), status)
    }
}

/// A command without protection, Le = 00.
fn unprotected(header: [u8; 4], data: &[u8]) -> Vec<u8> {
    match data {
        [] => [&header[..], &[0]].concat(),
        data => [&header[..], &[data.len() as u8], data, &[0]].concat(),
    }
}

/// SCP03 as Amendment D has it, in the simplest way.
pub struct Scp03Host {
    cipher: BlockCipher,
    encryption: Vec<u8>,
    mac: Vec<u8>,
    response_mac: Vec<u8>,
    data: Vec<u8>,
    level: u8,
    length: usize,
    chaining: [u8; 16],
    counter: u128,
}

impl Scp03Host {
    fn derive(cipher: BlockCipher, key: &[u8], c: u8, bits: u16, context: &[u8]) -> Vec<u8> {
        let block = |i: u8| {
            let [high, low] = bits.to_be_bytes();
            let input = [&[0; 11][..], &[c, 0, high, low, i], context].concat();
            cipher::cmac(cipher, key, &input).unwrap()
        };
        let mut out = [block(1), block(2)].concat();
        out.truncate(usize::from(bits / 8));
        out
    }

    /// Opens a channel; the status word of the command that was refused.
    pub fn open(card: &mut Card, keys: &KeySet, level: u8, length: usize) -> Result<Self, u16> {
        let challenge = vec![0x11; length];
        let initialize = [0x80, 0x50, keys.version, 0, length as u8];
        let initialize = [&initialize[..], &challenge, &[0]].concat();
        let (answer, status) = card.transmit(&initialize);
        if status != 0x9000 {
            return Err(status);
        }
        let cipher = BlockCipher::aes(keys.encryption.len()).unwrap();
        let context = [&challenge, &answer[13..13 + length]].concat();
        let bits = (cipher.key_len() * 8) as u16;
        let mut host = Self {
            cipher,
            encryption: Self::derive(cipher, &keys.encryption, 4, bits, &context),
            mac: Self::derive(cipher, &keys.authentication, 6, bits, &context),
            response_mac: Self::derive(cipher, &keys.authentication, 7, bits, &context),
            data: keys.data.to_vec(),
            level: 1,
            length,
            chaining: [0; 16],
            counter: 0,
        };
        let bits = (length * 8) as u16;
        let expected = Self::derive(cipher, &host.mac, 0, bits, &context);
        assert_eq!(answer[13 + length..13 + 2 * length], expected, "card cryptogram");
        let cryptogram = Self::derive(cipher, &host.mac, 1, bits, &context);
        let command = host.wrap([0x84, 0x82, level, 0], &cryptogram);
        let (_, status) = card.transmit(&command[..command.len() - 1]);
        (host.level, host.counter) = (level, 0);
        if status == 0x9000 { Ok(host) } else { Err(status) }
    }

    fn vector(&self, counter: u128) -> Vec<u8> {
        cipher::encrypt_block(self.cipher, &self.encryption, &counter.to_be_bytes()).unwrap()
    }
}

impl Host for Scp03Host {
    fn wrap(&mut self, header: [u8; 4], data: &[u8]) -> Vec<u8> {
        if self.level & 1 == 0 {
            return unprotected(header, data);
        }
        self.counter += 1;
        let mut data = data.to_vec();
        if self.level & 2 != 0 && !data.is_empty() {
            let (iv, padded) = (self.vector(self.counter), cipher::pad(&data, 16));
            data = cipher::cbc_encrypt(self.cipher, &self.encryption, &iv, &padded).unwrap();
        }
        let [_, ins, p1, p2] = header;
        let head = [0x84, ins, p1, p2, (data.len() + self.length) as u8];
        let input = [&self.chaining[..], &head, &data].concat();
        self.chaining = cipher::cmac(self.cipher, &self.mac, &input).unwrap();
        [&head[..], &data, &self.chaining[..self.length], &[0]].concat()
    }

    fn unwrap(&mut self, data: &[u8], status: u16) -> Vec<u8> {
        if self.level & 0x10 == 0 || !matches!(status >> 8, 0x90 | 0x62 | 0x63) {
            return data.to_vec();
        }
        let (data, mac) = data.split_at(data.len() - self.length);
        let input = [&self.chaining[..], data, &status.to_be_bytes()].concat();
        let expected = cipher::cmac(self.cipher, &self.response_mac, &input).unwrap();
        assert_eq!(mac, &expected[..self.length], "R-MAC");
        if self.level & 0x20 == 0 || data.is_empty() {
            return data.to_vec();
        }
        let iv = self.vector(self.counter | 0x80 << 120);
        let padded = cipher::cbc_decrypt(self.cipher, &self.encryption, &iv, data).unwrap();
        cipher::unpad(&padded).unwrap().to_vec()
    }

    fn encrypt_data(&self, data: &[u8]) -> Vec<u8> {
        cipher::cbc_encrypt(self.cipher, &self.data, &[0; 16], data).unwrap()
    }

    fn data_block_len(&self) -> usize {
        16
    }
}

/// SCP02 as appendix E has it, in the simplest way.
pub struct Scp02Host {
    encryption: Vec<u8>,
    mac: Vec<u8>,
    response_mac: Vec<u8>,
    data: Vec<u8>,
    level: u8,
    last: [u8; 8],
    response_last: [u8; 8],
    plain: Vec<u8>,
}

const TDES: BlockCipher = BlockCipher::Tdes;

/// Retail MAC over a chaining vector: the vector is added to the first block.
fn retail(key: &[u8], vector: [u8; 8], message: &[u8]) -> [u8; 8] {
    // A first block that encrypts to the vector is what the vector stands for.
    let single = [&key[..8], &key[..8]].concat();
    let block = cipher::cbc_decrypt(TDES, &single, &[0; 8], &vector).unwrap();
    cipher::retail_mac(key, &[&block[..], message].concat()).unwrap()
}

impl Scp02Host {
    pub fn open(card: &mut Card, keys: &KeySet, level: u8) -> Result<Self, u16> {
        let challenge = [0x11; 8];
        let initialize = [&[0x80, 0x50, keys.version, 0, 8][..], &challenge, &[0]].concat();
        let (answer, status) = card.transmit(&initialize);
        if status != 0x9000 {
            return Err(status);
        }
        let counter = &answer[12..14];
        let key = |key: &[u8], constant: [u8; 2]| {
            let data = [&constant[..], counter, &[0; 12]].concat();
            cipher::cbc_encrypt(TDES, key, &[0; 8], &data).unwrap()
        };
        let mut host = Self {
            encryption: key(&keys.encryption, [1, 0x82]),
            mac: key(&keys.authentication, [1, 1]),
            response_mac: key(&keys.authentication, [1, 2]),
            data: key(&keys.data, [1, 0x81]),
            level: 1,
            last: [0; 8],
            response_last: [0; 8],
            plain: Vec::new(),
        };
        let cryptogram = |message: &[u8]| {
            let padded = cipher::pad(message, 8);
            cipher::cbc_encrypt(TDES, &host.encryption, &[0; 8], &padded).unwrap()[16..].to_vec()
        };
        let expected = cryptogram(&[&challenge[..], &answer[12..20]].concat());
        assert_eq!(answer[20..28], expected, "card cryptogram");
        let proof = cryptogram(&[&answer[12..20], &challenge].concat());
        let head = [0x84, 0x82, level, 0, 16];
        host.last = retail(&host.mac, [0; 8], &[&head[..], &proof].concat());
        host.response_last = host.last;
        let command = [&head[..], &proof, &host.last].concat();
        let (_, status) = card.transmit(&command);
        host.level = level;
        if status == 0x9000 { Ok(host) } else { Err(status) }
    }
}

impl Host for Scp02Host {
    fn wrap(&mut self, header: [u8; 4], data: &[u8]) -> Vec<u8> {
        self.plain = [&header[..], &[data.len() as u8], data].concat();
        if self.level & 1 == 0 {
            return unprotected(header, data);
        }
        let single = [&self.mac[..8], &self.mac[..8]].concat();
        let vector = cipher::encrypt_block(TDES, &single, &self.last).unwrap();
        let [_, ins, p1, p2] = header;
        let head = [0x84, ins, p1, p2];
        let message = [&head[..], &[data.len() as u8 + 8], data].concat();
        self.last = retail(&self.mac, vector.try_into().unwrap(), &message);
        let mut data = data.to_vec();
        if self.level & 2 != 0 && !data.is_empty() {
            let padded = cipher::pad(&data, 8);
            data = cipher::cbc_encrypt(TDES, &self.encryption, &[0; 8], &padded).unwrap();
        }
        [&head[..], &[data.len() as u8 + 8], &data, &self.last, &[0]].concat()
    }

    fn unwrap(&mut self, data: &[u8], status: u16) -> Vec<u8> {
        if self.level & 0x10 == 0 || !matches!(status >> 8, 0x90 | 0x62 | 0x63) {
            return data.to_vec();
        }
        let (data, mac) = data.split_at(data.len() - 8);
        let message = [&self.plain[..], &[data.len() as u8], data, &status.to_be_bytes()].concat();
        self.response_last = retail(&self.response_mac, self.response_last, &message);
        assert_eq!(mac, self.response_last, "R-MAC");
        data.to_vec()
    }

    fn encrypt_data(&self, data: &[u8]) -> Vec<u8> {
        let block = |block: &[u8]| cipher::encrypt_block(TDES, &self.data, block).unwrap();
        data.chunks(8).flat_map(block).collect()
    }

    fn data_block_len(&self) -> usize {
        8
    }
}

/// The three keys of a set as PUT KEY has them.
pub fn put_key_data(host: &dyn Host, keys: &KeySet) -> Vec<u8> {
    let mut out = vec![keys.version];
    for key in [&keys.encryption, &keys.authentication, &keys.data] {
        let (cipher, check) = match keys.key_type {
            KeyType::Tdes => (TDES, vec![0; 8]),
            KeyType::Aes => (BlockCipher::aes(key.len()).unwrap(), vec![1; 16]),
        };
        let mut padded = key.to_vec();
        padded.resize(key.len().next_multiple_of(host.data_block_len()), 0);
        let encrypted = host.encrypt_data(&padded);
        let component = match keys.key_type {
            KeyType::Tdes => encrypted,
            KeyType::Aes => [&[key.len() as u8][..], &encrypted].concat(),
        };
        out.extend([keys.key_type.to_byte(), component.len() as u8]);
        out.extend(component);
        out.push(3);
        out.extend(&cipher::encrypt_block(cipher, key, &check).unwrap()[..3]);
    }
    out
}

/// Fields of INSTALL.
pub fn fields(fields: &[&[u8]]) -> Vec<u8> {
    fields.iter().flat_map(|field| [&[field.len() as u8][..], field].concat()).collect()
}

/// The identifier of the domain under test.
pub const DOMAIN: &[u8] = &AID;

/// A published worked example: `name: HEX` lines.
pub fn value(file: &str, name: &str) -> Vec<u8> {
    let line = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    line.unwrap().as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
