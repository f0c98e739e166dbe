//! Names of keys in tokens: PKCS#11 URIs (RFC 7512).
//!
//! ```text
//! pkcs11:token=VN-DS;object=ds-2026?module-path=/usr/lib/softhsm/libsofthsm2.so
//! ```

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::error::ErrorCode;

const SCHEME: &str = "pkcs11:";
/// Longest URI that is read, in bytes.
const MAX_LENGTH: usize = 4096;
/// Longest `id`, in bytes.
const MAX_ID: usize = 256;

/// What sort of object is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A certificate.
    Certificate,
    /// A public key.
    Public,
    /// A private key.
    Private,
    /// A secret key.
    Secret,
    /// Data.
    Data,
}

/// How an RSA key signs, where the URI says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaScheme {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// RSASSA-PSS.
    Pss,
}

/// A PKCS#11 URI. What is absent fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUri {
    /// Label of the token.
    pub token: Option<String>,
    /// Manufacturer of the token.
    pub manufacturer: Option<String>,
    /// Model of the token.
    pub model: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// Number of the slot.
    pub slot_id: Option<u64>,
    /// CKA_LABEL of the object.
    pub object: Option<String>,
    /// CKA_ID of the object.
    pub id: Option<Vec<u8>>,
    /// Its class.
    pub kind: Option<ObjectKind>,
    /// The module (shared library) of the key store.
    pub module_path: Option<PathBuf>,
    /// Where the PIN comes from: `file:PATH` or `env:NAME`.
    pub pin_source: Option<String>,
    /// How an RSA key signs: the vendor attribute `x-signature` with `rsa-pkcs1` or `rsa-pss`.
    pub rsa_scheme: Option<RsaScheme>,
}

/// Why a text is no URI of a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UriError {
    /// It does not begin with `pkcs11:`, or is too long.
    #[error("not a pkcs11: URI")]
    Scheme,
    /// A part is not `name=value`.
    #[error("a part is not name=value")]
    Form,
    /// A percent sign without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("{0}: wrong percent encoding")]
    Encoding(String),
    /// A value that the attribute cannot have.
    #[error("{0}: value out of range")]
    Value(String),
    /// An attribute twice.
    #[error("{0} stands there twice")]
    Twice(String),
    /// An attribute that is unknown: what it asks for cannot be kept.
    #[error("unknown attribute {0}")]
    Unknown(String),
    /// A PIN in the URI: it would be seen in process lists and logs.
    #[error("pin-value: a PIN does not belong into a URI")]
    PinValue,
}

impl ErrorCode for UriError {
    fn code(&self) -> &'static str {
        match self {
            Self::PinValue => "key_uri_pin",
            _ => "key_uri_malformed",
        }
    }
}

impl KeyUri {
    /// Whether a text is meant to be a URI of this kind.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads a URI.
    ///
    /// # Errors
    /// [`UriError`]; attributes that are unknown are refused too, because what they ask for could
    /// not be kept.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= MAX_LENGTH);
        let rest = rest.ok_or(UriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let mut seen = Vec::new();
        for (parts, separator) in [(path, ';'), (query, '&')] {
            for part in parts.split(separator).filter(|part| !part.is_empty()) {
                let form = || UriError::Form;
                let (name, value) = part.split_once('=').ok_or_else(form)?;
                if seen.contains(&name) {
                    return Err(UriError::Twice(shown(name)));
                }
                seen.push(name);
                uri.set(name, value, separator == '&')?;
            }
        }
        Ok(uri)
    }

