use std::path::Path;
use std::sync::Arc;

use image::RgbImage;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::*;

#[path = "svg.rs"]
mod svg;

use crate::checkpoint::{Action, Event, Holder, Inspected, Outcome, Settings, Timing, Trouble};
use crate::verify::{Check, CheckId, Evidence, Verdict};

const READER: &str = "Reader A";

fn look(lang: Lang) -> Look {
    Look {
        lang,
        color: true,
        graphics: Graphics::Blocks,
        true_color: true,
        cell: CellSize { width: 10, height: 20 },
        consent: None,
    }
}

fn inspected(verdict: Verdict) -> Inspected {
    let failed = Check::failed(CheckId::PaHashes, "dg_hash_mismatch", Evidence::new("dg", 13));
    Inspected {
        verdict,
        checks: if verdict == Verdict::Forged { vec![failed] } else { vec![] },
        wanting: vec![],
        holder: Holder {
            number: Some("001200000018".to_owned().into()),
            name: Some("Nguyễn Thị Mẫu".to_owned()),
            facts: vec![("birth_date".to_owned(), "01/01/2000".to_owned())],
        },
        portrait: Some(RgbImage::from_pixel(30, 40, image::Rgb([200, 100, 50]))),
        timing: Timing::default(),
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A checkpoint with one reader on which a card lies.
fn with_card(settings: Settings) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(settings);
    checkpoint.handle(Event::CardPresent(READER.to_owned()), at(0));
    checkpoint
}

fn scan(checkpoint: &mut Checkpoint) -> u64 {
    let actions = checkpoint.handle(Event::Line("000018".to_owned().into()), at(1));
    let job = |action: &Action| if let Action::Inspect(job) = action { Some(job.id) } else { None };
    actions.iter().find_map(job).unwrap()
}

fn decided(outcome: Outcome) -> Checkpoint {
    let mut checkpoint = with_card(Settings::default());
    let job = scan(&mut checkpoint);
    checkpoint.handle(Event::Finished { job, outcome }, at(2));
    checkpoint
}

fn with_verdict(verdict: Verdict) -> Checkpoint {
    decided(Outcome::Inspected(Arc::new(inspected(verdict))))
}

fn drawn(checkpoint: &Checkpoint, look: &Look, width: u16, height: u16) -> (Buffer, Vec<Overlay>) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut overlays = Vec::new();
    terminal.draw(|frame| overlays = draw(frame, checkpoint, look, at(5))).unwrap();
    (terminal.backend().buffer().clone(), overlays)
}

fn words(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..area.height).map(line).collect::<Vec<_>>().join("\n")
}

fn screen(checkpoint: &Checkpoint, lang: Lang) -> String {
    words(&drawn(checkpoint, &look(lang), 100, 40).0)
}

/// The colours of the grounds of a buffer, as often as they stand there.
fn grounds(buffer: &Buffer, color: Color) -> usize {
    buffer.content.iter().filter(|cell| cell.bg == color).count()
}

#[test]
fn shows_name_verdict_and_portrait_in_both_languages() {
    let checkpoint = with_verdict(Verdict::Genuine);
    for lang in [Lang::Vi, Lang::En] {
        let text = screen(&checkpoint, lang);
        for word in
            ["✔", "GENUINE", "THẬT", "Nguyễn Thị Mẫu", "001200000018", "01/01/2000", "1.00 s"]
        {
            assert!(text.contains(word), "{word} in:\n{text}");
        }
    }
    let (buffer, _) = drawn(&checkpoint, &look(Lang::En), 100, 40);
    assert!(grounds(&buffer, Color::Green) > 300);
    assert!(grounds(&buffer, Color::Rgb(200, 100, 50)) > 300, "the portrait");
    assert_eq!(grounds(&buffer, Color::Red), 0);
}

#[test]
fn shows_the_reason_and_what_to_do_in_both_languages() {
    let text = screen(&with_verdict(Verdict::Forged), Lang::Vi);
    for word in ["✘ KHÔNG THẬT", "NOT GENUINE", "→"] {
        assert!(text.contains(word), "{word} in:\n{text}");
    }
    let joined = text.replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains("a data group was changed"), "{text}");
    assert!(joined.contains("Giữ thẻ lại"), "{text}");
    let (buffer, _) = drawn(&with_verdict(Verdict::Forged), &look(Lang::Vi), 100, 40);
    assert!(grounds(&buffer, Color::Red) > 300);
    assert_eq!(grounds(&buffer, Color::Green), 0);
}

#[test]
fn shows_no_verdict_in_amber() {
    let trouble =
        Trouble { code: "access_password_wrong", detail: String::new(), wrong_access: true };
    let checkpoints = [with_verdict(Verdict::Inconclusive), decided(Outcome::Failed(trouble))];
    for checkpoint in checkpoints {
        let (buffer, _) = drawn(&checkpoint, &look(Lang::En), 100, 40);
        assert!(grounds(&buffer, Color::Yellow) > 300);
        assert_eq!(grounds(&buffer, Color::Green) + grounds(&buffer, Color::Red), 0);
    }
}

#[test]
fn says_the_verdict_without_colours_too() {
    let plain = Look { color: false, graphics: Graphics::None, ..look(Lang::En) };
    let (buffer, _) = drawn(&with_verdict(Verdict::Forged), &plain, 100, 40);
    assert!(words(&buffer).contains("✘ NOT GENUINE"));
    assert!(buffer.content.iter().all(|cell| cell.bg == Color::Reset && cell.fg == Color::Reset));
}

