//! A sale with a waiting room: nobody gains by being early, by coming often or by knowing a way around.

use std::time::Duration;

use holdfast::ids::EventId;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use crate::support::journeys::id;
use crate::support::{Answer, Client, Holdfast, eventually};

fn at(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).expect("a moment")
}

impl Client {
    async fn comes(&self, event: EventId) -> Value {
        // A crowd may keep a busy node from answering in time: who asks again is answered.
        for _ in 0..20 {
            let answer = self.post(&format!("/v1/events/{event}/room"), json!({})).await;
            if answer.status != 503 {
                return answer.expect(200);
            }
        }
        panic!("the room does not answer")
    }

    async fn is_let_in(&self, event: EventId) -> Value {
        eventually("it is their turn", async || {
            let now = self.comes(event).await;
            (now["status"] == "admitted").then_some(now)
        })
        .await
    }

    async fn holds_with(&self, event: EventId, admission: &str, wish: Value) -> Answer {
        let request = self
            .request(reqwest::Method::POST, &format!("/v1/events/{event}/holds"))
            .header("Admission", admission)
            .json(&wish);
        self.send(request).await
    }
}

/// Rows of ten seats behind a waiting room; the sale begins so many milliseconds from now.
async fn on_sale_in(holdfast: &Holdfast, ms: i64, rows: u32) -> EventId {
    let rows: Vec<_> = (0..rows).map(|row| json!({ "name": format!("{row}"), "seats": 10 })).collect();
    holdfast
        .event(json!({
            "title": "On Sale", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false, "room_minutes": 10,
            "sale_starts_at": at(OffsetDateTime::now_utc() + time::Duration::milliseconds(ms)),
            "categories": [{ "key": "all", "price": 1000 }],
            "sections": [{ "key": "hall", "category": "all", "rows": rows }],
        }))
        .await
}

fn word(visit: &Value) -> &str {
    visit["admission"].as_str().expect("an admission")
}

const ONE: fn() -> Value = || json!({ "best": { "quantity": 1 } });

