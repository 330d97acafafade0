//! Stories of payments that are slow, that nobody has heard of, or that are nobody's.

use holdfast::payments::IntentStatus;
use holdfast::sandbox::{CallFault, Endpoint, Faults, How, Outcome, WebhookFaults};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{CARD, Ending, PRICE, hall, id};
use crate::crash_matrix::stage::{Stage, eventually};
use crate::stand::STRIPE_KEY;

const SEAT: &str = "stalls-1-1";
/// A payment that stays under way until its bank has decided.
const SLOW: &str = "pm_usBankAccount_processing";
/// As long as Stripe takes while an order ends, and shorter than the customer's call is waited for.
const THINKS_MS: u64 = 1000;

/// The bank is still thinking when the time to pay is over, and then it pays.
pub async fn a_bank_takes_its_time(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let ada = stage.customer();
    let order = stage.orders(&ada, &event, SEAT).await;
    stage.act("the bank thinks");
    stage.house.pay(&order, SLOW).unwrap_or_else(|error| panic!("{error}: {order}"));
    stage.sees(&ada, &order, "closing").await;
    stage.act("its time is up");
    let until = "select (extract(epoch from max(until)) * 1000)::bigint from seat_claims";
    let before = eventually("the seat is kept", async || stage.count(until).await).await;
    eventually("the seat is kept for longer", async || (stage.count(until).await? > before).then_some(()))
        .await;
    stage.act("the bank pays");
    let intent = intent_of(&order);
    stage.house.sandbox.controls().settle(intent, Outcome::Succeeded).expect("it was under way");
    let order = stage.sees(&ada, &order, "confirmed").await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "confirmed")
}

/// An order is closed of which nobody here knows what Stripe has opened for it.
pub async fn ends_unheard(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.orders(&ada, &event, SEAT).await;
    stage.act("the order closes");
    eventually("the order closes, and what Stripe had answered is forgotten", async || {
        let forgets = [
            "insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor)
             select event_id, id, 2, 'awaiting_payment', 'closing', 'forgotten', 'clock' from orders
              where id = $1::uuid and state = 'awaiting_payment'",
            "update payments set payment_intent = null, client_secret = null, state = 'opening'
              where order_id = $1::uuid",
            "update orders set state = 'closing', closing_as = 'expired', check_at = now() where id = $1::uuid",
        ];
        changes(&stage.pg, &forgets, id(&order)).await.ok()
    })
    .await;
    let order = stage.sees(&ada, &order, "expired").await;
    every_door_is_shut(stage).await;
    let theirs = stage.gets(&ben, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "expired").order(&ben, &theirs, "confirmed")
}

/// An order ends while Stripe still opens its payment.
pub async fn ends_while_stripe_thinks(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let hold = stage.holds(&ada, &event, SEAT).await;
    let controls = stage.house.sandbox.controls();
    stage.act("checks out");
    controls.set_faults(Faults { delay_ms: THINKS_MS, ..Faults::default() });
    let checks_out = stage.call(&ada, "POST", "/v1/orders", json!({ "hold_id": hold["id"] }));
    let ends = async {
        eventually("the order ends", async || ends_unopened(&stage.pg).await.ok().flatten()).await;
        controls.clear_faults();
    };
    let (order, ()) = tokio::join!(checks_out, ends);
    assert_eq!(order.status, 201, "{}", order.body);
    let order = stage.sees(&ada, &order.body, "expired").await;
    every_door_is_shut(stage).await;
    let theirs = stage.gets(&ben, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "expired").order(&ben, &theirs, "confirmed")
}

