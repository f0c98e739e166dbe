//! Somebody between reader and card.

use cancuoc::apdu::tlv::{Tag, Tlv, encode};
use cancuoc::transport::{CardTransport, TransportError};

/// What passes, before it is passed on.
pub enum Passing<'a> {
    /// A command on its way to the card.
    Command(&'a mut Vec<u8>),
    /// The response to a command on its way to the reader.
    Response(&'a [u8], &'a mut Vec<u8>),
}

/// Changes what passes, or only looks at it.
pub struct Between<T, F> {
    pub card: T,
    pub change: F,
}

impl<T: CardTransport, F: FnMut(Passing<'_>)> CardTransport for Between<T, F> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut command = command.to_vec();
        (self.change)(Passing::Command(&mut command));
        let mut response = self.card.transmit(&command)?;
        (self.change)(Passing::Response(&command, &mut response));
        Ok(response)
    }

    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn max_command_length(&self) -> usize {
        self.card.max_command_length()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }
}

/// The value of the data object in dynamic authentication data, `7C { tag value … }`.
pub fn value_of(data: &[u8], tag: u32) -> Option<Vec<u8>> {
    let template = Tlv::parse_exact(data).ok().filter(|template| template.tag == Tag(0x7C))?;
    let mut children = template.children();
    while let Ok(Some(child)) = children.read_optional() {
        if child.tag == Tag(tag) {
            return Some(child.value.to_vec());
        }
    }
    None
}

/// Data field of a GENERAL AUTHENTICATE with short length.
pub fn data_of(command: &[u8]) -> &[u8] {
    match command {
        [_, 0x86, 0, 0, length, data @ ..] => &data[..usize::from(*length)],
        _ => &[],
    }
}

/// Puts another value into a GENERAL AUTHENTICATE.
pub fn replace_in_command(command: &mut Vec<u8>, tag: u32, value: &[u8]) {
    let data = encode(Tag(0x7C), &encode(Tag(tag), value));
    let after = 5 + usize::from(command[4]);
    let length = u8::try_from(data.len()).unwrap();
    *command = [&command[..4], &[length], &data, &command[after..]].concat();
}

/// Puts another value into the response to a GENERAL AUTHENTICATE.
pub fn replace_in_response(response: &mut Vec<u8>, tag: u32, value: &[u8]) {
    let status = response.split_off(response.len() - 2);
    *response = [encode(Tag(0x7C), &encode(Tag(tag), value)), status].concat();
}
