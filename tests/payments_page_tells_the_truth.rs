//! The pay page: plain forms, and never another word than what happened.

use reqwest::{Response, StatusCode};

use crate::payments_support::{Till, client};

const BACK: &str = "https://tickets.example/orders/1?a=1&b=2";

struct Visit {
    page: String,
    status: StatusCode,
    policy: String,
}

struct Visitor {
    till: Till,
    url: String,
    intent: String,
    secret: String,
}

impl Visitor {
    async fn with_an_open_payment() -> Self {
        let till = Till::open().await;
        let intent = till.opened().await.id;
        let url = till.controls().pay_url(&intent).expect("it exists");
        let secret = url.split_once("client_secret=").expect("the link has the secret").1.to_owned();
        Self { till, url, intent, secret }
    }

    async fn looks(&self) -> Visit {
        self.looks_at(&self.url).await
    }

    async fn looks_at(&self, url: &str) -> Visit {
        let response = client().get(url).send().await.expect("a page");
        let policy = response.headers()["content-security-policy"].to_str().expect("text").to_owned();
        Visit { status: response.status(), policy, page: response.text().await.expect("a page") }
    }

    async fn posts(&self, secret: &str, fields: &[(&str, &str)]) -> Response {
        let form: Vec<_> =
            fields.iter().copied().chain([("client_secret", secret), ("return_url", BACK)]).collect();
        let url = format!("{}/pay/{}", self.till.sandbox.url(), self.intent);
        client().post(url).form(&form).send().await.expect("an answer")
    }

    /// Presses a button and follows to the page that it leads to.
    async fn presses(&self, button: &str) -> Visit {
        self.submits(&[("do", button)]).await
    }

    async fn submits(&self, fields: &[(&str, &str)]) -> Visit {
        let response = self.posts(&self.secret, fields).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let location = response.headers()["location"].to_str().expect("text");
        if location.starts_with(BACK) {
            // The shop is not there; what would be seen by coming back here is.
            return self.looks_at(&format!("{}&return_url={}", self.url, BACK.replace('&', "%26"))).await;
        }
        self.looks_at(&format!("{}{location}", self.till.sandbox.url())).await
    }

    fn status(&self) -> &'static str {
        self.till.controls().ledger().intents[0].status.as_str()
    }
}

#[tokio::test]
async fn a_person_sees_what_is_to_be_paid_and_pays() {
    let visitor = Visitor::with_an_open_payment().await;
    let visit = visitor.looks().await;
    assert_eq!(visit.status, StatusCode::OK);
    assert!(visit.policy.contains("default-src 'none'") && visit.policy.contains("frame-ancestors 'none'"));
    assert!(visit.page.contains("12.50 EUR") && visit.page.contains("value=\"cancel\""));
    assert!(!visit.page.contains("{{") && !visit.page.contains("<script"));

    let paid = visitor.submits(&[("do", "pay"), ("number", "4242 4242 4242 4242")]).await;
    assert!(paid.page.contains("<h1>Paid</h1>"), "{}", paid.page);
    assert!(!paid.page.contains("<form"), "there is nothing left to press");
    assert!(paid.page.contains("href=\"https://tickets.example/orders/1?a=1&amp;b=2&amp;payment_intent="));
    assert_eq!(visitor.status(), "succeeded");

    let again = visitor.presses("cancel").await;
    assert!(again.page.contains("<h1>Paid</h1>"), "it cannot be cancelled any more, and the page says so");
}

#[tokio::test]
async fn a_decline_is_told_and_can_be_tried_again() {
    let visitor = Visitor::with_an_open_payment().await;
    let declined = visitor.presses("decline").await;
    assert!(declined.page.contains("role=\"alert\"") && declined.page.contains("Your card was declined."));
    let odd = visitor.submits(&[("do", "pay"), ("number", "<b>1234</b>")]).await;
    assert!(odd.page.contains("Your card number is incorrect.") && !odd.page.contains("<b>"));
    assert_eq!(visitor.status(), "requires_payment_method");
    let paid = visitor.submits(&[("do", "pay"), ("number", "5555555555554444")]).await;
    assert!(paid.page.contains("<h1>Paid</h1>") && !paid.page.contains("declined"));
}

