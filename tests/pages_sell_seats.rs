//! A customer buys on the pages, in a real browser: what they see is what Postgres has, whatever comes between.

use serde_json::{Value, json};

use crate::support::browser::Page;
use crate::support::visits::event_page;
use crate::support::{Holdfast, eventually};

/// The order that a page is about.
async fn order_of(page: &Page) -> Value {
    page.arrives_at("/orders/").await;
    let path = page.path().await;
    json!({ "id": path.trim_start_matches("/orders/") })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_purchase_is_done_with_a_mouse() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;

    page.goto("/").await;
    page.click("link", "The Tempest").await;
    page.arrives_at(&event_page(event)).await;
    page.sees("32 free").await;
    page.presses_seat("stalls-A-3").await;
    page.presses_seat("stalls-A-4").await;
    page.sees("Stalls, row A, seat 4").await;
    page.sees("€96.00").await;
    page.click("button", "Hold these seats").await;
    // Signing in comes in between and loses nothing.
    page.registers("Ada Lovelace").await;

    page.arrives_at("/checkout/").await;
    page.sees("Stalls, row A, seat 3").await;
    page.sees("Time left:").await;
    holdfast.anyone().sees_seat(event, "stalls-A-3", "held").await;
    page.click("button", "Pay €96.00").await;
    page.arrives_at("/pay/").await;
    page.click("button", "Pay 96.00 EUR").await;

    page.sees("Confirmed").await;
    page.sees("Show the codes below at the door").await;
    page.waits_for("image", "QR code of the ticket for Stalls, row A, seat 4").await;
    assert!(holdfast.is_sold(event, "stalls-A-3").await && holdfast.is_sold(event, "stalls-A-4").await);
    page.goto("/orders").await;
    page.sees("2 seats · €96.00").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_purchase_is_done_with_the_keyboard_alone() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.has_the_map().await;

    // The list is reached before anything else on the page.
    page.tab_to("link", "Choose seats from a list").await;
    page.press("Enter").await;
    page.tab_to("button", "Stalls").await;
    page.press("Enter").await;
    page.tab_to("button", "Row B").await;
    page.press("Enter").await;
    page.tab_to("button", "Stalls, row B, seat 2, €48.00, free").await;
    page.press("Space").await;
    page.waits_for("button", "Stalls, row B, seat 2, €48.00, chosen").await;
    page.press("Tab").await;
    page.press("Enter").await;
    page.sees("€96.00").await;
    page.tab_to("button", "Hold these seats").await;
    page.press("Enter").await;

    page.waits_for("textbox", "E-mail").await;
    page.tab_to("button", "I am new here").await;
    page.press("Enter").await;
    let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
    for (field, text) in [("Name", "Ben"), ("E-mail", email.as_str()), ("Password", "a short sentence")] {
        page.tab_to("textbox", field).await;
        for letter in text.chars() {
            page.press(&if letter == ' ' { "Space".to_owned() } else { letter.to_string() }).await;
        }
    }
    page.press("Enter").await;

    page.arrives_at("/checkout/").await;
    page.tab_to("button", "Pay €96.00").await;
    page.press("Enter").await;
    page.arrives_at("/pay/").await;
    page.tab_to("button", "Pay 96.00 EUR").await;
    page.press("Enter").await;
    page.sees("Show the codes below at the door").await;
    assert!(holdfast.is_sold(event, "stalls-B-2").await && holdfast.is_sold(event, "stalls-B-3").await);
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_itself_is_walked_with_arrow_keys() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.has_the_map().await;
    page.presses_seat("stalls-B-2").await;
    page.press("ArrowRight").await;
    page.press("ArrowDown").await;
    page.press("Enter").await;
    page.press("Shift+Tab").await;
    page.sees("Stalls, row C, seat 3").await;
    let choice: Value = page.eval("document.querySelector('seat-map').choice").await;
    assert_eq!(choice["seats"], json!(["stalls-B-2", "stalls-C-3"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_seats_for_a_party_are_one_press_away() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.click("button", "One person more").await;
    page.click("button", "Best available").await;
    page.arrives_at("/checkout/").await;
    page.sees("€144.00").await;
    // Going back, the seats are still theirs, with the time that is left.
    page.click("link", "Change seats").await;
    page.arrives_at(&event_page(event)).await;
    page.sees("Held for you").await;
    page.sees("Time left:").await;
    page.click("button", "Let go of the seats").await;
    page.sees("Nothing chosen yet").await;
    holdfast.anyone().sees_seat(event, "stalls-A-1", "free").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_browsers_that_want_one_seat_one_gets_it_and_the_other_is_told_where_to_go() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let first = holdfast.visitor_as(&ada, "customer", &event_page(event)).await;
    let second = holdfast.visitor_as(&ben, "customer", &event_page(event)).await;
    for page in [&first, &second] {
        page.expects_status(409);
        page.presses_seat("stalls-A-4").await;
        page.presses_seat("stalls-A-5").await;
        page.waits_for("button", "Hold these seats").await;
    }
    tokio::join!(first.click("button", "Hold these seats"), second.click("button", "Hold these seats"));

    let winner_is_first = eventually("one of them is at the checkout", async || {
        let paths = (first.path().await, second.path().await);
        (paths.0.starts_with("/checkout/") || paths.1.starts_with("/checkout/"))
            .then(|| paths.0.starts_with("/checkout/"))
    })
    .await;
    let loser = if winner_is_first { &second } else { &first };
    // Told at the click or by the live picture, whichever came first: the alternative is there either way.
    loser.sees("Nearest alternative:").await;
    assert!(loser.path().await.starts_with("/events/"));
    loser.click("button", "Take these instead").await;
    loser.click("button", "Hold these seats").await;
    loser.arrives_at("/checkout/").await;
    let holders: Vec<Option<String>> =
        vec![holdfast.flag(event, "stalls-A-4").await, holdfast.flag(event, "stalls-A-5").await];
    assert!(holders[0].is_some() && holders[0] == holders[1], "both seats are one hold's: {holders:?}");
    first.has_no_complaints();
    second.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_reasons_are_told_at_the_seat() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast
        .event(json!({
            "title": "Careful", "starts_at": "2031-05-01T19:00:00Z", "max_per_customer": 2,
            "categories": [{ "key": "a", "price": 1000 }],
            "sections": [{ "key": "s", "name": "Stalls", "category": "a", "rows": [{ "name": "A", "seats": 8 }] }],
        }))
        .await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.expects_status(409);

    page.presses_seat("s-A-2").await;
    page.click("button", "Hold these seats").await;
    page.sees("would leave a single seat alone").await;
    assert_eq!(holdfast.flag(event, "s-A-2").await, None);

    page.presses_seat("s-A-1").await;
    page.presses_seat("s-A-3").await;
    page.sees("as many as one customer may have").await;

    page.sees("€20.00").await;
    holdfast.sold(&holdfast.customer().await, event, &["s-A-1", "s-A-2"]).await;
    page.sees("2 of your seats were taken a moment ago").await;
    page.sees("Nearest alternative: Stalls, row A, seat 3; Stalls, row A, seat 4").await;
    page.presses_seat("s-A-1").await;
    page.sees("This seat is sold").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_waits_for_the_opening_opens_by_itself() {
    let holdfast = Holdfast::with_pages().await;
    let opens = time::OffsetDateTime::now_utc() + time::Duration::seconds(10);
    let opens = opens.format(&time::format_description::well_known::Rfc3339).expect("a moment");
    let event = holdfast
        .event(json!({ "title": "Soon", "starts_at": "2031-05-01T19:00:00Z", "sale_starts_at": opens,
                       "total_tickets": 10, "price": 1000 }))
        .await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.sees("Sale opens soon").await;
    assert!(!page.has("button", "Best available").await);
    page.click("button", "Best available").await;
    page.arrives_at("/checkout/").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_time_is_said_aloud_before_it_comes() {
    let holdfast = Holdfast::with_pages_and(|config| config.hold_seconds = 20).await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.click("button", "Best available").await;
    page.arrives_at("/checkout/").await;
    let said =
        "[...document.querySelectorAll('[aria-live=polite]')].map((one) => one.textContent).join().includes";
    page.comes_to(&format!("{said}('10 seconds left.')")).await;
    page.sees("Time left: 0:0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_whose_time_is_over_are_let_go_and_the_page_says_so() {
    let holdfast = Holdfast::with_pages_and(|config| config.hold_seconds = 2).await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.expects_status(410);
    page.click("button", "Best available").await;
    page.sees("These seats are no longer held for you").await;
    holdfast.anyone().sees_seat(event, "stalls-A-1", "free").await;
    page.reload().await;
    page.sees("These seats are no longer held for you").await;
    page.click("link", "Back to the seat map").await;
    page.sees("The time for your seats is over.").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_in_the_middle_of_anything_loses_nothing() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.presses_seat("stalls-C-1").await;
    page.sees("Stalls, row C, seat 1").await;
    page.reload().await;
    page.sees("Stalls, row C, seat 1").await;
    page.click("button", "Hold these seats").await;
    page.arrives_at("/checkout/").await;
    page.reload().await;
    page.sees("Stalls, row C, seat 1").await;
    page.click("button", "Pay €48.00").await;
    page.arrives_at("/pay/").await;
    page.reload().await;
    page.click("button", "Pay 48.00 EUR").await;
    let order = order_of(&page).await;
    page.reload().await;
    page.sees("Show the codes below at the door").await;
    page.reload().await;
    page.sees("Show the codes below at the door").await;
    assert_eq!(customer.order(&order).await["status"], "confirmed");
    // The browser's way back does not lead to a hold that is no more.
    page.eval::<Value>("history.back()").await;
    page.sees_not("no longer held").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_told_and_nothing_that_happened_meanwhile_is_missed() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.presses_seat("stalls-A-1").await;
    page.offline(true).await;
    page.sees("No connection. What you see may be old; we keep trying.").await;

    let other = holdfast.customer().await;
    let hold = other.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    holdfast.sold(&holdfast.customer().await, event, &["stalls-B-1"]).await;
    other.delete(&format!("/v1/holds/{}", hold["id"].as_str().expect("id"))).await;
    other.holds_seats(event, &["stalls-A-1"]).await.expect(201);

    page.offline(false).await;
    page.sees_seat("stalls-A-1", "held").await;
    page.sees_seat("stalls-A-2", "free").await;
    page.sees_seat("stalls-B-1", "sold").await;
    page.sees("One of your seats was taken a moment ago").await;
    page.sees_not("No connection.").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_streams_do_not_get_through_the_page_asks_instead() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.serve_instead(
        &format!("{}/v1/events/{event}/live", holdfast.url()),
        "text/plain",
        "no streams here",
    )
    .await;
    page.goto(&event_page(event)).await;
    page.sees("Live changes do not get through. We look every few seconds.").await;
    holdfast.customer().await.holds_seats(event, &["stalls-D-8"]).await.expect(201);
    page.sees_seat("stalls-D-8", "held").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_to_stand_are_counted_with_a_stepper() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast
        .event(json!({ "title": "Late Shift", "starts_at": "2031-05-01T19:00:00Z", "total_tickets": 5, "price": 1500,
                       "max_per_customer": 3 }))
        .await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.has_the_map().await;
    for _ in 0..4 {
        page.click("button", "One place more").await;
    }
    page.sees("€45.00").await;
    page.click("button", "Hold these seats").await;
    page.arrives_at("/checkout/").await;
    page.click("button", "Pay €45.00").await;
    page.click("button", "Pay 45.00 EUR").await;
    page.sees("Show the codes below at the door").await;
    let status = holdfast.anyone().get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!((&status["sold"], &status["available"]), (&json!(3), &json!(2)));
    page.has_no_complaints();
}
