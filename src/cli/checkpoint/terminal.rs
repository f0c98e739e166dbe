//! The real terminal of the full screen: its modes, its keys, and pictures of pixels.

use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};

use super::run::{Ending, INSPECTION_THREAD, Message, Post, View};
use super::screen::{self, Look, Overlay};
use crate::checkpoint::{CardOn, Checkpoint, Event, Lane, Outcome};
use crate::cli::context::hold_logs;
use crate::cli::picture::{self, Graphics, kitty, kitty_delete_all};
use crate::cli::{Failure, output};

/// How often the thread of the keys looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(200);

/// The full screen.
pub(super) struct FullScreen {
    look: Look,
    terminal: Option<Terminal<CrosstermBackend<Stdout>>>,
    stop: Arc<AtomicBool>,
    /// Pictures that are on the screen in pixels.
    overlays: Vec<Overlay>,
    /// The card whose holder the screen says that the keys answer for.
    asked: Asked,
}

/// Written where the screen is drawn, read where keys are.
type Asked = Arc<Mutex<Option<CardOn>>>;

fn trouble(error: &io::Error) -> Failure {
    output::unwritable(error)
}

impl FullScreen {
    /// A screen that is not shown yet.
    pub(super) fn new(look: Look) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { look, terminal: None, stop, overlays: Vec::new(), asked: Asked::default() }
    }

    fn enter(&mut self) -> io::Result<()> {
        restore_on_panic();
        enable_raw_mode()?;
        let mut out = io::stdout();
        // From here on the drop gives the terminal back, even where the next steps fail.
        hold_logs(true);
        let entered = execute!(out, EnterAlternateScreen, cursor::Hide);
        let terminal = entered.and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        match terminal {
            Ok(terminal) => self.terminal = Some(terminal),
            Err(error) => {
                give_back();
                return Err(error);
            }
        }
        Ok(())
    }

    fn show(&mut self, checkpoint: &Checkpoint, now: Duration) -> io::Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        let mut overlays = Vec::new();
        terminal.draw(|frame| overlays = screen::draw(frame, checkpoint, &self.look, now))?;
        if overlays == self.overlays {
            return Ok(());
        }
        if !self.overlays.is_empty() {
            // Pixels lie over the cells, which are not drawn again by themselves.
            if self.look.graphics == Graphics::Kitty {
                terminal.backend_mut().write_all(kitty_delete_all().as_bytes())?;
            }
            terminal.clear()?;
            terminal.draw(|frame| overlays = screen::draw(frame, checkpoint, &self.look, now))?;
        }
        for overlay in &overlays {
            paint(terminal.backend_mut(), overlay, checkpoint, &self.look)?;
        }
        self.overlays = overlays;
        terminal.backend_mut().flush()
    }
}

/// Draws a portrait in pixels.
fn paint(
    out: &mut impl Write,
    overlay: &Overlay,
    checkpoint: &Checkpoint,
    look: &Look,
) -> io::Result<()> {
    let lane = checkpoint.state().lanes.iter().find(|lane| lane.reader == overlay.reader);
    let decision = lane.and_then(|lane| lane.decision.as_ref());
    let Some(Outcome::Inspected(inspected)) = decision.map(|d| &d.outcome) else { return Ok(()) };
    let Some(portrait) = &inspected.portrait else { return Ok(()) };
    let (columns, rows) = (u32::from(overlay.area.width), u32::from(overlay.area.height));
    let shown = match look.graphics {
        Graphics::Kitty => kitty(portrait, columns, rows, picture::Cursor::Stays),
        Graphics::Sixel => {
            picture::sixel(portrait, columns * look.cell.width, rows * look.cell.height)
        }
        Graphics::Blocks | Graphics::None => return Ok(()),
    };
    queue!(out, cursor::MoveTo(overlay.area.x, overlay.area.y))?;
    out.write_all(shown.as_bytes())
}

impl View for FullScreen {
    fn begin(&mut self, post: &Post) -> Result<(), Failure> {
        self.enter().map_err(|e| trouble(&e))?;
        let (post, stop, asked) = (post.clone(), self.stop.clone(), self.asked.clone());
        std::thread::spawn(move || read_keys(&post, &stop, &asked));
        Ok(())
    }

