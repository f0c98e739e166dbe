//! PACE with Generic Mapping and Chip Authentication on the reader's side, against the bare scalar
//! multiplications that they take.

use std::path::Path;
use std::time::{Duration, Instant};

use cancuoc::document::{AccessKeys, Can};
use cancuoc::lds::{FileId, security_infos_of_dg14};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::chip_authentication::{ChipAuthenticationParameters, authenticate_chip};
use cancuoc::terminal::{AccessPlan, FileReader, ReadLimits, Session, commands, open_card};
use cancuoc::transport::{CardTransport, TransportError};
use cancuoc_primitives::curve::{Curve, Point, SecretScalar};

use super::{middle, ms, new_card, random};

const RUNS: usize = 31;
const CURVES: [Curve; 4] =
    [Curve::BrainpoolP256r1, Curve::P256, Curve::P384, Curve::BrainpoolP512r1];

/// A card that knows how long it was waited for.
struct Timed {
    card: SoftCard,
    waited: Duration,
}

impl CardTransport for Timed {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let start = Instant::now();
        let response = self.card.transmit(command);
        self.waited += start.elapsed();
        response
    }
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }
}

/// All that the reader does from EF.CardAccess to the first answer under the keys of Chip
/// Authentication, DG14 and everything parsed included, less the waiting for the card.
fn on_the_reader(path: &Path, plan: &AccessPlan) -> Duration {
    let card = Timed { card: SoftCard::open(path).unwrap(), waited: Duration::ZERO };
    let mut session = Session::new(card);
    let start = Instant::now();
    open_card(&mut session, plan, &mut random()).unwrap();
    let dg14 = FileReader::new(ReadLimits::default()).read(&mut session, FileId(0x010E)).unwrap();
    let infos = security_infos_of_dg14(dg14.content().unwrap()).unwrap();
    let parameters = ChipAuthenticationParameters::select(&infos).unwrap().unwrap();
    let pending = authenticate_chip(&mut session, parameters, &mut random()).unwrap();
    session.transmit(&commands::select_lds1()).unwrap();
    assert!(pending.confirm(&session).is_some());
    let whole = start.elapsed();
    whole - session.into_transport().waited
}

/// What PACE takes: the mapping key, the nonce times the generator, the point that both mapping keys
/// agree on, the key over the mapped generator, the shared secret. What Chip Authentication takes: the
/// ephemeral key and the shared secret. Three of the generator, four of other points.
fn bare(point: &Point, secret: &SecretScalar) -> Duration {
    let start = Instant::now();
    for _ in 0..3 {
        std::hint::black_box(std::hint::black_box(secret).public_point());
    }
    for _ in 0..4 {
        std::hint::black_box(std::hint::black_box(point).multiply(secret).unwrap());
    }
    start.elapsed()
}

pub(super) fn measure(folder: &Path) {
    for curve in CURVES {
        let card = new_card(folder, &format!("domain-{:02}", curve.domain_parameter_id()));
        let plan = AccessPlan::pace(AccessKeys::from_can(Can::new(&card.can).unwrap()));
        let secret = SecretScalar::random(curve, &mut random());
        let point = SecretScalar::random(curve, &mut random()).public_point();
        let (mut reader, mut bare_times) = (Vec::new(), Vec::new());
        // One after the other, so that whatever else the machine does meets both alike.
        for _ in 0..RUNS {
            reader.push(on_the_reader(&card.path, &plan));
            bare_times.push(bare(&point, &secret));
        }
        let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
        // On a machine that does other things too, the fastest runs are the undisturbed ones.
        let fastest = ratio(*reader.iter().min().unwrap(), *bare_times.iter().min().unwrap());
        let (reader, bare) = (middle(reader), middle(bare_times));
        println!(
            "PACE-GM and CA on {}, reader alone: {:.3} ms; its 7 scalar multiplications {:.3} ms; \
             ratio {:.3}, of the fastest runs {fastest:.3}",
            curve.name(),
            ms(reader),
            ms(bare),
            ratio(reader, bare)
        );
    }
}