#[tokio::test(flavor = "multi_thread")]
async fn without_an_admission_of_ones_own_nobody_gets_a_seat() {
    let holdfast = Holdfast::start().await;
    let event = on_sale_in(&holdfast, -1000, 2).await;
    let other = on_sale_in(&holdfast, -1000, 2).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let refused = |answer: &Answer, how: &str| {
        assert_eq!((answer.status, answer.code()), (403, "not_admitted"), "{how}: {}", answer.body);
    };
    refused(&ada.holds(event, ONE()).await, "without a word");
    refused(
        &ada.holds(event, json!({ "best": { "quantity": 1 }, "if_sold_out": "join_waitlist" })).await,
        "the list",
    );
    let visit = ada.is_let_in(event).await;
    refused(&ben.holds_with(event, word(&visit), ONE()).await, "with somebody else's");
    refused(&ada.holds_with(other, word(&visit), ONE()).await, "with another event's");
    refused(&ada.holds_with(event, ada.token(), ONE()).await, "with an access token");
    refused(&ada.holds_with(event, visit["place"].as_str().expect("a place"), ONE()).await, "with a place");
    let (head, _) = word(&visit).rsplit_once('.').expect("a signature");
    refused(&ada.holds_with(event, &format!("{head}.AAAA"), ONE()).await, "with a forged one");

    let hold = ada.holds_with(event, word(&visit), ONE()).await.expect(201);
    // Another choice within the same hold is asked for again, and needs the word again.
    let swap = json!({ "best": { "quantity": 2 }, "replaces": id(&hold) });
    refused(&ada.holds(event, swap.clone()).await, "a swap");
    ada.holds_with(event, word(&visit), swap).await.expect(201);
    // What is off is off: then everybody may come as ever.
    let off = json!({ "room_minutes": null });
    holdfast.organiser().patch(&format!("/v1/admin/events/{event}"), off).await.expect(200);
    ben.holds(event, ONE()).await.expect(201);
    assert_eq!(ben.comes(event).await["status"], "none");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_opens_before_the_sale_and_lets_nobody_in_until_it_begins() {
    let holdfast = Holdfast::start().await;
    let event = on_sale_in(&holdfast, 3_600_000, 2).await;
    let ada = holdfast.customer().await;
    let closed = ada.comes(event).await;
    assert_eq!((&closed["status"], &closed["position"]), (&json!("closed"), &Value::Null));
    assert!(closed["opens_at"].is_string() && closed["look_again_seconds"] == 30);
    let soon = json!({ "sale_starts_at": at(OffsetDateTime::now_utc() + time::Duration::minutes(5)) });
    holdfast.organiser().patch(&format!("/v1/admin/events/{event}"), soon).await.expect(200);
    let early = ada.comes(event).await;
    assert_eq!(
        (&early["status"], &early["people"], &early["admission"]),
        (&json!("early"), &json!(1), &Value::Null)
    );
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(ada.comes(event).await["status"], "early");
    assert_eq!(holdfast.anyone().post(&format!("/v1/events/{event}/room"), json!({})).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_early_is_shuffled_and_who_comes_late_stands_behind_in_order() {
    // Nobody is let in during this test: only the order is looked at.
    let holdfast = Holdfast::with(|config| config.room_people_per_second = 1).await;
    let second = holdfast.second_node().await;
    let event = on_sale_in(&holdfast, 12_000, 20).await;
    let crowd = holdfast.crowd(120).await;
    let (early, late) = crowd.split_at(100);
    for (number, person) in early.iter().enumerate() {
        let person = if number % 2 == 0 { person.clone() } else { person.at(&second) };
        assert_eq!(person.comes(event).await["status"], "early");
    }
    // Coming again and again, from anywhere, changes nothing.
    let mut again = JoinSet::new();
    for number in 0..100 {
        let person = if number % 2 == 0 { early[0].clone() } else { early[0].at(&second) };
        again.spawn(async move { person.comes(event).await["place"].clone() });
    }
    again.join_all().await;
    eventually("the sale has begun", async || {
        (early[0].comes(event).await["status"] != "early").then_some(())
    })
    .await;
    for person in late {
        person.comes(event).await;
    }
    let mut order = Vec::new();
    for (number, person) in crowd.iter().enumerate() {
        let visit = person.comes(event).await;
        assert_eq!(visit["people"].as_u64().unwrap_or(120), 120);
        order.push((visit["position"].as_u64().unwrap_or(0), number));
    }
    order.sort_unstable();
    let came: Vec<usize> = order.iter().map(|(_, number)| *number).collect();
    let first: Vec<usize> = came.iter().copied().filter(|number| *number < 100).collect();
    assert!(!first.is_sorted(), "the early ones were not shuffled");
    let behind: Vec<usize> = came.iter().copied().skip(100).collect();
    assert_eq!(behind, (100..120).collect::<Vec<_>>(), "the late ones stand behind, as they came");
    // Those who came a hundred times have not got in front by it more than by chance.
    assert!(came.iter().take(100).any(|number| *number == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_fifty_people_are_let_in_as_there_are_seats_for_them() {
    let holdfast = Holdfast::with(|config| config.room_people_per_second = 40).await;
    let second = holdfast.second_node().await;
    let event = on_sale_in(&holdfast, 0, 4).await;
    let mut coming = JoinSet::new();
    for (number, person) in holdfast.crowd(150).await.into_iter().enumerate() {
        let person = if number % 2 == 0 { person } else { person.at(&second) };
        coming.spawn(async move {
            for _ in 0..60 {
                let visit = person.comes(event).await;
                if visit["status"] == "admitted" {
                    let held = person.holds_with(event, word(&visit), ONE()).await;
                    assert!(matches!(held.status, 201 | 409), "{}", held.body);
                    return (true, held.status == 201);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (false, false)
        });
    }
    let all = coming.join_all().await;
    let (inside, seated) =
        (all.iter().filter(|(inside, _)| *inside).count(), all.iter().filter(|(_, seated)| *seated).count());
    assert_eq!(seated, 40, "every seat was taken");
    assert_eq!(inside, 40, "nobody came in to find nothing");
    let let_in = holdfast.app().metrics.room_admitted.get() + second.app.metrics.room_admitted.get();
    assert_eq!(let_in, 40);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_survives_the_loss_of_the_line_and_a_pass_ends() {
    let holdfast = Holdfast::with(|config| {
        config.room_people_per_second = 1;
        config.room_pass_seconds = 2;
    })
    .await;
    let event = on_sale_in(&holdfast, -1000, 4).await;
    let people = holdfast.crowd(4).await;
    let mut places = Vec::new();
    for person in &people {
        places.push(person.comes(event).await);
    }
    people[0].is_let_in(event).await;
    holdfast.flush_redis().await;
    eventually("the event is ready again", async || {
        let visit =
            people[3].post(&format!("/v1/events/{event}/room"), json!({ "place": places[3]["place"] })).await;
        (visit.status == 200).then_some(())
    })
    .await;
    // The last comes back first, and still stands behind those who came before.
    for (number, person) in people.iter().enumerate().take(3).rev() {
        person
            .post(&format!("/v1/events/{event}/room"), json!({ "place": places[number]["place"] }))
            .await
            .expect(200);
    }
    let last = people[3].comes(event).await;
    assert!(
        last["status"] == "admitted"
            || last["position"].as_u64() > people[2].comes(event).await["position"].as_u64()
    );

    // A pass that was used up ends at the end of the line.
    let inside = people[0].is_let_in(event).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let late = people[0].holds_with(event, word(&inside), ONE()).await;
    assert_eq!((late.status, late.code()), (403, "not_admitted"));
    let again = people[0].comes(event).await;
    assert_ne!(again["place"], inside["place"]);
    // The line moves on without those who only looked.
    people[0].is_let_in(event).await;
}