    fn set(&mut self, name: &str, value: &str, query: bool) -> Result<(), UriError> {
        let text = || decode_text(name, value);
        let wrong = || UriError::Value(name.to_owned());
        match (query, name) {
            (false, "token") => self.token = Some(text()?),
            (false, "manufacturer") => self.manufacturer = Some(text()?),
            (false, "model") => self.model = Some(text()?),
            (false, "serial") => self.serial = Some(text()?),
            (false, "object") => self.object = Some(text()?),
            (false, "id") => {
                let id = decode(name, value)?;
                if id.is_empty() || id.len() > MAX_ID {
                    return Err(wrong());
                }
                self.id = Some(id);
            }
            (false, "slot-id") => {
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                let number = digits.then(|| value.parse().ok()).flatten();
                self.slot_id = Some(number.ok_or_else(wrong)?);
            }
            (false, "type") => {
                let known = KINDS.iter().find(|(_, name)| *name == value);
                self.kind = Some(known.map(|(kind, _)| *kind).ok_or_else(wrong)?);
            }
            (true, "module-path") => {
                let path = PathBuf::from(text()?);
                if path.as_os_str().is_empty() {
                    return Err(wrong());
                }
                self.module_path = Some(path);
            }
            (true, "pin-source") => {
                let source = text()?;
                if !["file:", "env:"].iter().any(|prefix| source.starts_with(prefix)) {
                    return Err(wrong());
                }
                self.pin_source = Some(source);
            }
            (true, "pin-value") => return Err(UriError::PinValue),
            (true, "x-signature") => {
                let known = SCHEMES.iter().find(|(_, name)| *name == value);
                self.rsa_scheme = Some(known.map(|(scheme, _)| *scheme).ok_or_else(wrong)?);
            }
            _ => return Err(UriError::Unknown(shown(name))),
        }
        Ok(())
    }

    /// The same with what names the object left out: the token.
    #[must_use]
    pub fn of_token(&self) -> Self {
        Self { object: None, id: None, kind: None, rsa_scheme: None, ..self.clone() }
    }

    /// Whether it names an object.
    #[must_use]
    pub const fn names_object(&self) -> bool {
        self.object.is_some() || self.id.is_some()
    }
}

const KINDS: [(ObjectKind, &str); 5] = [
    (ObjectKind::Certificate, "cert"),
    (ObjectKind::Public, "public"),
    (ObjectKind::Private, "private"),
    (ObjectKind::Secret, "secret-key"),
    (ObjectKind::Data, "data"),
];

const SCHEMES: [(RsaScheme, &str); 2] =
    [(RsaScheme::Pkcs1, "rsa-pkcs1"), (RsaScheme::Pss, "rsa-pss")];

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{name}={}", encode(value.as_bytes())))
        };
        let path = [
            text("token", &self.token),
            text("manufacturer", &self.manufacturer),
            text("model", &self.model),
            text("serial", &self.serial),
            self.slot_id.map(|slot| format!("slot-id={slot}")),
            text("object", &self.object),
            self.id.as_ref().map(|id| {
                let bytes: String = id.iter().map(|b| format!("%{b:02X}")).collect();
                format!("id={bytes}")
            }),
            self.kind.and_then(|kind| named("type", &KINDS, kind)),
        ];
        let module = self.module_path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let query = [
            text("module-path", &module),
            text("pin-source", &self.pin_source),
            self.rsa_scheme.and_then(|scheme| named("x-signature", &SCHEMES, scheme)),
        ];
        let path: Vec<String> = path.into_iter().flatten().collect();
        let query: Vec<String> = query.into_iter().flatten().collect();
        write!(f, "{SCHEME}{}", path.join(";"))?;
        if query.is_empty() { Ok(()) } else { write!(f, "?{}", query.join("&")) }
    }
}

fn named<T: Copy + PartialEq>(attribute: &str, names: &[(T, &str)], value: T) -> Option<String> {
    let found = names.iter().find(|(known, _)| *known == value);
    found.map(|(_, name)| format!("{attribute}={name}"))
}

/// What of a faulty URI an error may show: not the value, which may be a PIN in a wrong place.
fn shown(part: &str) -> String {
    let name = part.split('=').next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(32).collect()
}

fn decode(name: &str, value: &str) -> Result<Vec<u8>, UriError> {
    let wrong = || UriError::Encoding(name.to_owned());
    let mut bytes = value.bytes();
    let mut out = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                (high * 16 + low) as u8
            }
            other => other,
        };
        out.push(decoded);
    }
    Ok(out)
}

fn decode_text(name: &str, value: &str) -> Result<String, UriError> {
    let text = String::from_utf8(decode(name, value)?);
    let text = text.map_err(|_| UriError::Encoding(name.to_owned()))?;
    if text.chars().any(char::is_control) {
        return Err(UriError::Value(name.to_owned()));
    }
    Ok(text)
}