#[tokio::test]
async fn a_delayed_method_is_on_its_way_until_the_bank_decides() {
    let visitor = Visitor::with_an_open_payment().await;
    assert!(visitor.presses("delay").await.page.contains("on its way"));
    assert_eq!(visitor.status(), "processing");
    assert!(visitor.presses("fail").await.page.contains("failed at the customer&#39;s bank"));
    visitor.presses("delay").await;
    assert!(visitor.presses("succeed").await.page.contains("<h1>Paid</h1>"));
}

#[tokio::test]
async fn whoever_has_paid_is_led_back_with_the_word_of_what_happened() {
    for (button, status) in [("pay", "succeeded"), ("cancel", "failed")] {
        let visitor = Visitor::with_an_open_payment().await;
        let fields = [("do", button), ("number", "4242424242424242")];
        let answer = visitor.posts(&visitor.secret, &fields).await;
        let location = answer.headers()["location"].to_str().expect("text");
        assert_eq!(location, format!("{BACK}&payment_intent={}&redirect_status={status}", visitor.intent));
        assert!(!location.contains("secret"));
    }
    // A bank that has not decided is asked here; the way back is a link.
    let visitor = Visitor::with_an_open_payment().await;
    let waiting = visitor.presses("delay").await;
    assert!(waiting.page.contains("redirect_status=processing"), "{}", waiting.page);
    assert!(waiting.policy.contains("form-action 'self' https://tickets.example"), "{}", waiting.policy);
}

#[tokio::test]
async fn a_card_may_ask_its_owner() {
    let visitor = Visitor::with_an_open_payment().await;
    let asked = visitor.submits(&[("do", "pay"), ("number", "4000002760003184")]).await;
    assert!(asked.page.contains("Approve"));
    assert_eq!(visitor.status(), "requires_action");
    assert!(visitor.presses("fail").await.page.contains("not approved"));
    visitor.submits(&[("do", "pay"), ("number", "4000002760003184")]).await;
    assert!(visitor.presses("succeed").await.page.contains("<h1>Paid</h1>"));
}

#[tokio::test]
async fn a_cancelled_payment_says_so() {
    let visitor = Visitor::with_an_open_payment().await;
    let cancelled = visitor.presses("cancel").await;
    assert!(cancelled.page.contains("<h1>Cancelled</h1>") && cancelled.page.contains("Nothing was charged"));
    assert!(
        visitor.submits(&[("do", "pay"), ("number", "4242424242424242")]).await.page.contains("Cancelled")
    );
    assert_eq!(visitor.status(), "canceled");
}

#[tokio::test]
async fn without_its_secret_nothing_is_shown_or_done() {
    let visitor = Visitor::with_an_open_payment().await;
    let bare = visitor.url.split_once('?').expect("a query").0;
    for url in
        [bare.to_owned(), format!("{bare}?client_secret=guess"), format!("{bare}x?client_secret=guess")]
    {
        let visit = visitor.looks_at(&url).await;
        assert_eq!(visit.status, StatusCode::FORBIDDEN);
        assert!(!visit.page.contains("12.50"), "{url}");
    }
    assert_eq!(visitor.posts("guess", &[("do", "cancel")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(visitor.status(), "requires_payment_method");
}

#[tokio::test]
async fn only_web_addresses_are_linked_back_to() {
    let visitor = Visitor::with_an_open_payment().await;
    for bad in ["javascript:alert(1)", "data:text/html,x", "%22%3E%3Cscript%3E", "//evil.example"] {
        let page = visitor.looks_at(&format!("{}&return_url={bad}", visitor.url)).await.page;
        assert!(!page.contains("class=\"back\"") && !page.contains("<script"), "{bad}");
    }
    let good = visitor.looks_at(&format!("{}&return_url=http%3A%2F%2F127.0.0.1%2Forders", visitor.url)).await;
    assert!(good.page.contains("href=\"http://127.0.0.1/orders\""));
}
