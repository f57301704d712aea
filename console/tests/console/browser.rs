//! A real browser, headless, by the WebDriver protocol (https://www.w3.org/TR/webdriver2/): requests of JSON to chromedriver,
//! which is a part of Debian's chromium-driver.

use crate::world::{Console, eventually};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The name under which the protocol puts the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys, as the protocol writes them.
pub const TAB: char = '\u{E004}';
pub const ENTER: char = '\u{E007}';
pub const ESCAPE: char = '\u{E00C}';

pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    page: String,
}

impl Browser {
    /// Opens a view of the console, such as `queue?name=orders`.
    pub fn open(console: &Console, view: &str) -> Self {
        // The port that it chooses may be taken before it listens.
        let (driver, address) = (0..5).find_map(|_| start()).expect("chromedriver starts");
        let mut browser = Self { driver, address, session: String::new(), page: console.page() };
        // Without a sandbox, because it may run as root; it opens nothing but the console. Containers have little /dev/shm.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,900",
        ];
        let capabilities =
            json!({ "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } });
        let session = browser.send("POST", "/session", json!({ "capabilities": capabilities }));
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser.go(view);
        browser
    }

    fn send(&self, method: &str, path: &str, body: Value) -> Value {
        self.ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value, Value> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let path = format!("{}{path}", self.session);
        let (status, reply) = exchange(&self.address, method, &path, &body)
            .map_err(|error| json!(error.to_string()))?;
        let value: Value = serde_json::from_slice(&reply).unwrap();
        if status == 200 { Ok(value["value"].clone()) } else { Err(value) }
    }

    pub fn go(&self, view: &str) {
        self.send("POST", "/url", json!({ "url": format!("{}#/{view}", self.page) }));
    }

    pub fn back(&self) {
        self.send("POST", "/back", json!({}));
    }

    /// What a function body returns in the page.
    pub fn script(&self, body: &str) -> Value {
        self.send("POST", "/execute/sync", json!({ "script": body, "args": [] }))
    }

    /// The elements that a CSS selector finds, and that contain a text.
    fn found(&self, selector: &str, text: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].filter((one) => one.textContent.includes(arguments[1]))";
        let body = json!({ "script": script, "args": [selector, text] });
        let elements = self.send("POST", "/execute/sync", body);
        let id = |element: &Value| element[ELEMENT].as_str().unwrap().to_owned();
        elements.as_array().unwrap().iter().map(id).collect()
    }

    pub fn count(&self, selector: &str) -> usize {
        self.found(selector, "").len()
    }

    /// Waits for an element with a text.
    pub fn see(&self, selector: &str, text: &str) {
        eventually(&format!("{selector} with {text:?}"), || !self.found(selector, text).is_empty());
    }

    /// Waits until there is no such element.
    pub fn see_no(&self, selector: &str, text: &str) {
        eventually(&format!("no {selector} with {text:?}"), || {
            self.found(selector, text).is_empty()
        });
    }

    /// Clicks on the first element with a text, as soon as that is possible.
    pub fn click(&self, selector: &str, text: &str) {
        self.on(selector, text, "click", &json!({}));
    }

    pub fn write(&self, selector: &str, text: &str) {
        self.on(selector, "", "value", &json!({ "text": text }));
    }

    /// It may be replaced between being found and being used.
    fn on(&self, selector: &str, text: &str, action: &str, body: &Value) {
        eventually(&format!("{action} on {selector} with {text:?}"), || {
            self.found(selector, text).first().is_some_and(|id| {
                self.ask("POST", &format!("/element/{id}/{action}"), body.clone()).is_ok()
            })
        });
    }

    pub fn clear(&self, selector: &str) {
        self.on(selector, "", "clear", &json!({}));
    }

    /// Presses keys, whatever has the focus. WebDriver has a character for each special key.
    pub fn press(&self, keys: &[char]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.send("POST", "/actions", json!({ "actions": [keyboard] }));
    }

    /// A text of the element that has the focus: its id, or what it says.
    pub fn focus(&self) -> String {
        let script = "const one = document.activeElement; return one.id || one.textContent";
        self.script(script).as_str().unwrap().to_owned()
    }

    pub fn resize(&self, width: u32, height: u32) {
        self.send("POST", "/window/rect", json!({ "width": width, "height": height }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.ask(
                "POST",
                "/execute/sync",
                json!({ "script": "return document.body.innerText", "args": [] }),
            );
            eprintln!("the page: {text:?}");
        }
        let _ = self.ask("DELETE", "", Value::Null); // which ends the browser
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts chromedriver on a port of its choice, and returns its address.
fn start() -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("chromedriver is missing: scripts/install-needs.sh console installs it");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let port = line.split("successfully on port ").nth(1)?;
        Some(port.trim_end_matches('.').to_owned())
    });
    let Some(port) = port else {
        driver.wait().unwrap();
        return None;
    };
    std::thread::spawn(move || lines.for_each(drop)); // so that it can go on writing
    Some((driver, format!("127.0.0.1:{port}")))
}

/// A request and its reply. Chromedriver speaks HTTP/1.1 only, and leaves connections open.
fn exchange(address: &str, method: &str, path: &str, body: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let head = head.to_lowercase();
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
    let length = length.and_then(|length| length.trim().parse().ok());
    let (Some(status), Some(length)) = (status, length) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, body))
}
