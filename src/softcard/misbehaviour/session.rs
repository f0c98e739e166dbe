//! What goes wrong within a session: in what responses say and in how they are protected.

use cancuoc_applet_emrtd::misbehaviour::{self as applet, NextKeys, ProtectedSession};
use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, Response, StatusWord};
use cancuoc_primitives::cipher::CipherError;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;

use super::{Act, Misbehaviour, Recoverable, Rules, WrongContent, WrongKeys, WrongProtection};

/// Dynamic authentication data.
const TEMPLATE: u16 = 0x7C;
/// The data objects of secure messaging.
const CRYPTOGRAM: u16 = 0x87;
const STATUS: u16 = 0x99;
const MAC: u16 = 0x8E;

/// Most bytes that are made up: what the longest response holds.
const MAX_LONGER: usize = 65_536;

/// Plays a card's misbehaviour.
pub(in crate::softcard) struct Player {
    content: Rules<WrongContent>,
    protection: Rules<WrongProtection>,
    keys: Option<WrongKeys>,
    /// The last protected response.
    former: Option<Response>,
}

impl Player {
    pub(in crate::softcard) fn new(misbehaviour: &Misbehaviour) -> Self {
        let content = |act: &Act| match act {
            Act::Respond(wrong) => Some(wrong.clone()),
            _ => None,
        };
        let protection = |act: &Act| match act {
            Act::Protect(wrong) => Some(wrong.clone()),
            _ => None,
        };
        let keys = misbehaviour.rules.iter().find_map(|rule| match rule.act {
            Act::NextKeys(keys) => Some(keys),
            _ => None,
        });
        Self {
            content: Rules::of(misbehaviour, content),
            protection: Rules::of(misbehaviour, protection),
            keys,
            former: None,
        }
    }
}

impl applet::Misbehaviour for Player {
    fn power_on(&mut self) {
        self.content.power_on();
        self.protection.power_on();
        self.former = None;
    }

    fn respond(&mut self, command: &Command<'_>, response: &mut Response) {
        let Some(wrong) = self.content.apply(command.ins, command.p1, command.p2) else { return };
        spoil(&wrong, command, response);
    }

    fn protect(
        &mut self,
        command: &Command<'_>,
        response: &Response,
        session: &mut ProtectedSession<'_>,
    ) -> Response {
        let wrong = self.protection.apply(command.ins, command.p1, command.p2);
        let protected = match (wrong, &self.former) {
            (None, _) => session.protect(response),
            (Some(WrongProtection::Replay), Some(former)) => former.clone(),
            // Keys and counter have the right lengths, so this does not fail.
            (Some(wrong), _) => protect_wrongly(&wrong, response, session)
                .unwrap_or_else(|_| StatusWord::MEMORY_FAILURE.into()),
        };
        self.former = Some(protected.clone());
        protected
    }

    fn next_keys(&mut self) -> NextKeys {
        match self.keys {
            None => NextKeys::Agreed,
            Some(WrongKeys::Former) => NextKeys::Former,
            Some(WrongKeys::Foreign) => NextKeys::Foreign,
        }
    }
}

fn spoil(wrong: &WrongContent, command: &Command<'_>, response: &mut Response) {
    match wrong {
        WrongContent::Answer { data, status } => {
            *response = Response { data: data.clone(), status: StatusWord(*status) };
        }
        WrongContent::Echo { from, to } => {
            let sent = tlv::find(command.data, TEMPLATE);
            let sent = sent.and_then(|sent| tlv::find(sent, u16::from(*from)));
            let object = tlv::object(u16::from(*to), sent.unwrap_or_default());
            *response = Response::ok(tlv::object(TEMPLATE, &object));
        }
        WrongContent::Flip { tag } => {
            if let Some(template) = tlv::find(&response.data, TEMPLATE) {
                response.data = flipped(template, u16::from(*tag));
            }
        }
        WrongContent::LongerBy(bytes) => {
            response.data.extend(vec![0xA5; (*bytes).min(MAX_LONGER)]);
        }
        WrongContent::AtMost { most, status } => {
            if command.ne.is_some_and(|ne| ne > *most) {
                *response = StatusWord(*status).into();
            }
        }
        WrongContent::AtATime(bytes) => response.data.truncate(*bytes),
        WrongContent::Recoverable(recipe) => {
            *response = match recipe.sign(command.data) {
                Some(signature) => Response::ok(signature),
                None => StatusWord::MEMORY_FAILURE.into(),
            };
        }
    }
}

