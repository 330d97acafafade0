//! A long list, a large cancellation, a mail server that is away: offers are made all the same, in order, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::post::{a_port, writes_to};
use crate::support::{Client, Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_wait_and_a_hundred_seats_come_back_at_once() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.small_hall(1000, &[20; 5]).await;
    let elsewhere = holdfast.theatre().await;
    let mut orders = Vec::new();
    for row in 'A'..='E' {
        let owner = holdfast.customer().await;
        let seats: Vec<_> = (1..=20).map(|seat| format!("hall-{row}-{seat}")).collect();
        let seats: Vec<_> = seats.iter().map(String::as_str).collect();
        orders.push((holdfast.sold(&owner, event, &seats).await, owner));
    }
    let mut lanes = JoinSet::new();
    for (number, lane) in holdfast.crowd(500).await.chunks(25).enumerate() {
        let lane: Vec<Client> = lane
            .iter()
            .map(|person| if number % 2 == 0 { person.clone() } else { person.at(&second) })
            .collect();
        lanes.spawn(async move {
            for person in &lane {
                person.waits_for(event, 1).await;
            }
        });
    }
    lanes.join_all().await;
    let from = holdfast.feed_end(event).await;

    let quiet = Arc::new(AtomicBool::new(false));
    let shopping = tokio::spawn({
        let (eve, quiet) = (holdfast.customer().await, Arc::clone(&quiet));
        async move {
            let mut held = 0;
            while !quiet.load(Ordering::Relaxed) {
                let hold = eve.holds_seats(elsewhere, &["stalls-A-1"]).await;
                if hold.status == 201 {
                    held += 1;
                    eve.delete(&format!("/v1/holds/{}", id(&hold.body))).await;
                }
            }
            held
        }
    });
    let mut cancelling = JoinSet::new();
    for (order, owner) in orders {
        cancelling.spawn(async move { while owner.cancels(&order).await.status != 200 {} });
    }
    cancelling.join_all().await;
    let offered = eventually("every seat is offered", async || {
        let (offered, seats, last): (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from waitlist where event_id = $1 and state = 'offered'),
                    (select count(*) from offered_seats where event_id = $1),
                    (select count(*) from waitlist w where w.event_id = $1 and w.state = 'offered'
                        and 100 > (select count(*) from waitlist v where v.event_id = $1 and v.place < w.place))",
        )
        .bind(event)
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a count");
        (offered == 100).then_some((seats, last))
    })
    .await;
    quiet.store(true, Ordering::Relaxed);
    assert_eq!(offered, (100, 100), "one seat each, for the first hundred");
    assert!(holdfast.seen_free_since(event, &from).await.is_empty(), "the public saw a seat free");
    assert!(shopping.await.expect("no panic") > 0, "elsewhere seats were held meanwhile");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_letter_cannot_be_sent_is_seen_taken_and_passed_on() {
    let nobody = a_port().await;
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let holdfast = Holdfast::with(|config| {
        writes_to(config, &format!("smtp://{address}"));
        config.offer_seconds = 4;
        config.payment_seconds = 2;
    })
    .await;
    let (event, owner, order) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (first, next) = (ada.waits_for(event, 4).await, ben.waits_for(event, 4).await);
    owner.cancels(&order).await.expect(200);

    let offer: Value = ada.is(&first, "offered").await;
    assert_eq!(offer["offer"]["seats"].as_array().map(Vec::len), Some(4));
    // She hears nothing and does nothing; he looks at the page.
    let offer = ben.is(&next, "offered").await;
    assert_eq!(ada.entry(&first).await["status"], "lapsed");
    let order = ben.takes_up(&offer).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ben.sees(&order, "confirmed").await;
    let letters = holdfast.letters_ended("offered").await;
    assert!(letters.len() == 2 && letters.iter().all(|(state, _)| state != "sent"), "{letters:?}");
    holdfast.every_invariant_holds().await;
}
