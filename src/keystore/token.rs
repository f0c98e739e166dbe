//! A token: found by its URI, logged in once, asked again when it does not answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cryptoki::context::{Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::module::Module;
use super::pool::{Connection, Pool};
use super::retry::{Remedy, RetryPolicy, remedy};
use super::{KeyStoreError, KeyUri};

/// A PIN, wiped when dropped.
pub type Pin = Zeroizing<String>;

/// A token of a key store. All its users share its sessions.
pub struct Token {
    module: Arc<Module>,
    uri: KeyUri,
    pin: Option<AuthPin>,
    policy: RetryPolicy,
    pool: Arc<Pool>,
    /// The PIN was refused: it is never shown again, however many users the token has.
    refused: AtomicBool,
    /// It answered once: if it is not there now it is gone, not misnamed.
    seen: AtomicBool,
    sleep: fn(Duration),
}

/// Why one try failed.
pub(super) enum Failed {
    /// The module said so.
    Module(Error),
    /// Nothing that another try would change.
    Final(KeyStoreError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Module(error)
    }
}

impl From<KeyStoreError> for Failed {
    fn from(error: KeyStoreError) -> Self {
        Self::Final(error)
    }
}

/// Why a PIN cannot be shown to a token, by what the token says of itself.
fn login_hindrance(info: &TokenInfo) -> Option<KeyStoreError> {
    if info.user_pin_locked() {
        return Some(KeyStoreError::PinLocked);
    }
    info.user_pin_final_try().then_some(KeyStoreError::PinFinalTry)
}

/// Whether a token is meant.
pub(super) fn fits(uri: &KeyUri, slot: Slot, info: &TokenInfo) -> bool {
    let same = |wanted: &Option<String>, found: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.trim_end() == found.trim_end())
    };
    same(&uri.token, info.label())
        && same(&uri.manufacturer, info.manufacturer_id())
        && same(&uri.model, info.model())
        && same(&uri.serial, info.serial_number())
        && uri.slot_id.is_none_or(|id| id == slot.id())
}

