//! Cards written straight from an image: what personalisation leaves behind, without its conversation.

use std::path::Path;

use cancuoc_applet_emrtd::Emrtd;
use cancuoc_applet_issuer_domain::{self as issuer_domain, LifeCycle};
use cancuoc_card_runtime::{Application, Environment, OperatingSystem};
use rand_core::CryptoRng;

use super::{BlankOptions, FileMemory, Misbehaviour, RamMemory, SoftCard, SoftCardError};
use crate::globalplatform::dgi::DataGrouping;
use crate::globalplatform::image;
use crate::issue::CardImage;

/// The memory of a card with an image on it, locked: for tests and forgeries. What the application
/// refuses from an issuer it refuses here too.
///
/// # Errors
/// [`SoftCardError::Image`], [`SoftCardError::Memory`].
pub fn personalised(
    image: &CardImage,
    options: &BlankOptions,
    misbehaviour: &Misbehaviour,
    random: &mut dyn CryptoRng,
) -> Result<RamMemory, SoftCardError> {
    let mut memory = RamMemory::default();
    let provisioning = options.provisioning();
    OperatingSystem::domain_memory(&mut memory, |memory| {
        issuer_domain::provision(memory, &provisioning).map_err(|_| SoftCardError::Memory)?;
        issuer_domain::set_life_cycle(memory, LifeCycle::Secured).map_err(|_| SoftCardError::Memory)
    })?;
    let mut groupings =
        image::groupings(image).map_err(|error| SoftCardError::Image(error.to_string()))?;
    let empty: &[u8] = &[];
    groupings.extend([image::ACTIVATE, image::LOCK].map(|id| DataGrouping::new(id, empty)));
    OperatingSystem::application_memory(&mut memory, 0, |memory| {
        let mut environment = Environment { memory, random };
        let mut application = Emrtd::default();
        groupings.iter().try_for_each(|grouping| {
            let (identifier, value) = (grouping.identifier, &grouping.value);
            application.personalize(&mut environment, identifier, value).map_err(|status| {
                SoftCardError::Image(format!("grouping {identifier:04X}: {:04X}", status.0))
            })
        })
    })?;
    misbehaviour.store(&mut memory).map_err(|_| SoftCardError::Memory)?;
    Ok(memory)
}

impl SoftCard {
    /// Writes a card with an image on it into a new file of mode 0600.
    ///
    /// # Errors
    /// [`SoftCardError`]; also when the file exists.
    pub fn write(path: &Path, memory: &RamMemory) -> Result<(), SoftCardError> {
        FileMemory::create_with(path, memory).map(drop)
    }
}
