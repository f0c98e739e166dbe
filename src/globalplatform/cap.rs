//! CAP files: what of a converted applet goes onto a card (Java Card VM specification 3.1 §6).
//!
//! A CAP file is a ZIP archive. It comes from outside, so that every length in it is bounded before
//! anything is unpacked, and components must be what their names say.

use std::io::{Cursor, Read};

use thiserror::Error;

use crate::error::ErrorCode;

/// The largest CAP file that is read, in bytes.
pub const MAX_FILE: usize = 4 * 1024 * 1024;
/// The most entries of an archive.
const MAX_ENTRIES: usize = 256;
/// The longest component: its size has two bytes, after a tag of one.
const MAX_COMPONENT: usize = 3 + 0xFFFF;
/// The most applets of a package.
const MAX_APPLETS: usize = 64;

/// Components in the order in which they are loaded, with their tags; the first is required.
const COMPONENTS: [(&str, u8); 11] = [
    ("Header.cap", 1),
    ("Directory.cap", 2),
    ("Import.cap", 4),
    ("Applet.cap", 3),
    ("Class.cap", 6),
    ("Method.cap", 7),
    ("StaticField.cap", 8),
    ("Export.cap", 10),
    ("ConstantPool.cap", 5),
    ("RefLocation.cap", 9),
    ("Descriptor.cap", 11),
];

/// Why a file is no CAP file that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CapError {
    /// The archive cannot be read.
    #[error("no ZIP archive that can be read: {message}")]
    Archive {
        /// What the reader of archives said.
        message: String,
    },
    /// Something is longer or more than a card could take.
    #[error("{what} is too large")]
    TooLarge {
        /// The file, the archive or a component.
        what: &'static str,
    },
    /// A component is missing or not what its name says.
    #[error("{component}: {reason}")]
    Component {
        /// Name of the component.
        component: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
}

impl ErrorCode for CapError {
    fn code(&self) -> &'static str {
        match self {
            Self::Archive { .. } => "cap_archive",
            Self::TooLarge { .. } => "cap_too_large",
            Self::Component { .. } => "cap_component",
        }
    }
}

/// A package that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapFile {
    /// Application identifier of the package, which is that of the load file.
    pub package: Vec<u8>,
    /// Version of the package: major, minor.
    pub version: (u8, u8),
    /// Application identifiers of its applets.
    pub applets: Vec<Vec<u8>>,
    /// The components one after another: the load file data block without its tag.
    pub code: Vec<u8>,
}

impl CapFile {
    /// Reads a CAP file.
    ///
    /// # Errors
    /// [`CapError`].
    pub fn parse(file: &[u8]) -> Result<Self, CapError> {
        if file.len() > MAX_FILE {
            return Err(CapError::TooLarge { what: "the file" });
        }
        let archive_error =
            |error: zip::result::ZipError| CapError::Archive { message: error.to_string() };
        let mut archive = zip::ZipArchive::new(Cursor::new(file)).map_err(archive_error)?;
        if archive.len() > MAX_ENTRIES {
            return Err(CapError::TooLarge { what: "the archive" });
        }
        let mut found: [Option<Vec<u8>>; COMPONENTS.len()] = Default::default();
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(archive_error)?;
            let name = entry.name().rsplit('/').next().unwrap_or_default().to_owned();
            let Some(at) = COMPONENTS.iter().position(|(known, _)| *known == name) else {
                continue;
            };
            let component = COMPONENTS[at].0;
            if found[at].is_some() {
                return Err(CapError::Component { component, reason: "it stands there twice" });
            }
            // One byte more than allowed tells a component that is too long.
            let mut bytes = Vec::new();
            let read = entry.take(MAX_COMPONENT as u64 + 1).read_to_end(&mut bytes);
            read.map_err(|error| CapError::Archive { message: error.to_string() })?;
            found[at] = Some(check_component(component, COMPONENTS[at].1, bytes)?);
        }
        Self::from_components(&found)
    }

    fn from_components(found: &[Option<Vec<u8>>; COMPONENTS.len()]) -> Result<Self, CapError> {
        let missing = CapError::Component { component: "Header.cap", reason: "it is missing" };
        let (package, version) = parse_header(found[0].as_deref().ok_or(missing)?)?;
        let applets = match &found[3] {
            Some(component) => parse_applets(component)?,
            None => Vec::new(),
        };
        let code = found.iter().flatten().flatten().copied().collect();
        Ok(Self { package, version, applets, code })
    }
}

/// A component starts with its tag and the length of what follows.
fn check_component(component: &'static str, tag: u8, bytes: Vec<u8>) -> Result<Vec<u8>, CapError> {
    if bytes.len() > MAX_COMPONENT {
        return Err(CapError::TooLarge { what: component });
    }
    let wrong = |reason| CapError::Component { component, reason };
    match bytes.as_slice() {
        [found, ..] if *found != tag => Err(wrong("it has the tag of another component")),
        [_, high, low, rest @ ..]
            if usize::from(u16::from_be_bytes([*high, *low])) == rest.len() =>
        {
            Ok(bytes)
        }
        _ => Err(wrong("its length is not what it says")),
    }
}

