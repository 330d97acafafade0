//! Customers are told by mail what became of their business, once for each cause, in plain text and in HTML.

use holdfast::ids::{AccountId, HoldId};
use holdfast::mail::{self, Occasion, Offer};
use serde_json::json;

use crate::support::journeys::{BAD_CARD, GOOD_CARD, id};
use crate::support::papers::sheets;
use crate::support::post::{says, says_not};
use crate::support::{Client, Holdfast};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_registers_is_welcomed_once() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let form = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "password": "a short sentence" });
    let key = "a-key-of-the-client-0001";
    let tokens = holdfast.anyone().post_once("/v1/auth/register", key, form.clone()).await.expect(201);
    holdfast.anyone().post_once("/v1/auth/register", key, form).await.expect(201);
    let ada = Client::new(holdfast.url(), tokens["access_token"].as_str().map(str::to_owned));

    let letter = ada.gets(&post, "Welcome to Holdfast").await;
    says(&letter, &["Hello Ada Lovelace,", &format!("{}/", holdfast.url())]);
    assert_eq!(letter.to, ["ada@example.com"]);
    assert_eq!(letter.from, "no-reply@holdfast.test");
    let header = |name: &str| letter.read.header(name).unwrap_or_default().to_owned();
    assert!(header("to").contains("Ada Lovelace") && header("to").contains("<ada@example.com>"));
    assert!(header("from").contains("<no-reply@holdfast.test>"));
    assert_eq!(header("auto-submitted"), "auto-generated");
    assert!(header("message-id").ends_with("@holdfast.test>"), "{}", header("message-id"));

    // Whose account was made for them has not registered.
    let form = json!({ "name": "Ben", "email": "ben@example.com", "password": "a short sentence", "role": "customer" });
    holdfast.admin().await.post("/v1/admin/accounts", form).await.expect(201);
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_letters_of_its_language_is_written_to() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let form = json!({ "name": "Zoë", "email": "zoë@bücher.example", "password": "a short sentence" });
    let tokens = holdfast.anyone().post("/v1/auth/register", form).await.expect(201);
    let zoe = Client::new(holdfast.url(), tokens["access_token"].as_str().map(str::to_owned));
    let letter = zoe.gets(&post, "Welcome to Holdfast").await;
    assert_eq!(letter.to, ["zoë@bücher.example"]);
    assert!(letter.read.header("to").is_some_and(|to| to.contains("Zoë")), "{:?}", letter.read.headers);
    says(&letter, &["Hello Zoë,"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_order_brings_its_tickets() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;

    let letter = ada.gets(&post, "Your tickets: The Tempest, 1 May 2031").await;
    let link = format!("{}/orders/{}", holdfast.url(), id(&order));
    says(
        &letter,
        &[
            "Hello A customer,",
            "The Tempest",
            "Harbour Theatre",
            "Thursday, 1 May 2031, 19:00 UTC",
            "Stalls, row A, seat 1",
            "Stalls, row A, seat 2",
            "48.00 EUR",
            "96.00 EUR",
            &link,
        ],
    );
    for ticket in order["tickets"].as_array().expect("tickets") {
        says(&letter, &[ticket["code"].as_str().expect("a code")]);
    }
    let html = letter.read.html.as_deref().expect("HTML");
    assert!(html.contains(&format!("href=\"{link}\"")));
    assert!(
        !html.contains("<img") && !html.contains("<script") && !html.contains("src="),
        "nothing from elsewhere"
    );

    let [paper, calendar] = letter.read.files.as_slice() else { panic!("{:?}", letter.read.files) };
    assert_eq!((paper.name.as_str(), paper.kind.as_str()), ("tickets.pdf", "application/pdf"));
    assert_eq!(sheets(&paper.content).len(), 2, "a page for each ticket");
    assert!(calendar.name == "event.ics" && calendar.kind.starts_with("text/calendar"));
    let entry = String::from_utf8_lossy(&calendar.content).replace("\r\n ", "");
    for line in [
        "DTSTART:20310501T190000Z",
        "SUMMARY:The Tempest",
        "LOCATION:Harbour Theatre",
        &format!("URL:{link}"),
    ] {
        assert!(entry.lines().any(|it| it == line), "{line} is not in {entry}");
    }
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_free_of_charge_says_that_there_is_nothing_to_pay() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast
        .event(json!({ "title": "Open day", "starts_at": "2031-01-01T10:00:00Z", "total_tickets": 5 }))
        .await;
    let ada = holdfast.customer().await;
    let hold = ada.holds(event, json!({ "areas": { "general": 2 } })).await.expect(201);
    let order = ada.checks_out(&hold).await;
    let letter = ada.gets(&post, "Your tickets: Open day").await;
    says(
        &letter,
        &["there is nothing to pay", ", standing", order["tickets"][1]["code"].as_str().expect("a code")],
    );

    ada.cancels(&order).await.expect(200);
    let letter = ada.gets(&post, "Cancelled: Open day").await;
    says(&letter, &["Nothing was charged."]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_fails_and_an_order_that_is_called_off_are_told() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let declined = ada.orders(event, &["stalls-A-1"]).await;
    holdfast.pay(&declined, BAD_CARD).await;
    let letter = ada.gets(&post, "Not paid: The Tempest").await;
    says(&letter, &["Nothing was charged", "Stalls, row A, seat 1", &format!("/orders/{}", id(&declined))]);

    let open = ben.orders(event, &["stalls-B-1"]).await;
    ben.cancels(&open).await.expect(200);
    let letter = ben.gets(&post, "Cancelled: The Tempest").await;
    says(&letter, &["Nothing was charged.", "Stalls, row B, seat 1"]);
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 2);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_in_time_says_by_when_it_should_have_been() {
    let (holdfast, post) = Holdfast::with_mail_and(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
        config.grace_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &["stalls-A-1"]).await;
    let letter = ada.gets(&post, "Time is up: The Tempest").await;
    let minute = &order["pay_by"].as_str().expect("a time")[11..16];
    says(&letter, &[&format!("{minute} UTC"), "Nothing was charged"]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_on_its_way_back_is_told_and_again_when_it_is_there() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;

    let part = json!({ "amount": 800, "reason": "broken seat" });
    holdfast.organiser().post(&format!("/v1/admin/orders/{}/refund", id(&order)), part).await.expect(200);
    let letter = ada.gets(&post, "Refunded: 8.00 EUR for The Tempest").await;
    says(&letter, &["8.00 EUR has gone back to you. Nothing else about your order changes."]);

    holdfast.refunds_are_pending().await;
    ada.cancels(&order).await.expect(200);
    let letter = ada.gets(&post, "Cancelled: The Tempest").await;
    says(&letter, &["8.00 EUR has gone back", "40.00 EUR is on its way"]);
    for ticket in order["tickets"].as_array().expect("tickets") {
        says_not(&letter, ticket["code"].as_str().expect("a code"));
    }
    holdfast.pending_refunds_arrive(&order).await;
    let letter = ada.gets(&post, "Refunded: 48.00 EUR for The Tempest").await;
    says(&letter, &["Everything that you paid for this order has gone back: 48.00 EUR."]);

    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 4, "{:?}", ada.subjects(&post).await);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_came_too_late_is_given_back_with_its_reason() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &["stalls-A-1"]).await;
    holdfast.ends_unknown_to_stripe(&order, "expired").await;
    ben.sees_seat(event, "stalls-A-1", "free").await;
    holdfast.sold(&ben, event, &["stalls-A-1"]).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let letter = ada.gets(&post, "Refunded: 48.00 EUR").await;
    says(&letter, &["Your payment came when the order had ended and its seats were gone.", "48.00 EUR"]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_event_is_cancelled_everybody_is_told_that_and_not_that_they_cancelled() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    ben.orders(event, &["stalls-B-1"]).await;
    holdfast.organiser().post(&format!("/v1/admin/events/{event}/cancel"), json!({})).await.expect(200);

    let letter = ada.gets(&post, "The event is cancelled: The Tempest").await;
    says(&letter, &["this event does not take place", "48.00 EUR", "You need do nothing."]);
    ada.gets(&post, "Refunded: 48.00 EUR").await;
    let letter = ben.gets(&post, "The event is cancelled: The Tempest").await;
    says(&letter, &["Nothing was charged."]);
    holdfast.no_letter_is_owed().await;
    assert_eq!(ada.subjects(&post).await.len(), 3);
    assert_eq!(ben.subjects(&post).await.len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_says_what_it_costs_and_until_when_and_is_not_sent_after_that() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let me = ada.get("/v1/me").await.expect(200);
    let to: AccountId = id(&me).parse().expect("an id");
    let soon = time::OffsetDateTime::now_utc() + time::Duration::minutes(10);
    let offer = Offer {
        seats: vec!["Stalls, row A, seat 1".to_owned(), "Stalls, row A, seat 2".to_owned()],
        amount: 9600,
        currency: "eur".to_owned(),
        expires_at: soon,
        path: format!("/events/{event}?offer=1"),
    };
    let ended_offer = Offer { expires_at: soon - time::Duration::hours(1), ..offer.clone() };
    let hold = || HoldId::of(1, uuid::Uuid::now_v7());
    let (first, second) = (hold(), hold());
    let mut db = holdfast.app().pg.acquire().await.expect("a connection");
    for occasion in [
        Occasion::Offered(first, offer.clone()),
        Occasion::Offered(first, offer.clone()),
        Occasion::OfferLapsed(first, offer.clone()),
        Occasion::Offered(second, ended_offer),
    ] {
        mail::owe(&mut db, to, Some(event), &occasion).await.expect("owed");
    }

    let letter = ada.gets(&post, "Seats for you: The Tempest").await;
    let until = format!("Take them by {}, {} ", soon.weekday(), soon.day());
    let link = format!("{}/events/{event}?offer=1", holdfast.url());
    says(&letter, &["Stalls, row A, seat 2", "96.00 EUR", &until, &link]);
    let letter = ada.gets(&post, "Your offer has ended: The Tempest").await;
    says(&letter, &["Stalls, row A, seat 1", "were not taken by"]);
    holdfast.no_letter_is_owed().await;
    assert_eq!(ada.subjects(&post).await.len(), 2);
    let ended = holdfast.letters_ended("offered").await;
    assert_eq!(ended[1], ("skipped".to_owned(), Some("the offer had ended".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waited_is_told_of_seats_and_of_having_missed_them() {
    let (holdfast, post) = Holdfast::with_mail_and(|config| config.offer_seconds = 2).await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (first, second) = (ada.waits_for(event, 4).await, ben.waits_for(event, 4).await);
    buyer.cancels(&order).await.expect(200);
    let offer = ada.is(&first, "offered").await;
    let link = format!("{}/checkout/{}", holdfast.url(), offer["offer"]["hold_id"].as_str().expect("a hold"));
    let told = ada.gets(&post, "Seats").await;
    says(&told, &["Hall, row A, seat 1", "192.00 EUR", &link]);
    // Not answered, it goes to the next, and both are told.
    ada.is(&first, "lapsed").await;
    ben.is(&second, "offered").await;
    holdfast.letters_are("offer_lapsed", "sent").await;
    holdfast.every_invariant_holds().await;
}
