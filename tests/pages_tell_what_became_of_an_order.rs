//! The page of an order says honestly what happened: paid, declined, too late, called off, or not yet decided.

use serde_json::Value;

use crate::support::Holdfast;
use crate::support::journeys::{BAD_CARD, GOOD_CARD, id};

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_is_told_and_the_same_seats_can_be_tried_again() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let order = customer.orders(event, &["stalls-A-1", "stalls-A-2"]).await;
    let page = holdfast.visitor_as(&customer, "customer", &format!("/orders/{}", id(&order))).await;
    page.click("link", "Pay €96.00").await;
    page.arrives_at("/pay/").await;
    page.click("button", "Decline").await;
    page.sees("declined").await;
    page.click("link", "Back to your order").await;
    page.sees("Your payment was declined. Nothing was charged, and the seats were released.").await;
    holdfast.anyone().sees_seat(event, "stalls-A-1", "free").await;

    page.click("button", "Try the same seats again").await;
    page.arrives_at("/checkout/").await;
    page.click("button", "Pay €96.00").await;
    page.arrives_at("/pay/").await;
    page.click("button", "Pay 96.00 EUR").await;
    page.sees("Show the codes below at the door").await;
    assert!(holdfast.is_sold(event, "stalls-A-1").await);
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_in_time_says_that_nothing_was_charged() {
    let holdfast = Holdfast::with_pages_and(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 2;
        config.grace_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let order = customer.orders(event, &["stalls-A-1"]).await;
    let page = holdfast.visitor_as(&customer, "customer", &format!("/orders/{}", id(&order))).await;
    page.sees("The payment did not come in time, so the seats were released. Nothing was charged.").await;
    page.waits_for("button", "Try the same seats again").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_too_late_is_told_to_be_on_its_way_back() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let order = customer.orders(event, &["stalls-A-1"]).await;
    holdfast.ends_unknown_to_stripe(&order, "expired").await;
    holdfast.anyone().sees_seat(event, "stalls-A-1", "free").await;
    holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1"]).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let page = holdfast.visitor_as(&customer, "customer", &format!("/orders/{}", id(&order))).await;
    page.sees(
        "Your payment came after the time was over, and the seats were gone. All of it was given back.",
    )
    .await;
    page.sees("€48.00 — given back").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_order_can_be_called_off_and_says_what_comes_back() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let order = holdfast.sold(&customer, event, &["stalls-A-1"]).await;
    let page = holdfast.visitor_as(&customer, "customer", &format!("/orders/{}", id(&order))).await;
    page.click("button", "Cancel this order").await;
    page.sees("You get €48.00 back, the way you paid.").await;
    page.click("button", "Keep it").await;
    assert_eq!(customer.order(&order).await["status"], "confirmed");
    page.click("button", "Cancel this order").await;
    page.click("button", "Cancel it").await;
    page.sees("all of your money was given back").await;
    assert_eq!(customer.order(&order).await["status"], "refunded");
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bank_is_waited_for_without_asking_for_the_money_twice() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let order = customer.orders(event, &["stalls-A-1"]).await;
    let page = holdfast.visitor_as(&customer, "customer", &format!("/orders/{}", id(&order))).await;
    page.click("link", "Pay €48.00").await;
    page.click("button", "Pay with a delayed method").await;
    page.click("link", "Back to your order").await;
    page.sees("Your bank has not decided yet.").await;
    assert!(!page.has("link", "Pay").await);
    holdfast.bank_decides(&order, "succeeded").await;
    page.sees("Show the codes below at the door").await;
    page.has_no_complaints();
}

/// What a shop's page sees of Stripe's script: the form's calls, kept where the test can read them.
const STRIPE_DOUBLE: &str = "
    window.Stripe = (key) => ({
      elements: ({clientSecret}) => ({create: (kind) => ({mount: (place) => {
        const note = document.createElement('p');
        note.textContent = `Stripe's form for ${key}`;
        place.append(note);
        window.stripeForm = {key, clientSecret, kind};
      }})}),
      confirmPayment: async ({clientSecret, confirmParams}) => {
        window.stripeForm.paid = {clientSecret, returnUrl: confirmParams.return_url};
        return {error: {message: 'The bank wants another card.'}};
      },
    });";

#[tokio::test(flavor = "multi_thread")]
async fn with_a_real_key_the_card_is_taken_by_stripes_own_form() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let order = customer.orders(event, &["stalls-A-1"]).await;
    let page = holdfast.visitor_as(&customer, "customer", "/orders").await;
    page.serve_instead("https://js.stripe.com/v3/", "text/javascript", STRIPE_DOUBLE).await;
    page.goto(&format!("/orders/{}", id(&order))).await;
    page.sees("Stripe's form for pk_test_of_the_harness").await;
    page.click("button", "Pay €48.00").await;
    page.sees("The bank wants another card.").await;
    let form: Value = page.eval("window.stripeForm").await;
    assert_eq!(form["kind"], "payment");
    assert_eq!(form["paid"]["clientSecret"], order["payment"]["client_secret"]);
    assert_eq!(form["paid"]["returnUrl"], format!("{}/orders/{}", holdfast.url(), id(&order)));
    // The customer pays after all; the page hears of it by itself.
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    page.sees("Show the codes below at the door").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_the_order_of_somebody_else() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &["stalls-A-1"]).await;
    assert_eq!(holdfast.pay(&order, BAD_CARD).await.status, 402);
    let page = holdfast.visitor_as(&ben, "customer", &format!("/orders/{}", id(&order))).await;
    page.expects_status(404);
    page.sees("There is no such order of yours.").await;
}
