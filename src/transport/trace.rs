//! A record of every exchange with a card, one JSON object a line.
//!
//! The bytes on the wire are kept; what they said under secure messaging is redacted unless asked
//! for, since it holds personal data. So are the data fields of the unprotected commands that
//! carry secrets or personal data by their nature (VERIFY, STORE DATA, PUT KEY).

use std::io::Write;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{AirMeter, CardTransport, PlainExchange, TransportError};
use crate::apdu::CommandApdu;

/// The schema named in the first line.
pub const SCHEMA: &str = "cancuoc.trace/1";

/// First line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `cancuoc.trace/1`.
    pub schema: String,
    /// Answer to reset, hexadecimal.
    pub atr: String,
    /// Longest command that the reader takes.
    pub max_command_length: usize,
    /// Whether plain text was kept.
    pub secrets: bool,
}

/// One line: an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Number, from 1.
    pub n: usize,
    /// Microseconds from the start of the trace to the command.
    pub t_us: u64,
    /// Microseconds that the card and the way to it took.
    pub duration_us: u64,
    /// The command on the wire, hexadecimal.
    pub command: String,
    /// The response on the wire, hexadecimal; absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Why no response came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was said under secure messaging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Plain>,
    /// The data field of the command was left out of `command`, so that it cannot be replayed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

/// The plain text of a protected exchange. Header and status word are always shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plain {
    /// Class, instruction and parameters of the command.
    pub header: String,
    /// Length of the command data field.
    pub command_length: usize,
    /// The command data field, only with secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_data: Option<String>,
    /// Status word; absent when the response failed its checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Length of the response data field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_length: Option<usize>,
    /// The response data field, only with secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_data: Option<String>,
}

/// Writes what goes through it to a trace.
///
/// A line is written when the next exchange begins or the trace ends, since what was said is
/// known only after the response was checked. A trace that cannot be written does not disturb the
/// session; [`finish`](Self::finish) tells of it.
pub struct TracingTransport<T: CardTransport> {
    inner: T,
    writer: Box<dyn Write + Send>,
    secrets: bool,
    start: Instant,
    count: usize,
    pending: Option<Exchange>,
    failed: Option<std::io::Error>,
}

impl<T: CardTransport> TracingTransport<T> {
    /// Traces `inner` to `writer`; keeps plain text only if `secrets`.
    pub fn new(inner: T, writer: impl Write + Send + 'static, secrets: bool) -> Self {
        let header = Header {
            schema: SCHEMA.to_owned(),
            atr: hex::encode(inner.atr()),
            max_command_length: inner.max_command_length(),
            secrets,
        };
        let writer = Box::new(writer);
        let start = Instant::now();
        let mut new = Self { inner, writer, secrets, start, count: 0, pending: None, failed: None };
        new.write_line(&header);
        new
    }

