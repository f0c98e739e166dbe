//! SET STATUS and GET STATUS (GlobalPlatform Card Specification 2.3.1 §11.10, §11.4).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects, object};
use cancuoc_card_runtime::{Command, ManagedCard, Response, StatusWord};

use crate::channel::SecureChannel;
use crate::install::find;
use crate::store::{self, LifeCycle};
use crate::{AID, Session, current_life_cycle, run};

const DOMAIN: u8 = 0x80;
const APPLICATIONS: u8 = 0x40;
const LOAD_FILES: u8 = 0x20;
const LOAD_FILES_AND_MODULES: u8 = 0x10;
/// Life cycle of an executable load file.
const LOADED: u8 = 0x01;
const NEXT: u8 = 0x01;
const IN_OBJECTS: u8 = 0x02;
const LOCK: u8 = 0x80;
/// More entries follow with GET STATUS [next].
const MORE: StatusWord = StatusWord(0x6310);
/// Privileges of the issuer security domain.
const DOMAIN_PRIVILEGES: [u8; 3] = [0x9E, 0xFE, 0x80];

/// SET STATUS of the card or of an application.
pub fn set_status(
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    match command.p1 {
        DOMAIN => set_card(card, command),
        APPLICATIONS => set_application(card, command),
        _ => Err(StatusWord::WRONG_P1P2),
    }
}

/// Forward only, but a locked card can be unlocked; a card that is not issued cannot be locked.
fn set_card(card: &mut dyn ManagedCard, command: &Command<'_>) -> Result<Vec<u8>, StatusWord> {
    if !command.data.is_empty() && command.data != AID {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    let new = LifeCycle::from_byte(command.p2).ok_or(StatusWord::WRONG_P1P2)?;
    let old = current_life_cycle(card);
    let unlocks = (old, new) == (LifeCycle::CardLocked, LifeCycle::Secured);
    let locks_early = new == LifeCycle::CardLocked && old < LifeCycle::Secured;
    if new < old && !unlocks || locks_early || old == LifeCycle::Terminated {
        return Err(StatusWord::CONDITIONS);
    }
    if new != old {
        run(card, &mut |environment| {
            store::set_life_cycle(environment.memory, new)?;
            Ok(Vec::new())
        })?;
    }
    Ok(Vec::new())
}

/// Locks or unlocks; the rest of its life cycle is the application's own.
fn set_application(
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if current_life_cycle(card) > LifeCycle::Secured {
        return Err(StatusWord::CONDITIONS);
    }
    let not_found = StatusWord::REFERENCE_NOT_FOUND;
    let index = find(card, |module| module.aid == command.data).ok_or(not_found)?;
    let mut registry = card.registry();
    let entry = registry.entry_mut(index).ok_or(not_found)?;
    let old = entry.instance.ok_or(not_found)?;
    let new = old.with_lock(command.p2 & LOCK != 0);
    if new != old {
        entry.instance = Some(new);
        card.register(&registry, None)?;
    }
    Ok(Vec::new())
}

/// A list that was not told to its end.
pub struct Listing {
    p1: u8,
    criteria: Vec<u8>,
    /// Entries told so far.
    told: usize,
}

/// What GET STATUS tells of one object.
struct Entry {
    aid: Vec<u8>,
    state: u8,
    privileges: Option<[u8; 3]>,
    load_file: Option<Vec<u8>>,
    modules: Vec<Vec<u8>>,
}

/// GET STATUS: as many entries as there is room for, 6310 when more follow.
pub fn get_status(
    session: &mut Session,
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
    channel: &SecureChannel,
) -> Result<Response, StatusWord> {
    let listing = session.listing.take();
    if command.p2 & !(NEXT | IN_OBJECTS) != 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    let told = match (command.p2 & NEXT, listing) {
        (0, _) => 0,
        (_, Some(l)) if l.p1 == command.p1 && l.criteria == command.data => l.told,
        _ => return Err(StatusWord::CONDITIONS),
    };
    let criteria = Criteria::read(command.data).ok_or(StatusWord::WRONG_DATA)?;
    let mut entries = entries(card, command.p1)?;
    entries.retain(|entry| entry.aid.starts_with(criteria.aid));
    if entries.is_empty() {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    let room = command.ne.unwrap_or(256).saturating_sub(channel.response_overhead());
    let mut data = Vec::new();
    for (index, entry) in entries.iter().enumerate().skip(told) {
        let bytes = if command.p2 & IN_OBJECTS == 0 {
            entry.plain(command.p1)
        } else {
            entry.in_objects(criteria.tags)
        };
        if !data.is_empty() && data.len() + bytes.len() > room {
            let criteria = command.data.to_vec();
            session.listing = Some(Listing { p1: command.p1, criteria, told: index });
            return Ok(Response { data, status: MORE });
        }
        data.extend(bytes);
    }
    Ok(Response::ok(data))
}

/// Search criteria: the beginning of a name, and a list of the tags that are wanted.
struct Criteria<'a> {
    aid: &'a [u8],
    tags: Option<&'a [u8]>,
}

impl<'a> Criteria<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut objects = Objects::new(data);
        let aid = objects.take_if(0x4F).ok()??.value;
        let tags = objects.take_if(0x5C).ok()?.map(|object| object.value);
        (aid.len() <= 16 && objects.is_empty()).then_some(Self { aid, tags })
    }
}

