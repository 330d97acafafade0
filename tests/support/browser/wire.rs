//! The conversation with Chromium: commands with their answers, and what it tells by itself.
//!
//! It has a thread of its own rather than a task, because each test has a runtime that ends with the test.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::diary::Diary;
use super::process::{self, Chromium};

/// A page answers at once, or it is busy or gone: then it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

pub struct Wire {
    to: Mutex<ChildStdin>,
    folder: PathBuf,
    last_call: AtomicU64,
    calls: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    diaries: Mutex<HashMap<String, Arc<Diary>>>,
}

/// One page's part of the conversation.
#[derive(Clone)]
pub struct Session {
    wire: Arc<Wire>,
    id: String,
}

impl Wire {
    pub fn start() -> Arc<Self> {
        let Chromium { mut shell, folder } = process::start();
        let to = shell.stdin.take().expect("a pipe");
        let wire = Arc::new(Self {
            to: Mutex::new(to),
            folder,
            last_call: AtomicU64::new(0),
            calls: Mutex::default(),
            diaries: Mutex::default(),
        });
        let listener = Arc::downgrade(&wire);
        thread::Builder::new()
            .name("chromium".into())
            .spawn(move || listen(shell, &listener))
            .expect("a thread");
        wire
    }

    /// Where the browser keeps what it has; it goes with the run.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Asks the browser itself, rather than a page.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.ask(None, method, params).await.unwrap_or_else(|refusal| panic!("{method}: {refusal}"))
    }

    /// Asks and does not wait: what the answer would be does not matter.
    pub fn tell(&self, session: Option<&str>, method: &str, params: &Value) {
        let id = self.last_call.fetch_add(1, Ordering::Relaxed);
        self.write(id, session, method, params);
    }

    /// From now on the page behind the session writes into this diary.
    pub fn session(self: &Arc<Self>, id: &str, diary: Arc<Diary>) -> Session {
        lock(&self.diaries).insert(id.to_owned(), diary);
        Session { wire: self.clone(), id: id.to_owned() }
    }

    async fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let (answered, answer) = oneshot::channel();
        let id = self.last_call.fetch_add(1, Ordering::Relaxed);
        lock(&self.calls).insert(id, answered);
        self.write(id, session, method, &params);
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        // A question to a page that is just being left may be lost with it.
        let Ok(answer) = answer else { return Err(format!("no answer to {method}")) };
        let mut answer =
            answer.unwrap_or_else(|_| panic!("Chromium ended: {}", process::last_words(&self.folder)));
        match answer.get("error") {
            Some(error) => Err(error["message"].as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["result"].take()),
        }
    }

    fn write(&self, id: u64, session: Option<&str>, method: &str, params: &Value) {
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message).expect("JSON");
        bytes.push(0);
        // When the pipe is closed, so is the other: whoever waits for the answer says it.
        let _ = lock(&self.to).write_all(&bytes);
    }

    fn hears(self: &Arc<Self>, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            // Nobody waits for the answer to what was only told.
            if let Some(call) = lock(&self.calls).remove(&id) {
                let _ = call.send(message);
            }
            return;
        }
        let Some(session) = message["sessionId"].as_str() else { return };
        let Some(diary) = lock(&self.diaries).get(session).cloned() else { return };
        let (session, params) = (session.to_owned(), message["params"].take());
        let reply = diary.notes(message["method"].as_str().unwrap_or_default(), &params);
        if let Some((method, params)) = reply {
            self.tell(Some(&session), method, &params);
        }
    }
}

/// Until Chromium ends. Then whoever waits for an answer hears that there will be none.
fn listen(mut shell: Child, wire: &Weak<Wire>) {
    let mut from = BufReader::new(shell.stdout.take().expect("a pipe"));
    let mut bytes = Vec::new();
    while from.read_until(0, &mut bytes).is_ok_and(|length| length > 0) {
        bytes.pop();
        let message = serde_json::from_slice(&bytes).expect("Chromium speaks JSON");
        bytes.clear();
        let Some(wire) = wire.upgrade() else { break };
        wire.hears(message);
    }
    let _ = shell.wait();
    if let Some(wire) = wire.upgrade() {
        lock(&wire.calls).clear();
    }
}

impl Session {
    /// Asks the page. A refusal fails the test.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.ask(method, params).await.unwrap_or_else(|refusal| panic!("{method}: {refusal}"))
    }

    /// Asks the page, which may just be gone or be another.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Value, String> {
        self.wire.ask(Some(&self.id), method, params).await
    }

    pub fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// The page is closed: nobody reads its diary any more.
    pub fn ends(&self) {
        lock(&self.wire.diaries).remove(&self.id);
    }
}

/// A test that panicked while it held a lock has failed already; the others go on.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
