//! The pictures of the README: the main pages of a sale that is under way.

use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::browser::Page;
use crate::support::journeys::id;
use crate::support::visits::event_page;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pictures");

fn theatre() -> Value {
    let rows = |names: std::ops::RangeInclusive<char>, seats: u32, aisle: u32| -> Vec<Value> {
        names.map(|row| json!({ "name": row.to_string(), "seats": seats, "aisles_after": [aisle] })).collect()
    };
    json!({
        "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z", "max_per_customer": 8,
        "description": "A storm, an island and a reckoning, in two hours without an interval.", "orphan_rule": false,
        "categories": [{ "key": "gold", "name": "Stalls", "price": 4800 }, { "key": "silver", "name": "Balcony", "price": 2900 }],
        "sections": [
            { "key": "stalls", "name": "Stalls", "category": "gold", "rows": rows('A'..='H', 18, 9) },
            { "key": "balcony", "name": "Balcony", "category": "silver", "rows": rows('J'..='L', 20, 10) },
        ],
    })
}

pub async fn take() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.event(theatre()).await;
    let customer = holdfast.customer().await;
    for (row, seats) in [('A', 5..=10), ('B', 3..=8), ('C', 9..=14), ('E', 1..=4)] {
        let buyer = holdfast.customer().await;
        let seats: Vec<_> = seats.map(|seat| format!("stalls-{row}-{seat}")).collect();
        let seats: Vec<_> = seats.iter().map(String::as_str).collect();
        holdfast.sold(&buyer, event, &seats).await;
    }
    for (row, seat) in [('D', 7), ('D', 8), ('F', 12), ('F', 13)] {
        holdfast.customer().await.holds_seats(event, &[&format!("stalls-{row}-{seat}")]).await.expect(201);
    }
    let desk = json!({ "seats": ["stalls-H-1", "stalls-H-2", "stalls-H-3"], "reason": "technical desk" });
    holdfast.organiser().post(&format!("/v1/admin/events/{event}/seats/block"), desk).await.expect(200);

    let page = holdfast.visitor_as(&customer, "customer", &event_page(event)).await;
    page.sized(1280, 980).await;
    page.presses_seat("stalls-D-10").await;
    page.presses_seat("stalls-D-11").await;
    picture(&page, "seat-map", "main").await;
    page.in_dark().await;
    page.sized(390, 844).await;
    picture(&page, "phone", "seat-map").await;

    let order = holdfast.sold(&customer, event, &["stalls-G-9", "stalls-G-10"]).await;
    let page = holdfast.visitor_as(&customer, "customer", &format!("/orders/{}", id(&order))).await;
    page.sized(1280, 900).await;
    page.waits_for("img", "QR code of the ticket for Stalls, row G, seat 10").await;
    picture(&page, "order", "main").await;

    let page = holdfast.visitor_as(&holdfast.organiser(), "organiser", &format!("/organise/{event}")).await;
    page.sized(1280, 900).await;
    page.sees("By category").await;
    // Something must happen for a live plot to show it.
    for seat in 1..=9 {
        let customer = holdfast.customer().await;
        let seats = [format!("balcony-J-{seat}"), format!("balcony-K-{seat}")];
        let seats: Vec<_> = seats.iter().map(String::as_str).collect();
        if seat % 3 == 0 {
            holdfast.sold(&customer, event, &seats).await;
        } else {
            customer.holds_seats(event, &seats).await.expect(201);
        }
        tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    }
    page.comes_to("document.querySelectorAll('polyline')[0]?.points.length > 12").await;
    picture(&page, "dashboard", "main").await;
}

/// Takes a picture with a part of the page at its top, once everything has come to rest.
async fn picture(page: &Page, name: &str, top: &str) {
    let rests = format!(
        "(scrollTo(0, {top:?} === 'main' ? 0 : document.querySelector({top:?}).offsetTop - 8),
          new Promise(done => setTimeout(() => done(null), 700)))"
    );
    page.eval::<Value>(&rests).await;
    page.screenshot(format!("{FOLDER}/{name}.png")).await;
    println!("docs/pictures/{name}.png");
}