fn entries(card: &mut dyn ManagedCard, p1: u8) -> Result<Vec<Entry>, StatusWord> {
    if p1 == DOMAIN {
        return Ok(alloc::vec![Entry {
            aid: AID.to_vec(),
            state: current_life_cycle(card).to_byte(),
            privileges: Some(DOMAIN_PRIVILEGES),
            load_file: None,
            modules: Vec::new(),
        }]);
    }
    let registry = card.registry();
    let mut out = Vec::new();
    for (index, module) in card.modules().into_iter().enumerate() {
        let Some(stored) = registry.entry(index) else { continue };
        match (p1, stored.instance) {
            (APPLICATIONS, Some(state)) => out.push(Entry {
                aid: module.aid,
                state: state.0,
                privileges: Some([0; 3]),
                load_file: Some(module.load_file),
                modules: Vec::new(),
            }),
            (LOAD_FILES | LOAD_FILES_AND_MODULES, _) if stored.loaded => out.push(Entry {
                aid: module.load_file,
                state: LOADED,
                privileges: None,
                load_file: None,
                modules: if p1 == LOAD_FILES { Vec::new() } else { alloc::vec![module.aid] },
            }),
            (APPLICATIONS | LOAD_FILES | LOAD_FILES_AND_MODULES, _) => {}
            _ => return Err(StatusWord::WRONG_P1P2),
        }
    }
    Ok(out)
}

impl Entry {
    /// The older form (table 11-35): lengths and values, privileges of one byte.
    fn plain(&self, p1: u8) -> Vec<u8> {
        let mut out = alloc::vec![self.aid.len() as u8];
        out.extend_from_slice(&self.aid);
        let [privileges, ..] = self.privileges.unwrap_or_default();
        out.extend([self.state, privileges]);
        if p1 == LOAD_FILES_AND_MODULES {
            out.push(self.modules.len() as u8);
            for module in &self.modules {
                out.push(module.len() as u8);
                out.extend_from_slice(module);
            }
        }
        out
    }

    /// The form of data objects (table 11-36).
    fn in_objects(&self, tags: Option<&[u8]>) -> Vec<u8> {
        let mut content = Vec::new();
        let mut put = |tag: u16, value: &[u8]| {
            if wants(tags, tag) {
                tlv::put(&mut content, tag, value);
            }
        };
        put(0x4F, &self.aid);
        put(0x9F70, &[self.state]);
        if let Some(privileges) = &self.privileges {
            put(0xC5, privileges);
        }
        if let Some(load_file) = &self.load_file {
            put(0xC4, load_file);
        }
        for module in &self.modules {
            put(0x84, module);
        }
        // The domain is associated with itself, which it need not say.
        if self.aid != AID {
            put(0xCC, &AID);
        }
        object(0xE3, &content)
    }
}

/// Whether a list of tags has this one; the name is always told.
fn wants(tags: Option<&[u8]>, wanted: u16) -> bool {
    let Some(mut tags) = tags else { return true };
    if wanted == 0x4F {
        return true;
    }
    loop {
        let (tag, rest) = match tags {
            [first, second, rest @ ..] if first & 0x1F == 0x1F => {
                (u16::from_be_bytes([*first, *second]), rest)
            }
            [first, rest @ ..] => (u16::from(*first), rest),
            [] => return false,
        };
        if tag == wanted {
            return true;
        }
        tags = rest;
    }
}
