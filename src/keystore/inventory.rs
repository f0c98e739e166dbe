//! What lies in a key store, without any secret.

use std::path::Path;

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};

use super::master::cipher_of;
use super::module::Module;
use super::pool::Connection;
use super::signing::{fingerprint, read_public_key};
use super::token::{Failed, fits};
use super::{CheckValueMethod, KeyStoreError, KeyUri, MasterKey, ObjectKind, Token};
use crate::lds::{CertificateParts, PublicKey};

/// Most objects of a token that are listed.
const MOST_OBJECTS: usize = 10_000;

/// A token in a slot.
#[derive(Debug, Clone)]
pub struct TokenSummary {
    /// Its URI: label and serial number.
    pub uri: KeyUri,
    /// Number of the slot.
    pub slot_id: u64,
    /// Whether it was made ready.
    pub initialized: bool,
    /// Whether a wrong PIN was given since the last right one.
    pub pin_count_low: bool,
    /// Whether the PIN is locked.
    pub pin_locked: bool,
}

/// What can be said of an object in a token.
#[derive(Debug, Clone)]
pub struct ObjectSummary {
    /// Its URI, without the token.
    pub uri: KeyUri,
    /// Its sort.
    pub kind: ObjectKind,
    /// What key it is: `P-256`, `RSA 3072`, `AES-256`, `3DES`.
    pub key: Option<String>,
    /// Check value of a master key.
    pub check_value: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, of keys and certificates.
    pub fingerprint: Option<String>,
    /// It cannot be read or taken out. Public objects have no such rules.
    pub protected: Option<bool>,
    /// A certificate in DER.
    pub certificate: Option<Vec<u8>>,
}

/// The tokens of a module that fit a URI, empty ones included.
///
/// # Errors
/// [`KeyStoreError`].
pub fn tokens(
    uri: &KeyUri,
    default_module: Option<&Path>,
) -> Result<Vec<TokenSummary>, KeyStoreError> {
    let path = uri.module_path.as_deref().or(default_module).ok_or(KeyStoreError::NoModule)?;
    let module = Module::open(path)?;
    let context = module.context();
    let fail = |error: cryptoki::error::Error| KeyStoreError::Unavailable {
        operation: "slots",
        reason: error.to_string(),
        tries: 1,
    };
    let mut found = Vec::new();
    for slot in context.get_slots_with_token().map_err(fail)? {
        let info = context.get_token_info(slot).map_err(fail)?;
        if !fits(uri, slot, &info) {
            continue;
        }
        let text = |text: &str| Some(text.trim_end().to_owned()).filter(|text| !text.is_empty());
        found.push(TokenSummary {
            uri: KeyUri {
                token: text(info.label()),
                serial: text(info.serial_number()),
                module_path: Some(module.path().to_owned()),
                ..KeyUri::default()
            },
            slot_id: slot.id(),
            initialized: info.token_initialized(),
            pin_count_low: info.user_pin_count_low(),
            pin_locked: info.user_pin_locked(),
        });
    }
    Ok(found)
}

const CLASSES: [(ObjectClass, ObjectKind); 4] = [
    (ObjectClass::PRIVATE_KEY, ObjectKind::Private),
    (ObjectClass::SECRET_KEY, ObjectKind::Secret),
    (ObjectClass::PUBLIC_KEY, ObjectKind::Public),
    (ObjectClass::CERTIFICATE, ObjectKind::Certificate),
];

impl Token {
    /// The keys and certificates in it that fit the object of a URI; without a PIN the public ones.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    pub fn objects(
        self: &std::sync::Arc<Self>,
        uri: &KeyUri,
    ) -> Result<Vec<ObjectSummary>, KeyStoreError> {
        let mut objects = self.run("list", |connection| {
            let mut objects = Vec::new();
            for (class, kind) in CLASSES {
                let found = super::token::find_objects(&connection.session, uri, class)?;
                for handle in found.into_iter().take(MOST_OBJECTS) {
                    objects.push(self.summary(connection, handle, kind)?);
                }
            }
            Ok(objects)
        })?;
        for object in objects.iter_mut().filter(|o| o.kind == ObjectKind::Secret) {
            // A key that cannot encrypt has no check value; that is no fault of the list.
            let key = self.master_key(&object.uri);
            let value = key.and_then(|k| k.check_value(CheckValueMethod::usual(k.cipher())));
            object.check_value = value.ok().map(|value| value.to_string());
        }
        Ok(objects)
    }

    fn summary(
        &self,
        connection: &Connection,
        handle: ObjectHandle,
        kind: ObjectKind,
    ) -> Result<ObjectSummary, Failed> {
        const WANTED: [AttributeType; 6] = [
            AttributeType::Label,
            AttributeType::Id,
            AttributeType::KeyType,
            AttributeType::ValueLen,
            AttributeType::Sensitive,
            AttributeType::Extractable,
        ];
        let attributes = connection.session.get_attributes(handle, &WANTED)?;
        let mut uri = KeyUri { kind: Some(kind), ..KeyUri::default() };
        let (mut sensitive, mut extractable) = (None, None);
        for attribute in &attributes {
            match attribute {
                Attribute::Label(label) if !label.is_empty() => {
                    uri.object = String::from_utf8(label.clone()).ok();
                }
                Attribute::Id(id) if !id.is_empty() => uri.id = Some(id.clone()),
                Attribute::Sensitive(yes) => sensitive = Some(*yes),
                Attribute::Extractable(yes) => extractable = Some(*yes),
                _ => {}
            }
        }
        let certificate = match kind {
            ObjectKind::Certificate => {
                let value = connection.session.get_attributes(handle, &[AttributeType::Value])?;
                value.into_iter().find_map(|attribute| match attribute {
                    Attribute::Value(der) => Some(der),
                    _ => None,
                })
            }
            _ => None,
        };
        let public = match &certificate {
            Some(der) => CertificateParts::decode(der)
                .ok()
                .and_then(|parts| PublicKey::from_spki_der(parts.spki).ok())
                .map(|(key, _)| key),
            None if kind == ObjectKind::Secret => None,
            None if kind == ObjectKind::Private => {
                match self.public_key(connection, &uri, handle) {
                    Err(Failed::Module(error)) => return Err(error.into()),
                    found => found.ok(),
                }
            }
            None => read_public_key(connection, handle)?,
        };
        Ok(ObjectSummary {
            uri,
            kind,
            key: public.as_ref().and_then(describe).or_else(|| describe_secret(&attributes)),
            check_value: None,
            fingerprint: public.as_ref().map(fingerprint),
            protected: sensitive
                .zip(extractable)
                .map(|(sensitive, extractable)| sensitive && !extractable),
            certificate,
        })
    }
}

fn describe(key: &PublicKey) -> Option<String> {
    match key {
        PublicKey::Ec(point) => Some(point.curve().name().to_owned()),
        PublicKey::Rsa(key) => Some(format!("RSA {}", key.bits())),
        PublicKey::Dh(_) => None,
    }
}

/// A secret key's cipher; of a private key on a curve only that it is one.
fn describe_secret(attributes: &[Attribute]) -> Option<String> {
    let cipher = cipher_of(attributes).map(|cipher| cipher.name().to_owned());
    cipher.or_else(|| {
        attributes.iter().find_map(|attribute| match attribute {
            Attribute::KeyType(KeyType::EC) => Some("EC".to_owned()),
            Attribute::KeyType(KeyType::RSA) => Some("RSA".to_owned()),
            Attribute::KeyType(KeyType::DES3) => Some("3DES, three keys".to_owned()),
            _ => None,
        })
    })
}
