//! The deadline and the money, the caller and the other caller, in the same moment: stepped through in milliseconds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use holdfast::ids::EventId;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Client, Holdfast, eventually};

/// Moments that are tried around the one that matters.
const STEPS: i64 = 100;

fn moment(text: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(text.as_str().expect("a moment"), &Rfc3339).expect("a moment")
}

async fn until(moment: OffsetDateTime) {
    let left = moment - OffsetDateTime::now_utc();
    tokio::time::sleep(left.try_into().unwrap_or(Duration::ZERO)).await;
}

/// One seat each, by twenty to a row.
fn seat(number: i64) -> String {
    let row = char::from(b'A' + u8::try_from(number / 20).expect("few rows"));
    format!("hall-{row}-{}", number % 20 + 1)
}

/// An order for a seat, however busy the house is.
async fn orders(buyer: &Client, event: EventId, seat: &str) -> Value {
    eventually("an order that can be paid", async || {
        let hold = buyer.gets_through(&format!("/v1/events/{event}/holds"), json!({ "seats": [seat] })).await;
        let hold = (hold.status == 201).then_some(hold.body)?;
        let order = buyer.gets_through("/v1/orders", json!({ "hold_id": id(&hold) })).await;
        (order.status == 201 && order.body["payment"]["payment_intent"].is_string()).then_some(order.body)
    })
    .await
}

/// Waits until an order is in one of these states, and what it is then.
async fn ends(buyer: &Client, order: &Value, ends: &[&str]) -> Value {
    eventually(&format!("order {} ends as one of {ends:?}", id(order)), async || {
        let now = buyer.get(&format!("/v1/orders/{}", id(order))).await;
        (now.status == 200 && ends.contains(&now.body["status"].as_str()?)).then_some(now.body)
    })
    .await
}

