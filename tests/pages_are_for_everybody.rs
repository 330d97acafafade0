//! The pages work for whoever comes: by ear, by keyboard, on a small screen, in the dark, on a slow line.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::browser::Page;
use crate::support::journeys::id;
use crate::support::visits::event_page;
use crate::support::{Client, Holdfast};

/// A page, who may see it, and what it shows when it is complete.
struct Stop {
    path: String,
    role: &'static str,
    shows: &'static str,
}

/// A house with one of everything, and a customer who has been at all of it.
async fn a_lived_in_house(holdfast: &Holdfast) -> (Client, Vec<Stop>) {
    let event = holdfast
        .event(json!({
            "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z",
            "description": "A storm and a reckoning.", "orphan_rule": false,
            "categories": [
                { "key": "gold", "name": "Gold", "price": 4800 }, { "key": "silver", "name": "Silver", "price": 2900 },
            ],
            "sections": [
                { "key": "stalls", "name": "Stalls", "category": "gold", "rows": [
                    { "name": "A", "seats": [{ "name": "1", "accessible": true }, "2", "3", "4", "5", "6"] },
                    { "name": "B", "seats": 6 },
                ] },
                { "key": "balcony", "name": "Balcony", "category": "silver", "rows": [{ "name": "A", "seats": 8 }] },
            ],
            "areas": [{ "key": "floor", "name": "Floor", "category": "silver", "capacity": 20 }],
        }))
        .await;
    let customer = holdfast.customer().await;
    let sold = holdfast.sold(&customer, event, &["stalls-A-1"]).await;
    let open = customer.orders(event, &["stalls-A-2"]).await;
    let hold = customer.holds_seats(event, &["stalls-A-3"]).await.expect(201);
    let gone = customer.orders(event, &["stalls-B-1"]).await;
    customer.cancels(&gone).await.expect(200);
    let draft = json!({ "title": "Next Year", "starts_at": "2032-05-01T19:00:00Z", "total_tickets": 50, "draft": true });
    let draft = holdfast.organiser().post("/v1/admin/events", draft).await.expect(201);
    let of = |kind: &str, thing: &Value| format!("/{kind}/{}", id(thing));
    let stop = |path: String, role, shows| Stop { path, role, shows };
    let stops = vec![
        stop("/".to_owned(), "customer", "The Tempest"),
        stop(event_page(event), "customer", "Nothing chosen yet"),
        stop(of("checkout", &hold), "customer", "Time left"),
        stop("/orders".to_owned(), "customer", "The Tempest"),
        stop(of("orders", &sold), "customer", "Show the codes below"),
        stop(of("orders", &open), "customer", "Please pay by"),
        stop(of("orders", &gone), "customer", "Try the same seats again"),
        stop(format!("/orders/{event}"), "customer", "There is no such order"),
        stop("/organise".to_owned(), "organiser", "1 sold"),
        stop("/organise/new".to_owned(), "organiser", "Open the sale"),
        stop("/organise/hooks".to_owned(), "organiser", "A new endpoint"),
        stop(format!("/organise/{event}"), "organiser", "By category"),
        stop(format!("/organise/{event}/waiting"), "organiser", "Nobody waits."),
        stop(format!("/organise/{event}/seats"), "organiser", "0 free and 0 blocked"),
        stop(format!("/organise/{event}/orders"), "organiser", "Confirmed"),
        stop(format!("/organise/{event}/door"), "organiser", "Let in"),
        stop(format!("/organise/{event}/edit"), "organiser", "Save"),
        stop(format!("/organise/{event}/log"), "organiser", "Order: Confirmed"),
        stop(format!("/organise/{}", id(&draft)), "organiser", "This is a draft."),
        stop(format!("/organise/{}/edit", id(&draft)), "organiser", "Leave the places as they are"),
        stop(format!("/organise/{}/log", id(&draft)), "organiser", "Prepared the event"),
        stop(format!("/organise/{}/seats", id(&draft)), "organiser", "the event is a draft so far"),
        stop("/admin/accounts".to_owned(), "admin", "This is you."),
        stop("/admin/log".to_owned(), "admin", "Prepared the event"),
    ];
    (customer, stops)
}

