//! The sandbox answers as Stripe does, so that what passes here passes there.

use std::time::{Duration, Instant};

use holdfast::payments::signature::{self, TOLERANCE};
use holdfast::sandbox::{
    CallFault, DeliveryState, Endpoint, Faults, How, Outcome, ReleaseOrder, WebhookFaults, When,
};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use stripe_client_core::{CustomizedStripeRequest, StripeClient, StripeClientErr, StripeMethod};
use stripe_core::payment_intent::{ListPaymentIntent, RetrievePaymentIntent};
use stripe_core::refund::{ListRefund, RetrieveRefund};

use crate::payments_support::{Letter, Mailbox, PUBLISHABLE_KEY, SECRET_KEY, Till, WEBHOOK_SECRET, client};
use crate::support::eventually;

const CREATE: &[(&str, &str)] = &[
    ("amount", "500"),
    ("currency", "usd"),
    ("payment_method_types[]", "card"),
    ("metadata[order_id]", "o1"),
];
/// Long enough for any delivery on a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

async fn created(till: &Till) -> Value {
    let (status, intent) = answer(till.call("POST", "/v1/payment_intents").form(CREATE)).await;
    assert_eq!(status, 200, "{intent}");
    intent
}

/// A client that reads answers as strictly as the library does.
struct Strict<'t>(&'t Till);

