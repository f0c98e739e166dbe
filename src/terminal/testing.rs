//! What tests of the terminal share.

use std::collections::BTreeMap;

use rand_core::{TryCryptoRng, TryRng};

use super::reading::blocks::inside_discretionary_data;
use super::secure_messaging::SecureMessaging;
use crate::apdu::tlv::{Tag, encode};
use crate::apdu::{CommandApdu, Ne};
use crate::transport::{CardTransport, TransportError};

/// Gives the bytes of a list, over and over; for repeating published examples.
#[derive(Clone)]
pub(crate) struct Fixed {
    bytes: Vec<u8>,
    position: usize,
}

impl Fixed {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), position: 0 }
    }
}

impl TryRng for Fixed {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.bytes[self.position % self.bytes.len()];
            self.position += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// A card that holds files and nothing else, with the peculiarities that cards have.
pub(crate) struct FileCard {
    pub(crate) files: BTreeMap<u16, Vec<u8>>,
    pub(crate) session: Option<SecureMessaging>,
    /// Most bytes that it gives at a time; asking for more is answered as `refusal` says.
    pub(crate) max_block: usize,
    /// Status word for a block that is too large, or reaches past the end where `strict_end`.
    pub(crate) refusal: u16,
    /// Refuses to be asked for more than the file has.
    pub(crate) strict_end: bool,
    /// Knows no short file identifiers: the status word it answers.
    pub(crate) no_short: Option<u16>,
    /// Reserves four bytes for the head of DO'53', however short it is.
    pub(crate) reserves: bool,
    /// Files it does not give.
    pub(crate) denied: Vec<u16>,
    pub(crate) sent: Vec<CommandApdu>,
    current: Option<u16>,
}

impl FileCard {
    pub(crate) fn new(files: impl IntoIterator<Item = (u16, Vec<u8>)>) -> Self {
        Self {
            files: files.into_iter().collect(),
            session: None,
            max_block: 65_536,
            refusal: 0x6700,
            strict_end: false,
            no_short: None,
            reserves: false,
            denied: Vec::new(),
            sent: Vec::new(),
            current: None,
        }
    }

    fn answer(&mut self, command: &CommandApdu) -> (Vec<u8>, u16) {
        match (command.ins, command.p1, command.p2) {
            (0xA4, 2, _) => {
                let fid = u16::from_be_bytes([command.data[0], command.data[1]]);
                self.select(fid)
            }
            (0xA4, ..) => (Vec::new(), 0x9000),
            (0xB0, p1, p2) if p1 & 0x80 != 0 => {
                if let Some(status) = self.no_short {
                    return (Vec::new(), status);
                }
                let (_, status) = self.select(0x0100 | u16::from(p1 & 0x1F));
                match status {
                    0x9000 => self.read(usize::from(p2), command.ne.unwrap().get()),
                    _ => (Vec::new(), status),
                }
            }
            (0xB0, p1, p2) => {
                self.read(usize::from(p1) << 8 | usize::from(p2), command.ne.unwrap().get())
            }
            (0xB1, ..) => {
                let offset = command.data[2..].iter().fold(0, |n, b| n << 8 | usize::from(*b));
                let ne = command.ne.unwrap().get();
                let most = if self.reserves {
                    ne.saturating_sub(4)
                } else {
                    inside_discretionary_data(ne)
                };
                let (data, status) = self.read(offset, most);
                (encode(Tag(0x53), &data), status)
            }
            _ => (Vec::new(), 0x6D00),
        }
    }

    fn select(&mut self, fid: u16) -> (Vec<u8>, u16) {
        if !self.files.contains_key(&fid) {
            return (Vec::new(), 0x6A82);
        }
        if self.denied.contains(&fid) {
            return (Vec::new(), 0x6982);
        }
        self.current = Some(fid);
        (Vec::new(), 0x9000)
    }

    fn read(&self, offset: usize, ne: usize) -> (Vec<u8>, u16) {
        let Some(file) = self.current.and_then(|fid| self.files.get(&fid)) else {
            return (Vec::new(), 0x6986);
        };
        if ne > self.max_block || (self.strict_end && offset + ne > file.len()) {
            return (Vec::new(), self.refusal);
        }
        let Some(rest) = file.get(offset..).filter(|rest| !rest.is_empty()) else {
            return (Vec::new(), 0x6B00);
        };
        match rest.get(..ne) {
            Some(data) => (data.to_vec(), 0x9000),
            None => (rest.to_vec(), 0x6282),
        }
    }
}

impl CardTransport for FileCard {
    fn transmit(&mut self, bytes: &[u8]) -> Result<Vec<u8>, TransportError> {
        let command = match &mut self.session {
            Some(sm) => sm.open_for_tests(bytes),
            None => parse_plain(bytes),
        };
        self.sent.push(command.clone());
        let (data, status) = self.answer(&command);
        Ok(match &mut self.session {
            Some(sm) => sm.seal_for_tests(&data, status),
            None => [&data[..], &status.to_be_bytes()].concat(),
        })
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

/// Takes a short or extended command apart.
fn parse_plain(bytes: &[u8]) -> CommandApdu {
    let mut out = CommandApdu::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    let le = |le: usize, max| Some(Ne::new(if le == 0 { max } else { le }));
    match bytes[4..] {
        [] => {}
        [n] => out.ne = le(usize::from(n), 256),
        [0, a, b] => out.ne = le(usize::from(a) << 8 | usize::from(b), 65_536),
        [n, ref rest @ ..] => {
            let n = usize::from(n);
            out.data = rest[..n].to_vec();
            if let [n] = rest[n..] {
                out.ne = le(usize::from(n), 256);
            }
        }
    }
    out
}