impl Token {
    /// The token that a URI names, in its module, or in `default_module` where it names none.
    /// Without a PIN only public objects are seen. Nothing is logged in yet.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    pub fn open(
        uri: &KeyUri,
        default_module: Option<&Path>,
        pin: Option<Pin>,
        policy: RetryPolicy,
    ) -> Result<Arc<Self>, KeyStoreError> {
        let path = uri.module_path.as_deref().or(default_module);
        let module = Module::open(path.ok_or(KeyStoreError::NoModule)?)?;
        let pool = Arc::new(Pool::new(policy.sessions));
        module.register(&pool);
        let pin = pin.map(|mut pin| AuthPin::from(std::mem::take(&mut *pin)));
        Ok(Arc::new(Self {
            module,
            uri: uri.of_token(),
            pin,
            policy,
            pool,
            refused: AtomicBool::new(false),
            seen: AtomicBool::new(false),
            sleep: std::thread::sleep,
        }))
    }

    /// The URI of an object in it.
    #[must_use]
    pub fn uri_of(&self, object: &KeyUri) -> KeyUri {
        KeyUri {
            object: object.object.clone(),
            id: object.id.clone(),
            kind: object.kind,
            rsa_scheme: object.rsa_scheme,
            ..self.uri.clone()
        }
    }

    /// Its own URI.
    #[must_use]
    pub const fn uri(&self) -> &KeyUri {
        &self.uri
    }

    /// Whether it has a PIN to log in with.
    #[must_use]
    pub const fn has_pin(&self) -> bool {
        self.pin.is_some()
    }

    /// Path of its module.
    #[must_use]
    pub fn module_path(&self) -> &Path {
        self.module.path()
    }

    /// Does something in a session, logged in; again where the token did not answer, after a wait,
    /// with the module started anew (F10, F11 of what a production line must survive).
    pub(super) fn run<R>(
        &self,
        operation: &'static str,
        work: impl Fn(&Connection) -> Result<R, Failed>,
    ) -> Result<R, KeyStoreError> {
        let mut tries = 0;
        loop {
            let starts = self.module.starts();
            let error = match self.attempt(&work) {
                Ok(result) => return Ok(result),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Module(error)) => error,
            };
            tries += 1;
            let remedy = remedy(&error);
            match remedy {
                Remedy::WrongPin => {
                    self.refused.store(true, Ordering::Release);
                    return Err(KeyStoreError::PinWrong);
                }
                Remedy::LockedPin => return Err(KeyStoreError::PinLocked),
                Remedy::None => {
                    return Err(KeyStoreError::Refused { operation, reason: error.to_string() });
                }
                Remedy::NewSession | Remedy::Wait => {}
            }
            let reason = error.to_string();
            let Some(wait) = self.policy.wait_after(tries) else {
                tracing::error!(operation, tries, reason, "the key store does not answer");
                return Err(KeyStoreError::Unavailable { operation, reason, tries });
            };
            tracing::warn!(operation, tries, reason, "the key store did not answer; trying again");
            // Handles and sessions of a module that was started anew mean nothing.
            let again = remedy == Remedy::Wait || tries > 1;
            if again {
                (self.sleep)(wait);
                let restarted = self.module.restart(starts);
                if let Err(error) = restarted {
                    tracing::warn!(reason = %error, "the module does not start");
                }
            }
        }
    }

    fn attempt<R>(&self, work: impl Fn(&Connection) -> Result<R, Failed>) -> Result<R, Failed> {
        if self.refused.load(Ordering::Acquire) {
            return Err(KeyStoreError::PinWrong.into());
        }
        let context = self.module.context();
        let busy = || KeyStoreError::Unavailable {
            operation: "session",
            reason: "all sessions are in use".to_owned(),
            tries: 1,
        };
        let mut place = self.pool.take(self.policy.session_wait).ok_or_else(busy)?;
        let connection = match place.connection.take() {
            Some(connection) => connection,
            None => Connection::new(self.open_session(&context)?),
        };
        // After an error the session is closed: what is left of an operation would be in the way.
        let result = work(&connection)?;
        place.connection = Some(connection);
        Ok(result)
    }

    fn open_session(&self, context: &Pkcs11) -> Result<Session, Failed> {
        let (slot, info) = self.find(context)?;
        let session = context.open_rw_session(slot).or_else(|error| match error {
            Error::Pkcs11(RvError::TokenWriteProtected, _) => context.open_ro_session(slot),
            other => Err(other),
        })?;
        self.log_in(&session, &info)?;
        self.seen.store(true, Ordering::Release);
        Ok(session)
    }

    /// The slot with the token.
    fn find(&self, context: &Pkcs11) -> Result<(Slot, TokenInfo), Failed> {
        let mut found = Vec::new();
        for slot in context.get_slots_with_token()? {
            // A token that cannot say what it is is none that was asked for.
            let Ok(info) = context.get_token_info(slot) else { continue };
            if info.token_initialized() && fits(&self.uri, slot, &info) {
                found.push((slot, info));
            }
        }
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (None, _) if self.seen.load(Ordering::Acquire) => {
                Err(Error::Pkcs11(RvError::TokenNotPresent, Function::GetSlotList).into())
            }
            (None, _) => Err(KeyStoreError::TokenAbsent(self.uri.to_string()).into()),
            (Some(_), others) => {
                let uri = self.uri.to_string();
                Err(KeyStoreError::TokenAmbiguous { uri, count: others + 1 }.into())
            }
        }
    }

    fn log_in(&self, session: &Session, info: &TokenInfo) -> Result<(), Failed> {
        if self.pin.is_none() && !info.protected_authentication_path() {
            return Ok(());
        }
        if let Some(hindrance) = login_hindrance(info) {
            return Err(hindrance.into());
        }
        // One login counts for all sessions of the process.
        match session.login(UserType::User, self.pin.as_ref()) {
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The handle of the one object that a URI and a template name, found once in each session.
    pub(super) fn handle(
        &self,
        connection: &Connection,
        uri: &KeyUri,
        class: cryptoki::object::ObjectClass,
    ) -> Result<ObjectHandle, Failed> {
        let name = format!("{class} {:?} {:?}", uri.object, uri.id);
        let known = connection.handles.borrow().iter().find(|(n, _)| *n == name).map(|(_, h)| *h);
        if let Some(handle) = known {
            return Ok(handle);
        }
        let found = find_objects(&connection.session, uri, class)?;
        let text = || self.uri_of(uri).to_string();
        match found[..] {
            [handle] => {
                connection.handles.borrow_mut().push((name, handle));
                Ok(handle)
            }
            [] if self.pin.is_none() => Err(KeyStoreError::PinMissing.into()),
            [] => Err(KeyStoreError::KeyAbsent(text()).into()),
            _ => Err(KeyStoreError::KeyAmbiguous { uri: text(), count: found.len() }.into()),
        }
    }
}

/// The objects of a class with the label and identifier of a URI.
pub(super) fn find_objects(
    session: &Session,
    uri: &KeyUri,
    class: cryptoki::object::ObjectClass,
) -> Result<Vec<ObjectHandle>, Error> {
    let mut template = vec![Attribute::Class(class)];
    template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.clone().map(Attribute::Id));
    session.find_objects(&template)
}
