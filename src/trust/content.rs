//! What the bytes of a file are: one object, several in PEM, or the entries of LDIF.

use super::known_defect::{
    DEFECT_LIST, DEVIATION_LIST, KnownDefect, decode_defect_list, decode_deviation_list,
};
use super::{Crl, SignedList, TrustError, ldif};
use crate::lds::{CertificateParts, MASTER_LIST, decode_master_list, pem_blocks};

/// Most PEM blocks of a file.
const MAX_BLOCKS: usize = 10_000;
/// Entries of a directory that cannot be used, as far as each is told.
const MAX_PROBLEMS: usize = 1_000;

/// An object that a store takes.
#[derive(Debug, Clone)]
pub enum Content {
    /// A certificate.
    Certificate {
        /// In DER.
        der: Vec<u8>,
        /// Whether it is a CA's.
        is_ca: bool,
    },
    /// A revocation list.
    Crl(Crl),
    /// A master list.
    MasterList {
        /// The list.
        list: SignedList,
        /// Its certificates, each as it stands there.
        certificates: Vec<Vec<u8>>,
    },
    /// A deviation list or defect list.
    Defects {
        /// The list.
        list: SignedList,
        /// What it says.
        defects: Vec<KnownDefect>,
    },
}

impl Content {
    /// Stable name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Certificate { is_ca: true, .. } => "csca_certificate",
            Self::Certificate { is_ca: false, .. } => "signer_certificate",
            Self::Crl(_) => "crl",
            Self::MasterList { .. } => "master_list",
            Self::Defects { list, .. } if list.content_type() == DEFECT_LIST => "defect_list",
            Self::Defects { .. } => "deviation_list",
        }
    }
}

/// An object of a file.
#[derive(Debug, Clone)]
pub struct Object {
    /// The object.
    pub content: Content,
    /// Whether whoever gave the file gave this very object: not so for the entries of a directory.
    pub alone: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// What can be used.
    pub objects: Vec<Object>,
    /// Entries of a directory that cannot.
    pub problems: Vec<TrustError>,
}

/// The objects in the bytes of a file.
///
/// # Errors
/// [`TrustError`] where they are nothing that a store takes. Broken entries of a directory are told
/// beside those that are not; where there are no others, the first of them is the error.
pub fn contents(bytes: &[u8]) -> Result<Contents, TrustError> {
    if ldif::is_ldif(bytes) {
        return directory(bytes);
    }
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "))
    {
        let objects: Vec<Object> = pem_blocks(text, MAX_BLOCKS)
            .iter()
            .map(|der| object(der, true))
            .collect::<Result<_, _>>()?;
        return match objects.is_empty() {
            true => Err(TrustError::Unknown),
            false => Ok(Contents { objects, problems: Vec::new() }),
        };
    }
    Ok(Contents { objects: vec![object(bytes, true)?], problems: Vec::new() })
}

/// The entries of a directory, each for itself.
fn directory(bytes: &[u8]) -> Result<Contents, TrustError> {
    let mut contents = Contents::default();
    let mut further = 0;
    for value in ldif::read(bytes)? {
        let found = value.bytes.map_err(TrustError::Ldif);
        match found.and_then(|bytes| object(&bytes, false)) {
            Ok(object) => contents.objects.push(object),
            Err(_) if contents.problems.len() >= MAX_PROBLEMS => further += 1,
            Err(problem) => contents.problems.push(TrustError::Entry {
                number: value.number,
                name: value.entry,
                problem: Box::new(problem),
            }),
        }
    }
    if contents.objects.is_empty() {
        return Err(contents.problems.into_iter().next().unwrap_or(TrustError::Unknown));
    }
    if further > 0 {
        contents.problems.push(TrustError::FurtherEntries(further));
    }
    Ok(contents)
}

fn object(bytes: &[u8], alone: bool) -> Result<Object, TrustError> {
    Ok(Object { content: content(bytes)?, alone })
}

fn content(bytes: &[u8]) -> Result<Content, TrustError> {
    // ContentInfo starts with an object identifier, which nothing else here does.
    if let Some(list) = starts_as_cms(bytes).then(|| SignedList::decode("CMS", bytes)) {
        return signed_list(list?);
    }
    let certificate = match CertificateParts::decode(bytes) {
        Ok(parts) => {
            return Ok(Content::Certificate { der: bytes.to_vec(), is_ca: parts.is_ca() });
        }
        Err(error) => error,
    };
    match Crl::decode(bytes) {
        Ok(crl) => Ok(Content::Crl(crl)),
        // Whichever got further knows better what is wrong.
        Err(_) if bytes.first() == Some(&0x30) => Err(certificate.into()),
        Err(_) => Err(TrustError::Unknown),
    }
}

fn starts_as_cms(bytes: &[u8]) -> bool {
    const SIGNED_DATA: &[u8] = &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2];
    bytes.first() == Some(&0x30)
        && bytes.get(..18.min(bytes.len())).is_some_and(|start| {
            start.windows(SIGNED_DATA.len()).any(|window| window == SIGNED_DATA)
        })
}

fn signed_list(list: SignedList) -> Result<Content, TrustError> {
    match list.content_type() {
        MASTER_LIST => {
            let certificates = decode_master_list(list.content())?;
            let certificates = certificates.into_iter().map(<[u8]>::to_vec).collect();
            Ok(Content::MasterList { list, certificates })
        }
        DEVIATION_LIST => {
            let defects = decode_deviation_list(list.content())?;
            Ok(Content::Defects { list, defects })
        }
        DEFECT_LIST => {
            let defects = decode_defect_list(list.content())?;
            Ok(Content::Defects { list, defects })
        }
        _ => Err(TrustError::Unknown),
    }
}
