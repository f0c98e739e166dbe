//! Another application that a reader selects in the session of this one: PACE and BAC open the card,
//! secure messaging goes on (as ICAO 9303-10 §3.11 has it for the applications of LDS2).

use alloc::vec::Vec;

use cancuoc_card_runtime::{HandedOn, StatusWord};
use zeroize::Zeroizing;

use crate::AID;
use crate::secure_messaging::Unwrapped;

const SELECT: u8 = 0xA4;
const MASTER_FILE: [u8; 2] = [0x3F, 0x00];

/// The guest of a session, if there is one.
#[derive(Default)]
pub struct Guest {
    /// Identifier of the application that is selected in place of this one.
    selected: Option<Vec<u8>>,
    /// The command on its way to a guest.
    under_way: Option<UnderWay>,
}

struct UnderWay {
    command: Unwrapped,
    aid: Vec<u8>,
    selects: bool,
    room: usize,
    fetched: bool,
}

impl Guest {
    /// Takes a command that is for a guest; any other comes back. A command that selects something of
    /// this application or of the master file ends the guest.
    ///
    /// Authentication is the card's and comes back whatever is selected: a guest has files alone.
    pub fn take(&mut self, command: Unwrapped, room: usize) -> Option<Unwrapped> {
        self.under_way = None;
        let plain = command.command();
        if plain.cla != 0 {
            return Some(command);
        }
        let (aid, selects) = match (plain.ins, plain.p1) {
            (SELECT, 0x04) if plain.data.len() >= 5 && !AID.starts_with(plain.data) => {
                (plain.data.to_vec(), true)
            }
            (SELECT, 0x04) if plain.data.len() >= 5 => {
                self.selected = None;
                return Some(command);
            }
            (SELECT, 0x00) if plain.data.is_empty() || plain.data == MASTER_FILE => {
                self.selected = None;
                return Some(command);
            }
            (SELECT | 0xB0 | 0xB1, _) => match &self.selected {
                Some(aid) => (aid.clone(), false),
                None => return Some(command),
            },
            _ => return Some(command),
        };
        self.under_way = Some(UnderWay { command, aid, selects, room, fetched: false });
        None
    }

    /// The command for the guest, once.
    pub fn hand_on(&mut self) -> Option<HandedOn> {
        let under_way = self.under_way.as_mut().filter(|under_way| !under_way.fetched)?;
        under_way.fetched = true;
        let command = under_way.command.command();
        Some(HandedOn {
            aid: under_way.aid.clone(),
            header: [command.cla, command.ins, command.p1, command.p2],
            data: Zeroizing::new(command.data.to_vec()),
            ne: command.ne,
            extended: command.extended,
            room: under_way.room,
        })
    }

    /// The command that a guest answered. One that could not be selected changes nothing.
    pub fn answered(&mut self, status: StatusWord) -> Option<Unwrapped> {
        let under_way = self.under_way.take()?;
        if under_way.selects && status == StatusWord::OK {
            self.selected = Some(under_way.aid);
        }
        Some(under_way.command)
    }
}