#[derive(Debug)]
struct NotStripes(#[expect(dead_code, reason = "shown when a test fails")] String);

impl StripeClientErr for NotStripes {
    fn deserialize_err(message: impl std::fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl StripeClient for Strict<'_> {
    type Err = NotStripes;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<bytes::Bytes, NotStripes> {
        let (request, _) = request.into_pieces();
        assert!(matches!(request.method, StripeMethod::Get));
        let path = format!("/v1{}?{}", request.path, request.query.unwrap_or_default());
        let response = self.0.call("GET", &path).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        Ok(response.bytes().await.expect("a body"))
    }
}

#[tokio::test]
async fn a_strict_client_reads_every_shape() {
    let till = Till::open().await;
    let strict = Strict(&till);
    for method in [
        "pm_card_visa",
        "pm_card_chargeDeclined",
        "pm_card_chargeDeclinedExpiredCard",
        "pm_card_authenticationRequired",
        "pm_usBankAccount",
    ] {
        let intent = till.opened().await;
        let _ = till.controls().pay(&intent.id, method);
        let read = RetrievePaymentIntent::new(intent.id.as_str()).send(&strict).await.expect(method);
        assert_eq!(read.amount, 1250);
        assert_eq!(read.last_payment_error.is_some(), method.contains("Declined"), "{method}");
        assert_eq!(read.next_action.is_some(), method.contains("authentication"), "{method}");
    }
    let paid = till.paid().await;
    let form = [("payment_intent", paid.id.as_str()), ("amount", "5"), ("metadata[why]", "test")];
    let (_, refund) = answer(till.call("POST", "/v1/refunds").form(&form)).await;
    let read = RetrieveRefund::new(refund["id"].as_str().expect("an id")).send(&strict).await.expect("whole");
    assert_eq!(read.status.as_deref(), Some("succeeded"));
    assert_eq!(ListPaymentIntent::new().limit(3).send(&strict).await.expect("whole").data.len(), 3);
    assert_eq!(ListRefund::new().payment_intent(paid.id).send(&strict).await.expect("whole").data.len(), 1);
}

#[tokio::test]
async fn only_its_keys_open_it() {
    let till = Till::open().await;
    let intent = created(&till).await;
    let url = |path: &str| format!("{}/v1/{path}", till.sandbox.url());
    let get = |path: &str| client().get(url(path));

    assert_eq!(answer(get("payment_intents")).await.0, 401);
    assert_eq!(answer(get("payment_intents").bearer_auth("sk_test_other")).await.0, 401);
    assert_eq!(answer(get("payment_intents").bearer_auth(PUBLISHABLE_KEY)).await.0, 401);
    assert_eq!(answer(get("payment_intents").basic_auth(SECRET_KEY, Some(""))).await.0, 200);

    let own = format!("payment_intents/{}", intent["id"].as_str().expect("an id"));
    let secret = intent["client_secret"].as_str().expect("a secret");
    let as_page = |secret: &str| get(&own).bearer_auth(PUBLISHABLE_KEY).query(&[("client_secret", secret)]);
    assert_eq!(answer(as_page(secret)).await.0, 200);
    assert_eq!(answer(as_page("pi_wrong_secret")).await.0, 400);
    let pay = [("client_secret", secret), ("payment_method", "pm_card_visa"), ("key", PUBLISHABLE_KEY)];
    let (status, paid) = answer(client().post(url(&format!("{own}/confirm"))).form(&pay)).await;
    assert_eq!((status, &paid["status"]), (200, &json!("succeeded")), "{paid}");
}

#[tokio::test]
async fn keys_replay_the_first_answer_and_nothing_else() {
    let till = Till::open().await;
    let create = |key: &str, form: &[(&str, &str)]| {
        till.call("POST", "/v1/payment_intents").header("Idempotency-Key", key).form(form)
    };
    let first = create("a", CREATE).send().await.expect("an answer");
    assert!(first.headers().get("idempotent-replayed").is_none());
    let request = first.headers()["request-id"].clone();
    let first: Value = first.json().await.expect("JSON");
    let again = create("a", CREATE).send().await.expect("an answer");
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.headers()["original-request"], request);
    assert_eq!(again.json::<Value>().await.expect("JSON"), first);

    let (status, error) = answer(create("a", &[("amount", "501"), ("currency", "usd")])).await;
    assert_eq!((status, &error["error"]["type"]), (400, &json!("idempotency_error")));

    // What failed validation is not kept; what got further is, a 500 and a decline as well.
    assert_eq!(answer(create("b", &[("amount", "no")])).await.0, 400);
    assert_eq!(answer(create("b", CREATE)).await.0, 200);
    till.fails(CallFault { when: When::After, ..CallFault::next(1, Endpoint::Create, How::Stored) });
    for _ in 0..2 {
        assert_eq!(answer(create("c", CREATE)).await.0, 500);
    }
    till.controls().forget_keys();
    assert_eq!(answer(create("c", CREATE)).await.0, 200, "a forgotten key runs anew");
    let long = "k".repeat(256);
    assert_eq!(answer(create(&long, CREATE)).await.0, 400);

    till.controls().set_faults(Faults { delay_ms: 400, ..Faults::default() });
    let (one, two) = tokio::join!(answer(create("d", CREATE)), answer(create("d", CREATE)));
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn a_call_goes_on_when_its_caller_hangs_up() {
    let till = Till::open().await;
    // Long enough for the call to have come, also on a busy machine, and shorter than its answer takes.
    till.controls().set_faults(Faults { delay_ms: 3000, ..Faults::default() });
    let call = till.call("POST", "/v1/payment_intents").form(CREATE).timeout(Duration::from_millis(1500));
    call.send().await.expect_err("the caller has hung up");
    eventually("it is made all the same", async || {
        (till.controls().ledger().intents.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_state_allows_what_stripe_allows() {
    // Method, what it leads to, whether that can be cancelled, and paid.
    for (method, status, cancels, pays) in [
        (None, "requires_payment_method", true, true),
        (Some("pm_card_chargeDeclined"), "requires_payment_method", true, true),
        (Some("pm_card_authenticationRequired"), "requires_action", true, true),
        (Some("pm_usBankAccount"), "processing", false, false),
        (Some("pm_card_visa"), "succeeded", false, false),
    ] {
        for (verb, allowed) in [("cancel", cancels), ("confirm", pays)] {
            let till = Till::open().await;
            let intent = till.opened().await;
            if let Some(method) = method {
                let _ = till.controls().pay(&intent.id, method);
            }
            let path = format!("/v1/payment_intents/{}", intent.id);
            assert_eq!(answer(till.call("GET", &path)).await.1["status"], status);
            let form: &[(&str, &str)] =
                if verb == "confirm" { &[("payment_method", "pm_card_visa")] } else { &[] };
            let (code, body) = answer(till.call("POST", &format!("{path}/{verb}")).form(form)).await;
            assert_eq!(code, if allowed { 200 } else { 400 }, "{verb} in {status}: {body}");
            if !allowed {
                assert_eq!(body["error"]["code"], "payment_intent_unexpected_state");
                assert_eq!(body["error"]["payment_intent"]["status"], status);
            }
        }
    }
}

#[tokio::test]
async fn a_decline_is_a_card_error_and_the_payment_stays_open() {
    let till = Till::open().await;
    let intent = created(&till).await;
    let path = format!("/v1/payment_intents/{}/confirm", intent["id"].as_str().expect("an id"));
    let form = [("payment_method", "pm_card_chargeDeclinedInsufficientFunds")];
    let (status, body) = answer(till.call("POST", &path).form(&form)).await;
    assert_eq!((status, &body["error"]["type"]), (402, &json!("card_error")));
    assert_eq!(body["error"]["decline_code"], "insufficient_funds");
    assert_eq!(body["error"]["payment_intent"]["status"], "requires_payment_method");
    let charge = format!("/v1/charges/{}", body["error"]["charge"].as_str().expect("a charge"));
    assert_eq!(answer(till.call("GET", &charge)).await.1["status"], "failed");
}

#[tokio::test]
async fn delayed_methods_end_when_told_or_by_themselves() {
    let till = Till::open().await;
    till.controls().set_faults(Faults { settle_after_ms: Some(50), ..Faults::default() });
    for (method, end) in [
        ("pm_usBankAccount_success", "succeeded"),
        ("pm_usBankAccount_insufficientFunds", "requires_payment_method"),
    ] {
        let intent = till.opened().await;
        till.controls().pay(&intent.id, method).expect("the bank takes its time");
        eventually(method, async || {
            let now = till.gateway.intent(&intent.id).await.expect("an answer").expect("it exists");
            (now.status.as_str() == end).then_some(())
        })
        .await;
    }
    let intent = till.opened().await;
    till.controls().pay(&intent.id, "pm_usBankAccount").expect("the bank takes its time");
    let settle = till.call("POST", &format!("/sandbox/intents/{}/settle", intent.id));
    let (status, told) = answer(settle.json(&json!({"outcome": "succeeded"}))).await;
    assert_eq!((status, &told["status"]), (200, &json!("succeeded")));
    till.controls().settle(&intent.id, Outcome::Failed).expect_err("it has ended");
}

#[tokio::test]
async fn webhooks_are_signed_and_told_until_heard() {
    let till = Till::open().await;
    let mailbox = Mailbox::open(3).await;
    let paid = till.paid().await;
    // Nobody listened so far: nothing is lost.
    till.controls().set_webhook(&mailbox.url, SecretString::from(WEBHOOK_SECRET));
    assert!(till.controls().all_told(SOON).await);

    let mut heard: Vec<String> =
        mailbox.letters().iter().filter(|letter| !letter.refused).map(Letter::kind).collect();
    heard.sort();
    assert_eq!(heard, ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]);
    assert_eq!(mailbox.letters().len(), 6, "three refusals, three deliveries");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for letter in mailbox.letters() {
        let secrets = [SecretString::from(WEBHOOK_SECRET)];
        signature::verify(&letter.signature, &letter.body, &secrets, now, TOLERANCE).expect("Stripe's own");
        let event = letter.json();
        let object = &event["data"]["object"];
        assert!(object["id"] == json!(paid.id) || object["payment_intent"] == json!(paid.id));
    }
    let ledger = till.controls().ledger();
    assert_eq!((ledger.delivered, ledger.undelivered), (3, 0));
    assert!(ledger.deliveries.iter().all(|delivery| delivery.attempts == 2));

    let event = &ledger.deliveries[0].event;
    assert!(till.controls().redeliver(event));
    assert!(till.controls().all_told(SOON).await);
    assert_eq!(mailbox.letters().last().expect("one more").json()["id"], json!(event));
}

#[tokio::test]
async fn switches_lose_repeat_hold_and_reorder_webhooks() {
    let till = Till::open().await;
    let mailbox = Mailbox::open(0).await;
    till.controls().set_webhook(&mailbox.url, SecretString::from(WEBHOOK_SECRET));
    let with = |webhooks| till.controls().set_faults(Faults { webhooks, ..Faults::default() });

    with(WebhookFaults { drop: true, ..WebhookFaults::default() });
    till.opened().await;
    assert!(till.controls().all_told(SOON).await);
    assert!(mailbox.letters().is_empty());
    let dropped = till.controls().ledger().deliveries.remove(0);
    assert_eq!(dropped.state, DeliveryState::Dropped);

    with(WebhookFaults { duplicate: 2, ..WebhookFaults::default() });
    till.opened().await;
    assert!(till.controls().all_told(SOON).await);
    assert_eq!(mailbox.letters().len(), 3);

    with(WebhookFaults { hold: true, ..WebhookFaults::default() });
    till.paid().await;
    assert!(till.controls().all_told(SOON).await, "what is held does not count");
    assert_eq!(mailbox.letters().len(), 3);
    assert_eq!(till.controls().release(ReleaseOrder::Reversed), 3);
    assert!(till.controls().all_told(SOON).await);
    let mut kinds = mailbox.kinds().split_off(3);
    kinds.sort();
    assert_eq!(kinds, ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]);
}

#[tokio::test]
async fn the_limiter_refuses_what_is_too_much_for_one_second() {
    let till = Till::open().await;
    till.controls().set_faults(Faults { calls_per_second: Some(2), ..Faults::default() });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(answer(till.call("GET", "/v1/refunds")).await.0);
    }
    assert!(statuses.contains(&429) && statuses.contains(&200), "{statuses:?}");
}

#[tokio::test]
async fn the_journal_keeps_everything_over_a_restart() {
    let folder = std::env::temp_dir().join(format!("holdfast-journal-{}", uuid::Uuid::now_v7()));
    let journal = folder.join("sandbox.journal");
    let till = Till::with(1000, Some(journal.clone())).await;
    let wish = crate::payments_support::wish();
    let kept = till.gateway.open(&wish).await.expect("it opens");
    till.controls().pay(&kept.id, "pm_card_visa").expect("a good card");
    let slow = till.opened().await;
    till.controls().set_faults(Faults { settle_after_ms: Some(1_000), ..Faults::default() });
    till.controls().pay(&slow.id, "pm_usBankAccount_success").expect("the bank takes its time");
    let before = till.controls().ledger();
    till.sandbox.stop().await;

    // A kill in the middle of a line leaves half of it; that change never happened.
    let mut file = std::fs::OpenOptions::new().append(true).open(&journal).expect("the journal");
    std::io::Write::write_all(&mut file, b"[{\"intent\":{\"id\":\"pi_half").expect("a torn line");
    drop(file);

    let till = Till::with(1000, Some(journal)).await;
    let after = till.controls().ledger();
    assert_eq!(json!(after.intents), json!(before.intents));
    assert_eq!(after.sums, before.sums);
    assert_eq!(till.gateway.open(&wish).await.expect("the key is remembered").id, kept.id);

    let mailbox = Mailbox::open(0).await;
    till.controls().set_webhook(&mailbox.url, SecretString::from(WEBHOOK_SECRET));
    eventually("what was not told yet is, and the bank still decides", async || {
        let kinds = mailbox.kinds();
        (kinds.iter().filter(|kind| *kind == "payment_intent.succeeded").count() == 2).then_some(())
    })
    .await;
    assert!(till.controls().all_told(SOON).await);
    assert_eq!(mailbox.letters().len(), till.controls().ledger().deliveries.len());
    std::fs::remove_dir_all(folder).expect("it can be removed");
}

#[tokio::test]
async fn no_request_of_any_shape_makes_a_500() {
    let till = Till::open().await;
    let intent = till.opened().await;
    let (url, client) = (till.sandbox.url(), client());
    let paths = [
        "/",
        "/v1",
        "/v1/",
        "/v1//",
        "/v1/payment_intents/",
        "/v1/payment_intents/%00",
        "/v1/%ff%fe",
        "/v1/payment_intents",
        "/v1/refunds",
        "/v1/events",
        "/v1/charges",
        "/v1/refunds/re_1",
        "/v1/payment_intents?limit=0",
        "/v1/payment_intents?limit=x",
        "/v1/payment_intents?starting_after=x",
        "/v1/events?created[gte]=99999999999999999999",
        "/pay/x",
        "/pay/%ff",
        "/sandbox",
        "/sandbox/faults",
        "/sandbox/ledger",
        "/sandbox/intents/x/settle",
        "/sandbox/events/x/redeliver",
    ];
    let own = format!("/v1/payment_intents/{}/confirm", intent.id);
    let bodies = [
        "",
        "=",
        "&&&",
        "amount=1&currency=%ff",
        "amount=-1&currency=eur",
        "amount=1e3&currency=eur",
        "amount=100000000&currency=eur",
        "amount=5&currency=euro",
        "amount=5&currency=eur&metadata[]=x",
        "amount=5&currency=eur&metadata[a][b]=x",
        "[[[=]]]&metadata[=x",
        "payment_method=pm_nobody",
        "payment_method_data[card][number]=%00%00",
        "{\"amount\": 5}",
        "{\"calls\": [{\"on\": \"moon\"}]}",
        "{\"delay_ms\": -1}",
        "{\"refunds\": 7}",
        "do=pay&number=\u{1F600}",
        "payment_intent=pi_x&amount=0",
    ];
    for path in paths.iter().copied().chain([own.as_str()]) {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
            for body in bodies {
                let request = client
                    .request(method.parse().expect("a method"), format!("{url}{path}"))
                    .header("Authorization", format!("Bearer {SECRET_KEY}"))
                    .header("Idempotency-Key", "é")
                    .body(body);
                let status = request.send().await.expect("an answer").status();
                assert!(!status.is_server_error(), "{method} {path} {body}: {status}");
            }
        }
    }
    let large = "metadata[a]=".to_owned() + &"x".repeat(2 << 20);
    let sent = till.call("POST", "/v1/payment_intents").body(large).send().await;
    assert!(sent.is_err() || sent.is_ok_and(|response| response.status() == StatusCode::PAYLOAD_TOO_LARGE));
}

#[tokio::test]
async fn silence_ends_with_the_sandbox() {
    let till = Till::open().await;
    till.fails(CallFault::next(1, Endpoint::List, How::Silence));
    let call = till.call("GET", "/v1/refunds").send();
    let waiting = tokio::spawn(call);
    eventually("the call has arrived", async || {
        till.controls().ledger().calls.contains_key("list").then_some(())
    })
    .await;
    let asked = Instant::now();
    till.sandbox.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert!(waiting.await.expect("no panic").is_err());
}
