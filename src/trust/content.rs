//! What the bytes of a file are: one object, several in PEM, or the entries of LDIF.

use super::known_defect::{
    DEFECT_LIST, DEVIATION_LIST, KnownDefect, decode_defect_list, decode_deviation_list,
};
use super::{Crl, SignedList, TrustError, ldif};
use crate::lds::{CertificateParts, MASTER_LIST, decode_master_list, pem_blocks};

/// Most PEM blocks of a file.
const MAX_BLOCKS: usize = 10_000;

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

/// The objects in the bytes of a file.
///
/// # Errors
/// [`TrustError`] where they are nothing that a store takes. Broken entries of a directory are passed
/// over as long as there is one that is not.
pub fn contents(bytes: &[u8]) -> Result<Vec<Object>, TrustError> {
    if ldif::is_ldif(bytes) {
        let values = ldif::read(bytes)?;
        let objects = values.iter().filter_map(|value| object(&value.bytes, false).ok());
        return some(objects.collect());
    }
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "))
    {
        let objects: Vec<Object> = pem_blocks(text, MAX_BLOCKS)
            .iter()
            .map(|der| object(der, true))
            .collect::<Result<_, _>>()?;
        return some(objects);
    }
    Ok(vec![object(bytes, true)?])
}

fn some(objects: Vec<Object>) -> Result<Vec<Object>, TrustError> {
    if objects.is_empty() { Err(TrustError::Unknown) } else { Ok(objects) }
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
