//! However often a payment or a refund is asked for, and whatever is lost on the way, it is made once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Redirect;
use axum::routing::any;
use futures_util::future::join_all;
use holdfast::ids::RefundId;
use holdfast::payments::{Cancelled, Fault, IntentStatus, PaymentsError, RefundStatus};
use holdfast::sandbox::{CallFault, Endpoint, Faults, How, Outcome, RefundMode};
use holdfast::telemetry::{Label, Metrics};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use crate::payments_support::{SECRET_KEY, Till, gateway, wish};

/// The bound of a call, and what a busy machine may add to it.
const BOUND: Duration = Duration::from_secs(12);

#[tokio::test]
async fn opening_twice_is_one_payment() {
    let till = Till::open().await;
    let wish = wish();
    let (first, second) = tokio::join!(till.gateway.open(&wish), till.gateway.open(&wish));
    let third = till.gateway.open(&wish).await.expect("a repeat is answered");

    assert_eq!(first.expect("it opens").id, third.id, "one attempt, one payment");
    assert_eq!(second.expect("it opens").id, third.id);
    assert_eq!(third.status, IntentStatus::RequiresPaymentMethod);
    assert_eq!((third.amount, third.currency.as_str()), (1250, "eur"));
    assert_eq!(third.order(), Some(wish.order));
    assert_eq!(third.metadata["event_id"], wish.event.to_string());
    assert_eq!(till.controls().ledger().of_order(&wish.order.to_string()).len(), 1);
}

#[tokio::test]
async fn another_attempt_is_another_payment() {
    let till = Till::open().await;
    let mut wish = wish();
    let first = till.gateway.open(&wish).await.expect("it opens");
    wish.attempt = 2;
    let second = till.gateway.open(&wish).await.expect("it opens");
    assert_ne!(first.id, second.id);
}

