//! An organiser connects another system on the page: its secret is shown once, what it was told is seen to arrive, and is
//! told again.

use crate::support::Holdfast;
use crate::support::receiver::{Receiver, calls_back};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_added_seen_to_be_told_and_told_again() {
    let holdfast = Holdfast::with_pages_and(calls_back).await;
    let receiver = Receiver::start().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor_as(&holdfast.organiser(), "organiser", "/organise").await;
    page.expects_status(422);
    page.click("link", "Webhooks").await;
    page.sees("No endpoints yet.").await;

    // What is refused is said where it was entered.
    page.type_into("textbox", "Address", "ftp://elsewhere.example/").await;
    page.click("button", "Add the endpoint").await;
    page.sees("url must be an http(s) address").await;
    page.type_into("textbox", "Address", &receiver.url).await;
    page.type_into("textbox", "Description", "The box office").await;
    for unwanted in ["hold.created", "hold.expired", "hold.released"] {
        page.click("checkbox", unwanted).await;
    }
    page.click("button", "Add the endpoint").await;
    page.sees("The secret of this endpoint").await;
    let secret: String = page.eval("document.querySelector('dialog code').textContent").await;
    assert!(secret.starts_with("whsec_"));
    page.is_accessible().await;
    page.click("button", "I have kept it").await;
    page.sees_not("whsec_").await;
    page.sees("The box office").await;

    page.click("button", "Send a ping").await;
    page.sees("It was answered after").await;
    assert!(receiver.hears("ping", 1).await[0].is_signed_with(&secret));
    page.click("button", "Deliveries").await;
    let order = holdfast.sold(&holdfast.customer().await, event, &PAIR).await;
    let told = receiver.hears_of("order.confirmed", &order).await;
    assert!(told.is_signed_with(&secret) && receiver.came_of("hold.created").is_empty());
    page.sees("order.confirmed").await;
    page.is_accessible().await;
    page.click("button", "Send again: order.confirmed").await;
    page.sees("order.confirmed again").await;
    let twice = receiver.hears("order.confirmed", 2).await;
    assert_eq!(twice[0].body, twice[1].body);
    page.comes_to("[...document.querySelectorAll('[data-status=delivered]')].length === 3").await;

    page.click("button", "Replace the secret").await;
    page.sees("The secret of this endpoint").await;
    page.click("button", "I have kept it").await;
    page.click("button", "Disable").await;
    page.sees("by hand. Nothing is queued for it").await;
    page.click("button", "Enable").await;
    page.sees_not("Nothing is queued for it").await;
    page.has_no_complaints();
    page.click("button", "Remove").await;
    page.click("button", "Remove it").await;
    page.sees("No endpoints yet.").await;
    let list = holdfast.organiser().get("/v1/admin/hooks").await.expect(200);
    assert!(list["items"].as_array().is_some_and(Vec::is_empty));
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_disabled_says_why() {
    let holdfast = Holdfast::with_pages_and(|config| {
        calls_back(config);
        config.hooks_disable_seconds = 3600;
    })
    .await;
    let receiver = Receiver::start().await;
    receiver.answers(500);
    let organiser = holdfast.organiser();
    let hook = organiser.listens(&receiver, &["order.confirmed"]).await;
    let event = holdfast.small_hall(0, &[12]).await;
    for seat in 1..=8 {
        organiser.orders(event, &[&format!("hall-A-{seat}")]).await;
    }
    receiver.hears("order.confirmed", 24).await;
    holdfast.fails_for_two_hours(&hook).await;
    crate::support::eventually("it is disabled", async || {
        let list = organiser.get("/v1/admin/hooks").await.expect(200);
        (list["items"][0]["status"] == "disabled").then_some(())
    })
    .await;
    let page = holdfast.visitor_as(&organiser, "organiser", "/organise/hooks").await;
    page.sees("every delivery failed; the last one: answered 500").await;
    page.click("button", "Deliveries").await;
    page.sees("Waiting answered 500").await;
    page.is_accessible().await;
    receiver.answers(200);
    page.click("button", "Enable").await;
    page.comes_to("[...document.querySelectorAll('[data-status=delivered]')].length === 8").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}
