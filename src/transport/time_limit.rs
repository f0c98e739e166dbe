//! A limit to how long a card is waited for.
//!
//! A card may ask for more time again and again, and readers grant it; neither PC/SC nor anything
//! below it ends that. So the card gets a thread of its own, which is left behind when the limit is
//! reached, and nothing more is sent.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::{AirMeter, CardTransport, TransportError};

/// How long a card is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// For one answer.
    pub answer: Duration,
    /// For all answers together.
    pub total: Duration,
}

enum Request {
    Transmit(Vec<u8>),
    Reset,
}

type Answer = Result<Vec<u8>, TransportError>;

/// A card that is waited for only so long.
pub struct TimeLimited {
    requests: Sender<Request>,
    answers: Receiver<Answer>,
    atr: Vec<u8>,
    max_command_length: usize,
    air_meter: Option<AirMeter>,
    limits: TimeLimits,
    waited: Duration,
    /// The limit was reached: the thread may still wait.
    over: bool,
}

impl TimeLimited {
    /// Sets limits to a card.
    #[must_use]
    pub fn new(mut card: Box<dyn CardTransport + Send>, limits: TimeLimits) -> Self {
        let (atr, max_command_length) = (card.atr().to_vec(), card.max_command_length());
        let air_meter = card.air_meter();
        let (requests, incoming) = channel();
        let (outgoing, answers) = channel();
        // It ends when this value is dropped, unless it still waits for the card.
        std::thread::spawn(move || {
            for request in incoming {
                let answer = match request {
                    Request::Transmit(command) => card.transmit(&command),
                    Request::Reset => card.reset().map(|()| Vec::new()),
                };
                if outgoing.send(answer).is_err() {
                    break;
                }
            }
        });
        Self {
            requests,
            answers,
            atr,
            max_command_length,
            air_meter,
            limits,
            waited: Duration::ZERO,
            over: false,
        }
    }

    fn ask(&mut self, request: Request) -> Answer {
        let seconds = |limit: Duration| limit.as_secs_f32().ceil() as u64;
        let late = |limit| Err(TransportError::Timeout { seconds: seconds(limit) });
        if self.over {
            return late(self.limits.answer);
        }
        let left = self.limits.total.saturating_sub(self.waited);
        let limit = self.limits.answer.min(left);
        let start = Instant::now();
        let ended = |_| TransportError::Failed { detail: "the link to the card ended".to_owned() };
        self.requests.send(request).map_err(|_| ended(()))?;
        let answer = self.answers.recv_timeout(limit);
        self.waited += start.elapsed();
        match answer {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(ended(())),
            Err(RecvTimeoutError::Timeout) => {
                self.over = true;
                late(if limit < self.limits.answer { self.limits.total } else { limit })
            }
        }
    }
}

impl CardTransport for TimeLimited {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.ask(Request::Transmit(command.to_vec()))
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn max_command_length(&self) -> usize {
        self.max_command_length
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.ask(Request::Reset).map(drop)
    }

    fn air_meter(&self) -> Option<AirMeter> {
        self.air_meter.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers 9000, except to what starts with FF: never.
    struct Card;

    impl CardTransport for Card {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
            while command.first() == Some(&0xFF) {
                std::thread::park();
            }
            Ok(vec![0x90, 0x00])
        }
        fn atr(&self) -> &[u8] {
            &[0x3B]
        }
        fn max_command_length(&self) -> usize {
            261
        }
        fn reset(&mut self) -> Result<(), TransportError> {
            Err(TransportError::CardRemoved)
        }
    }

    fn limited(answer: u64, total: u64) -> TimeLimited {
        let (answer, total) = (Duration::from_millis(answer), Duration::from_millis(total));
        TimeLimited::new(Box::new(Card), TimeLimits { answer, total })
    }

    #[test]
    fn passes_on_what_the_card_says() {
        let mut card = limited(60_000, 60_000);
        assert_eq!(card.transmit(&[0x00]), Ok(vec![0x90, 0x00]));
        assert_eq!(card.reset(), Err(TransportError::CardRemoved));
        assert_eq!((card.atr(), card.max_command_length()), (&[0x3B][..], 261));
    }

    #[test]
    fn gives_up_on_a_card_that_never_answers_and_sends_nothing_more() {
        let mut card = limited(20, 60_000);
        assert_eq!(card.transmit(&[0xFF]), Err(TransportError::Timeout { seconds: 1 }));
        assert_eq!(card.transmit(&[0x00]), Err(TransportError::Timeout { seconds: 1 }));
    }

    #[test]
    fn gives_up_when_all_answers_together_took_too_long() {
        let mut card = limited(60_000, 0);
        assert_eq!(card.transmit(&[0xFF]), Err(TransportError::Timeout { seconds: 0 }));
    }
}
