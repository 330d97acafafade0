//! What must be so when the last wound has healed, whatever happened on the way.

use std::collections::BTreeMap;

use holdfast::ids::EventId;
use holdfast::seats::keys::Keys;
use serde_json::Value;

use super::stage::{Stage, eventually};
use super::stories::{Ending, id};

/// Everything that the service still owes to anybody, and everything that it has given up on.
const OWED: &str = "select (select count(*) from stripe_events where done_at is null)
    + (select count(*) from outbox)
    + (select count(*) from letters where sent_at is null and skipped_at is null)
    + (select count(*) from hook_deliveries where delivered_at is null)
    + (select count(*) from refunds where state <> 'succeeded')
    + (select count(*) from parked_payments where resolved_at is null)
    + (select count(*) from orders where state in ('awaiting_payment', 'closing', 'refunding'))
    + (select count(*) from offers where state = 'open')
    + (select count(*) from events where waits)";

/// The letter that each order's end is told by.
const LETTERS: [(&str, &str); 5] = [
    ("confirmed", "order_confirmed"),
    ("refunded", "order_refunded"),
    ("expired", "order_expired"),
    ("failed", "order_failed"),
    ("cancelled", "order_cancelled"),
];

pub async fn all_is_as_promised(stage: &Stage, ending: &Ending) {
    stage.act("afterwards");
    eventually("nothing is owed to anybody", async || (stage.count(OWED).await? == 0).then_some(())).await;
    what_was_said_stands(stage).await;
    orders_stand(stage, ending).await;
    if !ending.event.is_null() {
        seats_are_whose_they_are(stage, ending).await;
    }
    everybody_was_told(stage).await;
    // Nothing of the above has made new debts, and from here on nobody may take the servers away.
    eventually("nothing is owed to anybody, still", async || (stage.count(OWED).await? == 0).then_some(()))
        .await;
    let (memory, database) = (stage.stand.memory.read().await, stage.stand.database.read().await);
    eventually("the audit asks every question", async || {
        let audit = stage.house.audit(&database, &memory, stage.number).await;
        let report = String::from_utf8_lossy(&audit.stdout).into_owned();
        // Without a report, the stores were too busy to answer.
        assert!(audit.status.success() || report.is_empty(), "{report}");
        audit.status.success().then_some(())
    })
    .await;
    let homeless = stage.house.homeless_money(&stage.pg).await;
    assert!(homeless.is_empty(), "{homeless:#?}");
}

/// Every call that was answered is answered the same when it is repeated.
async fn what_was_said_stands(stage: &Stage) {
    for said in stage.all_said() {
        // A lost Redis has forgotten the holds of that time, and the calls that made them.
        if stage.forgets && said.path.ends_with("/holds") {
            continue;
        }
        let again = stage.answer(&said.who, said.method, &said.path, said.body.as_ref(), said.key).await;
        let before = (said.answer.status, said.answer.code(), &said.answer.body["id"]);
        let now = (again.status, again.code(), &again.body["id"]);
        assert_eq!(
            before, now,
            "{} {} was answered otherwise before: {}",
            said.method, said.path, again.body
        );
    }
}

/// Orders end as their customers were told, with a ticket for each seat of those that stand.
async fn orders_stand(stage: &Stage, ending: &Ending) {
    for (who, order, stands) in &ending.orders {
        let now = stage.get(who, &format!("/v1/orders/{}", id(order))).await;
        assert_eq!(now["status"], **stands, "{now}");
        let valid = |tickets: &Vec<Value>| tickets.iter().filter(|one| one["status"] != "void").count();
        let tickets = now["tickets"].as_array().map_or(0, valid);
        let seats = now["seats"].as_array().map_or(0, Vec::len);
        let wanted = if *stands == "confirmed" { seats } else { 0 };
        assert_eq!(tickets, wanted, "{now}");
    }
    let known = i64::try_from(ending.orders.len()).expect("few");
    let all =
        eventually("orders are counted", async || stage.count("select count(*) from orders").await).await;
    // Somebody who tries again after their time was up has an order for each try.
    assert!(all >= known, "{all} orders");
}