    /// The transport beneath.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The first error that writing met, now or before.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.flush();
        self.failed.take().map_or(Ok(()), Err)
    }

    fn write_line(&mut self, line: &impl Serialize) {
        let written = serde_json::to_string(line)
            .map_err(std::io::Error::other)
            .and_then(|text| writeln!(self.writer, "{text}"));
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    fn flush(&mut self) {
        if let Some(exchange) = self.pending.take() {
            self.write_line(&exchange);
        }
        if let Err(error) = self.writer.flush() {
            self.failed.get_or_insert(error);
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Instructions whose unprotected data field is a secret or personal: VERIFY, CHANGE REFERENCE
/// DATA, PUT KEY, STORE DATA (ISO/IEC 7816-4, GlobalPlatform Card Specification §11).
const SENSITIVE: [u8; 4] = [0x20, 0x24, 0xD8, 0xE2];

impl<T: CardTransport> CardTransport for TracingTransport<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.flush();
        self.count += 1;
        let t_us = self.micros();
        let result = self.inner.transmit(command);
        let redacted = !self.secrets
            && command.len() > 5
            && command.get(1).is_some_and(|ins| SENSITIVE.contains(ins));
        let shown = if redacted { command.get(..4).unwrap_or_default() } else { command };
        self.pending = Some(Exchange {
            n: self.count,
            t_us,
            duration_us: self.micros().saturating_sub(t_us),
            command: hex::encode(shown),
            response: result.as_ref().ok().map(hex::encode),
            error: result.as_ref().err().map(ToString::to_string),
            plain: None,
            redacted,
        });
        result
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn max_command_length(&self) -> usize {
        self.inner.max_command_length()
    }

    fn annotate(&mut self, plain: &PlainExchange<'_>) {
        let secrets = self.secrets;
        if let Some(pending) = &mut self.pending {
            pending.plain = Some(describe(plain, secrets));
        }
        self.inner.annotate(plain);
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.flush();
        self.inner.reset()
    }

    fn air_meter(&self) -> Option<AirMeter> {
        self.inner.air_meter()
    }
}

impl<T: CardTransport> Drop for TracingTransport<T> {
    fn drop(&mut self) {
        self.flush();
    }
}

fn describe(plain: &PlainExchange<'_>, secrets: bool) -> Plain {
    let CommandApdu { data, .. } = plain.command;
    Plain {
        header: hex::encode(plain.command.header()),
        command_length: data.len(),
        command_data: secrets.then(|| hex::encode(data)),
        status: plain.response.map(|r| r.status.to_string()),
        response_length: plain.response.map(|r| r.data.len()),
        response_data: plain.response.filter(|_| secrets).map(|r| hex::encode(&r.data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::ResponseApdu;
    use std::sync::{Arc, Mutex};

    struct Echo;
    impl CardTransport for Echo {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
            match command {
                [0xFF, ..] => Err(TransportError::CardRemoved),
                _ => Ok(vec![0x90, 0]),
            }
        }
        fn atr(&self) -> &[u8] {
            &[0x3B, 0x80]
        }
        fn reset(&mut self) -> Result<(), TransportError> {
            Ok(())
        }
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn trace(secrets: bool, act: impl FnOnce(&mut TracingTransport<Echo>)) -> String {
        let sink = Sink::default();
        let mut transport = TracingTransport::new(Echo, sink.clone(), secrets);
        act(&mut transport);
        transport.finish().unwrap();
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn protected(transport: &mut TracingTransport<Echo>) {
        transport.transmit(&[0x0C, 0xB0, 0, 0]).unwrap();
        let command = CommandApdu::new(0, 0xB0, 0x81, 0).with_data([0xAA, 0xBB]);
        let response = ResponseApdu::parse(&[0xCC, 0xDD, 0x90, 0]).unwrap();
        transport.annotate(&PlainExchange { command: &command, response: Some(&response) });
    }

    #[test]
    fn redacts_what_was_said_under_secure_messaging() {
        let text = trace(false, protected);
        assert!(text.contains(r#""header":"00b08100""#) && text.contains(r#""status":"9000""#));
        assert!(!text.contains("aabb") && !text.contains("ccdd"), "{text}");
    }

    #[test]
    fn keeps_what_was_said_when_asked() {
        let text = trace(true, protected);
        assert!(text.contains("aabb") && text.contains("ccdd"), "{text}");
    }

    #[test]
    fn redacts_the_data_of_store_data() {
        let text = trace(false, |t| {
            t.transmit(&[0x84, 0xE2, 0, 0, 2, 0xAA, 0xBB]).unwrap();
        });
        assert!(text.contains("84e20000") && !text.contains("aabb"), "{text}");
    }

    #[test]
    fn writes_one_json_object_a_line_starting_with_its_schema() {
        let text = trace(false, |t| {
            t.transmit(&[0, 0x84, 0, 0, 8]).unwrap();
            t.transmit(&[0xFF, 0, 0, 0]).unwrap_err();
        });
        let lines: Vec<&str> = text.lines().collect();
        let header: Header = serde_json::from_str(lines[0]).unwrap();
        assert_eq!((header.schema.as_str(), header.atr.as_str()), (SCHEMA, "3b80"));
        let first: Exchange = serde_json::from_str(lines[1]).unwrap();
        assert_eq!((first.n, first.response.as_deref()), (1, Some("9000")));
        let second: Exchange = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(second.error.as_deref(), Some("the card was removed"));
    }
}
