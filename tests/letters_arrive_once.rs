//! A letter that is owed arrives, and arrives once, whatever the mail server, the node or the recipient does meanwhile.

use std::collections::HashSet;

use holdfast::mailbox::{Behaviour, How};
use serde_json::json;

use crate::support::post::{a_mailbox, a_port, says, writes_to};
use crate::support::{Client, Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_orders_on_two_nodes_bring_a_hundred_letters() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let second = holdfast.second_node().await;
    let event = holdfast
        .event(json!({ "title": "Open day", "starts_at": "2031-01-01T10:00:00Z", "total_tickets": 100 }))
        .await;
    let mut buying = tokio::task::JoinSet::new();
    for (number, buyer) in holdfast.crowd(100).await.into_iter().enumerate() {
        let buyer = if number % 2 == 0 { buyer } else { buyer.at(&second) };
        buying.spawn(async move {
            let hold = buyer.holds(event, json!({ "areas": { "general": 1 } })).await.expect(201);
            buyer.checks_out(&hold).await["tickets"][0]["code"].as_str().expect("a code").to_owned()
        });
    }
    let codes: HashSet<String> = buying.join_all().await.into_iter().collect();
    assert_eq!(codes.len(), 100);

    holdfast.no_letter_is_owed().await;
    let letters = post.shelf().letters();
    assert_eq!(letters.len(), 100);
    let told: HashSet<_> = letters.iter().map(|letter| letter.to.clone()).collect();
    assert_eq!(told.len(), 100, "each to another customer");
    for letter in letters {
        let text = letter.read.text.clone().expect("text");
        assert_eq!(
            codes.iter().filter(|code| text.contains(code.as_str())).count(),
            1,
            "one's own code alone"
        );
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_seats_are_sold_and_letters_wait() {
    let listener = a_port().await;
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let holdfast = Holdfast::with(|config| writes_to(config, &format!("smtp://{address}"))).await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let mut customers = Vec::new();
    for seat in 1..=8 {
        let customer = holdfast.customer().await;
        let seat = format!("stalls-A-{seat}");
        holdfast.sold(&customer, event, &[&seat]).await;
        customers.push(customer);
    }
    eventually("the outage is counted", async || {
        let nodes = [holdfast.anyone(), holdfast.anyone().at(&second)];
        let mut seen = String::new();
        for node in nodes {
            seen.push_str(&node.get_text("/metrics").await);
        }
        (seen.contains("holdfast_letters_total{label=\"outage\"}")
            && seen.contains("holdfast_letters_depth 8"))
        .then_some(())
    })
    .await;
    let owed = holdfast.letters_ended("order_confirmed").await;
    assert!(owed.iter().all(|(state, _)| state == "owed"), "{owed:?}");

    let listener =
        eventually("the port is free", async || tokio::net::TcpListener::bind(address).await.ok()).await;
    let post = a_mailbox(listener).await;
    holdfast.letters_are_due_now().await;
    for customer in &customers {
        customer.gets(&post, "Your tickets: The Tempest").await;
    }
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 8);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_with_a_letter_in_its_hand_leaves_it_to_another() {
    let (mut holdfast, post) = Holdfast::with_mail().await;
    post.shelf().behave(Behaviour::of(How::Hang));
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    eventually("the letter is under way", async || {
        let (tries,): (i64,) =
            sqlx::query_as("select count(*) from letters where attempts > 0 and due_at > now()")
                .fetch_one(&holdfast.app().pg)
                .await
                .expect("a query");
        (tries == 1).then_some(())
    })
    .await;
    holdfast.dies_and_comes_back().await;
    post.shelf().behave(Behaviour::default());
    assert!(post.shelf().letters().is_empty());
    // As long as its lease lasts, nobody else touches it.
    holdfast.letters_are_due_now().await;
    ada.gets(&post, "Your tickets: The Tempest").await;
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_holds_up_one_letter_and_no_sale() {
    let (holdfast, post) = Holdfast::with_mail_and(|config| config.smtp_seconds = 1).await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let stuck = Behaviour { how: How::Hang, to: Some(ada.address().await), times: Some(2) };
    post.shelf().behave(stuck);
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    holdfast.sold(&ben, event, &["stalls-B-1"]).await;
    ben.gets(&post, "Your tickets: The Tempest").await;
    ada.gets(&post, "Your tickets: The Tempest").await;
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 2);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_is_put_off_gets_the_letter_later() {
    let (holdfast, post) = Holdfast::with_mail().await;
    post.shelf().behave(Behaviour { how: How::Later, to: None, times: Some(2) });
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    ada.gets(&post, "Your tickets: The Tempest").await;
    holdfast.letters_are("order_confirmed", "sent").await;
    holdfast
        .metrics_say(&[
            "holdfast_letters_total{label=\"later\"} 2",
            "holdfast_letters_total{label=\"sent\"} 1",
        ])
        .await;
    assert_eq!(post.shelf().letters().len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recipient_is_parked_for_a_person_and_nobody_else_waits() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let refuses = Behaviour { how: How::Refuse, to: Some(ada.address().await), times: None };
    post.shelf().behave(refuses);
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let why = holdfast.letters_are("order_confirmed", "parked").await;
    assert!(why[0].as_deref().is_some_and(|why| why.contains("550")), "{why:?}");
    holdfast.sold(&ben, event, &["stalls-B-1"]).await;
    ben.gets(&post, "Your tickets: The Tempest").await;
    holdfast
        .metrics_say(&[
            "holdfast_letters_parked 1",
            "holdfast_letters_total{label=\"refused\"} 1",
            "holdfast_letters_depth 0",
        ])
        .await;

    // Somebody has mended it, and says so as the handbook tells.
    post.shelf().behave(Behaviour::default());
    sqlx::query(
        "update letters set parked_at = null, attempts = 0, due_at = now() where parked_at is not null",
    )
    .execute(&holdfast.app().pg)
    .await
    .expect("a change");
    ada.gets(&post, "Your tickets: The Tempest").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_costs_a_second_copy_that_can_be_told_as_one() {
    let (holdfast, post) = Holdfast::with_mail().await;
    post.shelf().behave(Behaviour { how: How::LoseAnswer, to: None, times: Some(1) });
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    holdfast.letters_are("order_confirmed", "sent").await;
    let letters = post.shelf().letters();
    let names: HashSet<_> = letters.iter().map(|letter| letter.read.header("message-id")).collect();
    assert_eq!((letters.len(), names.len()), (2, 1), "two copies of one letter");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_become_untrue_is_not_told() {
    let (holdfast, post) = Holdfast::with_mail().await;
    post.shelf().behave(Behaviour::of(How::Away));
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    ada.cancels(&order).await.expect(200);
    ada.sees(&order, "refunded").await;
    post.shelf().behave(Behaviour::default());
    holdfast.letters_are_due_now().await;
    ada.gets(&post, "Refunded: 48.00 EUR").await;
    let why = holdfast.letters_are("order_confirmed", "skipped").await;
    assert_eq!(why, [Some("the order has moved on".to_owned())]);
    holdfast.no_letter_is_owed().await;
    assert_eq!(post.shelf().letters().len(), 2, "that it is cancelled, and that the money is back");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_news_again_and_again_on_two_nodes_are_one_letter() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    ada.gets(&post, "Your tickets: The Tempest").await;
    ada.cancels(&order).await.expect(200);
    ada.cancels(&order).await.expect(200);
    ada.sees(&order, "refunded").await;
    holdfast.all_webhooks_again(&second, 5).await;
    holdfast.inbox_is_empty().await;
    holdfast.no_letter_is_owed().await;
    let mut subjects: Vec<_> = ada.subjects(&post).await;
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "Cancelled: The Tempest",
            "Refunded: 48.00 EUR for The Tempest",
            "Your tickets: The Tempest, 1 May 2031"
        ]
    );
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_letters_are_skipped_and_say_why() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let why = holdfast.letters_are("order_confirmed", "skipped").await;
    assert_eq!(why, [Some("mail is off".to_owned())]);
    holdfast.metrics_say(&["holdfast_letters_total{label=\"skipped\"} 1"]).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_that_is_required_and_not_offered_sends_nothing() {
    let post = a_mailbox(a_port().await).await;
    let url = format!("{}?tls=required", post.smtp_url().replace("//", "//me:secret@"));
    let holdfast = Holdfast::with(|config| writes_to(config, &url)).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    eventually("it is an outage", async || {
        let ended = holdfast.letters_ended("order_confirmed").await;
        ended
            .iter()
            .any(|(state, why)| state == "owed" && why.as_ref().is_some_and(|it| it.contains("STARTTLS")))
            .then_some(())
    })
    .await;
    assert!(post.shelf().letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_calls_themselves_or_an_event_stays_text() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast
        .event(json!({
            "title": "<b>Café</b> & \"Söhne\"", "venue": "The <i>Cellar</i>", "starts_at": "2031-05-01T19:00:00Z",
            "currency": "jpy", "categories": [{ "key": "a", "price": 4800 }],
            "sections": [{ "key": "s", "name": "Rang <1>", "category": "a", "rows": [{ "name": "Ä", "seats": 3 }] }],
        }))
        .await;
    let (ada, eve) = (holdfast.customer().await, holdfast.customer().await);
    // As an import might bring them: no form lets these in.
    for (who, name) in [
        (&ada, "Ada <script>alert(1)</script>"),
        (&eve, "Eve\r\nBcc: everybody@example.com\r\n\r\nCome to the other theatre"),
    ] {
        sqlx::query("update accounts set name = $2 where email = $1")
            .bind(who.address().await)
            .bind(name)
            .execute(&holdfast.app().pg)
            .await
            .expect("a change");
    }
    sqlx::query("update events set title = title || E'\\r\\nBcc: everybody@example.com'")
        .execute(&holdfast.app().pg)
        .await
        .expect("a change");
    let sold = async |who: &Client, seat: &str| holdfast.sold(who, event, &[seat]).await;
    sold(&ada, "s-Ä-1").await;
    sold(&eve, "s-Ä-2").await;

    for who in [&ada, &eve] {
        let letter =
            who.gets(&post, "Your tickets: <b>Café</b> & \"Söhne\" Bcc: everybody@example.com").await;
        assert_eq!(letter.to, [who.address().await]);
        assert_eq!(letter.read.header("bcc"), None);
        assert!(!String::from_utf8_lossy(&letter.source).contains("\nBcc:"));
        let html = letter.read.html.as_deref().expect("HTML");
        assert!(html.contains("&lt;b&gt;Café&lt;/b&gt; &amp; &quot;Söhne&quot;"), "{html}");
        assert!(!html.contains("<b>Café") && !html.contains("<script") && !html.contains("<i>"), "{html}");
        says(&letter, &["The <i>Cellar</i>", "Rang <1>, row Ä, seat ", "4800 JPY"]);
    }
    let letter = eve.gets(&post, "Your tickets").await;
    says(&letter, &["Hello,"]);
    holdfast.every_invariant_holds().await;
}
