//! The page in a browser, shown states of our own making.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use cancuoc::checkpoint::{Event, Holder, Inspected, Timing};
use cancuoc::cli::text::{Lang, text};
use cancuoc::verify::Verdict;
use cancuoc::web::{Display, Server, Shown, Token, index};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use crate::browser::{Browser, ENTER, ESCAPE, F2, F3, TAB};

struct Page {
    browser: Browser,
    url: String,
    display: Option<Display>,
    events: Receiver<Event>,
}

impl Page {
    /// A page that shows these lanes.
    fn open(lanes: &[Value]) -> Option<Self> {
        let browser = Browser::start()?;
        let mut random = rand_core::UnwrapErr(getrandom::SysRng);
        let words =
            |key: &str| [("en", text(Lang::En, key, &[])), ("vi", text(Lang::Vi, key, &[]))];
        let index = index("en", words);
        let address = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(address, Token::random(&mut random), index).unwrap();
        let url = server.url().to_string();
        let (sender, events) = channel();
        let display = server.start(Box::new(move |event| sender.send(event).is_ok())).unwrap();
        let page = Self { browser, url, display: Some(display), events };
        page.show(lanes, &[]);
        page.browser.open(&page.url);
        page.browser.wait("the page is live", || {
            page.browser.run("return document.body.dataset.link") == "live"
        });
        Some(page)
    }

    fn show(&self, lanes: &[Value], portraits: &[(u64, Arc<Inspected>)]) {
        let state = json!({
            "lanes": lanes,
            "service_down": false,
            "consent": "May this card be read?",
            "pending": null,
            "entry": { "lines": 0, "error": null },
            "listed": false,
            "tally": { "genuine": 4, "forged": 3, "inconclusive": 2, "unread": 1 },
        });
        let portraits = portraits.to_vec();
        self.display.as_ref().unwrap().show(Shown { state: state.to_string(), portraits });
    }