/// The template with the last bit of a data object flipped.
fn flipped(template: &[u8], tag: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let mut objects = Objects::new(template);
    while let Ok(object) = objects.take() {
        let mut value = object.value.to_vec();
        if let Some(last) = value.last_mut().filter(|_| object.tag == tag) {
            *last ^= 1;
        }
        tlv::put(&mut out, object.tag, &value);
    }
    tlv::object(TEMPLATE, &out)
}

impl Recoverable {
    /// `header || M1 || H(M1 || M2) || trailer` to the power of the private exponent.
    fn sign(&self, challenge: &[u8]) -> Option<Vec<u8>> {
        let [p, q] = &self.primes;
        let primes = [p.as_slice(), q.as_slice()];
        let (n, e, d) = (&self.modulus, &self.exponent, &self.private_exponent);
        let key = RsaPrivateKey::from_components(n, e, d, &primes).ok()?;
        let hash = HashAlgorithm::ALL.into_iter().find(|hash| hash.name() == self.hash)?;
        let length = key.public_key().modulus().len();
        let m1 = length.checked_sub(1 + hash.output_len() + self.trailer.len())?;
        let m1 = vec![0x5A; m1];
        let digest = hash.digest_parts(&[&m1, challenge]);
        let message = [&[self.header], &m1[..], &digest, &self.trailer].concat();
        key.raw(&message, &mut rand_core::UnwrapErr(getrandom::SysRng)).ok()
    }
}

/// Data objects with a MAC over them.
fn sealed(
    objects: Vec<u8>,
    status: StatusWord,
    session: &ProtectedSession<'_>,
) -> Result<Response, CipherError> {
    let mut data = objects;
    let mac = session.mac(&data)?;
    tlv::put(&mut data, MAC, &mac);
    Ok(Response { data, status })
}

fn protect_wrongly(
    wrong: &WrongProtection,
    response: &Response,
    session: &mut ProtectedSession<'_>,
) -> Result<Response, CipherError> {
    let status = response.status;
    match wrong {
        WrongProtection::Plain => return Ok(response.clone()),
        WrongProtection::PlainStatus => return Ok(status.into()),
        WrongProtection::CounterBehind => {}
        _ => session.count(),
    }
    let padded = match wrong {
        WrongProtection::NoPadding => {
            // Whole blocks that end in neither 80 nor zeros after it.
            let mut data = response.data.clone();
            let blocks = data.len().div_ceil(session.block_len()).max(1);
            data.resize(blocks * session.block_len(), 0x5A);
            session.encrypt(&data, false)?
        }
        _ => session.encrypt(&response.data, true)?,
    };
    let cryptogram = match wrong {
        WrongProtection::NoIndicator => tlv::object(CRYPTOGRAM, &padded),
        _ => tlv::object(CRYPTOGRAM, &[&[1], &padded[..]].concat()),
    };
    let inside = tlv::object(STATUS, &status.0.to_be_bytes());
    let objects = match wrong {
        WrongProtection::NoStatus => cryptogram,
        WrongProtection::StatusFirst => [inside, cryptogram].concat(),
        WrongProtection::CryptogramTwice => [cryptogram.clone(), cryptogram, inside].concat(),
        _ => [cryptogram, inside].concat(),
    };
    let mut sealed = sealed(objects.clone(), status, session)?;
    match wrong {
        WrongProtection::WrongMac => {
            if let Some(last) = sealed.data.last_mut() {
                *last ^= 1;
            }
        }
        WrongProtection::ShortMac(bytes) => {
            let mac = session.mac(&objects)?;
            sealed.data = objects;
            tlv::put(&mut sealed.data, MAC, mac.get(..*bytes).unwrap_or(&mac));
        }
        WrongProtection::NoMac => sealed.data = objects,
        WrongProtection::StatusOutside(outside) => sealed.status = StatusWord(*outside),
        WrongProtection::AfterMac => tlv::put(&mut sealed.data, STATUS, &status.0.to_be_bytes()),
        _ => {}
    }
    Ok(sealed)
}
