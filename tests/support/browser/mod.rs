//! People at real browsers: one headless Chromium for the whole run, a browser context with storage of its own for
//! each person, driven over the DevTools protocol.
//!
//! A page is used as a person uses it: things are found by role and name as a screen reader would say them, through
//! open shadow roots, and are pressed where they are drawn. Everything waits until it is so, within the same bound as
//! [`super::eventually`]. Every page notes what it complains of.

mod cable;
mod diary;
mod downloads;
mod find;
mod input;
mod judge;
mod page;
mod process;
mod sight;
mod wire;

use std::sync::Arc;

use serde_json::json;
use tokio::sync::{OnceCell, Semaphore};

use self::cable::Cable;
pub use self::page::Page;
use self::wire::Wire;
use super::PATIENCE;

/// The browser that all tests share.
pub struct Browser {
    wire: Arc<Wire>,
    /// How many pages load at once: more only take the processor from each other.
    turns: Semaphore,
}

/// Somebody with storage and a cable of their own. Goes with the last of the person's pages.
struct Person {
    browser: &'static Browser,
    context: String,
    cable: Cable,
    base_url: String,
}

impl Browser {
    pub async fn shared() -> &'static Self {
        static BROWSER: OnceCell<Browser> = OnceCell::const_new();
        BROWSER.get_or_init(async || Self { wire: Wire::start(), turns: Semaphore::new(3) }).await
    }

    /// Somebody who has never been here, with an empty page.
    pub async fn person(&'static self, base_url: &str) -> Page {
        let cable = Cable::lay().await;
        let settings = json!({
            "proxyServer": format!("socks5://127.0.0.1:{}", cable.port),
            // This machine is not asked through a proxy otherwise.
            "proxyBypassList": "<-loopback>",
        });
        let context = self.wire.call("Target.createBrowserContext", settings).await;
        let context = context["browserContextId"].as_str().expect("an id").to_owned();
        let base_url = base_url.trim_end_matches('/').to_owned();
        Page::open(Arc::new(Person { browser: self, context, cable, base_url })).await
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let context = json!({ "browserContextId": self.context });
        self.browser.wire.tell(None, "Target.disposeBrowserContext", &context);
    }
}
