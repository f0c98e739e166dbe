//! Making tokens ready and putting keys into them. Whatever is made cannot be taken out again.

use std::path::Path;

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::cipher::BlockCipher;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use der::Encode;
use zeroize::Zeroize;

use super::environment::{self, Environment};
use super::module::Module;
use super::pool::Connection;
use super::token::{Failed, Pin, find_objects, fits};
use super::{
    CheckValueMethod, KeyStoreError, KeyUri, MasterKey, SoftwareMasterKey, Token, TokenMasterKey,
    TokenSigner,
};
use crate::lds::PublicKey;
use crate::pki::{KeyKind, Signer};

/// Makes an empty token ready: its label is the URI's, both PINs are set, and what it is for is
/// written into it. The slot is the URI's, or the first one that holds a token without any content.
///
/// # Errors
/// [`KeyStoreError::TokenInitialized`] for a token that is in use: none is ever wiped;
/// [`KeyStoreError`].
pub fn initialize_token(
    uri: &KeyUri,
    default_module: Option<&Path>,
    so_pin: &Pin,
    pin: &Pin,
    environment: Environment,
) -> Result<(), KeyStoreError> {
    let path = uri.module_path.as_deref().or(default_module).ok_or(KeyStoreError::NoModule)?;
    let module = Module::open(path)?;
    let context = module.context();
    let label = uri.token.as_deref().unwrap_or_default();
    let absent = || KeyStoreError::TokenAbsent(uri.of_token().to_string());
    // 32 bytes are all that a label has; without one nobody could name the token.
    if label.is_empty() || label.len() > 32 {
        return Err(absent());
    }
    let mut empty = None;
    for slot in context.get_slots_with_token().map_err(refused("slots"))? {
        let info = context.get_token_info(slot).map_err(refused("token"))?;
        if info.token_initialized() {
            if fits(&KeyUri { slot_id: None, ..uri.of_token() }, slot, &info)
                || uri.slot_id == Some(slot.id())
            {
                return Err(KeyStoreError::TokenInitialized(info.label().to_owned()));
            }
        } else if uri.slot_id.is_none_or(|id| id == slot.id()) {
            empty = empty.or(Some(slot));
        }
    }
    let slot = empty.ok_or_else(absent)?;
    let [so_pin, pin] = [so_pin, pin].map(|pin| AuthPin::from(pin.to_string()));
    context.init_token(slot, &so_pin, label).map_err(refused("token"))?;
    let session = context.open_rw_session(slot).map_err(refused("session"))?;
    session.login(UserType::So, Some(&so_pin)).map_err(refused("login"))?;
    session.init_pin(&pin).map_err(refused("PIN"))?;
    session.logout().map_err(refused("logout"))?;
    session.login(UserType::User, Some(&pin)).map_err(refused("login"))?;
    environment::write(&session, environment).map_err(refused("environment"))
}

fn refused(operation: &'static str) -> impl Fn(cryptoki::error::Error) -> KeyStoreError {
    move |error| KeyStoreError::Refused { operation, reason: error.to_string() }
}

/// What every key of ours is in its token.
fn base(uri: &KeyUri, id: &[u8], class: ObjectClass, private: bool) -> Vec<Attribute> {
    let label = uri.object.clone().unwrap_or_default().into_bytes();
    vec![
        Attribute::Class(class),
        Attribute::Token(true),
        Attribute::Private(private),
        Attribute::Label(label),
        Attribute::Id(id.to_vec()),
        Attribute::Modifiable(false),
    ]
}

/// A key that stays: sensitive, not extractable.
fn kept() -> [Attribute; 2] {
    [Attribute::Sensitive(true), Attribute::Extractable(false)]
}

/// A master key encrypts and makes MACs; it decrypts and wraps nothing.
fn master_template(uri: &KeyUri, id: &[u8], cipher: BlockCipher) -> Vec<Attribute> {
    let aes = cipher != BlockCipher::Tdes;
    let mut template = base(uri, id, ObjectClass::SECRET_KEY, true);
    template.extend(kept());
    template.extend([
        Attribute::KeyType(if aes { KeyType::AES } else { KeyType::DES2 }),
        Attribute::Encrypt(true),
        Attribute::Decrypt(false),
        Attribute::Sign(aes),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
    ]);
    template
}