async fn steps(holdfast: &Holdfast) -> (EventId, Vec<(i64, Client)>) {
    let event = holdfast.small_hall(4800, &[20; 5]).await;
    let people = holdfast.crowd(usize::try_from(STEPS).expect("few")).await;
    (event, (0..).zip(people).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_at_any_moment_around_the_deadline_is_confirmed_or_not_kept() {
    let holdfast = Arc::new(
        Holdfast::with(|config| {
            config.hold_seconds = 4;
            config.payment_seconds = 2;
            config.grace_seconds = 2;
            config.reconcile_seconds = 1;
        })
        .await,
    );
    let second = holdfast.second_node().await;
    let (event, people) = steps(&holdfast).await;
    let few = Arc::new(Semaphore::new(8));
    let mut racing = Vec::new();
    for (number, buyer) in people {
        let buyer = if number % 2 == 0 { buyer } else { buyer.at(&second) };
        let (holdfast, few) = (Arc::clone(&holdfast), Arc::clone(&few));
        racing.push(async move {
            let order = {
                let _turn = few.acquire().await.expect("never closed");
                orders(&buyer, event, &seat(number)).await
            };
            // From a little before until the pass that closes has long been there.
            until(moment(&order["pay_by"]) + time::Duration::milliseconds(5 * (number - 20))).await;
            let paid = holdfast.pay(&order, GOOD_CARD).await;
            (buyer, order, paid)
        });
    }
    let mut tally = std::collections::BTreeMap::new();
    for (buyer, order, paid) in join_all(racing).await {
        let order = ends(&buyer, &order, &["confirmed", "expired", "refunded"]).await;
        let status = order["status"].as_str().expect("a status").to_owned();
        match paid.status {
            200 => {
                assert!(
                    status != "expired" || paid_is_on_its_way(&holdfast, &buyer, &order).await,
                    "{order}"
                );
            }
            _ => assert_eq!(status, "expired", "{}", paid.body),
        }
        *tally.entry((paid.status, status)).or_insert(0) += 1;
    }
    assert_eq!(tally.values().sum::<i64>(), STEPS, "{tally:?}");
    holdfast.every_invariant_holds().await;
}

/// An order that had expired when its money came ends once more, as confirmed or refunded.
async fn paid_is_on_its_way(holdfast: &Holdfast, buyer: &Client, order: &Value) -> bool {
    let end = ends(buyer, order, &["confirmed", "refunded"]).await;
    holdfast.ledger_intent(order).await["status"] == "succeeded" && end["status"] != "expired"
}

#[tokio::test(flavor = "multi_thread")]
async fn called_off_at_any_moment_around_the_payment_ends_as_one_of_them() {
    let holdfast = Arc::new(Holdfast::with(|config| config.reconcile_seconds = 1).await);
    let second = holdfast.second_node().await;
    let (event, people) = steps(&holdfast).await;
    let few = Arc::new(Semaphore::new(8));
    let mut racing = Vec::new();
    for (number, buyer) in people {
        let (holdfast, few, there) = (Arc::clone(&holdfast), Arc::clone(&few), buyer.at(&second));
        racing.push(async move {
            let _turn = few.acquire().await.expect("never closed");
            let order = orders(&buyer, event, &seat(number)).await;
            let wait = Duration::from_millis(u64::try_from(number).expect("positive"));
            let (paid, cancelled) = tokio::join!(
                async {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    holdfast.pay(&order, GOOD_CARD).await
                },
                async {
                    tokio::time::sleep(wait).await;
                    there.cancels(&order).await
                },
            );
            (buyer, order, paid, cancelled)
        });
    }
    for (buyer, order, paid, cancelled) in join_all(racing).await {
        let end = ends(&buyer, &order, &["confirmed", "cancelled", "refunded"]).await;
        let refused = cancelled.status == 409 || cancelled.body["status"] == "confirmed";
        match end["status"].as_str().expect("a status") {
            "confirmed" => assert!(refused && paid.status == 200, "{} {}", paid.body, cancelled.body),
            "refunded" => assert_eq!(paid.status, 200, "{}", paid.body),
            _ => {
                // Not charged, or what was charged is about to go back.
                let intent = holdfast.ledger_intent(&order).await;
                if intent["status"] != "canceled" {
                    ends(&buyer, &order, &["refunded"]).await;
                }
            }
        }
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_time_ends_while_stripe_opens_its_payment_leaves_no_door_open() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
        config.grace_seconds = 30;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    // Longer than the order may be paid, and shorter than Stripe is waited for.
    holdfast.stripe_is_slow(3000).await;
    let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    assert!(answer.body["payment"]["client_secret"].is_null(), "{}", answer.body);
    holdfast.stripe_recovers().await;

    let orders = ada.get("/v1/orders").await.expect(200);
    let order = ends(&ada, &orders["items"][0], &["expired"]).await;
    assert!(order["payment"].is_null(), "{order}");
    ada.sees_seat(event, "stalls-A-1", "free").await;
    eventually("every door is shut", async || {
        let intents = holdfast.ledger_intents().await;
        intents.iter().all(|intent| intent["status"] == "canceled").then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_swapped_again_and_again_ends_all_the_same() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let seats = ["stalls-A-1", "stalls-B-1"];
    let mut hold = ada.holds_seats(event, &seats[..1]).await.expect(201);
    // Twice the time of a hold from the first seat, and no more.
    let last = moment(&hold["server_time"]) + time::Duration::seconds(4);
    for turn in 1.. {
        let wish = json!({ "seats": [seats[turn % 2]], "replaces": id(&hold) });
        let answer = ada.gets_through(&format!("/v1/events/{event}/holds"), wish).await;
        if answer.status != 201 {
            assert_eq!((answer.status, answer.code()), (410, "hold_expired"), "{}", answer.body);
            break;
        }
        hold = answer.body;
        assert!(moment(&hold["expires_at"]) <= last + time::Duration::milliseconds(200), "{hold}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for seat in seats {
        ada.sees_seat(event, seat, "free").await;
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_seat_before_the_sale_opens() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let people = holdfast.crowd(100).await;
    // Between two milliseconds, which is what Redis counts.
    let opens = OffsetDateTime::now_utc() + time::Duration::seconds(2);
    let opens = opens.replace_microsecond(u32::from(opens.millisecond()) * 1000 + 1).expect("a moment");
    let event = holdfast
        .event(json!({
            "title": "At the Stroke", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 100,
            "sale_starts_at": opens.format(&Rfc3339).expect("a moment"),
        }))
        .await;
    let mut waiting = JoinSet::new();
    for (number, person) in people.into_iter().enumerate() {
        let person = if number % 2 == 0 { person } else { person.at(&second) };
        waiting.spawn(async move {
            let mut early = 0;
            loop {
                let answer = person.holds(event, json!({ "areas": { "general": 1 } })).await;
                match (answer.status, answer.code()) {
                    (201, _) => return (early, answer.body),
                    (409, "sale_closed") => early += 1,
                    (503, _) => {}
                    other => panic!("{other:?}: {}", answer.body),
                }
            }
        });
    }
    let holds = waiting.join_all().await;
    assert!(holds.iter().any(|(early, _)| *early > 0), "somebody was early");
    for (_, hold) in holds {
        assert!(moment(&hold["server_time"]) >= opens, "{hold}");
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_taken_up_at_any_moment_around_its_end_has_one_owner() {
    let holdfast = Holdfast::with(|config| {
        config.offer_seconds = 3;
        config.payment_seconds = 2;
    })
    .await;
    let second = holdfast.second_node().await;
    let event = holdfast.small_hall(1000, &[20, 20]).await;
    let mut orders = Vec::new();
    for row in ["A", "B"] {
        let owner = holdfast.customer().await;
        let seats: Vec<_> = (1..=20).map(|seat| format!("hall-{row}-{seat}")).collect();
        let seats: Vec<_> = seats.iter().map(String::as_str).collect();
        orders.push((holdfast.sold(&owner, event, &seats).await, owner));
    }
    let mut parties = Vec::new();
    for person in holdfast.crowd(80).await {
        let entry = person.waits_for(event, 1).await;
        parties.push((person, entry));
    }
    for (order, owner) in &orders {
        owner.cancels(order).await.expect(200);
    }
    let mut racing = Vec::new();
    for (number, (person, entry)) in (0..).zip(parties) {
        let person = if number % 2 == 0 { person } else { person.at(&second) };
        racing.push(async move {
            let offered = eventually("the party's turn comes, or the seats are gone", async || {
                let now = person.entry(&entry).await;
                (now["status"] != "waiting" || number >= 40).then_some(now)
            })
            .await;
            if offered["status"] != "offered" {
                return None;
            }
            until(
                moment(&offered["offer"]["expires_at"])
                    + time::Duration::milliseconds(10 * (number % 40 - 25)),
            )
            .await;
            let hold = json!({ "hold_id": offered["offer"]["hold_id"] });
            let taken = person.gets_through("/v1/orders", hold.clone()).await;
            assert!(matches!(taken.status, 201 | 404 | 409 | 410), "{}", taken.body);
            (taken.status == 201).then_some((person, taken.body))
        });
    }
    let mut owners = std::collections::BTreeSet::new();
    for (person, order) in join_all(racing).await.into_iter().flatten() {
        holdfast.pay(&order, GOOD_CARD).await;
        let order = ends(&person, &order, &["confirmed", "expired", "refunded"]).await;
        if order["status"] == "confirmed" {
            let seat = order["seats"][0]["id"].as_str().expect("a seat").to_owned();
            assert!(owners.insert(seat), "{order}");
        }
    }
    holdfast.every_invariant_holds().await;
}
