//! What an organiser does on the pages beside selling: prepares, edits, gives away, takes tables home, looks back.

use holdfast::ids::EventId;
use serde_json::{Value, json};

use crate::support::browser::Page;
use crate::support::visits::event_page;
use crate::support::{Holdfast, eventually};

async fn organiser_at(holdfast: &Holdfast, path: &str) -> Page {
    holdfast.visitor_as(&holdfast.organiser(), "organiser", path).await
}

/// The organiser's only event.
async fn the_event(holdfast: &Holdfast) -> EventId {
    let events = holdfast.organiser().get("/v1/admin/events").await.expect(200);
    events["items"][0]["id"].as_str().expect("an id").parse().expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_prepared_unseen_changed_published_and_then_bought() {
    let holdfast = Holdfast::with_pages().await;
    let page = organiser_at(&holdfast, "/organise/new").await;
    page.type_into("textbox", "Title", "First Idea").await;
    page.choose("DateTime", "Starts", "2031-06-21T20:00").await;
    page.click("button", "Keep as a draft").await;
    page.sees("Nobody sees it but you").await;
    page.sees("Balcony Balcony · €29.00 96").await;
    page.waits_for("application", "Seat map").await;
    page.is_accessible().await;
    let event = the_event(&holdfast).await;
    assert_eq!(holdfast.anyone().get(&format!("/v1/events/{event}")).await.status, 404);

    page.goto("/organise").await;
    page.sees("Draft").await;
    page.click("link", "First Idea").await;
    // What belongs to a sale says that it comes later.
    page.goto(&format!("/organise/{event}/orders")).await;
    page.sees("the event is a draft so far").await;

    // Its words change without its places, and its places with everything else.
    page.click("link", "Edit").await;
    page.type_into("textbox", "Title", "Second Idea").await;
    page.click("checkbox", "Refuse a choice").await;
    page.click("button", "Save").await;
    page.sees("Nobody sees it but you").await;
    page.sees("Second Idea").await;
    page.sees("296 places.").await;
    page.click("link", "Change the draft").await;
    page.click("radio", "Rows of seats").await;
    page.type_into("textbox", "Currency", "usd").await;
    page.click("button", "Remove section 2").await;
    page.click("button", "Save").await;
    page.sees("200 places.").await;
    let now = holdfast.organiser().get(&format!("/v1/admin/events/{event}")).await.expect(200);
    assert_eq!(
        (&now["title"], &now["orphan_rule"], &now["currency"], &now["status"]),
        (&json!("Second Idea"), &json!(false), &json!("usd"), &json!("draft"))
    );

    page.click("button", "Publish").await;
    page.sees("Dashboard").await;
    page.sees("Free 200").await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    page.sees("Sold 1").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_thrown_away_only_after_a_second_word() {
    let holdfast = Holdfast::with_pages().await;
    let form = json!({ "title": "Never Mind", "starts_at": "2031-05-01T19:00:00Z", "total_tickets": 5, "draft": true });
    holdfast.organiser().post("/v1/admin/events", form).await.expect(201);
    let event = the_event(&holdfast).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.click("button", "Throw away").await;
    page.is_accessible().await;
    page.click("button", "Keep it").await;
    holdfast.organiser().get(&format!("/v1/admin/events/{event}")).await.expect(200);
    page.click("button", "Throw away").await;
    page.click("button", "Throw the draft away").await;
    page.sees("No events yet.").await;
    assert_eq!(holdfast.organiser().get(&format!("/v1/admin/events/{event}")).await.status, 404);
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_has_no_field_for_survives_when_a_drafts_places_are_described_anew() {
    let holdfast = Holdfast::with_pages().await;
    let form = json!({ "title": "Next Year", "starts_at": "2031-05-01T19:00:00Z", "total_tickets": 5, "draft": true,
                       "hold_seconds": 120, "offer_seconds": 90, "room_minutes": 15, "waitlist": false });
    holdfast.organiser().post("/v1/admin/events", form).await.expect(201);
    let event = the_event(&holdfast).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}/edit")).await;
    page.click("radio", "Standing places").await;
    page.type_into("textbox", "How many places", "77").await;
    page.click("button", "Save").await;
    page.sees("77 places.").await;
    let now = holdfast.organiser().get(&format!("/v1/admin/events/{event}")).await.expect(200);
    assert_eq!(
        (
            &now["hold_seconds"],
            &now["offer_seconds"],
            &now["room_minutes"],
            &now["waitlist"],
            &now["starts_at"]
        ),
        (&json!(120), &json!(90), &json!(15), &json!(false), &json!("2031-05-01T19:00:00Z"))
    );
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_on_sale_is_edited_field_by_field_and_customers_see_it() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let path = format!("/v1/admin/events/{event}");
    let limit = json!({ "max_per_customer": 4, "sale_ends_at": "2031-04-30T10:00:00Z", "offer_seconds": 90 });
    holdfast.organiser().patch(&path, limit).await.expect(200);
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.expects_status(422);
    page.click("link", "Edit").await;
    page.sees("The Tempest").await;
    page.sees("1.5").await;

    // Faults are told at their fields, by whoever finds them; and nothing is changed by half.
    page.type_into("textbox", "Title", "").await;
    page.type_into("textbox", "Most seats a customer", "many").await;
    page.click("button", "Save").await;
    page.sees("Title: is needed").await;
    page.sees("“many” is not a whole number").await;
    let at = "(() => { const field = [...document.querySelectorAll('label')].find(one => one.textContent.startsWith('Most seats'));
              const input = document.getElementById(field.htmlFor);
              return [input.getAttribute('aria-invalid'), document.getElementById(input.getAttribute('aria-describedby')).textContent] })()";
    let told: Value = page.eval(at).await;
    assert_eq!(told, json!(["true", "“many” is not a whole number"]));
    page.is_accessible().await;
    page.type_into("textbox", "Title", "The Storm").await;
    page.type_into("textbox", "Most seats a customer", "").await;
    page.type_into("textbox", "Minutes that a waiting party", "2").await;
    page.choose("DateTime", "Sale closes", "2030-01-01T10:00").await;
    page.choose("DateTime", "Sale opens", "2030-02-01T10:00").await;
    page.click("button", "Save").await;
    page.sees("Sale closes (empty: when it starts): must be after").await;
    page.choose("DateTime", "Sale closes", "").await;
    page.click("button", "Save").await;
    page.sees("Saved. Customers see it from now on.").await;
    let now = holdfast.anyone().get(&format!("/v1/events/{event}")).await.expect(200);
    assert_eq!(
        (&now["title"], &now["max_per_customer"], &now["sale_ends_at"], &now["offer_seconds"], &now["venue"]),
        (&json!("The Storm"), &Value::Null, &Value::Null, &json!(120), &json!("Harbour Theatre"))
    );
    assert_eq!(now["starts_at"], "2031-05-01T19:00:00Z", "what was not touched is not moved");
    let customer = holdfast.visitor().await;
    customer.goto(&event_page(event)).await;
    customer.sees("The sale opens Feb 1, 2030").await;
    customer.sees("The Storm").await;

    // What nobody has touched is not sent again: meanwhile somebody else may have changed it.
    holdfast.organiser().patch(&path, json!({ "venue": "Old Mill" })).await.expect(200);
    page.click("button", "Save").await;
    page.sees("Nothing has changed.").await;
    page.choose("DateTime", "Sale opens", "").await;
    page.click("button", "Save").await;
    page.sees("Saved. Customers see it from now on.").await;
    let now = holdfast.anyone().get(&format!("/v1/events/{event}")).await.expect(200);
    assert_eq!((&now["venue"], &now["status"]), (&json!("Old Mill"), &json!("on_sale")));
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_and_free_seats_are_given_to_a_guest_and_may_be_taken_back() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let path = format!("/v1/admin/events/{event}");
    let block = json!({ "seats": ["stalls-A-1"], "reason": "press" });
    holdfast.organiser().post(&format!("{path}/seats/block"), block).await.expect(200);
    let page = organiser_at(&holdfast, &format!("/organise/{event}/seats")).await;
    page.expects_status(422);
    page.presses_seat("stalls-A-1").await;
    page.presses_seat("stalls-A-2").await;
    page.type_into("textbox", "Reason", "press").await;
    page.type_into("textbox", "Guest’s e-mail", "nowhere").await;
    page.click("button", "Give 2 seats").await;
    page.sees("is not an address").await;
    page.is_accessible().await;
    page.type_into("textbox", "Guest’s name", "Grace Guest").await;
    page.type_into("textbox", "Guest’s e-mail", "grace@example.com").await;
    page.click("button", "Give 2 seats").await;
    page.sees("2 seats are given to Grace Guest.").await;
    for seat in ["stalls-A-1", "stalls-A-2"] {
        assert!(holdfast.is_sold(event, seat).await, "{seat}");
        page.sees_seat(seat, "sold").await;
    }

    page.goto(&format!("/organise/{event}")).await;
    page.sees("Given away 2").await;
    page.goto(&format!("/organise/{event}/orders")).await;
    page.sees("Grace Guest").await;
    page.sees("given away").await;
    page.click("button", "Take back the seats of Grace Guest").await;
    page.click("button", "Take the seats back").await;
    page.sees("Cancelled").await;
    holdfast.anyone().sees_seat(event, "stalls-A-1", "free").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_a_customer_holds_is_not_given_away_and_says_so() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}/seats")).await;
    page.expects_status(409);
    page.presses_seat("stalls-A-1").await;
    page.presses_seat("stalls-A-2").await;
    page.type_into("textbox", "Guest’s name", "Grace Guest").await;
    page.type_into("textbox", "Guest’s e-mail", "grace@example.com").await;
    // The page has not heard of it when the button is pressed.
    page.eval::<Value>("(document.querySelector('seat-map').picture.dispatchEvent = () => true, null)").await;
    holdfast.customer().await.holds_seats(event, &["stalls-A-2"]).await.expect(201);
    page.click("button", "Give 2 seats").await;
    page.sees("Not all of these seats can be had.").await;
    let told: Value = page.eval("[...document.querySelector('seat-map').notes.values()]").await;
    assert_eq!(told, json!(["held"]));
    assert!(!holdfast.is_sold(event, "stalls-A-1").await, "all or none");
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_event_shows_how_far_its_refunds_are_until_all_are_back() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    for seat in ["stalls-A-1", "stalls-A-2"] {
        holdfast.sold(&holdfast.customer().await, event, &[seat]).await;
    }
    holdfast.stripe_fails("refund", 500).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.click("button", "Cancel the event").await;
    page.click("button", "Cancel the event for everybody").await;
    page.sees("0 of 2 payments are back.").await;
    page.waits_for("progressbar", "This event is being called off").await;
    page.is_accessible().await;
    holdfast.stripe_recovers().await;
    page.sees("Everything is called off, and all 2 payments are back.").await;
    page.comes_to("document.querySelector('progress').position === 1").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_read_by_section_and_day_and_taken_home_as_tables() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast
        .event(json!({
            "title": "Two Tiers", "starts_at": "2031-05-01T19:00:00Z", "orphan_rule": false,
            "categories": [{ "key": "gold", "price": 5000 }, { "key": "tin", "price": 1000 }],
            "sections": [{ "key": "stalls", "name": "Parquet", "category": "gold", "rows": [{ "name": "A", "seats": 4 }] },
                         { "key": "balcony", "name": "Gods", "category": "tin", "rows": [{ "name": "A", "seats": 4 }] }],
        }))
        .await;
    holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1", "stalls-A-2", "balcony-A-1"]).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.sees("Parquet 2 €100.00").await;
    page.sees("Gods 1 €10.00").await;
    page.sees("By day (UTC)").await;
    let (name, text) = page.downloads_by("Download by section as CSV").await;
    assert_eq!(name, format!("by-section-{event}.csv"));
    assert_eq!(text, "\u{feff}section,sold,revenue,currency\r\nbalcony,1,1000,eur\r\nstalls,2,10000,eur\r\n");
    let (name, text) = page.downloads_by("Download all orders as CSV").await;
    assert_eq!(name, format!("orders-{event}.csv"));
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("stalls-A-2,stalls,A,2,gold,5000"), "{text}");
    for by in ["category", "day"] {
        let (_, text) = page.downloads_by(&format!("Download by {by} as CSV")).await;
        assert!(text.starts_with(&format!("\u{feff}{by},sold")), "{text}");
    }
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_who_blocked_what_and_why_and_leads_to_the_order() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let path = format!("/v1/admin/events/{event}");
    let block = json!({ "seats": ["stalls-A-1"], "reason": "technical desk" });
    holdfast.organiser().post(&format!("{path}/seats/block"), block).await.expect(200);
    holdfast.organiser().patch(&path, json!({ "venue": "Old Mill" })).await.expect(200);
    holdfast.sold(&holdfast.customer().await, event, &["stalls-B-1"]).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.click("link", "Log").await;
    page.sees("A organiser Blocked seats stalls-A-1 technical desk").await;
    page.sees("Changed the event venue").await;
    page.sees("The payment provider Order: Confirmed A customer").await;
    page.goto(&format!("/organise/{event}/log?actor={}", holdfast.organiser_id())).await;
    page.sees("Blocked seats").await;
    page.sees_not("The payment provider").await;
    page.click("link", "Show everything").await;
    page.sees("The payment provider").await;
    let first =
        "[...document.querySelectorAll('td a')].find(link => link.textContent === 'A customer').click()";
    page.eval::<Value>(&format!("({first}, null)")).await;
    page.sees("Stalls, row B, seat 1").await;
    page.has_no_complaints();
    eventually("the log is paged", async || {
        let log = holdfast.organiser().get(&format!("{path}/log?limit=2")).await.expect(200);
        log["next"].is_string().then_some(())
    })
    .await;
}
