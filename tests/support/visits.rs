//! What people do with the pages, in a real browser.

use holdfast::ids::EventId;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use super::{Client, Holdfast};

/// The password of whoever registers on a page.
const PASSWORD: &str = "a short sentence";

impl Holdfast {
    /// An open house whose orders are paid on the sandbox's page.
    pub async fn with_pages() -> Self {
        Self::with_pages_and(|_| {}).await
    }

    pub async fn with_pages_and(change: impl FnOnce(&mut holdfast::config::Config)) -> Self {
        Self::with(|config| {
            config.pay_page_url = config.stripe_api_url.as_ref().map(|url| format!("{url}/pay"));
            change(config);
        })
        .await
    }

    /// Whether Postgres has a seat sold.
    pub async fn is_sold(&self, event: EventId, seat: &str) -> bool {
        self.claim(event, seat).await.is_some_and(|(state, _)| state == "sold")
    }

    /// Somebody who has never been here, with an empty page.
    pub async fn visitor(&self) -> Page {
        Browser::shared().await.person(self.url()).await
    }

    /// Somebody whose browser knows that this is them, at a path.
    pub async fn visitor_as(&self, who: &Client, role: &str, path: &str) -> Page {
        let page = self.visitor().await;
        // Any page of the house has its storage.
        page.goto("/orders").await;
        let session = json!({ "account": { "id": "", "name": format!("A {role}"), "email": "", "role": role },
                              "access": who.token(), "refresh": "none", "ends": 4_102_444_800_000_i64 });
        let keep = format!("localStorage.setItem('holdfast.session', {})", json!(session.to_string()));
        page.eval::<Value>(&keep).await;
        page.goto(path).await;
        page
    }
}

impl Page {
    /// Until the map is drawn, with every seat as the service has it.
    pub async fn has_the_map(&self) {
        self.comes_to("performance.getEntriesByName('seat-map-drawn').length > 0").await;
    }

    /// Presses a seat on the map.
    pub async fn presses_seat(&self, seat: &str) {
        self.has_the_map().await;
        let point = format!(
            "(async () => {{
               const map = document.querySelector('seat-map');
               map.scrollIntoView({{block: 'center'}});
               await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
               const {{x, y}} = map.pointOf({});
               return [x, y];
             }})()",
            json!(seat)
        );
        let (x, y): (f64, f64) = self.eval(&point).await;
        self.click_at(x, y).await;
    }

    /// How the map shows a seat: free, held, sold or blocked.
    pub async fn sees_seat(&self, seat: &str, state: &str) {
        let shown = format!(
            "(() => {{ const map = document.querySelector('seat-map');
                       return map.picture?.stateOf(map.chart.numberOf({})) === {} }})()",
            json!(seat),
            json!(state)
        );
        self.comes_to(&shown).await;
    }

    /// Registers in the dialogue that has opened.
    pub async fn registers(&self, name: &str) {
        self.click("button", "I am new here").await;
        self.type_into("textbox", "Name", name).await;
        let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
        self.type_into("textbox", "E-mail", &email).await;
        self.type_into("textbox", "Password", PASSWORD).await;
        self.click("button", "Create an account").await;
    }

    /// Until the page is another one, whose path begins so.
    pub async fn arrives_at(&self, path: &str) {
        self.comes_to(&format!("location.pathname.startsWith({})", json!(path))).await;
    }
}

/// The path of an event's page.
pub fn event_page(event: EventId) -> String {
    format!("/events/{event}")
}
