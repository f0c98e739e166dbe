//! The card's operating system: which application gets a command, command chaining, GET RESPONSE.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::{
    Application, Command, Environment, HandedOn, ManagedCard, MemoryError, Module,
    NonVolatileMemory, Registry, Response, SecurityDomain, StatusWord, Write,
};

/// Most bytes of a chained command.
const MAX_CHAIN: usize = 65_535;
const SELECT: u8 = 0xA4;
const GENERAL_AUTHENTICATE: u8 = 0x86;
const GET_RESPONSE: u8 = 0xC0;
const CHAINING: u8 = 0x10;
/// Interindustry class with secure messaging whose header is authenticated.
const SECURE_MESSAGING: u8 = 0x0C;
const LOGICAL_CHANNEL: StatusWord = StatusWord(0x6881);
const LAST_OF_CHAIN_EXPECTED: StatusWord = StatusWord(0x6883);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Selected {
    Domain,
    Application(usize),
}

/// An issuer security domain and up to two applications on one memory.
pub struct OperatingSystem {
    domain: Box<dyn SecurityDomain>,
    applications: Vec<Box<dyn Application>>,
    selected: Selected,
    chain: Option<Chain>,
    /// What GET RESPONSE will fetch, and the status word after it.
    pending: Option<(Vec<u8>, StatusWord)>,
}

/// The commands of a chain so far.
struct Chain {
    header: [u8; 4],
    data: Vec<u8>,
}

/// The part of the memory that belongs to one application: its record numbers have 30 bits.
struct Partition<'a> {
    memory: &'a mut dyn NonVolatileMemory,
    base: u32,
}

const PARTITION_BITS: u32 = 30;
/// Most applications: of the four partitions one is the domain's, and the last belongs to no
/// application.
const MAX_APPLICATIONS: usize = 2;
/// Record of the registry: the last of the domain's partition.
const REGISTRY: u32 = (1 << PARTITION_BITS) - 1;

impl Partition<'_> {
    const fn key(&self, key: u32) -> u32 {
        self.base | key & ((1 << PARTITION_BITS) - 1)
    }
}

impl NonVolatileMemory for Partition<'_> {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.memory.read(self.key(key))
    }

    fn keys(&self) -> Vec<u32> {
        let own = |key: &u32| key >> PARTITION_BITS == self.base >> PARTITION_BITS;
        let mask = (1 << PARTITION_BITS) - 1;
        self.memory.keys().into_iter().filter(own).map(|key| key & mask).collect()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        let moved: Vec<Write<'_>> = writes
            .iter()
            .map(|write| match *write {
                Write::Put { key, value } => Write::Put { key: self.key(key), value },
                Write::Patch { key, offset, data } => {
                    Write::Patch { key: self.key(key), offset, data }
                }
                Write::Delete { key } => Write::Delete { key: self.key(key) },
            })
            .collect();
        self.memory.apply(&moved)
    }
}

/// The card as the issuer security domain sees it.
struct Manager<'a> {
    memory: &'a mut dyn NonVolatileMemory,
    random: &'a mut dyn CryptoRng,
    applications: &'a mut [Box<dyn Application>],
}

