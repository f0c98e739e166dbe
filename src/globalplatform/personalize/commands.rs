//! The personalisation of an applet that takes commands of its own instead of STORE DATA, by a
//! perso profile: identify, write, read back, lock. There is no secure channel: such an applet is
//! open to all until it is locked.

use super::{Inspection, Observer, PersonalizeError, Progress, ReadBack, Step};
use crate::apdu::{CommandApdu, Ne, StatusWord};
use crate::globalplatform::GlobalPlatformError;
use crate::globalplatform::command;
use crate::globalplatform::link::{Link, Traffic};
use crate::globalplatform::perso::{PersoProfile, PlannedCommand};
use crate::issue::CardImage;
use crate::transport::CardTransport;

/// What was done to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandReport {
    /// Commands that wrote.
    pub commands: usize,
    /// Bytes of all files.
    pub file_bytes: usize,
    /// What reading back showed.
    pub read_back: ReadBack,
    /// What went over the line, reading back left out.
    pub traffic: Traffic,
}

/// Personalises an applet by the commands of its profile; `None` for a profile without commands.
///
/// A card that was torn out is written again from the start where its applet takes that; one that
/// answers as an issued card is refused and nothing is sent to it.
///
/// # Errors
/// [`PersonalizeError`].
pub fn personalize_by_commands(
    card: &mut dyn CardTransport,
    image: &CardImage,
    profile: &PersoProfile,
    inspection: &mut dyn Inspection,
    observer: &mut dyn Observer,
) -> Result<Option<CommandReport>, PersonalizeError> {
    let Some(plan) = profile.plan(image)? else { return Ok(None) };
    let mut run = Run { link: Link::new(card), observer, application: &profile.application };
    run.before(Step::Identify)?;
    run.identify()?;
    run.before(Step::Write)?;
    run.send(Step::Write, &plan.write)?;
    run.before(Step::ReadBack)?;
    run.link.reset()?;
    let read_back = inspection.read_back(run.link.transport(), image)?;
    if !plan.lock.is_empty() {
        run.before(Step::Lock)?;
        run.select()?;
        run.send(Step::Lock, &plan.lock)?;
    }
    Ok(Some(CommandReport {
        commands: plan.write.len() + plan.lock.len(),
        file_bytes: image.total_bytes(),
        read_back,
        traffic: run.link.traffic(),
    }))
}

struct Run<'a, 't> {
    link: Link<'t>,
    observer: &'a mut dyn Observer,
    application: &'a [u8],
}

impl Run<'_, '_> {
    fn before(&mut self, step: Step) -> Result<(), PersonalizeError> {
        self.observer.before(step, None).map_err(|stopped| PersonalizeError::Stopped {
            step,
            code: stopped.code,
            message: stopped.message,
        })
    }

    fn select(&mut self) -> Result<(), PersonalizeError> {
        self.link.reset()?;
        let answer = self.link.plain(&command::select(self.application))?;
        if answer.status.is_ok() {
            return Ok(());
        }
        let reason = "it has no application of the identifier that the perso profile names";
        Err(PersonalizeError::WrongCard { reason })
    }

    /// A card whose files are behind access control is issued.
    fn identify(&mut self) -> Result<(), PersonalizeError> {
        self.select()?;
        // READ BINARY by the short identifier of EF.COM.
        let read = CommandApdu::new(0x00, 0xB0, 0x9E, 0x00).with_ne(Ne::new(1));
        if self.link.plain(&read)?.status == StatusWord::SECURITY_STATUS {
            return Err(PersonalizeError::AlreadyPersonalised);
        }
        self.select()
    }

    fn send(&mut self, step: Step, commands: &[PlannedCommand]) -> Result<(), PersonalizeError> {
        for (done, planned) in commands.iter().enumerate() {
            let (total, traffic) = (commands.len(), self.link.traffic());
            self.observer.progress(Progress { step, done, total, traffic });
            let answer = self.link.plain(planned.apdu())?;
            if !answer.status.is_ok() {
                let status = answer.status;
                let command = "a command of the perso profile";
                return Err(GlobalPlatformError::Refused { command, status }.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globalplatform::perso::tests::{Applet, image};
    use crate::globalplatform::personalize::{ReadBackError, Stopped};
    use crate::transport::TransportError;

    impl CardTransport for Applet {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
            let mut apdu = CommandApdu::new(command[0], command[1], command[2], command[3]);
            if command.len() > 5 {
                let length = usize::from(command[4]);
                apdu = apdu.with_data(&command[5..5 + length]);
            }
            Ok(self.answer(&apdu).to_be_bytes().to_vec())
        }
        fn atr(&self) -> &[u8] {
            &[0x3B, 0x00]
        }
        fn reset(&mut self) -> Result<(), TransportError> {
            Ok(())
        }
    }

    /// Says that all is equal, or not.
    struct Looked(bool);

    impl Inspection for Looked {
        fn is_same_document(
            &mut self,
            _: &mut dyn CardTransport,
            _: &CardImage,
        ) -> Result<bool, ReadBackError> {
            Ok(false)
        }
        fn read_back(
            &mut self,
            _: &mut dyn CardTransport,
            image: &CardImage,
        ) -> Result<ReadBack, ReadBackError> {
            if self.0 {
                return Ok(ReadBack { files: image.files.len(), ..ReadBack::default() });
            }
            let message = "no".to_owned();
            Err(ReadBackError::Failed { code: "card_removed", message })
        }
    }

    #[derive(Default)]
    struct Stop(Option<Step>);

    impl Observer for Stop {
        fn before(
            &mut self,
            step: Step,
            _: Option<&crate::globalplatform::session::CardIdentity>,
        ) -> Result<(), Stopped> {
            match self.0 {
                Some(stop) if stop == step => {
                    Err(Stopped { code: "journal_full", message: String::new() })
                }
                _ => Ok(()),
            }
        }
    }

    fn run(
        applet: &mut Applet,
        equal: bool,
        stop: Option<Step>,
    ) -> Result<Option<CommandReport>, PersonalizeError> {
        let profile = PersoProfile::builtin("file-commands").unwrap();
        let mut observer = Stop(stop);
        personalize_by_commands(applet, &image(), &profile, &mut Looked(equal), &mut observer)
    }

    #[test]
    fn writes_reads_back_and_locks() {
        let mut applet = Applet::default();
        let report = run(&mut applet, true, None).unwrap().unwrap();
        assert!(applet.locked);
        assert_eq!(report.read_back.files, 4);
        for file in &image().files {
            assert_eq!(applet.files[&file.fid], file.content);
        }
    }

    #[test]
    fn does_not_lock_what_could_not_be_read_back() {
        let mut applet = Applet::default();
        run(&mut applet, false, None).unwrap_err();
        assert!(!applet.locked);
    }

    #[test]
    fn refuses_an_issued_card_and_sends_it_nothing_more() {
        let mut applet = Applet::default();
        run(&mut applet, true, None).unwrap();
        let before = applet.files.clone();
        let again = run(&mut applet, true, None).unwrap_err();
        assert_eq!(again, PersonalizeError::AlreadyPersonalised);
        assert_eq!(applet.files, before);
    }

    #[test]
    fn sends_nothing_of_a_step_that_the_line_does_not_let_begin() {
        for step in [Step::Identify, Step::Write, Step::ReadBack, Step::Lock] {
            let mut applet = Applet::default();
            run(&mut applet, true, Some(step)).unwrap_err();
            assert_eq!(applet.files.is_empty(), step <= Step::Write, "{step:?}");
            assert!(!applet.locked);
        }
    }
}
