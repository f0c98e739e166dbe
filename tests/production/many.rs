//! Many cards on several heads at once, torn out at random: every record ends as exactly one good
//! card, and nothing is left over.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use cancuoc::production::journal::{Act, NewChip, StationId};
use cancuoc::production::run::{Crew, Head, LineEvent};
use cancuoc::production::state::{CardState, RecordState};
use cancuoc::production::station::{Fate, Outcome};
use cancuoc::softcard::{ApplicationLifeCycle, BlankOptions, CardLifeCycle, SoftCard};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::hash::HashAlgorithm;

use crate::site::{KIND, Site, chip_of, random};

/// How many; more with `CANCUOC_LINE_CARDS`.
fn wanted() -> usize {
    std::env::var("CANCUOC_LINE_CARDS").ok().and_then(|n| n.parse().ok()).unwrap_or(24)
}

/// A number that follows from the seed and what it is for: the same run has the same faults.
fn drawn(seed: u64, chip: u32, insertion: u32) -> u64 {
    let input = [&seed.to_be_bytes()[..], &chip.to_be_bytes(), &insertion.to_be_bytes()].concat();
    let hash = HashAlgorithm::Sha256.digest(&input);
    u64::from_be_bytes(hash[..8].try_into().unwrap())
}

/// A card that several insertions share.
struct Inserted {
    card: Arc<Mutex<SoftCard>>,
    atr: Vec<u8>,
    /// Commands until it is torn out.
    left: Option<usize>,
    torn: Arc<AtomicBool>,
}

impl CardTransport for Inserted {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if self.left == Some(0) {
            self.torn.store(true, Ordering::Relaxed);
            return Err(TransportError::CardRemoved);
        }
        self.left = self.left.map(|left| left - 1);
        let answer = CardTransport::transmit(&mut *self.card.lock().unwrap(), command)?;
        if self.left == Some(0) {
            self.torn.store(true, Ordering::Relaxed);
            return Err(TransportError::CardRemoved);
        }
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        if self.left == Some(0) {
            return Err(TransportError::CardRemoved);
        }
        CardTransport::reset(&mut *self.card.lock().unwrap())
    }
}

type Stack = Arc<Mutex<Vec<(u32, Arc<Mutex<SoftCard>>)>>>;

/// The card in a reader.
struct InReader {
    chip: u32,
    card: Arc<Mutex<SoftCard>>,
    insertion: u32,
    torn: Arc<AtomicBool>,
}

/// A reader with an operator who takes cards from a stack and puts a torn one in again.
struct Operator {
    id: StationId,
    seed: u64,
    stack: Stack,
    again: Option<(u32, Arc<Mutex<SoftCard>>, u32)>,
    in_reader: Option<InReader>,
}

impl Head for Operator {
    fn id(&self) -> &StationId {
        &self.id
    }

    fn next_card(
        &mut self,
        _: &AtomicBool,
    ) -> Result<Option<Box<dyn CardTransport + Send>>, TransportError> {
        let next = self.again.take().or_else(|| {
            let (chip, card) = self.stack.lock().unwrap().pop()?;
            Some((chip, card, 0))
        });
        let Some((chip, card, insertion)) = next else { return Ok(None) };
        let number = drawn(self.seed, chip, insertion);
        // Every other insertion is torn at first, then fewer.
        let left =
            (number.is_multiple_of(2) && insertion < 3).then_some((number >> 8) as usize % 61);
        card.lock().unwrap().power_on();
        let torn = Arc::new(AtomicBool::new(false));
        let atr = card.lock().unwrap().atr().to_vec();
        self.in_reader = Some(InReader { chip, card: card.clone(), insertion, torn: torn.clone() });
        Ok(Some(Box::new(Inserted { card, atr, left, torn })))
    }

    fn release(&mut self, _: &AtomicBool) {
        let Some(held) = self.in_reader.take() else { return };
        if held.torn.load(Ordering::Relaxed) {
            self.again = Some((held.chip, held.card, held.insertion + 1));
        }
    }
}

#[test]
fn every_record_becomes_one_good_card_whatever_is_torn_out() {
    let (count, seed, heads) = (wanted(), 7, 3);
    let site = Site::with_records(count);
    let mut journal = site.journal();
    let mut cards = Vec::new();
    let mut chips = Vec::new();
    for serial in 1..=count as u32 {
        let card = SoftCard::in_memory(&BlankOptions::test(serial.to_be_bytes())).unwrap();
        cards.push((serial, Arc::new(Mutex::new(card))));
        chips.push(NewChip { serial: chip_of(serial), kind: KIND.to_owned() });
    }
    let office = StationId::new("office").unwrap();
    for part in chips.chunks(1000) {
        journal.add_chips(Act::new(&office, site.now()), part, "delivery").unwrap();
    }
    let stack: Stack = Arc::new(Mutex::new(cards.clone()));
    let operators = (0..heads).map(|number| {
        let id = StationId::new(format!("hall/{number}")).unwrap();
        let stack = stack.clone();
        Box::new(Operator { id, seed, stack, again: None, in_reader: None }) as Box<dyn Head>
    });

    let start = Instant::now();
    let (sender, events) = channel();
    site.with_line(|line| {
        let (stop, stop_now) = (AtomicBool::new(false), AtomicBool::new(false));
        let crew = Crew {
            line,
            journal: &|| Ok(site.journal()),
            random: &|_| Box::new(random()),
            stop: &stop,
            stop_now: &stop_now,
        };
        crew.work(operators.collect(), &sender);
    });
    drop(sender);
    let took = start.elapsed().as_secs_f64();

    let (mut issued, mut interrupted) = (Vec::new(), 0);
    for event in events {
        match event {
            LineEvent::Done { outcome: Outcome::Worked { record, fate, .. }, .. } => match fate {
                Fate::Issued { .. } => issued.push(record.to_string()),
                Fate::Interrupted { .. } => interrupted += 1,
                other => panic!("{record}: {other:?}"),
            },
            LineEvent::Stopped { reason: Some(reason), .. } => panic!("{reason:?}"),
            _ => {}
        }
    }
    println!("{count} cards, {interrupted} torn out, {:.1} cards a second", count as f64 / took);
    assert!(interrupted > count / 4, "{interrupted} of {count} were torn out");
    assert_eq!(issued.len(), count);
    assert_eq!(issued.iter().collect::<BTreeSet<_>>().len(), count);
    let counters = journal.counters(&site.run, None).unwrap();
    assert_eq!(counters.records(RecordState::Issued), count as u64);
    assert_eq!(counters.cards(CardState::Recorded), count as u64);
    let balance = journal.balance(&site.run, None).unwrap();
    assert!(balance.is_balanced() && balance.is_finished(), "{balance}");
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
    for (_, card) in cards {
        let summary = card.lock().unwrap().summary();
        assert_eq!(summary.card, CardLifeCycle::Secured);
        assert_eq!(summary.application, ApplicationLifeCycle::Locked);
    }
}
