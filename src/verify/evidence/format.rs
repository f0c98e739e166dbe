//! The JSON of an evidence file. Text is borrowed from the file where it can be.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::SessionFacts;

/// Bytes, in base64.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                STANDARD.decode(text).map(Bytes).map_err(|_| E::custom("not base64"))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// The first line. The facts of a check are read as `D`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<'a, D> {
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
    #[serde(borrow)]
    pub program: Cow<'a, str>,
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    pub redacted: bool,
    #[serde(borrow)]
    pub policy: Cow<'a, str>,
    #[serde(borrow)]
    pub expected: ExpectedText<'a>,
    #[serde(borrow)]
    pub files: Vec<File<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub issuing_state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub access: Option<Access<'a>>,
    pub chip_authentication: Proof<ChipAuthentication>,
    pub pace_chip_authentication_mapping: Option<Mapping>,
    pub active_authentication: Proof<ActiveAuthentication>,
    pub terminal_authentication: Terminal,
    pub certificates: Vec<Bytes>,
    pub revocation_lists: Vec<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionFacts>,
    #[serde(borrow)]
    pub outcome: Outcome<'a, D>,
}

/// What was typed or scanned.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedText<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub mrz: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub number: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub qr: Option<Cow<'a, str>>,
    /// A card profile as TOML.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<Cow<'a, str>>,
}

/// A file and what is known of it: its bytes, or why there are none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trailing: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_out: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withheld: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub unreadable: Option<Cow<'a, str>>,
}

/// A content that is left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hash {
    pub length: usize,
    pub algorithm: String,
    pub hash: Bytes,
}

/// How the card was opened.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Access<'a> {
    pub pace: Option<Pace>,
    #[serde(borrow)]
    pub cipher: Cow<'a, str>,
    #[serde(borrow)]
    pub password: Cow<'a, str>,
    pub downgraded: bool,
}

/// A variant of PACE.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pace {
    /// Object identifier.
    pub protocol: String,
    /// AlgorithmIdentifier.
    pub domain: Bytes,
    pub parameter_id: Option<u32>,
    pub name_parameters: bool,
}

/// What came of a proof.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Proof<T> {
    NotTried,
    Answered(T),
    Refused(String),
    Unsupported(String),
    LeftOut,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChipAuthentication {
    pub cipher: String,
    /// AlgorithmIdentifier of the group.
    pub domain: Bytes,
    pub card_key: Bytes,
    pub key_id: Option<Bytes>,
    pub assumed: bool,
    /// The ephemeral private key.
    pub terminal_key: Bytes,
    pub command: Command,
    /// Data field and status word of the response, as received.
    pub response: Bytes,
}

/// A command before it was protected.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub header: Bytes,
    pub data: Bytes,
    pub ne: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub parameter_id: Option<u32>,
    pub encrypted: Bytes,
    pub data: Option<Bytes>,
    pub curve: String,
    pub mapping_key: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActiveAuthentication {
    pub challenge: Bytes,
    pub response: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Terminal {
    NotTried,
    NotOffered,
    Failed { code: String, message: String },
    Passed { trust_point: String, chain: Vec<String>, dg3: bool, dg4: bool },
}

/// The verdict and the checks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome<'a, D> {
    #[serde(borrow)]
    pub verdict: Cow<'a, str>,
    #[serde(borrow)]
    pub checks: Vec<RecordedCheck<'a, D>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedCheck<'a, D> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    pub detail: D,
}

/// The facts of a check.
pub(super) type Facts = Map<String, Value>;

/// Whether a check has facts; they themselves are read past.
pub(super) struct HasFacts(pub bool);

impl<'de> Deserialize<'de> for HasFacts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = HasFacts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<HasFacts, A::Error> {
                let mut found = false;
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {
                    found = true;
                }
                Ok(HasFacts(found))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// The second line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureLine<'a> {
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
    /// AlgorithmIdentifier.
    pub algorithm: Bytes,
    /// SubjectPublicKeyInfo.
    pub public_key: Bytes,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<Bytes>,
    pub signature: Bytes,
}

/// The one field that says whether the rest can be understood.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
}