/// Percent encoding of all but what RFC 3986 calls unreserved, and the slash of paths.
fn encode(bytes: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~/:".contains(b);
    bytes
        .iter()
        .map(|b| if plain(b) { char::from(*b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_examples_of_the_specification() {
        // RFC 7512 §3.
        let uri = KeyUri::parse("pkcs11:object=my-pubkey;type=public").unwrap();
        assert_eq!(
            (uri.object.as_deref(), uri.kind),
            (Some("my-pubkey"), Some(ObjectKind::Public))
        );
        let uri = "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;\
                   model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?\
                   pin-source=file:/etc/token_pin";
        let uri = KeyUri::parse(uri).unwrap();
        assert_eq!(uri.token.as_deref(), Some("The Software PKCS#11 Softtoken"));
        assert_eq!(uri.manufacturer.as_deref(), Some("Snake Oil, Inc."));
        assert_eq!(uri.id.as_deref(), Some(&b"\x69\x95\x3E\x5C\xF4\xBD\xEC\x91"[..]));
        assert_eq!(uri.pin_source.as_deref(), Some("file:/etc/token_pin"));
    }

    #[test]
    fn refuses_a_pin_in_the_uri_without_showing_it() {
        let error = KeyUri::parse("pkcs11:token=a?pin-value=918273").unwrap_err();
        assert_eq!((error.clone(), error.code()), (UriError::PinValue, "key_uri_pin"));
        for text in ["pkcs11:token=a;918273", "pkcs11:pin=918273", "pkcs11:slot-id=918273x"] {
            let error = KeyUri::parse(text).unwrap_err().to_string();
            assert!(!error.contains("918273"), "{error}");
        }
    }

    #[test]
    fn refuses_what_it_could_not_keep() {
        for (text, error) in [
            ("token=a", UriError::Scheme),
            ("pkcs11:token", UriError::Form),
            ("pkcs11:token=a;token=b", UriError::Twice("token".into())),
            ("pkcs11:token=%4", UriError::Encoding("token".into())),
            ("pkcs11:token=%FF", UriError::Encoding("token".into())),
            ("pkcs11:colour=red", UriError::Unknown("colour".into())),
            ("pkcs11:module-path=/x", UriError::Unknown("module-path".into())),
            ("pkcs11:type=smart", UriError::Value("type".into())),
            ("pkcs11:slot-id=-1", UriError::Value("slot-id".into())),
            ("pkcs11:slot-id=+1", UriError::Value("slot-id".into())),
            ("pkcs11:id=", UriError::Value("id".into())),
            ("pkcs11:?pin-source=%7Crm", UriError::Value("pin-source".into())),
        ] {
            assert_eq!(KeyUri::parse(text), Err(error), "{text}");
        }
    }

    fn uris() -> impl Strategy<Value = KeyUri> {
        let text = || prop::option::of("[^\\x00-\\x1F\\x7F-\\u{9F}]{0,20}");
        let token = (text(), text(), text(), text(), prop::option::of(any::<u64>()));
        let kinds = prop::sample::select(KINDS.map(|(kind, _)| kind).to_vec());
        let schemes = prop::sample::select(SCHEMES.map(|(scheme, _)| scheme).to_vec());
        let id = prop::option::of(prop::collection::vec(any::<u8>(), 1..20));
        let query = (
            prop::option::of("/[^\\x00-\\x1F\\x7F-\\u{9F}]{1,20}"),
            prop::option::of("(file|env):[a-z%&?;=]{0,9}"),
            prop::option::of(schemes),
        );
        (token, text(), id, prop::option::of(kinds), query).prop_map(
            |((token, manufacturer, model, serial, slot_id), object, id, kind, query)| KeyUri {
                token,
                manufacturer,
                model,
                serial,
                slot_id,
                object,
                id,
                kind,
                module_path: query.0.map(PathBuf::from),
                pin_source: query.1,
                rsa_scheme: query.2,
            },
        )
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(uri in uris()) {
            prop_assert_eq!(KeyUri::parse(&uri.to_string()), Ok(uri));
        }

        #[test]
        fn takes_any_text(text in "pkcs11:.{0,80}") {
            if let Ok(uri) = KeyUri::parse(&text) {
                prop_assert_eq!(KeyUri::parse(&uri.to_string()), Ok(uri));
            }
        }
    }
}