/// The public sees, Postgres has and Redis counts the same: the story's seats, and nobody holds what they should not.
async fn seats_are_whose_they_are(stage: &Stage, ending: &Ending) {
    let wanted: BTreeMap<_, _> =
        ending.taken.iter().map(|(seat, state)| (seat.clone(), Value::from(*state))).collect();
    let path = format!("/v1/events/{}/availability", id(&ending.event));
    let organiser = stage.house.organiser();
    let mut last = Value::Null;
    eventually(&format!("the public sees {wanted:?}"), async || {
        last = stage.get(&organiser, &path).await["taken"].clone();
        let seen: BTreeMap<_, _> = last.as_object()?.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        (seen == wanted).then_some(())
    })
    .await;

    let claims: Vec<(String, String)> = eventually("Postgres says whose seats are", async || {
        sqlx::query_as(
            "select s.seat_id, o.account_id::text from seat_claims c
               join orders o on o.event_id = c.event_id and o.id = c.order_id and c.state = 'sold'
               join order_seats s on s.event_id = c.event_id and s.order_id = c.order_id and s.ordinal = c.ordinal
              order by 1",
        )
        .fetch_all(&stage.pg)
        .await
        .ok()
    })
    .await;
    assert!(claims.iter().map(|(seat, _)| seat).eq(wanted.keys()), "{claims:?} is not {wanted:?}");

    // Everybody's count, which the limit of an event goes by.
    let mut owned: BTreeMap<String, i64> = BTreeMap::new();
    for (_, owner) in claims {
        *owned.entry(owner).or_default() += 1;
    }
    let event: EventId = id(&ending.event).parse().expect("an id");
    let [.., owners, _, _] = Keys::of(event).shared();
    // A seat that was kept for a move, and sold by somebody else's hand, is in it twice until its time is over.
    eventually(&format!("Redis counts {owned:?} by owner"), async || {
        let mut redis = stage.redis.clone();
        let mut counted: BTreeMap<String, i64> =
            redis::cmd("HGETALL").arg(&owners).query_async(&mut redis).await.ok()?;
        counted.remove("nobody");
        (counted == owned).then_some(())
    })
    .await;
}

/// Customers have letters about how their orders ended, and other systems were told, at least once; the log has it once.
async fn everybody_was_told(stage: &Stage) {
    let orders: Vec<(String, String, String)> = eventually("Postgres says how orders stand", async || {
        sqlx::query_as("select id::text, account_id::text, state from orders").fetch_all(&stage.pg).await.ok()
    })
    .await;
    for (order, account, state) in orders {
        let (_, occasion) = LETTERS.iter().find(|(of, _)| *of == state).expect("an order that has ended");
        let told: Vec<(bool, String)> = eventually("Postgres says what was written", async || {
            sqlx::query_as(
                "select sent_at is not null, occasion from letters
                  where (subject = $1::uuid and (occasion = $2 or occasion = 'event_cancelled'))",
            )
            .bind(&order)
            .bind(occasion)
            .fetch_all(&stage.pg)
            .await
            .ok()
        })
        .await;
        assert!(told.iter().any(|(sent, _)| *sent), "{account} has no letter that order {order} is {state}");
        let address = format!("{account}@example.com");
        assert!(!stage.post.shelf().letters_to(&address).is_empty(), "{address} has got nothing");
        for (ended, kind) in [("confirmed", "order.confirmed"), ("refunded", "order.refunded")] {
            if state == ended {
                assert!(stage.ears.heard(kind, &order), "nobody told that order {order} is {ended}");
            }
        }
    }
    let twice = "select count(*) from (select type, data->>'id' from hook_events
        where type like 'order.%' group by 1, 2 having count(*) > 1) twice";
    let twice = eventually("Postgres says what was logged", async || stage.count(twice).await).await;
    assert_eq!(twice, 0, "something was logged twice for other systems");
}
