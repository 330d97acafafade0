//! A page: where it is, how large, what its scripts say.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::diary::{Diary, exception};
use super::wire::{Session, lock};
use super::{PATIENCE, Person};

/// Sums from the first moment by how much the page moves what is already there.
const NOTE_SHIFTS: &str = "(() => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const shift of list.getEntries()) if (!shift.hadRecentInput) sum += shift.value;
  }).observe({type: 'layout-shift', buffered: true});
  Object.defineProperty(window, '__layoutShift', {get: () => sum});
})()";

pub struct Page {
    pub(super) session: Session,
    pub(super) diary: Arc<Diary>,
    pub(super) person: Arc<Person>,
    target: String,
    patience: Duration,
    /// The media features that are not as usual; they can only be set together.
    media: Mutex<Vec<Value>>,
}

impl Page {
    pub(super) async fn open(person: Arc<Person>) -> Self {
        let wire = person.browser.wire.clone();
        // A window of its own, for a tab behind another is not drawn.
        let place = json!({ "url": "about:blank", "browserContextId": person.context, "newWindow": true });
        let target = wire.call("Target.createTarget", place).await;
        let target = target["targetId"].as_str().expect("an id").to_owned();
        let session =
            wire.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        let diary = Arc::new(Diary::of(&target));
        let session = wire.session(session["sessionId"].as_str().expect("an id"), diary.clone());
        for domain in ["Page", "Runtime", "Log", "Network", "Inspector", "DOM"] {
            session.call(&format!("{domain}.enable"), json!({})).await;
        }
        session.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true })).await;
        session.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": NOTE_SHIFTS })).await;
        session.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        let page = Self { session, diary, person, target, patience: PATIENCE, media: Mutex::default() };
        page.sized(1280, 800).await;
        page
    }

    /// Waits for nothing longer than a second: for what is expected to fail.
    pub fn impatient(mut self) -> Self {
        self.patience = Duration::from_secs(1);
        self
    }

    /// The same person with a second page: what one stores the other finds.
    pub async fn another_tab(&self) -> Self {
        Self::open(self.person.clone()).await
    }

    /// Goes to a path of the person's address (or to a whole URL), until everything it names has loaded.
    pub async fn goto(&self, path: &str) {
        let url =
            if path.contains("://") { path.to_owned() } else { format!("{}{path}", self.person.base_url) };
        self.loads("Page.navigate", json!({ "url": url })).await;
    }

    pub async fn reload(&self) {
        self.loads("Page.reload", json!({})).await;
    }

    async fn loads(&self, how: &str, params: Value) {
        let _turn = self.person.browser.turns.acquire().await.expect("never closed");
        self.diary.nothing_transferred_yet();
        let loads = self.diary.loads();
        let answer = self.session.call(how, params.clone()).await;
        if let Some(error) = answer["errorText"].as_str() {
            panic!("{how} {params}: {error}");
        }
        // Another place in the same document is there at once.
        if how == "Page.navigate" && answer["loaderId"].is_null() {
            return;
        }
        let loaded = self.until(async || {
            if self.diary.loads() > loads { Ok(()) } else { Err("it never finished loading".to_owned()) }
        });
        self.must(&format!("{how} {params}"), loaded.await).await;
    }

    /// Asks until it is so. In vain, the last reason why not.
    pub(super) async fn until<T>(
        &self,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + self.patience;
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(reason) if Instant::now() > deadline => return Err(reason),
                Err(_) => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
    }

    pub async fn path(&self) -> String {
        let path = self.until(async || self.try_eval("location.pathname").await).await;
        self.must("knows its path", path).await
    }

    /// Until an expression is true, on whatever page that is by then.
    pub async fn comes_to(&self, js: &str) {
        let met = self.until(async || match self.try_eval::<bool>(js).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it is not so".to_owned()),
            Err(error) => Err(error),
        });
        self.must(js, met.await).await;
    }

    /// The value of an expression, or of the promise that it is. Fails with what the page throws.
    pub async fn eval<T: DeserializeOwned>(&self, js: &str) -> T {
        self.try_eval(js).await.unwrap_or_else(|error| panic!("{js}: {error}"))
    }

    /// As [`Page::eval`], for asking again: the page may just be leaving.
    pub(super) async fn try_eval<T: DeserializeOwned>(&self, js: &str) -> Result<T, String> {
        self.evaluate(json!({ "expression": js })).await
    }

    pub(super) async fn evaluate<T: DeserializeOwned>(&self, mut how: Value) -> Result<T, String> {
        how["awaitPromise"] = true.into();
        how["returnByValue"] = true.into();
        let mut answer = self.session.ask("Runtime.evaluate", how).await?;
        if answer["exceptionDetails"].is_object() {
            return Err(exception(&answer["exceptionDetails"]));
        }
        // What is undefined has no value.
        let value = answer["result"]["value"].take();
        serde_json::from_value(value).map_err(|error| format!("{error}: {}", answer["result"]))
    }

    pub async fn sized(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.session.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// The person's system prefers dark colours.
    pub async fn in_dark(&self) {
        self.prefers("prefers-color-scheme", "dark").await;
    }

    /// The person's system asks for less movement.
    pub async fn reduces_motion(&self) {
        self.prefers("prefers-reduced-motion", "reduce").await;
    }

    async fn prefers(&self, feature: &str, value: &str) {
        let features = {
            let mut media = lock(&self.media);
            media.push(json!({ "name": feature, "value": value }));
            media.clone()
        };
        self.session.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Pulls the person's cable, or plugs it in again: what is open ends, in all tabs, and this page knows that it is
    /// offline.
    pub async fn offline(&self, offline: bool) {
        let network = json!({
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        if offline {
            self.diary.goes_offline();
            self.session.call("Network.emulateNetworkConditions", network).await;
            self.person.cable.cut();
        } else {
            self.person.cable.mend();
            self.session.call("Network.emulateNetworkConditions", network).await;
        }
    }

    /// Whatever the page asks for that begins so gets this answer, and nobody else hears of it.
    pub async fn serve_instead(&self, url_prefix: &str, content_type: &str, body: &str) {
        let patterns = self.diary.stand_in(url_prefix, content_type, body);
        self.session.call("Fetch.enable", json!({ "patterns": patterns })).await;
    }

    /// Bytes that came over the network since the page was gone to, by answers that are complete.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Chromium counts whole bytes"
    )]
    pub fn transferred(&self) -> u64 {
        self.diary.transferred() as u64
    }

    /// A picture of what is in the window, as PNG.
    pub async fn screenshot(&self, path: impl AsRef<Path>) {
        self.try_screenshot(path.as_ref()).await.expect("a picture");
    }

    /// A page that is just being left cannot always be pictured.
    pub(super) async fn try_screenshot(&self, path: &Path) -> Result<(), String> {
        let picture = self.session.ask("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let picture = STANDARD.decode(picture["data"].as_str().expect("base64")).expect("base64");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a folder for pictures");
        }
        std::fs::write(path, picture).expect("a picture is written");
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.session.ends();
        self.session.wire().tell(None, "Target.closeTarget", &json!({ "targetId": self.target }));
    }
}