#[test]
fn leaves_pixels_to_the_terminal() {
    let sixel = Look { graphics: Graphics::Sixel, ..look(Lang::En) };
    let (buffer, overlays) = drawn(&with_verdict(Verdict::Genuine), &sixel, 100, 40);
    assert_eq!(overlays.len(), 1);
    let area = overlays[0].area;
    // 30 x 40 pixels in cells of 10 x 20: three columns for two rows.
    assert_eq!((area.width, area.height), (36, 24));
    let inside = |x: u16, y: u16| buffer[(x, y)].symbol() == " ";
    assert!((area.left()..area.right()).all(|x| inside(x, area.top())));
}

#[test]
fn shows_nothing_of_what_is_typed_but_how_much() {
    let mut checkpoint = with_card(Settings::default());
    for character in "001200000018".chars() {
        checkpoint.handle(Event::Character(character), at(1));
    }
    let text = screen(&checkpoint, Lang::En);
    assert!(text.contains(&"•".repeat(12)) && !text.contains("0012"), "{text}");
    assert!(text.contains("SCAN THE CARD"));
}

#[test]
fn shows_the_notice_that_the_holder_must_agree_to() {
    let mut checkpoint = with_card(Settings { consent: true, ..Settings::default() });
    checkpoint.handle(Event::Line("000018".to_owned().into()), at(1));
    let notice = Look { consent: Some("We read your card.".to_owned()), ..look(Lang::En) };
    let text = words(&drawn(&checkpoint, &notice, 100, 40).0);
    assert!(text.contains("We read your card.") && text.contains("ASK THE HOLDER"), "{text}");
    assert!(text.contains("F2"));
}

#[test]
fn a_name_cannot_send_commands_to_the_terminal() {
    let mut card = inspected(Verdict::Genuine);
    card.holder.name = Some("A\x1b]0;title\x07\x1b[2JB".to_owned());
    let text = screen(&decided(Outcome::Inspected(Arc::new(card))), Lang::En);
    assert!(!text.contains('\x1b') && !text.contains('\x07'));
}

#[test]
fn says_that_there_is_no_reader_and_that_the_service_is_down() {
    let mut checkpoint = Checkpoint::new(Settings::default());
    assert!(screen(&checkpoint, Lang::En).contains("not connected"));
    checkpoint.handle(Event::Service { down: true }, at(0));
    assert!(screen(&checkpoint, Lang::Vi).contains("PC/SC"));
    checkpoint.handle(Event::ReaderAdded(READER.to_owned()), at(1));
    checkpoint.handle(Event::ReaderGone(READER.to_owned()), at(2));
    let text = screen(&checkpoint, Lang::En);
    assert!(text.contains("NO READER") && text.contains("PC/SC service does not run"), "{text}");
}

#[test]
fn marks_the_reader_whose_card_is_next() {
    let mut checkpoint = with_card(Settings::default());
    checkpoint.handle(Event::CardPresent("Reader B".to_owned()), at(1));
    let text = screen(&checkpoint, Lang::En);
    assert!(text.contains("▶ Reader A") && !text.contains("▶ Reader B"), "{text}");
}

#[test]
fn marks_the_card_whose_holder_the_keys_answer_for() {
    let mut checkpoint = with_card(Settings { consent: true, ..Settings::default() });
    checkpoint.handle(Event::CardPresent("Reader B".to_owned()), at(0));
    for second in [1, 2] {
        checkpoint.handle(Event::Line("000018".to_owned().into()), at(second));
    }
    let notice = Look { consent: Some("We read your card.".to_owned()), ..look(Lang::En) };
    let shown = |checkpoint: &Checkpoint| words(&drawn(checkpoint, &notice, 100, 40).0);
    let text = shown(&checkpoint);
    assert!(text.contains("▶ Reader A") && !text.contains("▶ Reader B"), "{text}");
    assert!(text.contains("Card on Reader A: F2"), "{text}");
    checkpoint.handle(Event::CardRemoved(READER.to_owned()), at(3));
    let text = shown(&checkpoint);
    assert!(text.contains("Card on Reader B: F2") && text.contains("▶ Reader B"), "{text}");
}

#[test]
fn draws_on_screens_of_any_size() {
    let checkpoint = with_verdict(Verdict::Forged);
    for (width, height) in [(1, 1), (10, 3), (40, 12), (80, 24), (300, 5), (3, 200)] {
        drawn(&checkpoint, &look(Lang::Vi), width, height);
    }
}

/// The pictures of the documents show what is drawn: CANCUOC_DRAW_DOCS=1 draws them anew.
#[test]
fn the_pictures_of_the_documents_show_this_screen() {
    let portrait = include_bytes!("../../../../testvectors/specimen/portrait.jpg");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    for (verdict, name) in [(Verdict::Genuine, "genuine"), (Verdict::Forged, "forged")] {
        for (lang, ending) in [(Lang::En, "en"), (Lang::Vi, "vi")] {
            let mut card = inspected(verdict);
            card.portrait = crate::biometrics::decode(portrait).ok();
            let mut checkpoint = Checkpoint::new(Settings::default());
            let reader = "ACS ACR1252 Reader 00 00".to_owned();
            checkpoint.handle(Event::CardPresent(reader), at(0));
            let job = scan(&mut checkpoint);
            let outcome = Outcome::Inspected(Arc::new(card));
            checkpoint.handle(Event::Finished { job, outcome }, Duration::from_millis(1_740));
            let pixels = Look { graphics: Graphics::Kitty, ..look(lang) };
            let (buffer, overlays) = drawn(&checkpoint, &pixels, 92, 34);
            let picture = svg::draw(&buffer, &overlays, portrait);
            let path = folder.join(format!("screen-{name}-{ending}.svg"));
            if std::env::var_os("CANCUOC_DRAW_DOCS").is_some() {
                std::fs::write(&path, &picture).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(found == picture, "{} is out of date: CANCUOC_DRAW_DOCS=1", path.display());
        }
    }
}
