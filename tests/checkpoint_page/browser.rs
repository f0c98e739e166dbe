//! A headless Chromium, driven over the WebDriver protocol (W3C).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Keys as WebDriver names them.
pub const ENTER: &str = "\u{E007}";
pub const TAB: &str = "\u{E004}";
pub const ESCAPE: &str = "\u{E00C}";
pub const F2: &str = "\u{E032}";
pub const F3: &str = "\u{E033}";

/// How long something may take to be seen before the test gives up: a limit for what never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One at a time: a browser takes both cores of a small machine.
static ONE: Mutex<()> = Mutex::new(());

/// A browser with one page, ended when dropped.
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    _profile: TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one.
    ///
    /// `None` where the machine has none; with `CI` set that is a failure, for a continuous
    /// integration run must not skip these tests in silence.
    pub fn start() -> Option<Self> {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "chromedriver does not start: {error}");
                eprintln!("skipped: chromedriver does not start: {error}");
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let digits = line.split_once("started successfully on port ")?.1;
            digits.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says no port");
        std::thread::spawn(move || lines.count());
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
            _one: one,
        };
        let answer = browser.post("", &browser.capabilities());
        browser.session += &format!("/{}", answer["sessionId"].as_str().unwrap());
        Some(browser)
    }

    fn capabilities(&self) -> Value {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let arguments = [
            // Tests run as root in containers, where Chromium's sandbox does not start.
            "--no-sandbox",
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            &profile,
        ];
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } })
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}{command}", self.session);
        let mut answer = self
            .agent
            .post(&url)
            .header("Content-Type", "application/json")
            .send(body.to_string())
            .unwrap();
        value(&answer.body_mut().read_to_string().unwrap(), command)
    }

    fn get(&self, command: &str) -> Value {
        let mut answer = self.agent.get(format!("{}{command}", self.session)).call().unwrap();
        value(&answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap(), command)
    }

    /// Goes to an address.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Makes the page so large.
    pub fn resize(&self, width: u32, height: u32) {
        let inner = "return [outerWidth - innerWidth, outerHeight - innerHeight]";
        let frame = self.run(inner);
        let (x, y) = (frame[0].as_u64().unwrap(), frame[1].as_u64().unwrap());
        let size = json!({ "width": u64::from(width) + x, "height": u64::from(height) + y });
        self.post("/window/rect", &size);
    }

    /// What a piece of JavaScript returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What the person sees of the first element: its text where it is drawn.
    pub fn text(&self, selector: &str) -> String {
        let script = format!(
            "const e = document.querySelector({selector:?});
             return e?.checkVisibility() ? e.innerText : ''"
        );
        self.run(&script).as_str().unwrap().to_owned()
    }

    /// Waits until the person sees this text there.
    pub fn wait_for(&self, selector: &str, text: &str) {
        self.wait(&format!("{text:?} in {selector}"), || self.text(selector).contains(text));
    }

    /// Waits until it is so.
    pub fn wait(&self, what: &str, mut is: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is() {
            if start.elapsed() > PATIENCE {
                let (shown, complaints) = (self.text("body"), self.complaints());
                panic!("never: {what}; the page shows:\n{shown}\n{complaints:#?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let element = self.get("/element/active");
        self.send_keys(&element, keys);
    }

    /// Clicks on an element as a person does: it must be visible.
    pub fn click(&self, selector: &str) {
        let element = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        self.post(&format!("/element/{}/click", id(&element)), &json!({}));
    }

    fn send_keys(&self, element: &Value, keys: &str) {
        self.post(&format!("/element/{}/value", id(element)), &json!({ "text": keys }));
    }

    /// A picture of the page, PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        Base64::decode_vec(self.get("/screenshot").as_str().unwrap()).unwrap()
    }

    /// What the browser complained of since it was asked last: errors of scripts, and what the
    /// content security policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn value(answer: &str, command: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let value = answer["value"].take();
    assert!(value["error"].is_null(), "{command}: {value}");
    value
}

/// The number of an element, under the key that the protocol gives it.
fn id(element: &Value) -> String {
    element.as_object().and_then(|e| e.values().next()?.as_str()).unwrap().to_owned()
}
