//! What happens to a ticket at a door is written down and stays: who let somebody in, who took it back, what was refused.

use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::{Answer, Client, Holdfast};

async fn scan(door: &Client, code: &Value) -> Answer {
    door.post("/v1/admin/tickets/check-in", json!({ "code": code })).await
}

async fn undo(desk: &Client, ticket: &Value, reason: &str) -> Answer {
    let path = format!("/v1/admin/tickets/{}/undo-check-in", id(ticket));
    desk.post(&path, json!({ "reason": reason })).await
}

async fn log(desk: &Client, ticket: &Value) -> Vec<Value> {
    let path = format!("/v1/admin/tickets/{}/log", id(ticket));
    desk.get(&path).await.expect(200)["items"].as_array().expect("items").clone()
}

fn what(log: &[Value]) -> Vec<&str> {
    log.iter().map(|line| line["what"].as_str().expect("what")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_is_taken_back_with_a_reason_and_the_ticket_opens_the_door_again() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let order = holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1"]).await;
    let ticket = &order["tickets"][0];
    let (door, admin) = (holdfast.organiser(), holdfast.admin().await);
    scan(&door, &ticket["code"]).await.expect(200);
    assert_eq!(scan(&admin, &ticket["code"]).await.code(), "already_checked_in", "one ticket, one person");

    for bad in ["", "  ", "two\nlines", &"x".repeat(201)] {
        assert_eq!(undo(&admin, ticket, bad).await.code(), "invalid_request", "{bad:?}");
    }
    assert_eq!(undo(&holdfast.another_organiser().await, ticket, "mine?").await.status, 404);
    assert_eq!(undo(&holdfast.customer().await, ticket, "me?").await.status, 403);
    let undone = undo(&admin, ticket, "wrong one of two").await.expect(200);
    assert_eq!(undone["checked_in_at"], Value::Null);
    let again = undo(&door, ticket, "once more").await;
    assert_eq!((again.status, again.code()), (409, "not_checked_in"));
    scan(&door, &ticket["code"]).await.expect(200);

    let log = log(&door, ticket).await;
    assert_eq!(what(&log), ["checked_in", "refused", "undone", "checked_in"]);
    assert_eq!((&log[0]["by"], &log[2]["by"]), (&json!("A organiser"), &json!("A admin")));
    assert_eq!(log[1]["reason"], "already_checked_in");
    assert_eq!(log[2]["reason"], "wrong one of two");
    let path = format!("/v1/admin/tickets/{}/log", id(ticket));
    assert_eq!(holdfast.another_organiser().await.get(&path).await.status, 404);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_in_the_log_and_the_log_cannot_be_changed() {
    let holdfast = Holdfast::start().await;
    let (event, other) = (holdfast.theatre().await, holdfast.theatre().await);
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    let ticket = &order["tickets"][0];
    let door = holdfast.organiser();
    let wrong = json!({ "code": ticket["code"], "event_id": other });
    assert_eq!(door.post("/v1/admin/tickets/check-in", wrong).await.code(), "wrong_event");
    ada.cancels(&order).await.expect(200);
    assert_eq!(scan(&door, &ticket["code"]).await.code(), "ticket_void");
    assert_eq!(scan(&door, &json!("no such code")).await.code(), "not_found");

    let log = log(&door, ticket).await;
    assert_eq!(what(&log), ["refused", "voided", "refused"]);
    assert_eq!((&log[0]["reason"], &log[2]["reason"]), (&json!("wrong_event"), &json!("void")));
    assert_eq!((&log[1]["reason"], &log[1]["by"]), (&json!("customer cancels"), &json!("A customer")));
    let pg = &holdfast.owner();
    for harm in ["delete from ticket_log", "update ticket_log set reason = 'nothing'"] {
        let refused = sqlx::query(harm).execute(pg).await.expect_err("it is refused").to_string();
        assert!(refused.contains("never changed"), "{refused}");
    }
    let metrics = holdfast.anyone().get_text("/metrics").await;
    for outcome in ["wrong_event", "void", "unknown"] {
        assert!(metrics.contains(&format!("holdfast_check_ins_total{{label=\"{outcome}\"}} 1")), "{outcome}");
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_offline_tells_when_it_saw_the_ticket_and_the_first_to_arrive_counts() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let door = holdfast.organiser();
    // As if the tickets had been bought yesterday, so that a device may have seen them an hour ago.
    sqlx::query("update tickets set issued_at = issued_at - interval '1 day'")
        .execute(&holdfast.app().pg)
        .await
        .expect("a change");
    let at = |minutes: i64| {
        let moment = time::OffsetDateTime::now_utc() + time::Duration::minutes(minutes);
        moment.format(&time::format_description::well_known::Rfc3339).expect("a moment")
    };
    let tells = async |key: &str, ticket: usize, minutes: i64| {
        let body =
            json!({ "code": order["tickets"][ticket]["code"], "event_id": event, "scanned_at": at(minutes) });
        door.post_once("/v1/admin/tickets/check-in", key, body).await
    };
    let moment = |answer: &Value| {
        let text = answer["checked_in_at"].as_str().or(answer["ticket"]["checked_in_at"].as_str());
        let format = &time::format_description::well_known::Rfc3339;
        time::OffsetDateTime::parse(text.expect("a moment"), format).expect("a moment")
    };
    let now = time::OffsetDateTime::now_utc();
    let first = tells("a", 0, -30).await.expect(200);
    assert!((now - moment(&first) - time::Duration::minutes(30)).abs() < time::Duration::minutes(1));
    // Seen earlier, told later: the other is inside.
    let second = tells("b", 0, -60).await;
    assert_eq!(second.code(), "already_checked_in");
    assert_eq!(moment(&second.body), moment(&first));
    // A clock that goes wrong is not believed: neither tomorrow nor before there was a ticket.
    let ahead = tells("c", 1, 600).await.expect(200);
    assert!(moment(&ahead) - now < time::Duration::minutes(1));
    undo(&door, &order["tickets"][1], "test").await.expect(200);
    let behind = tells("d", 1, -100_000).await.expect(200);
    assert!(now - moment(&behind) < time::Duration::days(2));

    // The same scan sent again after a lost answer is the same scan.
    let body = json!({ "code": order["tickets"][0]["code"], "event_id": event, "scanned_at": "2031-01-01T00:00:00Z" });
    undo(&door, &order["tickets"][0], "test").await.expect(200);
    for _ in 0..2 {
        door.post_once("/v1/admin/tickets/check-in", "once", body.clone()).await.expect(200);
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_check_in_and_take_back_on_two_nodes_leave_a_log_that_adds_up() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let order = holdfast.sold(&holdfast.customer().await, event, &["stalls-A-1"]).await;
    let ticket = order["tickets"][0].clone();
    let doors = [holdfast.organiser(), holdfast.organiser().at(&second)];
    let mut acts = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (door, ticket) = (doors[number % 2].clone(), ticket.clone());
        acts.spawn(async move {
            if number % 4 < 2 {
                ("checked_in", scan(&door, &ticket["code"]).await)
            } else {
                ("undone", undo(&door, &ticket, "a race").await)
            }
        });
    }
    let mut done: Vec<&str> = Vec::new();
    for (act, answer) in acts.join_all().await {
        match answer.status {
            200 => done.push(act),
            409 => {
                assert!(["already_checked_in", "not_checked_in"].contains(&answer.code()), "{}", answer.body);
            }
            other => panic!("{other}: {}", answer.body),
        }
    }
    let log = log(&doors[0], &ticket).await;
    let changes: Vec<_> = what(&log).into_iter().filter(|what| *what != "refused").collect();
    assert_eq!(changes.len(), done.len(), "each that was told it was done, and no other");
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(*change, ["checked_in", "undone"][at % 2], "in and out by turns");
    }
    holdfast.every_invariant_holds().await;
}
