//! An organiser's day on the pages: an event is made, sold, watched, changed and let in.

use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::browser::Page;

/// Opens the organiser's pages at a path.
async fn organiser_at(holdfast: &Holdfast, path: &str) -> Page {
    holdfast.visitor_as(&holdfast.organiser(), "organiser", path).await
}

async fn pastes(page: &Page, chart: &str) {
    page.click("radio", "A chart from a file").await;
    page.type_into("textbox", "The chart, pasted", chart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_made_from_a_few_fields_and_sold_at_once() {
    let holdfast = Holdfast::with_pages().await;
    let page = organiser_at(&holdfast, "/organise").await;
    page.expects_status(422);
    page.sees("No events yet.").await;
    page.click("link", "New event").await;

    // Everything that is missing or wrong is named, in words.
    page.type_into("textbox", "Currency", "x1").await;
    page.click("button", "Open the sale").await;
    page.sees("Please mend this first:").await;
    page.sees("Title: is needed").await;
    page.sees("Starts: is needed").await;
    page.sees("Currency:").await;

    page.type_into("textbox", "Currency", "eur").await;
    page.type_into("textbox", "Most seats a customer", "some").await;
    page.click("button", "Preview").await;
    page.sees("Most seats a customer (empty: no limit): “some” is not a whole number").await;
    page.type_into("textbox", "Most seats a customer", "8").await;
    page.type_into("textbox", "Title", "A Midsummer Night").await;
    page.choose("DateTime", "Starts", "2031-06-21T20:00").await;
    page.click("button", "Preview").await;
    page.sees("296 places. This is how customers will see it.").await;
    page.waits_for("application", "Seat map").await;
    page.click("button", "Open the sale").await;
    page.arrives_at("/organise/").await;
    page.sees("Dashboard").await;
    page.sees("296").await;

    let events = holdfast.anyone().get("/v1/events").await.expect(200);
    let event = &events["items"][0];
    assert_eq!((&event["title"], &event["seats"]), (&json!("A Midsummer Night"), &json!(296)));
    let customer = holdfast.customer().await;
    customer
        .holds(
            event["id"].as_str().expect("id").parse().expect("an id"),
            json!({ "best": { "quantity": 2 } }),
        )
        .await
        .expect(201);
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_comes_from_a_table_or_from_json_and_its_faults_are_named_by_line() {
    let holdfast = Holdfast::with_pages().await;
    let page = organiser_at(&holdfast, "/organise/new").await;
    page.expects_status(422);
    pastes(&page, "section,row,seat,category,price\nStalls,A,1,Gold,48.00\nStalls,A,,Gold,48.00\nStalls,A,3,Gold,free\nStalls,A,4,Gold,50").await;
    page.click("button", "Preview").await;
    page.sees("Line 3: seat is empty.").await;
    page.sees("Line 4: “free” is not a price.").await;
    page.sees("Line 5: category Gold has another price than before.").await;

    let table = "section;row;seat;category;price;accessible\n\"Stalls; left\";A;1;Gold;48,00;\n\"Stalls; left\";A;2;Gold;48,00;yes\nBalcony;A;1;Silver;29,00;";
    pastes(&page, table).await;
    page.click("button", "Preview").await;
    page.sees("3 places. This is how customers will see it.").await;
    page.sees("Gold €48.00 2 free").await;
    page.sees("wheelchair place").await;

    pastes(&page, r#"{"categories": [{"key": "a", "price": 100}], "sections": [{"key": "s", "category": "b", "rows": []}]}"#).await;
    page.click("button", "Preview").await;
    page.sees("sections[0].category").await;
    page.sees("sections[0].rows").await;
    pastes(&page, "{nonsense").await;
    page.click("button", "Preview").await;
    page.sees("This is not JSON").await;

    page.type_into("textbox", "Title", "From a table").await;
    page.choose("DateTime", "Starts", "2031-06-21T20:00").await;
    page.type_into("textbox", "The chart, pasted", "").await;
    let upload = format!(
        "(() => {{ const files = new DataTransfer();
                   files.items.add(new File([{}], 'hall.csv', {{type: 'text/csv'}}));
                   const input = document.querySelector('input[type=file]');
                   input.files = files.files;
                   input.dispatchEvent(new Event('change'));
                   return null }})()",
        json!(table)
    );
    page.eval::<Value>(&upload).await;
    page.sees("Balcony;A;1;Silver;29,00;").await;
    page.click("button", "Open the sale").await;
    page.sees("Dashboard").await;
    let events = holdfast.anyone().get("/v1/events").await.expect(200);
    let id = events["items"][0]["id"].as_str().expect("id").to_owned();
    let chart = holdfast.anyone().get(&format!("/v1/events/{id}/seats")).await.expect(200);
    assert_eq!(chart["sections"][0]["name"], "Stalls; left");
    assert_eq!(chart["sections"][0]["rows"][0]["seats"][1]["accessible"], true);
    assert_eq!(chart["categories"][1], json!({ "key": "silver", "name": "Silver", "price": 2900 }));
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_follows_the_sale_by_itself() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.sees("Free 32").await;
    page.sees("Revenue €0.00").await;
    let customer = holdfast.customer().await;
    customer.holds_seats(event, &["stalls-D-1"]).await.expect(201);
    page.sees("Held 1").await;
    // One hold within the last ten seconds.
    page.sees("Seats held a second 0.").await;
    page.comes_to("document.body.innerText.match(/Seats held a second\\s+([\\d.]+)/)?.[1] > 0").await;
    holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1", "stalls-A-2"]).await;
    page.sees("Sold 2").await;
    page.sees("Revenue €96.00").await;
    page.sees("Stalls 2 €96.00").await;
    page.waits_for("img", "2 seats sold between").await;
    page.waits_for("img", "Now 1 held and 2 sold.").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_taken_out_of_the_sale_and_put_back_on_the_map() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}/seats")).await;
    page.expects_status(409);
    page.presses_seat("stalls-A-1").await;
    page.presses_seat("stalls-A-2").await;
    page.type_into("textbox", "Reason", "technical desk").await;
    page.click("button", "Block 2 seats").await;
    page.sees("2 seats are blocked.").await;
    assert_eq!(holdfast.claim(event, "stalls-A-1").await.map(|claim| claim.0).as_deref(), Some("blocked"));
    page.sees_seat("stalls-A-1", "blocked").await;

    page.presses_seat("stalls-A-1").await;
    page.click("button", "Put 1 seat on sale").await;
    page.sees("1 seat is on sale again.").await;
    page.sees_seat("stalls-A-1", "free").await;
    assert_eq!(holdfast.claim(event, "stalls-A-1").await, None);
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_and_its_money_given_back() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    holdfast.sold(&ben, event, &["stalls-B-1"]).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}/orders")).await;
    page.sees("Stalls, row B, seat 1").await;
    page.type_into("searchbox", "Name, e-mail", "stalls-A-2").await;
    page.click("button", "Search").await;
    page.sees("€96.00").await;
    page.sees_not("Stalls, row B, seat 1").await;

    // What is no amount is never taken for everything.
    page.click("button", "Refund the order of").await;
    page.type_into("textbox", "Amount", "a little").await;
    page.click("button", "Give it back").await;
    page.sees("“a little” is not an amount").await;
    assert_eq!(ada.order(&order).await["refunds"], json!([]));
    page.type_into("textbox", "Amount", "12,50").await;
    page.type_into("textbox", "Reason", "broken seat").await;
    page.click("button", "Give it back").await;
    page.sees_not("Give money back").await;
    assert_eq!(ada.order(&order).await["refunds"][0]["amount"], 1250);
    page.click("button", "Refund the order of").await;
    page.click("button", "Give it back").await;
    page.sees("Money on its way back").await;
    ada.sees(&order, "refunded").await;
    page.type_into("searchbox", "Name, e-mail", "nobody%").await;
    page.click("button", "Search").await;
    page.sees("Nothing found.").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_lets_everybody_in_once_and_nobody_twice() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let code = order["tickets"][0]["code"].as_str().expect("a code").to_owned();
    let off = holdfast.sold(&ada, event, &["stalls-A-2"]).await;
    ada.cancels(&off).await.expect(200);

    let page = organiser_at(&holdfast, &format!("/organise/{event}/door")).await;
    page.expects_status(404);
    page.expects_status(409);
    let scans = async |code: &str| {
        page.type_into("textbox", "Ticket code", code).await;
        page.press("Enter").await;
    };
    scans(&code).await;
    page.sees("Welcome, A customer: Stalls, row A, seat 1").await;
    scans(&code).await;
    page.sees("Already let in").await;
    scans(off["tickets"][0]["code"].as_str().expect("a code")).await;
    page.sees("This ticket is not valid any more").await;
    scans("no such code").await;
    page.sees("No such ticket here.").await;
    let seen: Value = ada.order(&order).await;
    assert!(seen["tickets"][0]["checked_in_at"].is_string());
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_cancelled_for_everybody_only_after_a_second_word() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let page = organiser_at(&holdfast, &format!("/organise/{event}")).await;
    page.click("button", "Cancel the event").await;
    page.sees("This cannot be undone.").await;
    page.click("button", "Keep it").await;
    assert_eq!(ada.order(&order).await["status"], "confirmed");
    page.click("button", "Cancel the event").await;
    page.click("button", "Cancel the event for everybody").await;
    ada.sees(&order, "refunded").await;
    page.sees("Money returned").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_organiser_is_told_so() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let customer = holdfast.customer().await;
    let page = holdfast.visitor_as(&customer, "customer", &format!("/organise/{event}/orders")).await;
    page.sees("This is for organisers.").await;
    let stranger = holdfast.another_organiser().await;
    let page = holdfast.visitor_as(&stranger, "organiser", &format!("/organise/{event}/orders")).await;
    page.expects_status(404);
    page.sees("There is no such event.").await;
}
