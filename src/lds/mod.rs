//! The files of the Logical Data Structure (ICAO Doc 9303-10), read and written.
//!
//! Decoding is a view on the bytes that were read; what is hashed or signed stays those bytes.

mod asn1;
mod atr_info;
mod ber;
mod certificate;
mod cms;
mod com;
mod data_group;
mod dg2;
mod dir;
mod domain_parameters;
mod error;
mod file;
mod name;
mod pem;
mod public_key;
mod security_infos;
mod signature;
mod signed_lists;
pub mod sod;

pub use asn1::{Element, tag, write};
pub use atr_info::AtrInfo;
pub use ber::definite_lengths;
pub use certificate::{BasicConstraints, CertificateExtension, CertificateParts, KeyUsage};
pub use cms::{
    CheckedSigner, SignedAttributes, SignedContent, SignedData, SignedDataFault, SignerIdentifier,
    SignerInfo,
};
pub use com::Com;
pub use data_group::{
    decode_dg1, decode_dg15, encode_dg1, encode_dg14, encode_dg15, security_infos_of_dg14,
};
pub use dg2::{BiometricTemplate, Dg2};
pub use dir::Dir;
pub use domain_parameters::{decode_domain_parameters, encode_domain_parameters};
pub use error::LdsError;
pub use file::{DgNumber, FileId, ShortFileId};
pub use name::{comparable_name, country_of_name, name_text};
pub use pem::pem_blocks;
pub use public_key::{ParameterForm, PublicKey, PublicKeyError};
pub use security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, KeyAgreement, Mapping,
    PaceDomainParameterInfo, PaceInfo, PaceProtocol, SecurityInfo, SecurityInfoKind, SecurityInfos,
    oids,
};
pub use signature::{SignatureAlgorithm, SignatureFault};
pub use signed_lists::{
    CardSecurity, MASTER_LIST, SECURITY_OBJECT, decode_master_list, encode_master_list,
};

/// Application identifier of the eMRTD application LDS1 (ICAO 9303-10 §3.5.1).
pub const LDS1_AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

#[cfg(test)]
mod tests;
