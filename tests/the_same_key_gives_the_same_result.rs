//! Idempotency keys: the same call again is answered again, not done again.

use serde_json::json;

use crate::support::Holdfast;
use crate::support::journeys::id;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_hold_is_the_same_hold_and_another_body_is_refused() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let path = format!("/v1/events/{event}/holds");
    let wish = json!({ "seats": ["stalls-A-1", "stalls-A-2"] });

    let first = ada.post_once(&path, "key-1", wish.clone()).await.expect(201);
    let again = ada.post_once(&path, "key-1", wish).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first, again.expect(201));
    let other = ada.post_once(&path, "key-1", json!({ "seats": ["stalls-B-1"] })).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"), "a key is for one wish");
    assert_eq!(ada.state_of(event, "stalls-B-1").await, "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_stays_one_whatever_comes_free_and_on_every_node() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let path = format!("/v1/events/{event}/holds");
    for (key, wish) in [
        ("named", json!({ "seats": ["stalls-A-1"] })),
        ("both", json!({ "seats": ["stalls-A-1", "stalls-A-2"] })),
        ("best", json!({ "best": { "quantity": 50 } })),
    ] {
        let taken = ben.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
        let first = ada.post_once(&path, key, wish.clone()).await;
        assert_eq!(first.status, 409, "{key}");
        ben.delete(&format!("/v1/holds/{}", id(&taken))).await;
        let again = ada.at(&second).post_once(&path, key, wish).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (409, Some("true")), "{key}");
        assert_eq!(again.body, first.body, "{key}");
    }
    assert_eq!(ada.state_of(event, "stalls-A-1").await, "free", "nothing was taken by a repeat");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_clicks_at_once_with_one_key_on_two_nodes_are_one_hold() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let path = format!("/v1/events/{event}/holds");
    let mut clicks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (ada, path) = (if number % 2 == 0 { ada.clone() } else { ada.at(&second) }, path.clone());
        let wish = json!({ "best": { "quantity": 2 } });
        clicks.spawn(async move { ada.post_once(&path, "click", wish).await.expect(201) });
    }
    let mut answers = clicks.join_all().await;
    answers.dedup();
    assert_eq!(answers.len(), 1, "each says the same, its moment included");
    let status = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!(status["held"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkouts_key_does_not_answer_for_another_hold() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let first = ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    let second = ada.holds_seats(event, &["stalls-B-1"]).await.expect(201);

    ada.post_once("/v1/orders", "checkout-1", json!({ "hold_id": id(&first) })).await.expect(201);
    let other = ada.post_once("/v1/orders", "checkout-1", json!({ "hold_id": id(&second) })).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"), "a key is for one thing");
    let order =
        ada.post_once("/v1/orders", "checkout-2", json!({ "hold_id": id(&second) })).await.expect(201);
    assert_eq!(order["seats"][0]["id"], "stalls-B-1", "nothing was done to the second");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_checkouts_at_once_with_one_key_on_two_nodes_are_one_order() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);

    let mut clicks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let ada = if number % 2 == 0 { ada.clone() } else { ada.at(&second) };
        let body = json!({ "hold_id": id(&hold) });
        clicks.spawn(async move {
            loop {
                let answer = ada.post_once("/v1/orders", "checkout-1", body.clone()).await;
                match (answer.status, answer.code()) {
                    (409, "still_running") | (503, _) => {}
                    _ => return answer.expect(201)["id"].clone(),
                }
            }
        });
    }
    let mut orders = clicks.join_all().await;
    orders.dedup();
    assert_eq!(orders.len(), 1);
    assert_eq!(holdfast.ledger_intents().await.len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_checkout_without_a_key_is_the_same_order_too() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    let (mut first, mut again) = (ada.checks_out(&hold).await, ada.checks_out(&hold).await);
    // Each says when it was asked.
    let asked = [&mut first, &mut again].map(|order| order["server_time"].take());
    assert!(asked[0].as_str() < asked[1].as_str());
    assert_eq!(first, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_its_owners_alone() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let path = format!("/v1/events/{event}/holds");
    ada.post_once(&path, "mine", json!({ "seats": ["stalls-A-1", "stalls-A-2"] })).await.expect(201);
    ben.post_once(&path, "mine", json!({ "seats": ["stalls-B-1", "stalls-B-2"] })).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_registration_answers_with_the_same_tokens_and_stores_none_in_the_clear() {
    let holdfast = Holdfast::start().await;
    let form = json!({ "name": "Ada", "email": "ada@example.com", "password": "a-long-password" });
    let anyone = holdfast.anyone();
    let first = anyone.post_once("/v1/auth/register", "reg-1", form.clone()).await.expect(201);
    let again = anyone.post_once("/v1/auth/register", "reg-1", form).await.expect(201);
    assert_eq!(first, again);

    let token = first["refresh_token"].as_str().expect("a token").as_bytes().to_vec();
    let stored: Vec<(Vec<u8>,)> =
        sqlx::query_as("select answer from idempotency_keys where answer is not null")
            .fetch_all(&holdfast.app().pg)
            .await
            .expect("a query");
    assert!(!stored.is_empty());
    assert!(stored.iter().all(|(answer,)| !answer.windows(token.len()).any(|part| part == token)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_key_is_refused() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let long = "k".repeat(256);
    let answer =
        ada.post_once(&format!("/v1/events/{event}/holds"), &long, json!({ "seats": ["stalls-A-1"] })).await;
    assert_eq!(answer.status, 422);
    assert_eq!(ada.state_of(event, "stalls-A-1").await, "free");
}
