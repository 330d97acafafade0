//! A move of a ticket that an outage cut off is repeated until it is done, however long that takes.

use holdfast::seats::keys::Keys;
use serde_json::json;
use uuid::Uuid;

use crate::support::journeys::id;
use crate::support::{Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_move_may_be_repeated_when_the_seat_that_it_kept_is_free_again() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let desk = holdfast.organiser();
    let path = format!("/v1/admin/tickets/{}/move", id(&order["tickets"][0]));
    let key = Uuid::new_v4().to_string();
    let moves = async || {
        // The key of a try that was given up is let go a moment after its answer.
        eventually("the try before is over", async || {
            let asked = json!({ "seat": "stalls-A-4", "reason": "broken" });
            let answer = desk.post_once(&path, &key, asked).await;
            (answer.code() != "still_running").then_some(answer)
        })
        .await
    };

    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    let flag = Keys::of(event).flag(chart.ordinal("stalls-A-4").expect("a seat of the chart"));

    // Nothing can be decided about the order, as while Postgres is away.
    let mut away = holdfast.app().pg.begin().await.expect("a transaction");
    sqlx::query("select from orders where id = $1::uuid for update")
        .bind(id(&order))
        .execute(&mut *away)
        .await
        .expect("a lock");
    for _ in 0..2 {
        assert_eq!(moves().await.status, 503);
        let kept = holdfast.flag(event, "stalls-A-4").await.expect("the seat is kept for the repeat");
        assert!(!kept.starts_with("sold:"));
        // The outage lasts for longer than a seat is kept.
        holdfast.redis_command(&["DEL", &flag]).await;
    }
    assert_eq!(moves().await.status, 503);
    away.rollback().await.expect("it is back");

    // What the last try kept is its own.
    moves().await.expect(200);
    assert_eq!(ada.order(&order).await["tickets"][0]["seat_id"], "stalls-A-4");
    ada.sees_seat(event, "stalls-A-1", "free").await;
    ada.sees_seat(event, "stalls-A-4", "sold").await;
    holdfast.every_invariant_holds().await;
}
