//! Tickets on the pages: a door that goes on without connection, a desk that moves people, files for telephones and printers.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use holdfast::ids::EventId;
use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::browser::Page;
use crate::support::journeys::id;
use crate::support::papers::{code_in_png, sheets};
use crate::support::visits::event_page;

async fn organiser_at(holdfast: &Holdfast, event: EventId, page: &str) -> Page {
    holdfast.visitor_as(&holdfast.organiser(), "organiser", &format!("/organise/{event}/{page}")).await
}

fn code(order: &Value, at: usize) -> &str {
    order["tickets"][at]["code"].as_str().expect("a code")
}

async fn scans(page: &Page, code: &str) {
    page.type_into("textbox", "Ticket code", code).await;
    page.press("Enter").await;
}

/// Notes what the page saves, since a browser without a window saves nothing.
const NOTE_FILES: &str = "(() => {
  window.files = [];
  const make = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (file) => { window.files.push(file); return make(file); };
  HTMLAnchorElement.prototype.click = function () { window.saved = this.download; };
  return null;
})()";

/// The newest file that the page has saved under this name.
async fn saved(page: &Page, name: &str) -> Vec<u8> {
    page.comes_to(&format!("window.saved === {}", json!(name))).await;
    let text: String = page
        .eval("window.files.at(-1).arrayBuffer().then(all => btoa(String.fromCharCode(...new Uint8Array(all))))")
        .await;
    BASE64_STANDARD.decode(text).expect("base64")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_knows_a_forged_code_and_goes_on_when_the_cable_is_pulled() {
    let holdfast = Holdfast::with_pages().await;
    let (event, other) = (holdfast.theatre().await, holdfast.theatre().await);
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2", "stalls-A-3"]).await;
    let elsewhere = holdfast.sold(&ada, other, &["stalls-A-1"]).await;
    let page = organiser_at(&holdfast, event, "door").await;
    page.sees("Scan the code").await;

    // Told at once, and nobody is asked: the service has not counted it.
    let mut forged = code(&order, 0).to_owned();
    forged.replace_range(40..44, "ZZZZ");
    scans(&page, &forged).await;
    page.sees("Not one of ours").await;
    let mut unknown_key = code(&order, 0).to_owned();
    unknown_key.replace_range(4..8, "ZZZZ");
    scans(&page, &unknown_key).await;
    page.comes_to("document.querySelectorAll('ol.history li').length === 2").await;
    scans(&page, "HF1.NONSENSE").await;
    page.sees("forged or was misread").await;
    assert!(!holdfast.anyone().get_text("/metrics").await.contains("check_ins_total{"));
    scans(&page, &code(&order, 0).to_lowercase()).await;
    page.sees("Welcome, A customer: Stalls, row A, seat 1").await;

    page.offline(true).await;
    scans(&page, code(&order, 1)).await;
    page.sees("? Genuine ticket, not checked against the list").await;
    scans(&page, code(&order, 1)).await;
    page.sees("This ticket was shown here already").await;
    scans(&page, code(&order, 2)).await;
    page.sees("2 scans wait to be checked against the list.").await;
    // What was let in before the cable was pulled is remembered as well.
    scans(&page, code(&order, 0)).await;
    page.comes_to("document.querySelector('.door[role=status]').textContent.includes('shown here already')")
        .await;
    scans(&page, code(&elsewhere, 0)).await;
    page.sees("This ticket is for another event.").await;
    scans(&page, &forged).await;
    page.comes_to("document.querySelector('.door[role=status]').textContent.includes('Not one of ours')")
        .await;
    scans(&page, &code(&order, 0)[144..]).await;
    page.sees("this code cannot be checked without it").await;
    assert_eq!(ada.order(&order).await["tickets"][1]["checked_in_at"], Value::Null);
    page.is_accessible().await;

    // Meanwhile another door, with connection, lets somebody in with the third ticket.
    let scan = json!({ "code": code(&order, 2), "event_id": event });
    holdfast.organiser().post("/v1/admin/tickets/check-in", scan).await.expect(200);
    page.expects_status(409);
    page.offline(false).await;
    page.sees("without connection. Welcome, A customer: Stalls, row A, seat 2").await;
    page.sees("without connection. Already let in").await;
    page.sees_not("wait to be checked").await;
    let now = ada.order(&order).await;
    assert!(now["tickets"].as_array().expect("tickets").iter().all(|one| one["checked_in_at"].is_string()));
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_that_wait_outlive_the_page() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let page = organiser_at(&holdfast, event, "door").await;
    page.sees("Scan the code").await;
    page.offline(true).await;
    scans(&page, code(&order, 0)).await;
    page.sees("1 scan waits to be checked against the list.").await;
    // The page is closed before there is a connection again, and opened later.
    let later = page.another_tab().await;
    drop(page);
    later.offline(false).await;
    later.goto(&format!("/organise/{event}/door")).await;
    let page = later;
    page.sees("without connection. Welcome, A customer: Stalls, row A, seat 1").await;
    assert!(ada.order(&order).await["tickets"][0]["checked_in_at"].is_string());
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_moves_a_ticket_and_everybody_sees_it() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    holdfast.sold(&ben, event, &["stalls-B-1"]).await;
    let map = holdfast.visitor().await;
    map.goto(&event_page(event)).await;
    map.has_the_map().await;
    map.sees_seat("stalls-A-1", "sold").await;

    let page = organiser_at(&holdfast, event, "orders").await;
    page.expects_status(409);
    page.expects_status(422);
    page.type_into("searchbox", "Name, e-mail", "stalls-A-1").await;
    page.click("button", "Search").await;
    page.sees_not("Stalls, row B, seat 1").await;
    page.click("button", "Tickets of A customer").await;
    page.sees("Not let in yet").await;
    page.click("button", "Move Stalls, row A, seat 1").await;
    page.comes_to("document.querySelectorAll('datalist option').length === 30").await;
    for (seat, words) in [("stalls-B-1", "This seat is sold."), ("stalls-Z-1", "There is no such seat here.")]
    {
        page.type_into("combobox", "New seat", seat).await;
        page.click("button", "Move the ticket").await;
        page.sees(words).await;
    }
    page.is_accessible().await;
    page.type_into("combobox", "New seat", "stalls-C-5").await;
    page.type_into("textbox", "Reason", "broken seat").await;
    page.click("button", "Move the ticket").await;
    page.sees("Moved to Stalls, row C, seat 5.").await;
    map.sees_seat("stalls-A-1", "free").await;
    map.sees_seat("stalls-C-5", "sold").await;
    let now = ada.order(&order).await;
    assert_eq!(
        (&now["tickets"][0]["seat_id"], &now["tickets"][0]["issue"]),
        (&json!("stalls-C-5"), &json!(2))
    );

    // Let in, taken back, and all of it told.
    let scan = json!({ "code": now["tickets"][0]["code"] });
    holdfast.organiser().post("/v1/admin/tickets/check-in", scan).await.expect(200);
    page.click("button", "Close").await;
    page.type_into("searchbox", "Name, e-mail", "stalls-C-5").await;
    page.click("button", "Search").await;
    page.click("button", "Tickets of A customer").await;
    page.sees("Let in").await;
    page.click("button", "Undo the check-in of").await;
    page.click("button", "Take it back").await;
    page.sees("reason").await;
    page.type_into("textbox", "Reason", "the wrong one").await;
    page.click("button", "Take it back").await;
    page.sees("is taken back.").await;
    page.sees("Not let in yet").await;
    page.click("button", "History of").await;
    page.sees("moved from stalls-A-1 to stalls-C-5, A organiser. broken seat").await;
    page.sees("check-in taken back, A organiser. the wrong one").await;
    page.is_accessible().await;
    page.has_no_complaints();

    let hers = holdfast.visitor_as(&ada, "customer", &format!("/orders/{}", id(&order))).await;
    hers.sees("Stalls, row C, seat 5").await;
    hers.sees("You have another seat than before.").await;
    hers.has_no_complaints();
    map.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_saves_the_tickets_the_picture_of_a_code_and_the_date() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let page = holdfast.visitor_as(&ada, "customer", &format!("/orders/{}", id(&order))).await;
    page.eval::<Value>(NOTE_FILES).await;
    page.click("button", "Download the tickets (PDF)").await;
    let paper = sheets(&saved(&page, "tickets.pdf").await);
    assert_eq!(
        paper.iter().map(|sheet| sheet.code.as_str()).collect::<Vec<_>>(),
        [code(&order, 0), code(&order, 1)]
    );
    page.click("button", "Save the code as a picture: Stalls, row A, seat 2").await;
    assert_eq!(code_in_png(&saved(&page, "ticket-stalls-A-2.png").await), code(&order, 1));
    page.click("button", "Add to calendar").await;
    let calendar = String::from_utf8(saved(&page, "event.ics").await).expect("UTF-8");
    assert!(calendar.contains("SUMMARY:The Tempest\r\n"), "{calendar}");
    let end = &code(&order, 0)[144..];
    page.sees(&format!("To type: {} {} {}", &end[..4], &end[4..8], &end[8..])).await;

    page.sized(320, 800).await;
    page.is_accessible().await;
    page.comes_to("document.documentElement.scrollWidth <= 320").await;
    // Called off in another place: what is left on the page saves nothing, and says so.
    page.expects_status(409);
    ada.cancels(&order).await.expect(200);
    page.click("button", "Download the tickets (PDF)").await;
    page.sees("That is no longer possible.").await;
    page.has_no_complaints();
}
