//! A sale with a waiting room, as people see it: who is there early, who comes late, and whose turn it is.

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::Holdfast;
use crate::support::visits::event_page;

#[tokio::test(flavor = "multi_thread")]
async fn one_waits_is_let_in_when_the_sale_begins_and_keeps_the_place_over_a_reload() {
    let holdfast = Holdfast::with_pages().await;
    let begins = OffsetDateTime::now_utc() + time::Duration::seconds(16);
    let event = holdfast
        .event(json!({
            "title": "Rush Hour", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false, "room_minutes": 10,
            "sale_starts_at": begins.format(&Rfc3339).expect("a moment"),
            "categories": [{ "key": "all", "price": 1000 }],
            "sections": [{ "key": "hall", "name": "Hall", "category": "all", "rows": [{ "name": "A", "seats": 4 }] }],
        }))
        .await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.sees("This sale is entered through a waiting room.").await;
    page.is_accessible().await;
    page.click("button", "Take my place").await;
    page.registers("Rita Rush").await;
    page.sees("You are here, the first.").await;
    page.sees_not("Best available").await;
    page.goto(&event_page(event)).await;
    page.sees("You are here, the first.").await;
    // Nobody reloads anything: the page knows when the sale begins, and asks by itself.
    page.sees("It is your turn. You may take seats until").await;
    page.is_accessible().await;
    page.click("button", "Best available").await;
    page.arrives_at("/checkout/").await;
    page.sees("Time left").await;
    assert_eq!(holdfast.anyone().state_of(event, "hall-A-1").await, "held");
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_in_line_sees_the_place_live_and_no_way_around() {
    let holdfast = Holdfast::with_pages_and(|config| config.room_people_per_second = 1).await;
    let event = holdfast
        .event(json!({
            "title": "Rush Hour", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false, "room_minutes": 10,
            "categories": [{ "key": "all", "price": 1000 }],
            "sections": [{ "key": "hall", "name": "Hall", "category": "all", "rows": [{ "name": "A", "seats": 20 }] }],
        }))
        .await;
    for person in holdfast.crowd(12).await {
        person.post(&format!("/v1/events/{event}/room"), json!({})).await.expect(200);
    }
    let ada = holdfast.customer().await;
    let page = holdfast.visitor_as(&ada, "customer", &event_page(event)).await;
    page.sees("You are number").await;
    page.is_accessible().await;
    page.sees_not("Best available").await;
    // One after the other is let in, and the page tells.
    page.sees("It is your turn.").await;
    page.click("button", "Best available").await;
    page.arrives_at("/checkout/").await;
    page.has_no_complaints();
}
