//! Stories of people who pay.

use serde_json::json;
use sqlx::PgPool;

use super::{Ending, hall, id};
use crate::crash_matrix::stage::{Stage, eventually};

pub async fn buys_a_seat(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.buys(&ada, &event, "stalls-1-1").await;
    stage.act("somebody else tries");
    let path = format!("/v1/events/{}/holds", id(&event));
    let tried = stage.call(&ben, "POST", &path, json!({ "seats": ["stalls-1-1"] })).await;
    assert_eq!((tried.status, tried.code()), (409, "seats_unavailable"), "{}", tried.body);
    Ending::of(&event).sold("stalls-1-1").order(&ada, &order, "confirmed")
}

/// An order that ended here while its PaymentIntent stayed open at Stripe, and is paid then.
pub async fn pays_too_late(stage: &Stage, somebody_holds: bool) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let order = stage.orders(&ada, &event, "stalls-1-1").await;
    stage.act("the order ends");
    eventually("the order ends as after a restored backup", async || {
        ends_unknown_to_stripe(&stage.pg, id(&order)).await.ok()
    })
    .await;
    let picture = format!("/v1/events/{}/availability", id(&event));
    eventually("the seat is free", async || {
        stage.get(&ben, &picture).await["taken"]["stalls-1-1"].is_null().then_some(())
    })
    .await;
    let theirs = if somebody_holds { Some(stage.orders(&ben, &event, "stalls-1-1").await) } else { None };
    stage.pays(&order);
    let Some(theirs) = theirs else {
        let order = stage.sees(&ada, &order, "confirmed").await;
        return Ending::of(&event).sold("stalls-1-1").order(&ada, &order, "confirmed");
    };
    let order = stage.sees(&ada, &order, "refunded").await;
    stage.pays(&theirs);
    let theirs = stage.sees(&ben, &theirs, "confirmed").await;
    Ending::of(&event).sold("stalls-1-1").order(&ada, &order, "refunded").order(&ben, &theirs, "confirmed")
}

/// One holds a seat that Postgres keeps from the sale, as Redis does not know: the checkout is refused.
pub async fn is_refused_at_checkout(stage: &Stage) -> Ending {
    let event = stage.opens(hall(4)).await;
    let (ada, ben) = (stage.customer(), stage.customer());
    let hold = stage.holds(&ben, &event, "stalls-1-1").await;
    eventually("Postgres has the seat blocked", async || {
        let block = "insert into seat_claims (event_id, ordinal, state, reason)
                     values ($1::uuid, 0, 'blocked', 'a camera') on conflict do nothing";
        sqlx::query(block).bind(id(&event)).execute(&stage.pg).await.ok()
    })
    .await;
    stage.act("checks out");
    let refused = stage.call(&ben, "POST", "/v1/orders", json!({ "hold_id": hold["id"] })).await;
    // Whoever asks again after a node died with the refusal may find that nothing is left of the hold.
    let known = ["seats_unavailable", "not_found", "hold_expired"];
    assert!(known.contains(&refused.code()), "{}", refused.body);
    stage.act("puts it back");
    let path = format!("/v1/admin/events/{}/seats/unblock", id(&event));
    let free = stage.call(&stage.house.organiser(), "POST", &path, json!({ "seats": ["stalls-1-1"] })).await;
    assert_eq!(free.status, 200, "{}", free.body);
    let order = stage.gets(&ada, &event, "stalls-1-1").await;
    Ending::of(&event).sold("stalls-1-1").order(&ada, &order, "confirmed")
}

/// An order ends, and neither Stripe nor the node that may be busy with it has a say.
pub const ENDS: [&str; 6] = [
    "insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor)
     select event_id, id, 2, 'awaiting_payment', 'closing', 'restored', 'clock' from orders where id = $1::uuid",
    "insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor)
     select event_id, id, 3, 'closing', 'expired', 'restored', 'clock' from orders where id = $1::uuid",
    "update orders set state = 'expired', closing_as = 'expired' where id = $1::uuid",
    "update payments set state = 'canceled' where order_id = $1::uuid",
    "delete from seat_claims where order_id = $1::uuid",
    "insert into outbox (event_id, order_id, kind) select event_id, id, 'show' from orders where id = $1::uuid",
];

async fn ends_unknown_to_stripe(pg: &PgPool, order: &str) -> Result<(), sqlx::Error> {
    let mut tx = pg.begin().await?;
    for statement in ENDS {
        sqlx::query(statement).bind(order).execute(&mut *tx).await?;
    }
    tx.commit().await
}