/// Ends the only order, if its payment is being opened in this moment.
async fn ends_unopened(pg: &PgPool) -> Result<Option<()>, sqlx::Error> {
    let mut tx = pg.begin().await?;
    let opening: Option<(String,)> = sqlx::query_as(
        "select o.id::text from orders o join payments p on p.event_id = o.event_id and p.order_id = o.id
          where o.state = 'awaiting_payment' and p.payment_intent is null for update of o",
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some((order,)) = opening else { return Ok(None) };
    for statement in super::buying::ENDS {
        sqlx::query(statement).bind(&order).execute(&mut *tx).await?;
    }
    let owes = "insert into letters (id, occasion, subject, account_id, event_id)
                select gen_random_uuid(), 'order_expired', id, account_id, event_id from orders where id = $1::uuid";
    sqlx::query(owes).bind(&order).execute(&mut *tx).await?;
    tx.commit().await.map(Some)
}

/// Stripe opens a payment, keeps a failure as its answer, and so there is another.
pub async fn leaves_a_stray_door(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let ada = stage.customer();
    let hold = stage.holds(&ada, &event, SEAT).await;
    stage.act("checks out");
    let stored = CallFault::next(1, Endpoint::Create, How::Stored).after_the_effect();
    stage.house.sandbox.controls().set_faults(Faults { calls: vec![stored], ..Faults::default() });
    let order = stage.call(&ada, "POST", "/v1/orders", json!({ "hold_id": hold["id"] })).await;
    assert_eq!(order.status, 201, "{}", order.body);
    let path = format!("/v1/orders/{}", id(&order.body));
    let order = eventually("the order can be paid", async || {
        let now = stage.get(&ada, &path).await;
        now["payment"]["payment_intent"].is_string().then_some(now)
    })
    .await;
    stage.pays(&order);
    let order = stage.sees(&ada, &order, "confirmed").await;
    let intents = stage.house.sandbox.controls().ledger().intents;
    assert_eq!(intents.len(), 2, "it has a stray door: {intents:?}");
    every_door_is_shut(stage).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "confirmed")
}

/// Somebody pays, and all of it is given back at Stripe, before anybody here has heard of either.
pub async fn is_given_back_at_stripe(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.orders(&ada, &event, SEAT).await;
    let controls = stage.house.sandbox.controls();
    let drop = WebhookFaults { drop: true, ..WebhookFaults::default() };
    controls.set_faults(Faults { webhooks: drop, ..Faults::default() });
    stage.pays(&order);
    stage.act("it is given back at Stripe");
    stripe(stage, "refunds", &[("payment_intent", intent_of(&order))]).await;
    controls.clear_faults();
    let order = stage.sees(&ada, &order, "refunded").await;
    let theirs = stage.gets(&ben, &event, SEAT).await;
    Ending::of(&event).sold(SEAT).order(&ada, &order, "refunded").order(&ben, &theirs, "confirmed")
}

/// Money comes for an order that nobody has; a person gives it back at Stripe.
pub async fn is_nobodys_money(stage: &Stage) -> Ending {
    stage.act("money comes");
    let (order, amount) = (uuid::Uuid::now_v7().to_string(), PRICE.to_string());
    let lost = [
        ("amount", amount.as_str()),
        ("currency", "eur"),
        ("payment_method_types[]", "card"),
        ("metadata[order_id]", order.as_str()),
    ];
    let intent = stripe(stage, "payment_intents", &lost).await;
    stage.house.sandbox.controls().pay(id(&intent), CARD).expect("it can be paid");
    let waits = "select count(*) from parked_payments where resolved_at is null";
    eventually("the money waits for a person", async || (stage.count(waits).await? == 1).then_some(())).await;
    stage.act("a person gives it back");
    stripe(stage, "refunds", &[("payment_intent", id(&intent))]).await;
    eventually("it waits no longer", async || (stage.count(waits).await? == 0).then_some(())).await;
    Ending::default()
}

/// What the house, or a person at its dashboard, asks Stripe for.
async fn stripe(stage: &Stage, what: &str, form: &[(&str, &str)]) -> Value {
    let url = format!("{}/v1/{what}", stage.house.sandbox.url());
    let answer = reqwest::Client::new().post(url).bearer_auth(STRIPE_KEY).form(form).send().await;
    let answer = answer.expect("the sandbox answers");
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{status}: {body}");
    body
}

fn intent_of(order: &Value) -> &str {
    order["payment"]["payment_intent"].as_str().unwrap_or_else(|| panic!("it cannot be paid: {order}"))
}

async fn every_door_is_shut(stage: &Stage) {
    eventually("every door is shut", async || {
        let intents = stage.house.sandbox.controls().ledger().intents;
        let is_shut = |status| matches!(status, IntentStatus::Canceled | IntentStatus::Succeeded);
        intents.iter().all(|intent| is_shut(intent.status)).then_some(())
    })
    .await;
}

async fn changes(pg: &PgPool, statements: &[&'static str], order: &str) -> Result<(), sqlx::Error> {
    let mut tx = pg.begin().await?;
    for statement in statements {
        sqlx::query(*statement).bind(order).execute(&mut *tx).await?;
    }
    tx.commit().await
}
