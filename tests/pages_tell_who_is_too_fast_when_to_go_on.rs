//! Somebody who clicks too fast is told when to go on, and loses nothing by it; a short wait is not worth a word.

use crate::support::visits::event_page;
use crate::support::{Client, Holdfast};
use holdfast::ids::EventId;

async fn house(limits: &str) -> Holdfast {
    Holdfast::with_pages_and(|config| config.rate_limits = limits.parse().expect("limits")).await
}

/// Somebody at an event's page who has chosen two seats, and has just taken as many others as may be taken.
async fn in_a_hurry(holdfast: &Holdfast, ada: &Client, event: EventId) -> crate::support::browser::Page {
    let page = holdfast.visitor_as(ada, "customer", &event_page(event)).await;
    page.expects_status(429);
    page.presses_seat("stalls-A-3").await;
    page.presses_seat("stalls-A-4").await;
    page.sees("€96.00").await;
    page.waits_for("button", "Hold these seats").await;
    ada.holds_seats(event, &["stalls-D-1"]).await.expect(201);
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_is_told_and_what_was_chosen_stays_chosen() {
    let holdfast = house("off,hold=1/15s").await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let page = in_a_hurry(&holdfast, &ada, event).await;
    page.click("button", "Hold these seats").await;
    page.sees("That was too fast. Try again in").await;
    page.sees("seconds; nothing is lost.").await;
    page.sees("Stalls, row A, seat 3").await;
    page.sees("€96.00").await;
    assert_eq!(ada.state_of(event, "stalls-A-3").await, "free");
    page.is_accessible().await;
    page.sized(320, 640).await;
    page.sees("That was too fast. Try again in").await;
    page.is_accessible().await;
    page.sized(1280, 800).await;

    // She comes back just when she was told to.
    let told =
        "performance.now() + 1000 * Number(document.body.textContent.match(/again in (\\d+) seconds/)[1])";
    let then: f64 = page.eval(told).await;
    page.comes_to(&format!("performance.now() > {then}")).await;
    page.click("button", "Hold these seats").await;
    page.arrives_at("/checkout/").await;
    page.sees("Stalls, row A, seat 4").await;
    ada.sees_seat(event, "stalls-A-3", "held").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_is_waited_without_a_word() {
    let holdfast = house("off,hold=1/3s").await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let page = in_a_hurry(&holdfast, &ada, event).await;
    page.eval::<Option<()>>(
        "new MutationObserver(() => {
           if (document.body.textContent.includes('too fast')) sessionStorage.setItem('told', 'yes');
         }).observe(document.body, {subtree: true, childList: true, characterData: true})",
    )
    .await;
    page.click("button", "Hold these seats").await;
    page.arrives_at("/checkout/").await;
    page.sees("Stalls, row A, seat 4").await;
    assert!(page.eval::<bool>("sessionStorage.getItem('told') === null").await);
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_mistypes_a_password_too_often_is_told_when_to_try_again() {
    let holdfast = house("off,login=1/1h").await;
    let page = holdfast.visitor().await;
    page.expects_status(401);
    page.expects_status(429);
    page.goto("/").await;
    page.click("button", "Sign in").await;
    page.type_into("textbox", "E-mail", "ada@example.com").await;
    page.type_into("textbox", "Password", "not-my-password").await;
    page.press("Enter").await;
    page.sees("Address or password is wrong.").await;
    page.press("Enter").await;
    page.sees("That was too often. Try again in 60 minutes; nothing is lost.").await;
    page.is_accessible().await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}
