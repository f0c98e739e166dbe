//! Replays traces made from published worked examples through the terminal.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use cancuoc::apdu::{CommandApdu, Ne};
use cancuoc::document::MrzKey;
use cancuoc::lds::FileId;
use cancuoc::terminal::bac::Bac;
use cancuoc::terminal::{Session, commands};
use cancuoc::transport::replay::ReplayTransport;
use hex_literal::hex;

/// The terminal's random numbers of the example.
struct Published(std::vec::IntoIter<u8>);

impl rand_core::TryRng for Published {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("BAC draws bytes")
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("BAC draws bytes")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.iter_mut().for_each(|byte| *byte = self.0.next().expect("enough numbers"));
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Published {}

#[test]
fn reads_ef_com_of_the_published_bac_example() {
    // ICAO 9303-11 appendix D.3 and D.4.
    let trace = include_str!("../testvectors/reader-icao-9303-11-d-bac.jsonl");
    let mut session = Session::new(ReplayTransport::parse(trace).unwrap());
    let mut key = [0; 20];
    key[..16].copy_from_slice(&hex!("239AB9CB282DAF66231DC5A4DF6BFBAE"));
    let numbers = hex!("781723860C06C2260B795240CB7049B01C19B33E32804F0B").to_vec();
    let mut random = Published(numbers.into_iter());
    let keys = session.run(&mut Bac::new(&MrzKey::from_bytes(key), &mut random)).unwrap();
    session.start_secure_messaging(keys);

    assert!(session.transmit(&commands::select_file(FileId::COM)).unwrap().status.is_ok());
    let head = session.transmit(&commands::read_binary(0, Ne::new(4))).unwrap();
    let rest = session.transmit(&commands::read_binary(4, Ne::new(18))).unwrap();
    assert_eq!(
        [head.data, rest.data].concat(),
        hex!("60145F0104303130365F36063034303030305C026175")
    );
    assert_eq!(session.counters().apdus, 5);
    // Nothing is left, and a command that is not in the example is refused.
    assert!(session.transmit(&CommandApdu::new(0, 0xB0, 0, 22).with_ne(Ne::new(1))).is_err());
    assert!(session.into_transport().is_finished());
}
