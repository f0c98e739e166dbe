//! The GlobalPlatform registry: which applications of the card's ROM are installed, in which state
//! (GlobalPlatform Card Specification 2.3.1 §6.6).

use alloc::vec::Vec;

/// Bytes of an entry in the stored registry: flags, life cycle, privileges.
const ENTRY: usize = 5;
const LOADED: u8 = 0x01;
const INSTALLED: u8 = 0x02;

/// Life cycle of an application (§5.3.1): bit 8 locks it, whatever it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationState(pub u8);

impl ApplicationState {
    /// Installed, not yet selectable.
    pub const INSTALLED: Self = Self(0x03);
    /// Selectable.
    pub const SELECTABLE: Self = Self(0x07);
    const LOCK: u8 = 0x80;

    /// Whether the issuer locked it.
    #[must_use]
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCK != 0
    }

    /// Whether a reader can select it.
    #[must_use]
    pub const fn is_selectable(self) -> bool {
        self.0 & 0x87 == Self::SELECTABLE.0
    }

    /// The same, locked or not.
    #[must_use]
    pub const fn with_lock(self, locked: bool) -> Self {
        Self(if locked { self.0 | Self::LOCK } else { self.0 & !Self::LOCK })
    }
}

/// What the registry says of one application of the ROM. Each stands in an executable load file of
/// its own, and has at most one instance, which has its module's identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whether its executable load file is there.
    pub loaded: bool,
    /// The instance, if it is installed.
    pub instance: Option<ApplicationState>,
}

/// One application of the card's ROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Identifier of the module and of its instance.
    pub aid: Vec<u8>,
    /// Identifier of its executable load file.
    pub load_file: Vec<u8>,
}

/// The registry: one entry for each application of the ROM, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// Stock as it leaves the factory: everything is loaded, the first application is installed.
    #[must_use]
    pub fn factory(modules: usize) -> Self {
        let entry = |index| Entry {
            loaded: true,
            instance: (index == 0).then_some(ApplicationState::SELECTABLE),
        };
        Self { entries: (0..modules).map(entry).collect() }
    }

    /// Reads the stored form. What it does not reach is as it leaves the factory.
    #[must_use]
    pub fn read(stored: Option<&[u8]>, modules: usize) -> Self {
        let mut registry = Self::factory(modules);
        let stored = stored.unwrap_or_default().chunks_exact(ENTRY);
        for (entry, bytes) in registry.entries.iter_mut().zip(stored) {
            if let [flags, state, ..] = *bytes {
                entry.loaded = flags & LOADED != 0;
                entry.instance = (flags & INSTALLED != 0).then_some(ApplicationState(state));
            }
        }
        registry
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let entry = |entry: &Entry| {
            let loaded = if entry.loaded { LOADED } else { 0 };
            let installed = if entry.instance.is_some() { INSTALLED } else { 0 };
            let state = entry.instance.map_or(0, |state| state.0);
            [loaded | installed, state, 0, 0, 0]
        };
        self.entries.iter().flat_map(entry).collect()
    }

    /// The entry of an application by its place in the ROM.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// The same, to be changed.
    pub fn entry_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries.get_mut(index)
    }

    /// Whether readers can select an application.
    #[must_use]
    pub fn is_selectable(&self, index: usize) -> bool {
        self.entry(index)
            .and_then(|entry| entry.instance)
            .is_some_and(ApplicationState::is_selectable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_has_the_first_application_installed_and_all_loaded() {
        let registry = Registry::read(None, 2);
        assert!(registry.is_selectable(0) && !registry.is_selectable(1));
        assert!(registry.entry(1).is_some_and(|entry| entry.loaded));
        assert_eq!(registry.entry(2), None);
    }

    #[test]
    fn reads_what_it_wrote() {
        let mut registry = Registry::factory(2);
        *registry.entry_mut(0).unwrap() = Entry { loaded: false, instance: None };
        let locked = ApplicationState::SELECTABLE.with_lock(true);
        registry.entry_mut(1).unwrap().instance = Some(locked);
        assert_eq!(Registry::read(Some(&registry.to_bytes()), 2), registry);
        assert!(!registry.is_selectable(1));
    }

    #[test]
    fn an_older_registry_leaves_later_applications_as_from_the_factory() {
        let older = Registry { entries: alloc::vec![Entry { loaded: false, instance: None }] };
        let registry = Registry::read(Some(&older.to_bytes()), 2);
        assert_eq!(registry.entry(0), older.entry(0));
        assert_eq!(registry.entry(1), Registry::factory(2).entry(1));
    }

    #[test]
    fn unlocking_gives_back_the_state_before() {
        for state in [ApplicationState::INSTALLED, ApplicationState::SELECTABLE] {
            assert_eq!(state.with_lock(true).with_lock(false), state);
            assert!(state.with_lock(true).is_locked() && !state.with_lock(true).is_selectable());
        }
    }
}