impl ManagedCard for Manager<'_> {
    fn with_environment(&mut self, work: &mut dyn FnMut(&mut Environment<'_>)) {
        let mut partition = Partition { memory: self.memory, base: 0 };
        work(&mut Environment { memory: &mut partition, random: self.random });
    }

    fn modules(&self) -> Vec<Module> {
        let modules = self.applications.iter().map(|application| Module {
            aid: Vec::from(application.aid()),
            load_file: Vec::from(application.load_file()),
        });
        modules.collect()
    }

    fn registry(&self) -> Registry {
        Registry::read(self.memory.read(REGISTRY), self.applications.len())
    }

    fn register(&mut self, registry: &Registry, erased: Option<usize>) -> Result<(), StatusWord> {
        let stored = registry.to_bytes();
        let keys = match erased {
            Some(index) => {
                let partition = Partition { memory: self.memory, base: base(index) };
                partition.keys().into_iter().map(|key| partition.key(key)).collect()
            }
            None => Vec::new(),
        };
        let mut writes = Vec::with_capacity(keys.len() + 1);
        writes.push(Write::Put { key: REGISTRY, value: &stored });
        writes.extend(keys.into_iter().map(|key| Write::Delete { key }));
        self.memory.apply(&writes).map_err(StatusWord::from)
    }

    fn is_erasable(&mut self, index: usize) -> bool {
        let partition = Partition { memory: self.memory, base: base(index) };
        self.applications.get(index).is_some_and(|a| a.is_erasable(&partition))
    }

    fn personalize(&mut self, aid: &[u8], identifier: u16, data: &[u8]) -> Result<(), StatusWord> {
        let index = self.applications.iter().position(|a| a.aid() == aid);
        let index = index.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
        if self.registry().entry(index).is_none_or(|entry| entry.instance.is_none()) {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        let mut partition = Partition { memory: self.memory, base: base(index) };
        let mut environment = Environment { memory: &mut partition, random: self.random };
        match self.applications.get_mut(index) {
            Some(application) => application.personalize(&mut environment, identifier, data),
            None => Err(StatusWord::REFERENCE_NOT_FOUND),
        }
    }
}

/// First record number of an application's partition.
const fn base(index: usize) -> u32 {
    ((index as u32 & 0x03) + 1) << PARTITION_BITS
}

/// 61xx: how many bytes GET RESPONSE will fetch, 00 for 256 or more.
const fn more(rest: usize) -> StatusWord {
    StatusWord(if rest > 255 { 0x6100 } else { 0x6100 | rest as u16 })
}

impl OperatingSystem {
    /// A card with an issuer security domain and the applications of its ROM, at most two. The first
    /// is installed on new stock.
    #[must_use]
    pub fn new(
        domain: Box<dyn SecurityDomain>,
        mut applications: Vec<Box<dyn Application>>,
    ) -> Self {
        applications.truncate(MAX_APPLICATIONS);
        Self { domain, applications, selected: Selected::Domain, chain: None, pending: None }
    }

    /// Memory of the issuer security domain, for setting up a blank card.
    pub fn domain_memory<R>(
        memory: &mut dyn NonVolatileMemory,
        set_up: impl FnOnce(&mut dyn NonVolatileMemory) -> R,
    ) -> R {
        set_up(&mut Partition { memory, base: 0 })
    }

    /// Memory of the application with the index, for looking at it.
    pub fn application_memory<R>(
        memory: &mut dyn NonVolatileMemory,
        index: u32,
        look: impl FnOnce(&mut dyn NonVolatileMemory) -> R,
    ) -> R {
        look(&mut Partition { memory, base: (index + 1) << PARTITION_BITS })
    }

    /// Power on or reset: all sessions end, the default application is selected.
    pub fn power_on(&mut self, memory: &mut dyn NonVolatileMemory, random: &mut dyn CryptoRng) {
        self.chain = None;
        self.pending = None;
        self.domain.reset();
        self.selected = Selected::Domain;
        let mut default = None;
        for (index, application) in self.applications.iter_mut().enumerate() {
            let mut partition = Partition { memory, base: base(index) };
            application.power_on(&mut Environment { memory: &mut partition, random: &mut *random });
            if application.is_default_selected(&partition) {
                default = Some(index);
            }
        }
        if let Some(index) = default.filter(|index| self.is_selectable(memory, *index)) {
            self.selected = Selected::Application(index);
        }
    }

    /// One command APDU and its response APDU.
    pub fn transmit(
        &mut self,
        memory: &mut dyn NonVolatileMemory,
        random: &mut dyn CryptoRng,
        apdu: &[u8],
    ) -> Vec<u8> {
        let command = match Command::parse(apdu) {
            Ok(command) => command,
            Err(status) => return Response::from(status).into_bytes(),
        };
        // Channels other than the basic one: bits 1 and 2 of the class, or further interindustry.
        if command.cla & 0x03 != 0 || command.cla & 0x40 != 0 {
            return Response::from(LOGICAL_CHANNEL).into_bytes();
        }
        if command.ins == GET_RESPONSE && command.cla & !0x0C == 0 {
            return self.get_response(&command).into_bytes();
        }
        self.pending = None;
        let response = match self.collect(&command) {
            Err(response) => return response.into_bytes(),
            Ok(None) => self.dispatch(memory, random, &command),
            Ok(Some(data)) => {
                // The joined command is the one that a reader with extended length would have sent.
                let extended = command.extended || data.len() > 255;
                self.dispatch(memory, random, &Command { data: &data, extended, ..command })
            }
        };
        self.fit(response, command.ne).into_bytes()
    }

    /// Joins chained commands (ISO/IEC 7816-4 §5.3.3): `Err` with the response to a command that
    /// is not the last, `Ok` with the joined data, or `Ok(None)` for a command on its own.
    ///
    /// The steps of GENERAL AUTHENTICATE have the same mark, but each is a command of its own. Under
    /// secure messaging each command of a chain has its own protection (BSI TR-03110-3 §E.1), which
    /// only the application can take off, so it joins them.
    fn collect(&mut self, command: &Command<'_>) -> Result<Option<Vec<u8>>, Response> {
        if command.ins == GENERAL_AUTHENTICATE || command.cla & 0x8C == SECURE_MESSAGING {
            self.chain = None;
            return Ok(None);
        }
        let header = [command.cla & !CHAINING, command.ins, command.p1, command.p2];
        let chain = self.chain.take();
        if chain.as_ref().is_some_and(|chain| chain.header != header) {
            return Err(LAST_OF_CHAIN_EXPECTED.into());
        }
        let more = command.cla & CHAINING != 0;
        if chain.is_none() && !more {
            return Ok(None);
        }
        let mut data = chain.map(|chain| chain.data).unwrap_or_default();
        if data.len() + command.data.len() > MAX_CHAIN {
            return Err(StatusWord::WRONG_LENGTH.into());
        }
        data.extend_from_slice(command.data);
        if more {
            self.chain = Some(Chain { header, data });
            return Err(Response::ok(Vec::new()));
        }
        Ok(Some(data))
    }

    fn dispatch(
        &mut self,
        memory: &mut dyn NonVolatileMemory,
        random: &mut dyn CryptoRng,
        command: &Command<'_>,
    ) -> Response {
        let selects = command.cla == 0 && command.ins == SELECT && command.p1 == 0x04;
        let target = if selects { self.find(memory, command.data) } else { None };
        if let Some(Selected::Application(index)) = target
            && self.applications.get(index).is_some_and(|application| application.is_guest())
        {
            // Reached in a session alone, and this command ends every session.
            self.deselect();
            return StatusWord::SECURITY_STATUS.into();
        }
        if let Some(target) = target {
            if target != self.selected {
                self.deselect();
            }
            self.selected = target;
        }
        match self.selected {
            // Another name leaves the domain and its session as they are.
            Selected::Domain if selects && target.is_none() => StatusWord::NOT_FOUND.into(),
            Selected::Domain => {
                if target.is_some() {
                    let mut partition = Partition { memory, base: 0 };
                    let mut environment = Environment { memory: &mut partition, random };
                    return self.domain.select(&mut environment, command);
                }
                let applications = &mut self.applications;
                self.domain.process(&mut Manager { memory, random, applications }, command)
            }
            Selected::Application(index) => {
                self.run_application(memory, random, index, command, target.is_some())
            }
        }
    }

    /// A command for the selected application, which may turn out to be one for its guest.
    fn run_application(
        &mut self,
        memory: &mut dyn NonVolatileMemory,
        random: &mut dyn CryptoRng,
        index: usize,
        command: &Command<'_>,
        selects: bool,
    ) -> Response {
        let Some(application) = self.applications.get_mut(index) else {
            return StatusWord::NOT_FOUND.into();
        };
        let mut partition = Partition { memory: &mut *memory, base: base(index) };
        let mut environment = Environment { memory: &mut partition, random: &mut *random };
        let response = if selects {
            application.select(&mut environment, command)
        } else {
            application.process(&mut environment, command)
        };
        let Some(handed_on) = application.hand_on() else { return response };
        let response = self.run_guest(memory, random, index, &handed_on);
        let mut partition = Partition { memory, base: base(index) };
        let mut environment = Environment { memory: &mut partition, random };
        match self.applications.get_mut(index) {
            Some(application) => application.hand_back(&mut environment, response),
            None => response,
        }
    }

    fn run_guest(
        &mut self,
        memory: &mut dyn NonVolatileMemory,
        random: &mut dyn CryptoRng,
        host: usize,
        handed_on: &HandedOn,
    ) -> Response {
        let Some(Selected::Application(index)) = self.find(memory, &handed_on.aid) else {
            return StatusWord::NOT_FOUND.into();
        };
        let mut partition = Partition { memory, base: base(index) };
        let mut environment = Environment { memory: &mut partition, random };
        match self.applications.get_mut(index) {
            Some(guest) if index != host && guest.is_guest() => {
                guest.process_in_session(&mut environment, &handed_on.command(), handed_on.room)
            }
            _ => StatusWord::NOT_FOUND.into(),
        }
    }

    /// Which application a SELECT names: whole identifier or its beginning.
    fn find(&self, memory: &mut dyn NonVolatileMemory, aid: &[u8]) -> Option<Selected> {
        let names = |own: &[u8]| aid.len() >= 5 && own.starts_with(aid);
        if names(self.domain.aid()) || aid.is_empty() {
            return Some(Selected::Domain);
        }
        let index = self.applications.iter().position(|a| names(a.aid()))?;
        self.is_selectable(memory, index).then_some(Selected::Application(index))
    }

    /// Whether registry and life cycle of the card let an application be selected.
    fn is_selectable(&self, memory: &mut dyn NonVolatileMemory, index: usize) -> bool {
        let registry = Registry::read(memory.read(REGISTRY), self.applications.len());
        registry.is_selectable(index)
            && self.domain.admits_applications(&Partition { memory, base: 0 })
    }

    fn deselect(&mut self) {
        match self.selected {
            Selected::Domain => self.domain.reset(),
            Selected::Application(index) => {
                if let Some(application) = self.applications.get_mut(index) {
                    application.deselect();
                }
            }
        }
    }

    /// Keeps what does not fit into the response for GET RESPONSE.
    fn fit(&mut self, response: Response, ne: Option<usize>) -> Response {
        let ne = ne.unwrap_or(0);
        if response.data.len() <= ne {
            return response;
        }
        let mut data = response.data;
        let rest = data.split_off(ne);
        let status = more(rest.len());
        self.pending = Some((rest, response.status));
        Response { data, status }
    }

    fn get_response(&mut self, command: &Command<'_>) -> Response {
        match self.pending.take() {
            Some((data, status)) if command.ne.is_some() => {
                self.fit(Response { data, status }, command.ne)
            }
            _ => StatusWord::CONDITIONS.into(),
        }
    }
}

#[cfg(test)]
mod tests;
