//! What a page does and says while nobody asks: what it complains of, what it loads, what it wants from elsewhere.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::wire::lock;

pub struct Diary {
    /// The page's own, as against the frames in it.
    frame: String,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    complaints: Vec<Complaint>,
    expected_statuses: Vec<u16>,
    was_offline: bool,
    loads: usize,
    transferred: f64,
    stand_ins: Vec<StandIn>,
}

struct Complaint {
    from_network: bool,
    text: String,
}

/// What is served in place of something outside.
struct StandIn {
    prefix: String,
    content_type: String,
    body: String,
}

impl Diary {
    pub fn of(frame: &str) -> Self {
        Self { frame: frame.to_owned(), notes: Mutex::default() }
    }

    /// Notes what Chromium tells, which may want an answer: a command and its parameters.
    pub fn notes(&self, method: &str, params: &Value) -> Option<(&'static str, Value)> {
        let mut notes = lock(&self.notes);
        match method {
            "Runtime.consoleAPICalled" => notes.console(params),
            "Runtime.exceptionThrown" => notes.complains(false, exception(&params["exceptionDetails"])),
            "Log.entryAdded" => notes.log(&params["entry"]),
            "Inspector.targetCrashed" => notes.complains(false, "the page crashed".to_owned()),
            "Page.lifecycleEvent" if params["name"] == "load" && params["frameId"] == *self.frame => {
                notes.loads += 1;
            }
            "Network.loadingFinished" => {
                notes.transferred += params["encodedDataLength"].as_f64().unwrap_or_default();
            }
            "Page.javascriptDialogOpening" => return Some(notes.dialog(params)),
            "Fetch.requestPaused" => return Some(notes.answer(params)),
            _ => {}
        }
        None
    }

    pub fn expects_status(&self, status: u16) {
        lock(&self.notes).expected_statuses.push(status);
    }

    pub fn goes_offline(&self) {
        lock(&self.notes).was_offline = true;
    }

    /// What is left of the complaints without those that were to be expected.
    pub fn complaints(&self) -> Vec<String> {
        let notes = lock(&self.notes);
        notes.complaints.iter().filter(|it| !notes.expected(it)).map(|it| it.text.clone()).collect()
    }

    /// How often the page was loaded.
    pub fn loads(&self) -> usize {
        lock(&self.notes).loads
    }

    pub fn transferred(&self) -> f64 {
        lock(&self.notes).transferred
    }

    pub fn nothing_transferred_yet(&self) {
        lock(&self.notes).transferred = 0.0;
    }

    /// Adds a stand-in; answers with the patterns of all.
    pub fn stand_in(&self, prefix: &str, content_type: &str, body: &str) -> Vec<Value> {
        let (prefix, content_type, body) = (prefix.to_owned(), content_type.to_owned(), body.to_owned());
        let mut notes = lock(&self.notes);
        notes.stand_ins.push(StandIn { prefix, content_type, body });
        notes.stand_ins.iter().map(|it| json!({ "urlPattern": literally(&it.prefix) + "*" })).collect()
    }
}

impl Notes {
    fn complains(&mut self, from_network: bool, text: String) {
        self.complaints.push(Complaint { from_network, text });
    }

    fn console(&mut self, params: &Value) {
        let kind = params["type"].as_str().unwrap_or_default();
        if ["error", "warning", "assert"].contains(&kind) {
            let words = params["args"].as_array().into_iter().flatten().map(spoken);
            let text = format!("console {kind}: {}", words.collect::<Vec<_>>().join(" "));
            self.complains(false, text);
        }
    }

    fn log(&mut self, entry: &Value) {
        let level = entry["level"].as_str().unwrap_or_default();
        if ["error", "warning"].contains(&level) {
            let source = entry["source"].as_str().unwrap_or_default();
            let (text, url) =
                (entry["text"].as_str().unwrap_or_default(), entry["url"].as_str().unwrap_or(""));
            self.complains(source == "network", format!("{source} {level}: {text} {url}"));
        }
    }

    /// A dialog stops the page. Leaving is always allowed; any other dialog is declined, and is not how we ask.
    fn dialog(&mut self, params: &Value) -> (&'static str, Value) {
        let leaving = params["type"] == "beforeunload";
        if !leaving {
            let text = format!("dialog {}: {}", params["type"], params["message"]);
            self.complains(false, text);
        }
        ("Page.handleJavaScriptDialog", json!({ "accept": leaving }))
    }

    fn answer(&self, params: &Value) -> (&'static str, Value) {
        let (id, url) = (&params["requestId"], params["request"]["url"].as_str().unwrap_or_default());
        // The newest counts, so that a test can change its mind.
        let Some(stand_in) = self.stand_ins.iter().rev().find(|it| url.starts_with(&it.prefix)) else {
            return ("Fetch.continueRequest", json!({ "requestId": id }));
        };
        let headers = json!([
            { "name": "Content-Type", "value": stand_in.content_type },
            { "name": "Access-Control-Allow-Origin", "value": "*" },
        ]);
        let body = STANDARD.encode(&stand_in.body);
        let answer =
            json!({ "requestId": id, "responseCode": 200, "responseHeaders": headers, "body": body });
        ("Fetch.fulfillRequest", answer)
    }

    fn expected(&self, complaint: &Complaint) -> bool {
        let text = &complaint.text;
        let status = |status: &u16| text.contains(&format!("responded with a status of {status} "));
        complaint.from_network
            && (self.expected_statuses.iter().any(status) || (self.was_offline && text.contains("net::ERR_")))
    }
}

/// The text of what was thrown, with where.
pub fn exception(details: &Value) -> String {
    let what = details["exception"]["description"].as_str().map(str::to_owned);
    let what = what.unwrap_or_else(|| details["exception"]["value"].to_string());
    let url = details["url"].as_str().unwrap_or_default();
    format!("{} {what} {url}", details["text"].as_str().unwrap_or_default())
}

/// A value as the console shows it.
fn spoken(value: &Value) -> String {
    match (&value["value"], value["description"].as_str()) {
        (Value::String(text), _) => text.clone(),
        (Value::Null, Some(description)) => description.to_owned(),
        (Value::Null, None) => value["type"].to_string(),
        (other, _) => other.to_string(),
    }
}

/// A URL whose question mark is one: in Chromium's patterns it would stand for any character.
fn literally(url: &str) -> String {
    url.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?")
}