/// Application identifier and version of the package (§6.4).
fn parse_header(bytes: &[u8]) -> Result<(Vec<u8>, (u8, u8)), CapError> {
    let wrong = |reason| CapError::Component { component: "Header.cap", reason };
    let magic = bytes.get(3..7) == Some(&[0xDE, 0xCA, 0xFF, 0xED]);
    if !magic {
        return Err(wrong("its magic number is wrong"));
    }
    // Behind it two bytes of format version and one of flags.
    match bytes.get(10..) {
        Some([minor, major, rest @ ..]) => {
            let (package, _) = split_aid(rest).ok_or_else(|| wrong("its package has no name"))?;
            Ok((package, (*major, *minor)))
        }
        _ => Err(wrong("it is too short")),
    }
}

/// Application identifiers of the applets (§6.6).
fn parse_applets(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CapError> {
    let wrong = |reason| CapError::Component { component: "Applet.cap", reason };
    let (count, mut rest) = match bytes.get(3..) {
        Some([count, rest @ ..]) => (usize::from(*count), rest),
        _ => return Err(wrong("it is too short")),
    };
    if count > MAX_APPLETS {
        return Err(CapError::TooLarge { what: "the list of applets" });
    }
    let mut applets = Vec::new();
    for _ in 0..count {
        let (aid, behind) = split_aid(rest).ok_or_else(|| wrong("an applet has no name"))?;
        applets.push(aid);
        // The offset of its install method.
        rest = behind.get(2..).ok_or_else(|| wrong("it is too short"))?;
    }
    Ok(applets)
}

/// An application identifier of 5 to 16 bytes behind its length.
fn split_aid(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let length = usize::from(*length);
    let (aid, rest) = rest.split_at_checked(length)?;
    (5..=16).contains(&length).then(|| (aid.to_vec(), rest))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;
    use std::io::Write;

    const HEADER: [u8; 20] = hex!("01 0011 DECAFFED 02 01 04 00 01 07 A0000002471001");
    const APPLET: [u8; 14] = hex!("03 000B 01 07 A0000002471001 0010");
    const METHOD: [u8; 7] = hex!("07 0004 00 010203");

    /// An archive with these entries.
    pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated);
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    pub(crate) fn small() -> Vec<u8> {
        archive(&[
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0"),
            ("org/example/javacard/Method.cap", &METHOD),
            ("org/example/javacard/Applet.cap", &APPLET),
            ("org/example/javacard/Header.cap", &HEADER),
            ("org/example/javacard/Debug.cap", b"not loaded"),
        ])
    }

    #[test]
    fn puts_components_into_the_order_of_loading() {
        let cap = CapFile::parse(&small()).unwrap();
        assert_eq!(cap.package, hex!("A0000002471001"));
        assert_eq!(cap.version, (1, 0));
        assert_eq!(cap.applets, [hex!("A0000002471001").to_vec()]);
        assert_eq!(cap.code, [&HEADER[..], &APPLET, &METHOD].concat());
    }

    #[test]
    fn refuses_what_is_no_cap_file() {
        let code = |file: &[u8]| CapFile::parse(file).unwrap_err().code();
        assert_eq!(code(b"PK"), "cap_archive");
        assert_eq!(code(&archive(&[("a/Applet.cap", &APPLET)])), "cap_component");
        assert_eq!(code(&archive(&[("Header.cap", &APPLET)])), "cap_component");
        assert_eq!(code(&archive(&[("Header.cap", &HEADER[..19])])), "cap_component");
        assert_eq!(
            code(&archive(&[("a/Header.cap", &HEADER), ("b/Header.cap", &HEADER)])),
            "cap_component"
        );
        let mut magic = HEADER;
        magic[3] = 0;
        assert_eq!(code(&archive(&[("Header.cap", &magic)])), "cap_component");
    }

    #[test]
    fn stops_unpacking_at_the_longest_component() {
        // Compresses to almost nothing.
        let bomb = vec![7; 8 * 1024 * 1024];
        let error = CapFile::parse(&archive(&[("Header.cap", &HEADER), ("Method.cap", &bomb)]));
        assert_eq!(error.unwrap_err(), CapError::TooLarge { what: "Method.cap" });
    }

    proptest! {
        #[test]
        fn reads_any_bytes_without_panic(data in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..400, byte: u8) {
            let _ = CapFile::parse(&data);
            let mut changed = small();
            let length = changed.len();
            changed[at % length] = byte;
            let _ = CapFile::parse(&changed);
        }

        #[test]
        fn reads_any_component_without_panic(data in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_header(&data);
            let _ = parse_applets(&data);
        }
    }
}
