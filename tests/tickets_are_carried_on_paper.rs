//! Tickets leave the screen: as pictures, on paper, in a calendar. What they show is the code that opens the door.

use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::papers::{code_in_png, code_in_svg, sheets};
use crate::support::{Client, Holdfast};

async fn opera(holdfast: &Holdfast) -> holdfast::ids::EventId {
    holdfast
        .event(json!({
            "title": "Così fan tutte – für Änne, François und Łukasz, mit 2 Pausen (Gastspiel)", "venue": "Théâtre de l’Été",
            "starts_at": "2031-05-01T19:00:00+02:00", "ends_at": "2031-05-01T22:30:00+02:00", "currency": "eur", "orphan_rule": false,
            "categories": [{ "key": "gold", "name": "Erste Plätze", "price": 4800 }],
            "sections": [{ "key": "stalls", "name": "Parkett (links)", "category": "gold",
                           "rows": [{ "name": "A", "seats": 8 }] }],
            "areas": [{ "key": "floor", "name": "Stehplätze", "category": "gold", "capacity": 5 }],
        }))
        .await
}

fn codes(order: &Value) -> Vec<String> {
    let tickets = order["tickets"].as_array().expect("tickets").iter();
    tickets.map(|ticket| ticket["code"].as_str().expect("a code").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_show_the_code() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let ticket = id(&order["tickets"][0]);
    let (status, kind, _, picture) = ada.file(&format!("/v1/tickets/{ticket}/qr.png")).await;
    assert_eq!((status, kind.as_str()), (200, "image/png"));
    assert_eq!(code_in_png(&picture), codes(&order)[0]);
    let (_, _, _, drawing) = ada.file(&format!("/v1/tickets/{ticket}/qr.svg")).await;
    assert_eq!(code_in_svg(&String::from_utf8_lossy(&drawing)), codes(&order)[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_paper_says_what_a_visitor_and_a_door_need() {
    let holdfast = Holdfast::start().await;
    let event = opera(&holdfast).await;
    let ada = holdfast.customer().await;
    let hold =
        ada.holds(event, json!({ "seats": ["stalls-A-1", "stalls-A-2"], "areas": { "floor": 1 } })).await;
    let order = ada.checks_out(&hold.expect(201)).await;
    holdfast.pay(&order, crate::support::journeys::GOOD_CARD).await.expect(200);
    let order = ada.sees(&order, "confirmed").await;

    let (status, kind, name, document) = ada.file(&format!("/v1/orders/{}/tickets.pdf", id(&order))).await;
    assert_eq!((status, kind.as_str()), (200, "application/pdf"));
    assert_eq!(name, "attachment; filename=\"tickets.pdf\"");
    let pages = sheets(&document);
    assert_eq!(pages.iter().map(|page| page.code.clone()).collect::<Vec<_>>(), codes(&order), "a page each");
    let first = pages[0].words.replace('\n', " ");
    for words in [
        "Così fan tutte \u{96} für Änne, François und Lukasz,",
        "(Gastspiel)",
        "Thu 1 May 2031, 17:00 UTC",
        "Théâtre de l\u{92}Été",
        "Parkett (links), row A, seat 1",
        "Erste Plätze, 48.00 EUR",
        "A customer",
        &format!("Order {}", id(&order)),
    ] {
        assert!(first.contains(words), "{words:?} is not on {first:?}");
    }
    let code = &codes(&order)[0];
    assert!(pages[0].words.replace('\n', "").contains(code.as_str()), "the code in letters");
    assert!(first.contains(&format!("To type: {} {} {}", &code[144..148], &code[148..152], &code[152..])));
    assert!(pages[2].words.contains("Stehplätze, standing"), "{}", pages[2].words);

    let (_, _, name, document) =
        ada.file(&format!("/v1/tickets/{}/ticket.pdf", id(&order["tickets"][1]))).await;
    assert_eq!(name, "attachment; filename=\"ticket-stalls-A-2.pdf\"");
    assert_eq!(sheets(&document).iter().map(|page| &page.code).collect::<Vec<_>>(), [&codes(&order)[1]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_gets_the_event_and_hears_when_it_is_called_off() {
    let holdfast = Holdfast::start().await;
    let event = opera(&holdfast).await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let path = format!("/v1/orders/{}/event.ics", id(&order));
    let read = async || {
        let (status, kind, _, file) = ada.file(&path).await;
        assert_eq!((status, kind.as_str()), (200, "text/calendar; charset=utf-8"));
        let text = String::from_utf8(file).expect("UTF-8");
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        text.replace("\r\n ", "")
    };
    let file = read().await;
    let line = |name: &str| {
        let start = format!("{name}:");
        file.lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_else(|| panic!("{name}: {file}"))
            .to_owned()
    };
    assert_eq!(
        (line("DTSTART"), line("DTEND")),
        ("20310501T170000Z".to_owned(), "20310501T203000Z".to_owned())
    );
    assert_eq!(line("STATUS"), "CONFIRMED");
    assert!(line("SUMMARY").ends_with("Änne\\, François und Łukasz\\, mit 2 Pausen (Gastspiel)"));
    assert_eq!(line("LOCATION"), "Théâtre de l’Été");
    assert_eq!(line("UID"), format!("{}@127.0.0.1", id(&order)));
    assert!(line("DESCRIPTION").starts_with("stalls-A-1\\, stalls-A-2\\nhttp://127.0.0.1"));

    ada.cancels(&order).await.expect(200);
    let after = read().await;
    assert!(after.contains("STATUS:CANCELLED") && after.contains(&line("UID")));
    let open = ada.orders(event, &["stalls-A-5"]).await;
    assert_eq!(ada.get(&format!("/v1/orders/{}/event.ics", id(&open))).await.code(), "order_state");
    assert_eq!(ada.get(&format!("/v1/orders/{}/tickets.pdf", id(&open))).await.code(), "order_state");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_and_the_box_office_have_a_ticket_and_nobody_else() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let ticket = id(&order["tickets"][0]);
    let mut paths: Vec<String> = ["qr.svg", "qr.png", "ticket.pdf"]
        .iter()
        .map(|file| format!("/v1/tickets/{ticket}/{file}"))
        .collect();
    paths.extend(["tickets.pdf", "event.ics"].map(|file| format!("/v1/orders/{}/{file}", id(&order))));

    let (customer, stranger) = (holdfast.customer().await, holdfast.another_organiser().await);
    let people: [(&Client, u16); 6] = [
        (&ada, 200),
        (&holdfast.organiser(), 200),
        (&holdfast.admin().await, 200),
        (&customer, 404),
        (&stranger, 404),
        (&holdfast.anyone(), 401),
    ];
    for path in &paths {
        for (person, status) in people {
            assert_eq!(person.file(path).await.0, status, "{path}");
        }
        assert_eq!(ada.get(path).await.header("cache-control"), Some("no-store"), "{path}");
    }
    // Dead at once, whoever asks.
    ada.cancels(&order).await.expect(200);
    for path in &paths[..3] {
        for person in [&ada, &holdfast.organiser()] {
            assert_eq!(person.get(path).await.code(), "ticket_void", "{path}");
        }
    }
    assert_eq!(ada.get(&paths[3]).await.code(), "order_state");
}
