//! Card content: loading, installing and deleting (GPC §11.2, §11.5, §11.6), in an open session.

use super::GlobalPlatformError;
use super::cap::CapFile;
use super::link::Link;
use crate::apdu::{CommandApdu, Ne, tlv};

/// What is installed out of a load file, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Application identifier of the load file.
    pub load_file: Vec<u8>,
    /// Application identifier of the applet's class in it.
    pub module: Vec<u8>,
    /// Application identifier that the instance gets.
    pub instance: Vec<u8>,
    /// Privileges, one or three bytes.
    pub privileges: Vec<u8>,
    /// The application's own parameters (tag C9).
    pub parameters: Vec<u8>,
}

/// A field with a length of one byte before it; what is longer is cut by [`check_length`] before.
fn field(out: &mut Vec<u8>, value: &[u8]) {
    out.push(value.len() as u8);
    out.extend_from_slice(value);
}

fn check_length(value: &[u8]) -> Result<(), GlobalPlatformError> {
    let length = value.len();
    if length > 0x7F { Err(GlobalPlatformError::CommandTooLong { length }) } else { Ok(()) }
}

/// INSTALL [for load] of a load file under the selected security domain.
///
/// # Errors
/// [`GlobalPlatformError::CommandTooLong`] for identifiers that are none.
pub fn install_for_load(
    load_file: &[u8],
    domain: &[u8],
) -> Result<CommandApdu, GlobalPlatformError> {
    check_length(load_file)?;
    check_length(domain)?;
    let mut data = Vec::new();
    field(&mut data, load_file);
    field(&mut data, domain);
    data.extend([0, 0, 0]); // no hash, no parameters, no token
    Ok(CommandApdu::new(0x80, 0xE6, 0x02, 0x00).with_data(data).with_ne(Ne::MAX_SHORT))
}

/// INSTALL [for install and make selectable].
///
/// # Errors
/// [`GlobalPlatformError::CommandTooLong`] for fields that are too long.
pub fn install(instance: &Instance) -> Result<CommandApdu, GlobalPlatformError> {
    let mut data = Vec::new();
    for value in [&instance.load_file, &instance.module, &instance.instance, &instance.privileges] {
        check_length(value)?;
        field(&mut data, value);
    }
    // Parameters are required, be they empty.
    let parameters = tlv::encode(tlv::Tag(0xC9), &instance.parameters);
    check_length(&parameters)?;
    field(&mut data, &parameters);
    data.push(0); // no token
    Ok(CommandApdu::new(0x80, 0xE6, 0x0C, 0x00).with_data(data).with_ne(Ne::MAX_SHORT))
}

/// DELETE of an application or load file; `related` takes the applications of a load file too.
#[must_use]
pub fn delete(aid: &[u8], related: bool) -> CommandApdu {
    let p2 = if related { 0x80 } else { 0x00 };
    let data = tlv::encode(tlv::Tag(0x4F), aid);
    CommandApdu::new(0x80, 0xE4, 0x00, p2).with_data(data).with_ne(Ne::MAX_SHORT)
}

/// LOAD commands of a load file: blocks of at most `room` bytes.
///
/// # Errors
/// [`GlobalPlatformError::CommandTooLong`] for more than 256 blocks.
pub fn load(code: &[u8], room: usize) -> Result<Vec<CommandApdu>, GlobalPlatformError> {
    let block = tlv::encode(tlv::Tag(0xC4), code);
    let parts: Vec<&[u8]> = block.chunks(room.max(1)).collect();
    let too_long = GlobalPlatformError::CommandTooLong { length: code.len() };
    if parts.len() > 256 {
        return Err(too_long);
    }
    let last = parts.len() - 1;
    let command = |(number, part): (usize, &&[u8])| {
        let p1 = if number == last { 0x80 } else { 0x00 };
        CommandApdu::new(0x80, 0xE8, p1, number as u8).with_data(*part).with_ne(Ne::MAX_SHORT)
    };
    Ok(parts.iter().enumerate().map(command).collect())
}

/// Loads a package in the open session.
///
/// # Errors
/// [`GlobalPlatformError`].
pub fn load_package(
    link: &mut Link<'_>,
    cap: &CapFile,
    domain: &[u8],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), GlobalPlatformError> {
    link.secure_ok("INSTALL [for load]", &install_for_load(&cap.package, domain)?)?;
    let channel = link.channel().ok_or(GlobalPlatformError::ChannelClosed)?;
    let commands = load(&cap.code, channel.room(super::limits::SHORT_DATA))?;
    for (number, command) in commands.iter().enumerate() {
        progress(number, commands.len());
        link.secure_ok("LOAD", command)?;
    }
    progress(commands.len(), commands.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn names_load_file_and_domain() {
        let domain = super::super::ISSUER_SECURITY_DOMAIN;
        let sent = install_for_load(&hex!("A00000024710"), &domain).unwrap().encode().unwrap();
        assert_eq!(sent, hex!("80E6020013 06 A00000024710 08 A000000151000000 00 00 00 00"));
    }

    #[test]
    fn installs_with_parameters_even_when_there_are_none() {
        let instance = Instance {
            load_file: hex!("A00000024710").to_vec(),
            module: hex!("A0000002471001").to_vec(),
            instance: hex!("A0000002471001").to_vec(),
            privileges: vec![0],
            parameters: vec![],
        };
        let sent = install(&instance).unwrap().encode().unwrap();
        assert_eq!(
            sent,
            hex!(
                "80E60C001D 06 A00000024710 07 A0000002471001 07 A0000002471001 01 00 02 C900 00 00"
            )
        );
        let long = Instance { parameters: vec![0; 130], ..instance };
        assert!(install(&long).is_err());
    }

    #[test]
    fn deletes_as_a_recorded_host_did() {
        // The library GlobalPlatform of K. Ohme, src/scp02Test.c, before the secure channel.
        let sent = delete(&hex!("D0D1D2D3D4D501"), true).encode().unwrap();
        assert_eq!(sent, hex!("80E4008009 4F07D0D1D2D3D4D501 00"));
    }

    #[test]
    fn cuts_a_load_file_into_numbered_blocks_with_the_last_marked() {
        let code = vec![0xAB; 500];
        let commands = load(&code, 200).unwrap();
        let headers: Vec<_> = commands.iter().map(CommandApdu::header).collect();
        assert_eq!(headers, [[0x80, 0xE8, 0, 0], [0x80, 0xE8, 0, 1], [0x80, 0xE8, 0x80, 2]]);
        let joined: Vec<u8> = commands.iter().flat_map(|command| command.data.clone()).collect();
        assert_eq!(joined[..4], hex!("C48201F4"));
        assert_eq!(joined[4..], code);
        assert!(load(&vec![0; 60_000], 200).is_err());
    }
}
