//! Waiting for seats on the pages: joining, standing in line, and taking what is offered.

use serde_json::json;

use crate::support::visits::event_page;
use crate::support::{Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_nothing_left_joins_the_list_and_takes_what_is_offered() {
    let holdfast = Holdfast::with_pages().await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.sees("Sold out").await;
    page.sees("Waiting list").await;
    page.click("button", "Join the waiting list").await;
    page.registers("Wanda Waiting").await;
    page.sees("You are number 1 on the list.").await;
    page.is_accessible().await;

    // It is on the page of one's orders, too, and there the offer comes by itself.
    page.goto("/orders").await;
    page.sees("You are number 1 on the list.").await;
    buyer.cancels(&order).await.expect(200);
    page.sees("Seats have come back, and they are held for you.").await;
    page.sees("Hall, row A, seat 1").await;
    page.is_accessible().await;
    page.click("link", "Take these seats").await;
    page.arrives_at("/checkout/").await;
    page.sees("Time left").await;
    page.click("button", "Pay €96.00").await;
    eventually("the offer is an order", async || {
        let (served,): (i64,) = sqlx::query_as("select count(*) from waitlist where state = 'served'")
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("a count");
        (served == 1).then_some(())
    })
    .await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_declined_with_one_press_and_goes_on() {
    let holdfast = Holdfast::with_pages().await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    ada.waits_for(event, 4).await;
    let next = ben.waits_for(event, 2).await;
    let page = holdfast.visitor_as(&ada, "customer", &event_page(event)).await;
    page.sees("You are number 1 on the list.").await;
    buyer.cancels(&order).await.expect(200);
    page.sees("Seats have come back, and they are held for you.").await;
    page.click("button", "No, thank you").await;
    ben.is(&next, "offered").await;
    page.sees_not("Seats have come back").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_sees_who_waits_and_may_take_somebody_off() {
    let holdfast = Holdfast::with_pages().await;
    let (event, ..) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let entry =
        ada.joins(event, json!({ "quantity": 3, "section": "hall", "max_price": 5000 })).await.expect(201);
    ben.waits_for(event, 1).await;
    let page = holdfast.visitor_as(&holdfast.organiser(), "organiser", &format!("/organise/{event}")).await;
    page.click("link", "Waiting").await;
    page.sees("at most €50.00").await;
    page.is_accessible().await;
    page.click("button", "Remove A customer, number 1, from the list").await;
    page.click("button", "Remove from the list").await;
    ada.is(&entry, "left").await;
    page.sees_not("at most €50.00").await;
    page.has_no_complaints();
}
