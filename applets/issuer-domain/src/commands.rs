//! INSTALL [for personalization], SET STATUS, GET STATUS (GlobalPlatform Card Specification 2.3.1
//! §11.5, §11.10, §11.4).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::object;
use cancuoc_card_runtime::{Command, Environment, ManagedCard, NonVolatileMemory, StatusWord};

use crate::store::{self, LifeCycle};
use crate::{AID, Session};

/// INSTALL [for personalization] (§11.5.2.3.6): names the application that STORE DATA is for.
pub fn install(
    session: &mut Session,
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if (command.p1, command.p2) != (0x20, 0x00) {
        return Err(StatusWord::WRONG_P1P2);
    }
    let [0, 0, length, rest @ ..] = command.data else { return Err(StatusWord::WRONG_DATA) };
    let (aid, fields) =
        rest.split_at_checked(usize::from(*length)).ok_or(StatusWord::WRONG_DATA)?;
    if fields != [0, 0, 0] {
        return Err(StatusWord::WRONG_DATA);
    }
    if !card.identifiers().iter().any(|known| known == aid) {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    session.personalizing = Some((aid.to_vec(), 0));
    Ok(alloc::vec![0])
}

/// SET STATUS of the card (§11.10): forward only, but a locked card can be unlocked.
pub fn set_status(
    memory: &mut dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if command.p1 != 0x80 {
        return Err(StatusWord::WRONG_P1P2);
    }
    if !command.data.is_empty() && command.data != AID {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    let new = LifeCycle::from_byte(command.p2).ok_or(StatusWord::WRONG_P1P2)?;
    let old = store::life_cycle(memory);
    let unlocks = (old, new) == (LifeCycle::CardLocked, LifeCycle::Secured);
    let locks_early = new == LifeCycle::CardLocked && old < LifeCycle::Secured;
    if new < old && !unlocks || locks_early || old == LifeCycle::Terminated {
        return Err(StatusWord::CONDITIONS);
    }
    if new != old {
        store::set_life_cycle(memory, new)?;
    }
    Ok(Vec::new())
}

/// GET STATUS (§11.4) of the domain or of the applications, in TLV form.
pub fn get_status(
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let entry = |aid: &[u8], state: u8, privileges: [u8; 3]| {
        let content =
            [object(0x4F, aid), object(0x9F70, &[state]), object(0xC5, &privileges)].concat();
        object(0xE3, &content)
    };
    if command.p2 & 0x02 == 0 {
        return Err(StatusWord::WRONG_P1P2);
    }
    match command.p1 {
        0x80 => {
            let mut state = 0;
            card.with_environment(&mut |environment: &mut Environment<'_>| {
                state = store::life_cycle(environment.memory).to_byte();
            });
            Ok(entry(&AID, state, [0x9E, 0xFE, 0x80]))
        }
        // Selectable; how far its own personalisation has come the application does not tell.
        0x40 => {
            let aids = card.identifiers();
            Ok(aids.iter().flat_map(|aid| entry(aid, 0x07, [0, 0, 0])).collect())
        }
        _ => Err(StatusWord::WRONG_P1P2),
    }
}
