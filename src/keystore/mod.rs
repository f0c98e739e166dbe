//! Key stores: keys that sign and keys that diversify, in a token behind PKCS#11 (an HSM, a smart
//! card, SoftHSM), named by URIs (RFC 7512).
//!
//! A private or master key never leaves its token. What the token gives is judged: signatures are
//! verified before anybody sees them. A token that does not answer is asked again after a while; a
//! PIN is never shown twice to one that refused it.

mod components;
mod create;
mod environment;
mod error;
mod inventory;
mod issuer_key;
mod master;
mod module;
mod pool;
mod retry;
mod self_test;
mod signing;
mod token;
mod uri;

pub use components::{Component, MOST_COMPONENTS, assemble};
pub use create::initialize_token;
pub use environment::Environment;
pub use error::KeyStoreError;
pub use inventory::{ObjectSummary, TokenSummary, tokens};
pub use issuer_key::{IssuerKey, KeySource};
pub use master::{CheckValue, CheckValueMethod, MasterKey, SoftwareMasterKey, TokenMasterKey};
pub use retry::RetryPolicy;
pub use self_test::{Fitness, SelfTestFinding, self_test};
pub use signing::{TokenSigner, fingerprint};
pub use token::{Pin, Token};
pub use uri::{KeyUri, ObjectKind, RsaScheme, UriError};
