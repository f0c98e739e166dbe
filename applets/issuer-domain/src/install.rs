//! INSTALL (GlobalPlatform Card Specification 2.3.1 §11.5): for load, for install and make selectable,
//! for personalization.

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::Objects;
use cancuoc_card_runtime::{ApplicationState, Command, ManagedCard, Module, StatusWord};

use crate::load::Loading;
use crate::store_data::Sequence;
use crate::{AID, Session, fields};

const FOR_LOAD: u8 = 0x02;
const FOR_INSTALL: u8 = 0x04;
const FOR_MAKE_SELECTABLE: u8 = 0x08;
const FOR_INSTALL_AND_MAKE_SELECTABLE: u8 = FOR_INSTALL | FOR_MAKE_SELECTABLE;
const FOR_PERSONALIZATION: u8 = 0x20;

/// No confirmation follows: the issuer's own domain needs no receipt.
const NO_RECEIPT: u8 = 0x00;

/// One INSTALL command.
pub fn install(
    session: &mut Session,
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    session.personalizing = None;
    match (command.p1, command.p2) {
        (FOR_LOAD, 0) => session.loading = Some(for_load(card, command.data)?),
        (FOR_INSTALL, 0) => for_install(card, command.data, ApplicationState::INSTALLED)?,
        (FOR_INSTALL_AND_MAKE_SELECTABLE, 0) => {
            for_install(card, command.data, ApplicationState::SELECTABLE)?;
        }
        (FOR_MAKE_SELECTABLE, 0) => for_make_selectable(card, command.data)?,
        (FOR_PERSONALIZATION, 0) => {
            session.personalizing = Some(for_personalization(card, command.data)?);
        }
        _ => return Err(StatusWord::WRONG_P1P2),
    }
    Ok(alloc::vec![NO_RECEIPT])
}

/// Place in the ROM of the module that something holds of.
pub fn find(card: &dyn ManagedCard, holds: impl Fn(&Module) -> bool) -> Option<usize> {
    card.modules().iter().position(holds)
}

/// §11.5.2.3.1: load file, security domain, hash, parameters, token. The code of every load file that
/// there can be is in the ROM, so one that the card does not know is refused.
fn for_load(card: &dyn ManagedCard, data: &[u8]) -> Result<Loading, StatusWord> {
    let [load_file, domain, hash, parameters, token] = fields::all(data)?;
    if !domain.is_empty() && domain != AID {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    if !token.is_empty() || !is_whole(parameters) {
        return Err(StatusWord::WRONG_DATA);
    }
    let index = find(card, |m| m.load_file == load_file).ok_or(StatusWord::WRONG_DATA)?;
    if card.registry().entry(index).is_none_or(|entry| entry.loaded) {
        return Err(StatusWord::CONDITIONS);
    }
    Loading::new(index, hash)
}

/// §11.5.2.3.2: load file, module, instance, privileges, parameters, token.
fn for_install(
    card: &mut dyn ManagedCard,
    data: &[u8],
    state: ApplicationState,
) -> Result<(), StatusWord> {
    let [load_file, module, instance, privileges, parameters, token] = fields::all(data)?;
    let found = find(card, |m| m.load_file == load_file && m.aid == module);
    let index = found.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let mut registry = card.registry();
    let entry = registry.entry_mut(index).filter(|entry| entry.loaded);
    let entry = entry.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    // An application of the ROM has one instance, by its own name, without privileges.
    let named = instance.is_empty() || instance == module;
    if !named || !are_no_privileges(privileges) || !are_no_parameters(parameters) {
        return Err(StatusWord::WRONG_DATA);
    }
    if !token.is_empty() {
        return Err(StatusWord::WRONG_DATA);
    }
    if entry.instance.is_some() {
        return Err(StatusWord::CONDITIONS);
    }
    entry.instance = Some(state);
    card.register(&registry, None)
}

/// §11.5.2.3.3: nothing, nothing, instance, privileges, parameters, token.
fn for_make_selectable(card: &mut dyn ManagedCard, data: &[u8]) -> Result<(), StatusWord> {
    let [load_file, module, instance, privileges, parameters, token] = fields::all(data)?;
    let empty = load_file.is_empty() && module.is_empty() && token.is_empty();
    if !empty || !are_no_privileges(privileges) || !is_whole(parameters) {
        return Err(StatusWord::WRONG_DATA);
    }
    let index = find(card, |m| m.aid == instance).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let mut registry = card.registry();
    let entry = registry.entry_mut(index).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    match entry.instance {
        None => return Err(StatusWord::REFERENCE_NOT_FOUND),
        Some(ApplicationState::INSTALLED) => {}
        Some(_) => return Err(StatusWord::CONDITIONS),
    }
    entry.instance = Some(ApplicationState::SELECTABLE);
    card.register(&registry, None)
}

/// §11.5.2.3.6: names the application that STORE DATA is for.
fn for_personalization(card: &dyn ManagedCard, data: &[u8]) -> Result<Sequence, StatusWord> {
    let [none, nothing, aid, privileges, parameters, token] = fields::all(data)?;
    if [none, nothing, privileges, parameters, token].iter().any(|field| !field.is_empty()) {
        return Err(StatusWord::WRONG_DATA);
    }
    let index = find(card, |m| m.aid == aid).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let registry = card.registry();
    let instance = registry.entry(index).and_then(|entry| entry.instance);
    let instance = instance.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    if instance.is_locked() {
        return Err(StatusWord::CONDITIONS);
    }
    Ok(Sequence::of_application(aid))
}

/// One byte or three, no bit set.
fn are_no_privileges(privileges: &[u8]) -> bool {
    matches!(privileges, [] | [0] | [0, 0, 0])
}

/// Data objects, none cut off.
fn is_whole(parameters: &[u8]) -> bool {
    let mut objects = Objects::new(parameters);
    while !objects.is_empty() {
        if objects.take().is_err() {
            return false;
        }
    }
    true
}

/// Nothing, or C9 without content: applications of the ROM take no parameters.
fn are_no_parameters(parameters: &[u8]) -> bool {
    matches!(parameters, [] | [0xC9, 0])
}
