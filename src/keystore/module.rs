//! PKCS#11 modules: loaded and started once in a process, started anew when their token was gone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::KeyStoreError;
use super::pool::Pool;

/// PKCS#11 itself is global: `C_Initialize` and `C_Finalize` count for the whole process, so every
/// user of a module must share what is known about it.
static MODULES: Mutex<Vec<Arc<Module>>> = Mutex::new(Vec::new());

/// A loaded module.
pub(super) struct Module {
    path: PathBuf,
    /// Read while the module is called, written while it is started anew.
    context: RwLock<Pkcs11>,
    starts: AtomicU64,
    /// Sessions end with a start: no pool may keep one.
    pools: Mutex<Vec<Weak<Pool>>>,
}

fn args() -> CInitializeArgs {
    CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)
}

fn start(context: &Pkcs11) -> Result<(), Error> {
    match context.initialize(args()) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

impl Module {
    /// The module at a path, loaded and started if it is not yet.
    pub(super) fn open(path: &Path) -> Result<Arc<Self>, KeyStoreError> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.iter().find(|module| module.path == path) {
            return Ok(Arc::clone(module));
        }
        let fail =
            |e: Error| KeyStoreError::Module { path: path.to_owned(), reason: e.to_string() };
        let context = Pkcs11::new(path).map_err(fail)?;
        start(&context).map_err(fail)?;
        let module = Arc::new(Self {
            path: path.to_owned(),
            context: RwLock::new(context),
            starts: AtomicU64::new(0),
            pools: Mutex::new(Vec::new()),
        });
        modules.push(Arc::clone(&module));
        Ok(module)
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The module for calls; it is not started anew meanwhile.
    pub(super) fn context(&self) -> RwLockReadGuard<'_, Pkcs11> {
        self.context.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it was started anew.
    pub(super) fn starts(&self) -> u64 {
        self.starts.load(Ordering::Acquire)
    }

    /// Has a pool emptied before each new start.
    pub(super) fn register(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Starts the module anew, unless somebody did since `seen` starts: many modules find a token
    /// that was gone only so.
    pub(super) fn restart(&self, seen: u64) -> Result<(), Error> {
        let context = self.context.write().unwrap_or_else(PoisonError::into_inner);
        if self.starts() != seen {
            return Ok(());
        }
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the end: a handle of today must close no session of tomorrow.
        pools.iter().filter_map(Weak::upgrade).for_each(|pool| pool.clear());
        // It may be ended already.
        let _ = context.clone().finalize();
        start(&context)?;
        self.starts.store(seen + 1, Ordering::Release);
        Ok(())
    }
}
