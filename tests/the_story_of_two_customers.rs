//! X holds seats, Y wants them: what each of them sees, whatever becomes of X's payment.

use serde_json::json;

use crate::support::Holdfast;
use crate::support::journeys::{BAD_CARD, GOOD_CARD};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_customer_holds_another_sees_taken_at_once_and_is_refused() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (x, y) = (holdfast.customer().await, holdfast.customer().await);

    x.holds_seats(event, &["stalls-A-2", "stalls-A-3", "stalls-A-4"]).await.expect(201);

    for seat in ["stalls-A-2", "stalls-A-3", "stalls-A-4"] {
        assert_eq!(y.state_of(event, seat).await, "held");
    }
    let refused = y.holds_seats(event, &["stalls-A-2", "stalls-A-3"]).await;
    assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"));
    assert_eq!(
        refused.body["seats"],
        json!([{ "id": "stalls-A-2", "reason": "held" }, { "id": "stalls-A-3", "reason": "held" }])
    );
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_payment_fails_another_customer_can_have_the_seats() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (x, y) = (holdfast.customer().await, holdfast.customer().await);
    let seats = ["stalls-A-2", "stalls-A-3", "stalls-A-4"];

    let order = x.orders(event, &seats).await;
    assert_eq!(holdfast.pay(&order, BAD_CARD).await.status, 402);
    x.sees(&order, "failed").await;

    y.sees_seat(event, "stalls-A-2", "free").await;
    holdfast.sold(&y, event, &seats).await;
    assert_eq!(holdfast.claim(event, "stalls-A-2").await.map(|claim| claim.0).as_deref(), Some("sold"));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_payment_succeeds_another_customer_never_can() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (x, y) = (holdfast.customer().await, holdfast.customer().await);
    let seats = ["stalls-A-2", "stalls-A-3", "stalls-A-4"];

    let order = x.orders(event, &seats).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let order = x.sees(&order, "confirmed").await;

    assert_eq!(order["tickets"].as_array().map(Vec::len), Some(3));
    y.sees_seat(event, "stalls-A-3", "sold").await;
    let refused = y.holds_seats(event, &["stalls-A-3"]).await;
    assert_eq!(refused.body["seats"], json!([{ "id": "stalls-A-3", "reason": "sold" }]));
    let flag = holdfast.flag(event, "stalls-A-3").await;
    assert_eq!(flag, Some(format!("sold:{}", order["id"].as_str().expect("an id"))));
    holdfast.every_invariant_holds().await;
}
