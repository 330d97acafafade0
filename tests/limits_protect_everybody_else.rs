//! Whoever calls too often has to wait, is told for how long, and takes nothing from anybody else.

use std::time::{Duration, Instant};

use clap::Parser;
use holdfast::config::Config;
use reqwest::Method;
use serde_json::json;

use crate::support::journeys::id;
use crate::support::{Answer, Client, Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

/// On a machine that is busy with other tests Redis is heard late, and is waited for.
const PATIENT_MS: u32 = 20_000;

async fn house(limits: &str) -> Holdfast {
    Holdfast::with(|config| {
        config.rate_limits = limits.parse().expect("limits");
        config.rate_limit_wait_ms = PATIENT_MS;
    })
    .await
}

/// A house whose proxy is this machine, so that a test's callers may come from wherever they say.
async fn house_behind_a_proxy(limits: &str) -> Holdfast {
    Holdfast::with(|config| {
        config.rate_limits = limits.parse().expect("limits");
        config.rate_limit_wait_ms = PATIENT_MS;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await
}

async fn get_from(who: &Client, place: &str, path: &str) -> Answer {
    who.send(who.request(Method::GET, path).header("X-Forwarded-For", place)).await
}

/// How often a metric of the limits was counted at a node.
async fn counted(node: &Client, class: &str, outcome: &str) -> u64 {
    let page = node.get_text("/metrics").await;
    let name = format!("holdfast_limited_requests_total{{class=\"{class}\",outcome=\"{outcome}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |value| value.parse().expect("a number"))
}

fn how_many(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Whether Redis has counted each of these in time. On a machine that is too busy for that nothing is learned, and
/// somebody else tries again.
fn all_counted<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> bool {
    answers.into_iter().all(|answer| answer.status != 503 && answer.header("ratelimit").is_some())
}

/// A problem that says when to come back, in each way in which it is read.
fn is_refused(answer: &Answer) -> u64 {
    assert_eq!((answer.status, answer.code()), (429, "too_many_requests"), "{}", answer.body);
    let wait: u64 = answer.header("retry-after").expect("when to come back").parse().expect("whole seconds");
    assert!(wait >= 1);
    assert_eq!(answer.body["retry_after"], wait);
    assert!(answer.body["detail"].as_str().is_some_and(|words| words.contains(&format!("in {wait} second"))));
    wait
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_calls_too_often_is_told_when_to_come_back_and_is_let_in_then() {
    let holdfast = house("off,read=3/3s").await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    for left in ["2", "1", "0"] {
        let answer = ada.get("/v1/orders").await;
        assert_eq!((answer.status, answer.header("ratelimit-remaining")), (200, Some(left)));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"read\";q=3;w=3"));
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
        assert!(
            answer.header("ratelimit").is_some_and(|now| now.starts_with(&format!("\"read\";r={left};t=")))
        );
    }
    let refused = ada.get("/v1/orders").await;
    assert_eq!(is_refused(&refused), 1);
    assert_eq!(refused.header("ratelimit"), Some("\"read\";r=0;t=1"));
    assert_eq!(refused.header("ratelimit-reset"), refused.header("retry-after"));

    ben.get("/v1/orders").await.expect(200);
    eventually("Ada is let in again", async || (ada.get("/v1/orders").await.status == 200).then_some(()))
        .await;
    assert_eq!(counted(&ada, "read", "allowed").await, 5);
    assert!(counted(&ada, "read", "refused").await >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_calls_at_once_on_two_nodes_exactly_as_many_go_through_as_may() {
    let holdfast = house("off,read=20/1h").await;
    let second = holdfast.second_node().await;
    let answers = eventually("two hundred calls are counted", async || {
        let ada = holdfast.customer().await;
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..200 {
            let ada = if number % 2 == 0 { ada.clone() } else { ada.at(&second) };
            calls.spawn(async move { ada.get("/v1/orders").await });
        }
        let answers = calls.join_all().await;
        all_counted(&answers).then_some(answers)
    })
    .await;
    assert_eq!((how_many(&answers, 200), how_many(&answers, 429)), (20, 180));
    holdfast.customer().await.get("/v1/orders").await.expect(200);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_from_the_account_and_from_the_address_or_from_neither() {
    let holdfast = house_behind_a_proxy("off,read=1/1h,read.address=30/1h").await;
    let second = holdfast.second_node().await;
    let mut tries = 0;
    let answers = eventually("a hundred and twenty people are counted", async || {
        tries += 1;
        let mut calls = tokio::task::JoinSet::new();
        for (number, person) in holdfast.crowd(120).await.into_iter().enumerate() {
            let person = if number % 2 == 0 { person } else { person.at(&second) };
            let place = format!("203.0.113.{tries}");
            calls.spawn(async move { (get_from(&person, &place, "/v1/orders").await, person) });
        }
        let answers = calls.join_all().await;
        all_counted(answers.iter().map(|(answer, _)| answer)).then_some(answers)
    })
    .await;
    let (let_in, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| answer.status == 200);
    assert_eq!((let_in.len(), refused.len()), (30, 90));

    let (_, lucky) = let_in[0];
    is_refused(&get_from(lucky, "198.51.100.200", "/v1/orders").await);
    for (number, (answer, person)) in refused.into_iter().enumerate() {
        is_refused(answer);
        // Their own one call was not spent on the refusal.
        get_from(person, &format!("198.51.100.{number}"), "/v1/orders").await.expect(200);
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_storm_of_one_customer_is_stopped_on_both_nodes_and_nobody_elses() {
    let holdfast = house("off,hold=10/1h").await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let mut clicks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let ada = if number % 2 == 0 { ada.clone() } else { ada.at(&second) };
        clicks.spawn(async move { ada.holds_seats(event, &PAIR).await });
    }
    let answers = clicks.join_all().await;
    let refused = how_many(&answers, 429);
    // Each node counts at once by itself, and hears of the other a round trip later.
    assert!((180..=190).contains(&refused), "{refused} of 200 were refused");
    assert_eq!(how_many(&answers, 201), 1, "the seats are held once");
    eventually("both nodes know of both", async || {
        let (here, there) =
            (ada.holds_seats(event, &PAIR).await, ada.at(&second).holds_seats(event, &PAIR).await);
        (here.status == 429 && there.status == 429).then_some(())
    })
    .await;
    ben.holds_seats(event, &["stalls-B-1", "stalls-B-2"]).await.expect(201);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_used_up_what_there_is_at_one_node_is_refused_at_the_other() {
    let holdfast = house("off,hold=8/1h").await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    for seat in 1..=8 {
        ada.holds_seats(event, &[&format!("stalls-A-{seat}")]).await.expect(201);
    }
    is_refused(&ada.holds_seats(event, &PAIR).await);
    // The other node has never seen her: it lets her through, and hears of the rest by it.
    let there = ada.at(&second);
    eventually("the other node refuses her, too", async || {
        (there.holds_seats(event, &PAIR).await.status == 429).then_some(())
    })
    .await;
    let let_through = counted(&there, "hold", "allowed").await;
    assert!(let_through < 8, "it did not count her eight anew, but let {let_through} through");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_behind_one_address_buys_and_never_meets_the_usual_limits() {
    let holdfast = house("default").await;
    let second = holdfast.second_node().await;
    let event = holdfast
        .event(json!({ "title": "Club night", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 90 }))
        .await;
    let mut visits = tokio::task::JoinSet::new();
    for (number, person) in holdfast.crowd(150).await.into_iter().enumerate() {
        let person = if number % 2 == 0 { person } else { person.at(&second) };
        visits.spawn(async move {
            let mut answers = Vec::new();
            for path in [format!("/v1/events/{event}"), format!("/v1/events/{event}/status")] {
                answers.push(person.get(&path).await);
            }
            let hold = person.holds(event, json!({ "areas": { "general": 1 } })).await;
            if hold.status == 201 {
                answers.push(person.post("/v1/orders", json!({ "hold_id": id(&hold.body) })).await);
            }
            answers.push(person.get("/v1/orders").await);
            answers.push(hold);
            answers
        });
    }
    let visits = visits.join_all().await;
    let statuses: Vec<_> = visits.iter().flatten().map(|answer| answer.status).collect();
    assert!(!statuses.contains(&429), "{statuses:?}");
    let sold = visits.iter().flatten().filter(|answer| answer.body["pay_by"].is_string()).count();
    assert_eq!(sold, 90, "each place is sold once");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_remembered_under_its_key() {
    let holdfast = house("off,hold=1/2s").await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let path = format!("/v1/events/{event}/holds");
    ada.holds_seats(event, &["stalls-B-1"]).await.expect(201);
    is_refused(&ada.post_once(&path, "click-1", json!({ "seats": PAIR })).await);
    let held = eventually("the same click goes through", async || {
        let answer = ada.post_once(&path, "click-1", json!({ "seats": PAIR })).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    assert_eq!(held["seats"].as_array().map(Vec::len), Some(2));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_is_refused_for_is_never_limited() {
    let holdfast = house("off,browse.address=1/1h,read.address=1/1h,change.address=1/1h").await;
    let anyone = holdfast.anyone();
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/orders"] {
        for _ in 0..5 {
            let answer = anyone.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("ratelimit"), None, "{path}");
        }
    }
    for _ in 0..5 {
        assert_eq!(holdfast.webhook(b"{}", "t=1,v1=00").await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_classic_setting_is_a_hundred_calls_by_address() {
    let holdfast = house_behind_a_proxy("classic").await;
    let anyone = holdfast.anyone();
    for call in 1..=100 {
        assert_eq!(get_from(&anyone, "192.0.2.1", "/v1/events").await.status, 200, "call {call}");
    }
    let refused = get_from(&anyone, "192.0.2.1", "/v1/events").await;
    assert!(is_refused(&refused) <= 9, "one call drains in nine seconds");
    assert_eq!(refused.header("ratelimit-limit"), Some("100"));
    get_from(&anyone, "192.0.2.2", "/v1/events").await.expect(200);
    get_from(&holdfast.customer().await, "192.0.2.1", "/v1/orders").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_somebody_else_by_saying_so() {
    let holdfast = house("off,browse.address=2/1h").await;
    let anyone = holdfast.anyone();
    let mut statuses = Vec::new();
    for place in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        statuses.push(get_from(&anyone, place, "/v1/events").await.status);
    }
    assert_eq!(statuses, [200, 200, 429], "who is no proxy of ours is not believed");

    let holdfast = house_behind_a_proxy("off,browse.address=2/1h").await;
    let anyone = holdfast.anyone();
    let mut statuses = Vec::new();
    // What stands before the address that our proxy saw is the caller's invention.
    for tale in ["192.0.2.1, 203.0.113.7", "192.0.2.2, 203.0.113.7", "192.0.2.3, 203.0.113.7"] {
        statuses.push(get_from(&anyone, tale, "/v1/events").await.status);
    }
    // One customer of IPv6 has more addresses than there are calls.
    for place in ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2::3", "2001:db8:1:3::1"] {
        statuses.push(get_from(&anyone, place, "/v1/events").await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_calls_go_on_and_each_node_counts_by_itself() {
    let holdfast = Holdfast::with_its_own_stack_and(|config| {
        config.rate_limits = "read=3/1h".parse().expect("limits");
    })
    .await;
    let ada = holdfast.customer().await;
    for _ in 0..3 {
        ada.get("/v1/orders").await.expect(200);
    }
    is_refused(&ada.get("/v1/orders").await);

    holdfast.stack().freeze_redis();
    let begun = Instant::now();
    let answer = ada.get("/v1/orders").await;
    assert_eq!((answer.status, answer.header("ratelimit")), (200, None), "{}", answer.body);
    // A quarter of a second is waited for Redis; the rest is for a machine that is busy with other tests.
    assert!(begun.elapsed() < Duration::from_millis(1500), "took {:?}", begun.elapsed());
    holdfast.stack().thaw_redis();

    holdfast.stack().kill_redis();
    for _ in 0..2 {
        ada.get("/v1/orders").await.expect(200);
    }
    assert_eq!(counted(&ada, "read", "open").await, 3);
    // Who floods a node until it no longer hears Redis has not got rid of the limit.
    is_refused(&ada.get("/v1/orders").await);

    holdfast.stack().start_redis().await.expect("it starts");
    let before = counted(&ada, "read", "allowed").await;
    let ben = holdfast.customer().await;
    eventually("Redis counts again", async || {
        ben.get("/v1/orders").await;
        (counted(&ben, "read", "allowed").await > before).then_some(())
    })
    .await;
}

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

#[test]
fn a_limit_that_is_none_is_refused_at_the_start() {
    for (flag, bad, why) in [
        ("--rate-limits", "hold=20", "20 is no limit: write calls/time"),
        ("--rate-limits", "hods=20/10s", "hods names no limit"),
        ("--trusted-proxies", "the-proxy", "the-proxy is no network"),
        ("--forwarded-header", "x-real-ip", "possible values: x-forwarded-for, forwarded"),
    ] {
        let told = Settings::try_parse_from(["holdfast", flag, bad]).expect_err(bad).to_string();
        assert!(told.contains(flag) && told.contains(why), "{told}");
    }
    let good = ["holdfast", "--rate-limits", "classic,hold=5/1m", "--trusted-proxies", "10.0.0.0/8,::1"];
    assert_eq!(Settings::try_parse_from(good).expect("settings").config.trusted_proxies.len(), 2);
}