/// Browsers that may see everything between them: a customer's, an organiser's and an administrator's.
async fn visitors(holdfast: &Holdfast, customer: &Client) -> [(&'static str, Page); 3] {
    let pages = [
        ("customer", holdfast.visitor_as(customer, "customer", "/").await),
        ("organiser", holdfast.visitor_as(&holdfast.organiser(), "organiser", "/").await),
        ("admin", holdfast.visitor_as(&holdfast.admin().await, "admin", "/").await),
    ];
    for (_, page) in &pages {
        page.expects_status(404);
    }
    pages
}

/// Visits every page, and looks at each.
async fn tour(pages: &[(&str, Page)], stops: &[Stop], look: impl AsyncFn(&Page, &str)) {
    for Stop { path, role, shows } in stops {
        let (_, page) = pages.iter().find(|(who, _)| who == role).expect("somebody may see it");
        page.goto(path).await;
        page.sees(shows).await;
        look(page, path).await;
        page.has_no_complaints();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_in_light_and_in_dark() {
    let holdfast = Holdfast::with_pages().await;
    let (customer, stops) = a_lived_in_house(&holdfast).await;
    let pages = visitors(&holdfast, &customer).await;
    tour(&pages, &stops, async |page, _| page.is_accessible().await).await;
    for (_, page) in &pages {
        page.in_dark().await;
    }
    tour(&pages, &stops, async |page, _| page.is_accessible().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_on_a_page_is_accessible_too() {
    let holdfast = Holdfast::with_pages().await;
    let (customer, stops) = a_lived_in_house(&holdfast).await;
    let event = &stops[1].path;
    let stranger = holdfast.visitor().await;
    stranger.goto(event).await;
    stranger.click("button", "Sign in").await;
    stranger.is_accessible().await;
    stranger.click("button", "I am new here").await;
    stranger.is_accessible().await;
    stranger.click("button", "Close").await;

    stranger.presses_seat("stalls-A-5").await;
    stranger.click("DisclosureTriangle", "Choose from a list").await;
    stranger.click("button", "Stalls €48.00 9 free").await;
    stranger.click("button", "Row A").await;
    stranger.is_accessible().await;

    let page = holdfast.visitor_as(&customer, "customer", &stops[4].path).await;
    page.click("button", "Cancel this order").await;
    page.is_accessible().await;
    page.goto(&stops[5].path).await;
    page.click("link", "Pay").await;
    page.arrives_at("/pay/").await;
    page.is_accessible().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_screen_of_320_pixels() {
    let holdfast = Holdfast::with_pages().await;
    let (customer, stops) = a_lived_in_house(&holdfast).await;
    let pages = visitors(&holdfast, &customer).await;
    for (_, page) in &pages {
        page.sized(320, 640).await;
    }
    tour(&pages, &stops, async |page, path| {
        let wide: i32 = page.eval("document.documentElement.scrollWidth").await;
        assert!(wide <= 320, "{path} is {wide} pixels wide");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_page_moves_when_seats_change() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.has_the_map().await;
    let before = page.layout_shift().await;
    assert!(before < 0.1, "the page settles quietly: {before}");
    let other = holdfast.customer().await;
    for seat in ["stalls-A-1", "stalls-B-5", "stalls-D-8"] {
        other.holds_seats(event, &[seat]).await.expect(201);
        page.sees_seat(seat, "held").await;
    }
    page.sees("29 free").await;
    let moved = page.layout_shift().await - before;
    assert!(moved == 0.0, "the page moved by {moved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_look_at_the_theatre_fits_in_150_kilobytes() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast
        .event(json!({
            "title": "The Tempest", "starts_at": "2031-05-01T19:00:00Z",
            "categories": [{ "key": "gold", "price": 4800 }],
            "sections": [{ "key": "stalls", "category": "gold",
                           "rows": (0..10).map(|row| json!({ "name": row.to_string(), "seats": 16 })).collect::<Vec<_>>() }],
        }))
        .await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.has_the_map().await;
    let bytes = page.transferred();
    assert!((10_000..150_000).contains(&bytes), "{bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_less_movement_gets_jumps_instead_of_flights() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto(&event_page(event)).await;
    page.has_the_map().await;
    let zooms = "(() => { const {camera} = document.querySelector('seat-map'); const before = camera.scale;
                          camera.step(1.5); return camera.scale > before * 1.4 })()";
    assert!(!page.eval::<bool>(zooms).await, "in between there is a flight");
    page.reduces_motion().await;
    page.reload().await;
    page.has_the_map().await;
    assert!(page.eval::<bool>(zooms).await, "it is there at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_pans_and_zooms_with_fingers() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.sized(390, 844).await;
    page.goto(&event_page(event)).await;
    page.has_the_map().await;
    let scale = "document.querySelector('seat-map').camera.scale";
    page.presses_seat("stalls-B-4").await;
    let before: f64 = page.eval(scale).await;
    page.pinch(195.0, 420.0, 2.0).await;
    let after: f64 = page.eval(scale).await;
    assert!(after > before * 1.5, "from {before} to {after}");
    page.sees("Stalls, row B, seat 4").await;
    let chosen: i32 = page.eval("document.querySelector('seat-map').sum.count").await;
    assert_eq!(chosen, 1, "two fingers choose nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_lives_on_other_peoples_pages_too() {
    let shop = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", shop.local_addr().expect("an address"));
    let allowed = origin.clone();
    let holdfast =
        Holdfast::with_pages_and(|config| config.cors_origins = vec![allowed.parse().expect("an origin")])
            .await;
    let event = holdfast.theatre().await;
    let html = format!(
        "<!doctype html><title>A shop</title><script type=module src=\"{0}/web/seat-map.js\"></script>
         <h1>Somebody else's shop</h1><seat-map event=\"{event}\" api=\"{0}\" limit=\"2\"></seat-map>",
        holdfast.url()
    );
    let site = Router::new().route("/", get(|| async { Html(html) }));
    tokio::spawn(async move { axum::serve(shop, site).await });

    let page = holdfast.visitor().await;
    page.goto(&format!("{origin}/")).await;
    page.presses_seat("stalls-A-1").await;
    page.presses_seat("stalls-A-2").await;
    page.presses_seat("stalls-A-3").await;
    page.sees("as many as one customer may have").await;
    let choice: Value = page.eval("document.querySelector('seat-map').choice").await;
    assert_eq!(choice, json!({ "seats": ["stalls-A-1", "stalls-A-2"], "areas": {} }));
    holdfast.customer().await.holds_seats(event, &["stalls-C-3"]).await.expect(201);
    page.sees_seat("stalls-C-3", "held").await;

    let closed = Holdfast::with_pages().await;
    let refused = closed.anyone().request(Method::GET, "/v1/events").header("Origin", &origin);
    assert_eq!(closed.anyone().send(refused).await.header("access-control-allow-origin"), None);
}