    fn draw(&mut self, checkpoint: &Checkpoint, now: Duration) -> Result<(), Failure> {
        self.show(checkpoint, now).map_err(|e| trouble(&e))?;
        *lock(&self.asked) = checkpoint.state().asked().map(Lane::card_on);
        Ok(())
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.terminal.take().is_some() {
            if !self.overlays.is_empty() && self.look.graphics == Graphics::Kitty {
                let _ = io::stdout().write_all(kitty_delete_all().as_bytes());
            }
            give_back();
        }
    }
}

/// Gives the terminal back as it was found.
fn give_back() {
    // A terminal that is gone cannot be given back.
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
    hold_logs(false);
}

/// A defect gives the terminal back before it is told. One in an inspection ends that card alone,
/// and is told on the screen.
fn restore_on_panic() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |information| {
        if std::thread::current().name() != Some(INSPECTION_THREAD) {
            give_back();
            previous(information);
        }
    }));
}

fn lock(asked: &Asked) -> MutexGuard<'_, Option<CardOn>> {
    // Nothing that holds it can panic half-way.
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends keys until the checkpoint ends.
fn read_keys(post: &Post, stop: &AtomicBool, asked: &Asked) {
    while !stop.load(Ordering::Relaxed) {
        let message = match event::poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => match event::read() {
                Ok(event::Event::Key(key)) => key_message(key, lock(asked).clone()),
                Ok(event::Event::Resize(..)) => Some(Message::Wake),
                Ok(_) => None,
                Err(_) => Some(Message::Stop(Ending::Interrupted)),
            },
            // The terminal is gone.
            Err(_) => Some(Message::Stop(Ending::Interrupted)),
        };
        let ends = matches!(message, Some(Message::Stop(_)));
        if message.is_some_and(|message| !post.send(message)) || ends {
            return;
        }
    }
}

/// What a key means, where the screen asks about this card: an answer is for what was seen, never
/// for a card that came in its place meanwhile.
fn key_message(key: KeyEvent, asked: Option<CardOn>) -> Option<Message> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let other = key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER);
    Some(match key.code {
        KeyCode::Char('c') if control => Message::Stop(Ending::Interrupted),
        // Line feed and carriage return, as some scanners send them.
        KeyCode::Char('j' | 'm') if control => Message::Event(Event::Enter),
        KeyCode::Char(_) if control || other => return None,
        KeyCode::Char(character) => Message::Event(Event::Character(character)),
        KeyCode::Tab => Message::Event(Event::Character('\t')),
        KeyCode::Enter => Message::Event(Event::Enter),
        KeyCode::Backspace => Message::Event(Event::Backspace),
        KeyCode::Esc => Message::Event(Event::Clear),
        KeyCode::F(key @ (2 | 3)) => {
            Message::Event(Event::Consent { agreed: key == 2, card: Some(asked?) })
        }
        KeyCode::F(10) => Message::Stop(Ending::Done),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> String {
        let asked = CardOn { reader: "Reader B".to_owned(), arrival: 7 };
        format!("{:?}", key_message(KeyEvent::new(code, modifiers), Some(asked)))
    }

    #[test]
    fn keys_of_a_scanner_become_text_and_enter() {
        let none = KeyModifiers::NONE;
        assert!(key(KeyCode::Char('<'), KeyModifiers::SHIFT).contains("Character('<')"));
        assert!(key(KeyCode::Enter, none).contains("Enter"));
        assert!(key(KeyCode::Char('j'), KeyModifiers::CONTROL).contains("Enter"));
        assert!(key(KeyCode::Tab, none).contains("Character('\\t')"));
        assert_eq!(key(KeyCode::Char('x'), KeyModifiers::ALT), "None");
    }

    #[test]
    fn keys_end_wipe_and_answer() {
        let none = KeyModifiers::NONE;
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL).contains("Stop(Interrupted)"));
        assert!(key(KeyCode::F(10), none).contains("Stop(Done)"));
        assert!(key(KeyCode::Esc, none).contains("Clear"));
        assert!(key(KeyCode::F(2), none).contains("agreed: true"));
        assert!(key(KeyCode::F(3), none).contains("agreed: false"));
    }

    #[test]
    fn an_answer_names_the_card_that_the_screen_asks_about() {
        let shown = key(KeyCode::F(2), KeyModifiers::NONE);
        assert!(shown.contains("Reader B") && shown.contains("arrival: 7"), "{shown}");
        let nobody = key_message(KeyEvent::new(KeyCode::F(2), KeyModifiers::NONE), None);
        assert!(nobody.is_none(), "nobody was asked");
    }
}
