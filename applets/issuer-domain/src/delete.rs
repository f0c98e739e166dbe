//! DELETE of applications, executable load files and keys (GlobalPlatform Card Specification 2.3.1
//! §11.2).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{Object, Objects};
use cancuoc_card_runtime::{Command, ManagedCard, StatusWord};

use crate::channel::SecureChannel;
use crate::install::find;
use crate::keys::KeySet;
use crate::run;

const NAME: u16 = 0x4F;
const KEY_IDENTIFIER: u16 = 0xD0;
const KEY_VERSION: u16 = 0xD2;
const RELATED: u8 = 0x80;

/// One DELETE command: one object, with those related to it where P2 says so.
pub fn delete(
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
    channel: &SecureChannel,
) -> Result<Vec<u8>, StatusWord> {
    if command.p1 != 0 || command.p2 & !RELATED != 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    let objects = objects(command.data).ok_or(StatusWord::WRONG_DATA)?;
    match objects[..] {
        [Object { tag: NAME, value, .. }] => content(card, value, command.p2 & RELATED != 0)?,
        // A set is deleted as a whole: its keys make no channel without each other.
        [Object { tag: KEY_VERSION, value: [version], .. }] => keys(card, *version, channel)?,
        [Object { tag: KEY_IDENTIFIER, .. }, Object { tag: KEY_VERSION, .. }] => {
            return Err(StatusWord::NOT_SUPPORTED);
        }
        _ => return Err(StatusWord::WRONG_DATA),
    }
    Ok(alloc::vec![0])
}

fn objects(data: &[u8]) -> Option<Vec<Object<'_>>> {
    let mut objects = Objects::new(data);
    let mut out = Vec::new();
    while !objects.is_empty() {
        out.push(objects.take().ok()?);
    }
    Some(out)
}

/// An instance with all that it holds, or a load file.
fn content(card: &mut dyn ManagedCard, aid: &[u8], related: bool) -> Result<(), StatusWord> {
    let mut registry = card.registry();
    if let Some(index) = find(card, |module| module.aid == aid) {
        let entry = registry.entry_mut(index).filter(|entry| entry.instance.is_some());
        entry.ok_or(StatusWord::REFERENCE_NOT_FOUND)?.instance = None;
        if !card.is_erasable(index) {
            return Err(StatusWord::CONDITIONS);
        }
        return card.register(&registry, Some(index));
    }
    let index = find(card, |module| module.load_file == aid);
    let index = index.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let entry = registry.entry_mut(index).filter(|entry| entry.loaded);
    let entry = entry.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let erased = entry.instance.is_some().then_some(index);
    if erased.is_some() && !(related && card.is_erasable(index)) {
        return Err(StatusWord::CONDITIONS);
    }
    entry.loaded = false;
    entry.instance = None;
    card.register(&registry, erased)
}

/// A key set, but neither the last one nor that of the channel.
fn keys(
    card: &mut dyn ManagedCard,
    version: u8,
    channel: &SecureChannel,
) -> Result<(), StatusWord> {
    run(card, &mut |environment| {
        let versions = KeySet::versions(environment.memory);
        if !versions.contains(&version) {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        if versions.len() == 1 || version == channel.key_version() {
            return Err(StatusWord::CONDITIONS);
        }
        KeySet::delete(environment.memory, version)?;
        Ok(Vec::new())
    })
    .map(drop)
}