#[tokio::test]
async fn the_same_attempt_with_another_amount_is_refused() {
    let till = Till::open().await;
    let mut wish = wish();
    till.gateway.open(&wish).await.expect("it opens");
    wish.amount.minor += 1;
    let refused = till.gateway.open(&wish).await.expect_err("the key stands for another amount");
    assert!(
        matches!(&refused, PaymentsError::Refused { status: 400, code, .. } if code == "idempotency_error")
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_pays_once() {
    for how in [How::Reset, How::Broken, How::Away] {
        let till = Till::open().await;
        till.fails(CallFault::next(2, Endpoint::Create, how).after_the_effect());
        let intent = till.opened().await;
        let intents = till.controls().ledger().intents;
        assert_eq!(intents.len(), 1, "{how:?}");
        assert_eq!(intents[0].id, intent.id);
    }
}

#[tokio::test]
async fn silence_is_asked_again_within_the_bound() {
    let till = Till::open().await;
    till.fails(CallFault::next(1, Endpoint::Create, How::Silence).after_the_effect());
    let asked = Instant::now();
    till.opened().await;
    assert!((Duration::from_secs(3)..BOUND).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    assert_eq!(till.controls().ledger().intents.len(), 1);
}

#[tokio::test]
async fn an_outage_is_told_within_the_bound_and_ends_by_itself() {
    let till = Till::open().await;
    let wish = wish();
    for how in [How::Broken, How::TooMany, How::Away, How::Reset] {
        till.fails(CallFault { next: None, ..CallFault::next(1, Endpoint::Create, how) });
        let asked = Instant::now();
        let outage = till.gateway.open(&wish).await.expect_err("nothing gets through");
        assert!(matches!(outage, PaymentsError::Outage { call: "open", .. }), "{how:?}: {outage}");
        assert!(asked.elapsed() < BOUND, "{how:?} took {:?}", asked.elapsed());
    }
    till.controls().clear_faults();
    till.gateway.open(&wish).await.expect("the outage is over");
    assert_eq!(till.metrics.stripe_calls.get_or_create(&Label { label: "outage" }).get(), 4);
    assert_eq!(till.metrics.stripe_calls.get_or_create(&Label { label: "ok" }).get(), 1);
}

#[tokio::test]
async fn nobody_listens_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let gateway = gateway(&format!("http://{address}"), SECRET_KEY, 25, Metrics::new());
    let asked = Instant::now();
    let outage = gateway.open(&wish()).await.expect_err("the port is closed");
    assert!(matches!(outage, PaymentsError::Outage { fault: Fault::Connection(_), .. }), "{outage:?}");
    assert!(asked.elapsed() < BOUND);
}

#[tokio::test]
async fn too_many_calls_wait_as_long_as_stripe_says() {
    let till = Till::open().await;
    till.fails(CallFault { retry_after: Some(1), ..CallFault::next(1, Endpoint::Create, How::TooMany) });
    let asked = Instant::now();
    till.opened().await;
    assert!(asked.elapsed() >= Duration::from_secs(1));

    till.fails(CallFault { retry_after: Some(60), ..CallFault::next(1, Endpoint::Create, How::TooMany) });
    let asked = Instant::now();
    let outage = till.gateway.open(&wish()).await.expect_err("a minute is too long");
    assert!(asked.elapsed() < Duration::from_secs(2), "there is no use in waiting for what is out of bounds");
    let told = Some(Duration::from_mins(1));
    assert!(matches!(outage, PaymentsError::Outage { retry_after, .. } if retry_after == told));
}

#[tokio::test]
async fn a_stored_failure_is_told_apart_and_a_new_attempt_gets_through() {
    let till = Till::open().await;
    till.fails(CallFault::next(1, Endpoint::Create, How::Stored));
    let mut wish = wish();
    for _ in 0..2 {
        let stored = till.gateway.open(&wish).await.expect_err("the failure is stored under the key");
        assert!(matches!(stored, PaymentsError::StoredFailure { status: 500, .. }), "{stored}");
    }
    wish.attempt = 2;
    till.gateway.open(&wish).await.expect("another key is another try");
}

#[tokio::test]
async fn a_call_under_way_is_waited_for() {
    let till = Till::open().await;
    till.controls().set_faults(Faults { delay_ms: 600, ..Faults::default() });
    let wish = wish();
    let (first, second) = tokio::join!(till.gateway.open(&wish), till.gateway.open(&wish));
    assert_eq!(first.expect("it opens").id, second.expect("409 is waited for").id);
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_never_printed() {
    let till = Till::open().await;
    let stranger = gateway(&till.sandbox.url(), "sk_test_wrong_key", 25, Metrics::new());
    let refused = stranger.open(&wish()).await.expect_err("nobody knows this key");
    // Nobody's order is refused by that: it is as if Stripe were away, until there is another key.
    assert!(matches!(refused, PaymentsError::Outage { fault: Fault::Key(401), .. }));
    for printed in [format!("{stranger:?}"), format!("{refused:?} {refused}"), format!("{:?}", till.sandbox)]
    {
        assert!(!printed.contains("sk_test_"), "{printed}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let till = Till::open().await;
    let target = format!("{}/v1/payment_intents", till.sandbox.url());
    let app = Router::new().fallback(any(async move || Redirect::temporary(&target)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let misled = gateway(&url, SECRET_KEY, 25, Metrics::new());
    let refused = misled.open(&wish()).await.expect_err("the key goes nowhere else");
    assert!(matches!(refused, PaymentsError::Refused { status: 307, .. }), "{refused}");
    assert!(till.controls().ledger().intents.is_empty());
}

#[tokio::test]
async fn opening_is_paced_and_who_cannot_be_served_in_time_is_told() {
    let till = Till::with(10, None).await;
    let asked = Instant::now();
    let wishes: Vec<_> = (0..15).map(|_| wish()).collect();
    let opened = join_all(wishes.iter().map(|wish| till.gateway.open(wish))).await;
    assert!(opened.iter().all(Result::is_ok));
    assert!(asked.elapsed() >= Duration::from_millis(1_400), "15 at 10 a second: {:?}", asked.elapsed());

    let slow = Till::with(1, None).await;
    let wishes: Vec<_> = (0..15).map(|_| wish()).collect();
    let asked = Instant::now();
    let opened = join_all(wishes.iter().map(|wish| slow.gateway.open(wish))).await;
    assert!(asked.elapsed() < BOUND);
    let queued =
        |result: &&Result<_, _>| matches!(result, Err(PaymentsError::Outage { fault: Fault::Queue, .. }));
    assert_eq!(opened.iter().filter(queued).count(), 5, "ten seconds hold ten turns");
    assert_eq!(slow.controls().ledger().intents.len(), 10);
}

#[tokio::test]
async fn cancelling_closes_the_door_or_says_that_it_is_too_late() {
    let till = Till::open().await;
    let open = till.opened().await;
    for _ in 0..2 {
        let done = till.gateway.cancel(&open.id).await.expect("an answer");
        assert!(matches!(done, Cancelled::Done(intent) if intent.status == IntentStatus::Canceled));
    }
    till.controls().pay(&open.id, "pm_card_visa").expect_err("the door is closed");

    let paid = till.paid().await;
    match till.gateway.cancel(&paid.id).await.expect("an answer") {
        Cancelled::Not(intent) => {
            assert_eq!((intent.status, intent.amount_received), (IntentStatus::Succeeded, 1250));
        }
        Cancelled::Done(_) => panic!("what has paid cannot be cancelled"),
    }

    let slow = till.opened().await;
    till.controls().pay(&slow.id, "pm_usBankAccount").expect("the bank takes its time");
    let not = till.gateway.cancel(&slow.id).await.expect("an answer");
    assert!(matches!(not, Cancelled::Not(intent) if intent.status == IntentStatus::Processing));

    let unknown = till.gateway.cancel("pi_nobody").await.expect_err("there is none");
    assert!(matches!(unknown, PaymentsError::Refused { status: 404, .. }));
}

#[tokio::test]
async fn a_cancelling_whose_answer_is_lost_is_still_done() {
    let till = Till::open().await;
    let open = till.opened().await;
    till.fails(CallFault::next(1, Endpoint::Cancel, How::Reset).after_the_effect());
    let done = till.gateway.cancel(&open.id).await.expect("an answer");
    assert!(matches!(done, Cancelled::Done(_)));
}

#[tokio::test]
async fn a_payment_is_read_as_it_stands() {
    let till = Till::open().await;
    let read = async |id: &str| till.gateway.intent(id).await.expect("an answer").expect("it exists");

    let declined = till.opened().await;
    let secret = declined.client_secret.clone().expect("a new one has its secret");
    assert!(secret.expose_secret().starts_with(&format!("{}_secret_", declined.id)));
    till.controls().pay(&declined.id, "pm_card_chargeDeclined").expect_err("a bad card");
    let now = read(&declined.id).await;
    assert!(now.has_failed);
    assert_eq!(now.status, IntentStatus::RequiresPaymentMethod);
    till.controls().pay(&declined.id, "pm_card_visa").expect("another card");
    let now = read(&declined.id).await;
    assert_eq!((now.status, now.has_failed, now.amount_received), (IntentStatus::Succeeded, false, 1250));

    let slow = till.opened().await;
    till.controls().pay(&slow.id, "pm_usBankAccount").expect("the bank takes its time");
    assert_eq!(read(&slow.id).await.status, IntentStatus::Processing);
    till.controls().settle(&slow.id, Outcome::Failed).expect("the bank refuses");
    assert!(read(&slow.id).await.has_failed);

    for nobody in ["pi_nobody", "", "pi_x/../../refunds", "pi x", &"x".repeat(300)] {
        assert!(till.gateway.intent(nobody).await.expect("an answer").is_none(), "{nobody}");
    }
}

#[tokio::test]
async fn a_refund_is_made_once_and_never_exceeds_the_payment() {
    let till = Till::open().await;
    let paid = till.paid().await;
    let (one, two) = (RefundId::new(), RefundId::new());
    let refund = async |id, amount| till.gateway.refund(id, &paid.id, amount, HashMap::new()).await;

    till.fails(CallFault::next(1, Endpoint::Refund, How::Reset).after_the_effect());
    let (first, again) = tokio::join!(refund(one, 1000), refund(one, 1000));
    let (first, again) = (first.expect("it is made"), again.expect("it is made"));
    assert_eq!(first.id, again.id);
    assert_eq!((first.status, first.amount), (RefundStatus::Succeeded, 1000));
    assert_eq!(first.intent.as_deref(), Some(paid.id.as_str()));

    let refused = refund(two, 251).await.expect_err("only 250 are left");
    assert!(matches!(refused, PaymentsError::Refused { status: 400, .. }));
    refund(RefundId::new(), 250).await.expect("the rest goes back");
    let refused = refund(RefundId::new(), 1).await.expect_err("nothing is left");
    assert!(matches!(&refused, PaymentsError::Refused { code, .. } if code == "charge_already_refunded"));

    // A day later the key is forgotten; what was made is found by our own id.
    till.controls().forget_keys();
    let found = till.gateway.refund_made(one, &paid.id).await.expect("an answer").expect("it was made");
    assert_eq!(found.id, first.id);
    assert!(till.gateway.refund_made(two, &paid.id).await.expect("an answer").is_none());
    let all = till.gateway.refunds_of(&paid.id).await.expect("an answer");
    assert_eq!(all.iter().map(|refund| refund.amount).sum::<i64>(), 1250);
    assert_eq!(till.controls().ledger().sums["eur"].refunded, 1250);
}

#[tokio::test]
async fn a_refund_whose_failure_is_stored_goes_under_the_next_key_and_once() {
    let till = Till::open().await;
    let paid = till.paid().await;
    let refund = async |id, amount| till.gateway.refund(id, &paid.id, amount, HashMap::new()).await;

    let unmade = RefundId::new();
    till.fails(CallFault::next(2, Endpoint::Refund, How::Stored));
    let made = refund(unmade, 1000).await.expect("the third key is free");
    assert_eq!(refund(unmade, 1000).await.expect("as often as it is asked").id, made.id);
    assert_eq!(till.controls().ledger().sums["eur"].refunded, 1000);

    let unheard = RefundId::new();
    till.fails(CallFault::next(1, Endpoint::Refund, How::Stored).after_the_effect());
    let made = refund(unheard, 200).await.expect("it was made, and is found");
    assert_eq!(refund(unheard, 200).await.expect("as often as it is asked").id, made.id);
    assert_eq!(till.controls().ledger().sums["eur"].refunded, 1200, "and not once more under another key");
}

#[tokio::test]
async fn a_refund_may_wait_and_may_fail_after_all() {
    let till = Till::open().await;
    let paid = till.paid().await;
    till.controls().set_faults(Faults { refunds: RefundMode::Pending, ..Faults::default() });
    let refund =
        till.gateway.refund(RefundId::new(), &paid.id, 1250, HashMap::new()).await.expect("it is made");
    assert_eq!(refund.status, RefundStatus::Pending);
    assert_eq!(till.controls().ledger().sums["eur"].refunds_pending, 1250);

    till.controls().settle_refund(&refund.id, Outcome::Succeeded).expect("it arrives");
    till.controls().settle_refund(&refund.id, Outcome::Failed).expect("the bank sends it back");
    let now = till.gateway.refund_by_id(&refund.id).await.expect("an answer").expect("it exists");
    assert_eq!(now.status, RefundStatus::Failed);
    assert!(now.failure_reason.is_some());

    till.controls().clear_faults();
    till.gateway.refund(RefundId::new(), &paid.id, 1250, HashMap::new()).await.expect("the money is there");
}

#[tokio::test]
async fn the_reconciler_sees_every_payment_page_by_page() {
    let till = Till::open().await;
    for _ in 0..120 {
        till.opened().await;
    }
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = till.gateway.recent_intents(0, after.as_deref()).await.expect("a page");
        seen.extend(page.entries.into_iter().map(|intent| intent.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut made: Vec<_> = till.controls().ledger().intents.into_iter().map(|line| line.id).collect();
    made.reverse();
    assert_eq!(seen, made);
    let later = time::OffsetDateTime::now_utc().unix_timestamp() + 60;
    let page = till.gateway.recent_intents(later, None).await.expect("a page");
    assert!(page.entries.is_empty() && page.next.is_none());
}