    /// What the page sent next.
    fn next(&self) -> String {
        let limit = std::time::Duration::from_secs(60);
        match self.events.recv_timeout(limit).expect("the page sends nothing") {
            Event::Line(line) => format!("line {}", *line),
            Event::Consent { agreed, card: Some(card) } => {
                format!("consent {agreed} {} {}", card.reader, card.arrival)
            }
            Event::Clear => "clear".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

fn both(words: &str) -> Value {
    json!({ "vi": format!("vi {words}"), "en": words })
}

fn lane(reader: &str, tone: &str, headline: &str) -> Value {
    json!({
        "reader": reader, "arrival": 1, "tone": tone, "headline": both(headline), "line": null,
        "asks": false, "next": false, "card": null, "reasons": [], "previous": null,
        "took_ms": null,
    })
}

fn with(mut lane: Value, key: &str, value: Value) -> Value {
    lane[key] = value;
    lane
}

fn holder(name: &str, portrait: Value) -> Value {
    let facts = json!([{ "label": both("Born"), "value": name }]);
    json!({ "name": name, "number": "001200000018", "facts": facts, "portrait": portrait })
}

fn portrait(color: [u8; 3]) -> Arc<Inspected> {
    Arc::new(Inspected {
        verdict: Verdict::Genuine,
        checks: Vec::new(),
        wanting: Vec::new(),
        holder: Holder::default(),
        portrait: Some(RgbImage::from_pixel(30, 40, Rgb(color))),
        timing: Timing::default(),
    })
}

#[test]
fn what_a_card_says_is_text_and_never_markup() {
    let Some(page) = Page::open(&[]) else { return };
    let name = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";
    let reason = json!({ "check": both(name), "what": both(name), "todo": both(name) });
    let hostile = with(lane(name, "bad", name), "card", holder(name, Value::Null));
    page.show(&[with(hostile, "reasons", json!([reason]))], &[]);
    let browser = &page.browser;
    browser.wait_for(".holder-name", name);
    for selector in [".name", ".headline .first", ".facts dd", ".check .first", ".todo .first"] {
        assert!(browser.text(selector).contains(name), "{selector}");
    }
    assert_eq!(browser.run("return document.querySelectorAll('main :is(img, script)').length"), 0);
    assert_eq!(browser.run("return document.title.includes('run')"), false);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn opens_for_the_token_alone_and_takes_it_out_of_the_address() {
    let Some(page) = Page::open(&[lane("A", "idle", "LAY ON")]) else { return };
    let browser = &page.browser;
    browser.wait_for(".headline", "LAY ON");
    assert_eq!(browser.run("return location.hash + location.search + document.cookie"), "");
    // Loaded again in the same tab it is still known; without it the page is locked.
    browser.run("location.reload()");
    browser.wait_for(".headline", "LAY ON");
    browser.run("sessionStorage.clear(); location.reload()");
    browser.wait_for("#locked", "LOCKED");
    assert!(!browser.text("body").contains("LAY ON"));
    browser.open(&page.url);
    browser.wait_for(".headline", "LAY ON");
}

#[test]
fn a_scanner_types_into_the_page_wherever_the_focus_is() {
    let Some(page) = Page::open(&[lane("A", "asks", "SCAN")]) else { return };
    let browser = &page.browser;
    let lines = [
        "IDVNM2000000185001200000018<<6",
        "0001018F4001016VNM<<<<<<<<<<<0",
        "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<",
    ];
    browser.run("document.activeElement.blur()");
    browser.press(&format!("{}{ENTER}", lines.join(ENTER)));
    for line in lines {
        assert_eq!(page.next(), format!("line {line}"));
    }
    browser.run("document.getElementById('clear').focus()");
    let qr = "001200000018||Nguyễn Thị Mẫu|01012000|Nữ|Hà Nội|01072021";
    browser.press(&format!("{qr}{TAB}"));
    assert_eq!(page.next(), format!("line {qr}"));
    assert_eq!(browser.run("return document.getElementById('typed').value"), "");
}

#[test]
fn hides_what_is_typed_until_it_shall_be_seen_and_wipes_it() {
    let Some(page) = Page::open(&[lane("A", "asks", "SCAN")]) else { return };
    let browser = &page.browser;
    let hiding = "return getComputedStyle(document.getElementById('typed')).webkitTextSecurity";
    browser.press("001200");
    assert_eq!(browser.run(hiding), "disc");
    browser.click("#reveal");
    assert_eq!(browser.run(hiding), "none");
    assert_eq!(browser.run("return document.getElementById('typed').value"), "001200");
    browser.press(ESCAPE);
    assert_eq!(page.next(), "clear");
    assert_eq!(browser.run("return document.getElementById('typed').value"), "");
    assert_eq!(browser.run(hiding), "disc");
    browser.click("#clear");
    assert_eq!(page.next(), "clear");
}

#[test]
fn asks_the_holder_and_takes_the_answer_by_mouse_and_keyboard() {
    let asking = with(lane("A", "asks", "ASK"), "asks", json!(true));
    let Some(page) = Page::open(&[asking]) else { return };
    let browser = &page.browser;
    browser.wait_for(".notice-text", "May this card be read?");
    browser.click(".agree");
    assert_eq!(page.next(), "consent true A 1");
    browser.click(".refuse");
    assert_eq!(page.next(), "consent false A 1");
    browser.press(F2);
    assert_eq!(page.next(), "consent true A 1");
    browser.press(F3);
    assert_eq!(page.next(), "consent false A 1");
    // Where nobody is asked, an answer is for nobody.
    page.show(&[lane("A", "idle", "LAY ON")], &[]);
    browser.wait_for(".headline", "LAY ON");
    browser.press(F2);
    browser.press(ESCAPE);
    assert_eq!(page.next(), "clear");
}

#[test]
fn several_readers_stand_side_by_side_each_with_its_own() {
    let lanes = [
        with(lane("A", "good", "GENUINE"), "card", holder("Person A", Value::Null)),
        with(lane("B", "asks", "SCAN"), "next", json!(true)),
        lane("C", "bad", "NOT GENUINE"),
    ];
    let Some(page) = Page::open(&lanes) else { return };
    let browser = &page.browser;
    browser.wait_for(".lane[aria-label=C]", "NOT GENUINE");
    assert!(browser.text(".lane[aria-label=A]").contains("Person A"));
    assert!(browser.text(".lane[aria-label=B]").contains("next"));
    for (reader, tone) in [("A", "good"), ("B", "asks"), ("C", "bad")] {
        let shown = browser.run(&format!(
            "return document.querySelector('.lane[aria-label={reader}]').dataset.tone"
        ));
        assert_eq!(shown, tone);
    }
    page.show(&lanes[..1], &[]);
    browser.wait("readers that went are gone", || {
        browser.run("return document.querySelectorAll('.lane').length") == 1
    });
    page.show(&[], &[]);
    browser.wait_for("#no-reader", "NO READER");
}

/// The color in the middle of the portrait; null where there is none.
const PIXEL: &str = "const c = document.querySelector('.portrait');
    return c?.width ? [...c.getContext('2d').getImageData(15, 20, 1, 1).data].slice(0, 3) : null";

#[test]
fn a_portrait_is_drawn_and_goes_with_its_card() {
    let Some(page) = Page::open(&[lane("A", "idle", "LAY ON")]) else { return };
    let browser = &page.browser;
    let card =
        |number: u64| with(lane("A", "good", "GENUINE"), "card", holder("Person", json!(number)));
    let (red, green) = ([200, 10, 10], [10, 200, 10]);
    page.show(&[card(1)], &[(1, portrait(red))]);
    browser.wait("the portrait", || browser.run(PIXEL) == json!(red));
    page.show(&[card(2)], &[(2, portrait(green))]);
    browser.wait("the next portrait", || browser.run(PIXEL) == json!(green));
    page.show(&[lane("A", "asks", "SCAN")], &[]);
    browser.wait_for(".headline", "SCAN");
    assert_eq!(browser.run(PIXEL), Value::Null);
    assert!(!browser.text("body").contains("Person"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn nothing_of_a_person_stays_when_the_checkpoint_ends() {
    let genuine = with(lane("A", "good", "GENUINE"), "card", holder("Person", json!(1)));
    let Some(mut page) = Page::open(std::slice::from_ref(&genuine)) else { return };
    page.browser.wait_for(".holder-name", "Person");
    page.browser.press("0012");
    page.display = None;
    page.browser.wait_for("#lost", "NO CONNECTION");
    let whole = "return document.documentElement.outerHTML";
    assert!(!page.browser.run(whole).as_str().unwrap().contains("Person"));
    assert_eq!(page.browser.run("return document.getElementById('typed').value"), "");
}