impl Token {
    /// Makes a signing key in the token; it never leaves it.
    ///
    /// # Errors
    /// [`KeyStoreError::KeyExists`] where the URI names a key already; [`KeyStoreError`].
    pub fn generate_signing_key(
        self: &std::sync::Arc<Self>,
        uri: &KeyUri,
        kind: KeyKind,
        random: &mut dyn CryptoRng,
    ) -> Result<TokenSigner, KeyStoreError> {
        let id = self.free_name(uri, random)?;
        self.run("new key pair", |connection| {
            let mut public = base(uri, &id, ObjectClass::PUBLIC_KEY, false);
            public.push(Attribute::Verify(true));
            let mut private = base(uri, &id, ObjectClass::PRIVATE_KEY, true);
            private.extend(kept());
            private.extend([Attribute::Sign(true), Attribute::Decrypt(false)]);
            private.push(Attribute::Unwrap(false));
            let mechanism = match kind {
                KeyKind::Ec(curve) => {
                    public.push(Attribute::EcParams(curve.oid().to_der().unwrap_or_default()));
                    Mechanism::EccKeyPairGen
                }
                KeyKind::Rsa(bits) => {
                    public.push(Attribute::ModulusBits((bits as u64).into()));
                    public.push(Attribute::PublicExponent(vec![1, 0, 1]));
                    Mechanism::RsaPkcsKeyPairGen
                }
            };
            connection.session.generate_key_pair(&mechanism, &public, &private)?;
            Ok(())
        })?;
        let named = KeyUri { id: Some(id), ..uri.clone() };
        let signer = self.signer(&named)?;
        if let PublicKey::Rsa(key) = signer.public_key()
            && let Some(weakness) = key.weakness()
        {
            return Err(KeyStoreError::KeyUnsuitable(weakness.to_owned()));
        }
        // A key that cannot sign is no key, whatever the token says of it.
        signer.sign_verified(b"trial of a new key", random).map_err(|error| {
            KeyStoreError::KeyUnsuitable(format!("the new key failed its trial: {error}"))
        })?;
        Ok(signer)
    }

    /// Makes a master key in the token; it never leaves it.
    ///
    /// # Errors
    /// As for [`Self::generate_signing_key`].
    pub fn generate_master_key(
        self: &std::sync::Arc<Self>,
        uri: &KeyUri,
        cipher: BlockCipher,
        random: &mut dyn CryptoRng,
    ) -> Result<TokenMasterKey, KeyStoreError> {
        let id = self.free_name(uri, random)?;
        self.run("new key", |connection| {
            let mut template = master_template(uri, &id, cipher);
            let mechanism = match cipher {
                BlockCipher::Tdes => Mechanism::Des2KeyGen,
                _ => {
                    template.push(Attribute::ValueLen((cipher.key_len() as u64).into()));
                    Mechanism::AesKeyGen
                }
            };
            connection.session.generate_key(&mechanism, &template)?;
            Ok(())
        })?;
        self.master_key(&KeyUri { id: Some(id), ..uri.clone() })
    }

    /// Puts an assembled key into the token and compares its check value there with the one here.
    ///
    /// # Errors
    /// As for [`Self::generate_signing_key`]; [`KeyStoreError::CheckValue`] where the token made
    /// another key of it, which is destroyed again.
    pub fn import_master_key(
        self: &std::sync::Arc<Self>,
        uri: &KeyUri,
        key: &SoftwareMasterKey,
        random: &mut dyn CryptoRng,
    ) -> Result<TokenMasterKey, KeyStoreError> {
        let id = self.free_name(uri, random)?;
        let handle = self.run("import", |connection| {
            let mut template = master_template(uri, &id, key.cipher());
            template.push(Attribute::Value(key.bytes().to_vec()));
            let created = connection.session.create_object(&template);
            wipe(&mut template);
            Ok(created?)
        })?;
        let imported = self.master_key(&KeyUri { id: Some(id), ..uri.clone() })?;
        let method = CheckValueMethod::usual(key.cipher());
        let (here, there) = (key.check_value(method)?, imported.check_value(method)?);
        if here != there {
            self.run("removal", |connection| Ok(connection.session.destroy_object(handle)?))?;
            let (found, expected) = (there.to_string(), here.to_string());
            return Err(KeyStoreError::CheckValue { found, expected });
        }
        Ok(imported)
    }

    /// Makes sure that a new key can have this name.
    ///
    /// # Errors
    /// [`KeyStoreError::KeyExists`]; [`KeyStoreError`].
    pub fn check_free(&self, uri: &KeyUri) -> Result<(), KeyStoreError> {
        if uri.object.as_ref().is_none_or(String::is_empty) {
            let what = "a new key needs a label: object=… in its URI";
            return Err(KeyStoreError::KeyUnsuitable(what.to_owned()));
        }
        if !self.has_pin() {
            return Err(KeyStoreError::PinMissing);
        }
        let by_label = KeyUri { object: uri.object.clone(), ..KeyUri::default() };
        let by_id = uri.id.clone().map(|id| KeyUri { id: Some(id), ..KeyUri::default() });
        let taken = self.run("search", |connection| {
            let id = by_id.as_ref().map(|by_id| is_taken(connection, by_id)).transpose()?;
            Ok(id == Some(true) || is_taken(connection, &by_label)?)
        })?;
        if taken { Err(KeyStoreError::KeyExists(self.uri_of(uri).to_string())) } else { Ok(()) }
    }

    /// The identifier for a new key, once no object has its label or identifier.
    fn free_name(
        &self,
        uri: &KeyUri,
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, KeyStoreError> {
        self.check_free(uri)?;
        Ok(uri.id.clone().unwrap_or_else(|| {
            // Eight random bytes: no second key has them.
            let mut id = vec![0; 8];
            random.fill_bytes(&mut id);
            id
        }))
    }
}

fn is_taken(connection: &Connection, uri: &KeyUri) -> Result<bool, Failed> {
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY] {
        let found: Vec<ObjectHandle> = find_objects(&connection.session, uri, class)?;
        if !found.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Wipes the value of a key from a template.
fn wipe(template: &mut [Attribute]) {
    for attribute in template {
        if let Attribute::Value(bytes) = attribute {
            bytes.zeroize();
        }
    }
}
