//! What a sale does most costs the least: an attempt to hold is one script in Redis and nothing in Postgres, whoever wins it, and
//! who only looks on asks neither.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::support::{Answer, Client, Holdfast};

const PEOPLE: usize = 24;

/// What Redis was asked at least once for each of so many people, and how often, by Redis' own account.
async fn asked_for_each(holdfast: &Holdfast, doing: impl Future<Output = ()>) -> Vec<(String, usize)> {
    const END: &str = "that was all";
    let url = holdfast.stack().redis_url(0);
    let socket = url.strip_prefix("redis+unix://").and_then(|rest| rest.split('?').next()).expect("a socket");
    let mut redis = UnixStream::connect(socket).await.expect("Redis answers");
    redis.write_all(b"MONITOR\r\n").await.expect("Redis listens");
    let mut lines = BufReader::new(redis).lines();
    lines.next_line().await.expect("Redis agrees");
    let listening = async {
        let mut calls = BTreeMap::<String, usize>::new();
        while let Some(line) = lines.next_line().await.expect("a line") {
            if line.contains(END) {
                break;
            }
            let (from, words) = line.split_once("] ").expect("who asks for what");
            let mut words = words.split(' ').map(|word| word.trim_matches('"').to_uppercase());
            let command = words.next().expect("a command");
            let name = if command == "EVALSHA" { words.next().expect("which script") } else { command };
            // What a script does itself is no trip.
            if !from.ends_with("lua") {
                *calls.entry(name).or_default() += 1;
            }
        }
        calls
    };
    let asking = async {
        doing.await;
        holdfast.redis_command(&["ECHO", END]).await;
    };
    let (calls, ()) = tokio::join!(listening, asking);
    // The feed tells all who look on, in batches.
    calls.into_iter().filter(|(name, calls)| *calls >= PEOPLE && name != "XREAD").collect()
}

/// With a key, as the seat map asks.
async fn holds(person: &Client, event: &str, seat: &str) -> Answer {
    let key = uuid::Uuid::new_v4().to_string();
    person.post_once(&format!("/v1/events/{event}/holds"), &key, json!({ "seats": [seat] })).await
}

async fn all_hold(people: &[Client], event: &str, seat: impl Fn(usize) -> String, status: u16) {
    let asked = people.iter().enumerate().map(|(number, person)| {
        let seat = seat(number);
        async move { holds(person, event, &seat).await }
    });
    for answer in join_all(asked).await {
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

fn seat_of(number: usize) -> String {
    format!("stalls-{}-{}", ["A", "B", "C"][number / 8], number % 8 + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_one_script_and_a_look_is_none() {
    let holdfast =
        Holdfast::with_its_own_stack_and(|config| config.rate_limits = "default".parse().expect("limits"))
            .await;
    let event = holdfast.theatre().await.to_string();
    let people = holdfast.crowd(PEOPLE).await;
    // Whatever is asked once and then remembered, is.
    assert_eq!(holds(&people[0], &event, "stalls-D-1").await.status, 201);
    let looks = format!("/v1/events/{event}/availability");
    people[0].get(&looks).await.expect(200);

    let won = asked_for_each(&holdfast, all_hold(&people, &event, seat_of, 201)).await;
    assert!(matches!(&won[..], [(script, PEOPLE)] if script.len() == 40), "who wins: {won:?}");
    let taken = |number| seat_of((number + 1) % PEOPLE);
    let lost = asked_for_each(&holdfast, all_hold(&people, &event, taken, 409)).await;
    assert_eq!(lost, won, "who loses");
    let looked = asked_for_each(&holdfast, async {
        for answer in join_all(people.iter().map(|person| person.get(&looks))).await {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    });
    assert_eq!(looked.await, [], "who looks on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_and_a_look_need_no_postgres() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast.theatre().await.to_string();
    let people = holdfast.crowd(PEOPLE).await;
    assert_eq!(holds(&people[0], &event, "stalls-D-1").await.status, 201);
    holdfast.stack().kill_postgres();

    all_hold(&people, &event, seat_of, 201).await;
    all_hold(&people, &event, |number| seat_of((number + 1) % PEOPLE), 409).await;
    people[0].get(&format!("/v1/events/{event}/availability")).await.expect(200);
    holdfast.stack().start_postgres().await.expect("it starts");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_into_a_packet_is_sent_as_it_is() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let coding = async |request: reqwest::RequestBuilder| {
        let answer =
            request.header("accept-encoding", "gzip, deflate, br, zstd").send().await.expect("an answer");
        answer.headers().get("content-encoding").map(|coding| coding.to_str().expect("words").to_owned())
    };
    let hold = ada.request(Method::POST, &format!("/v1/events/{event}/holds"));
    assert_eq!(coding(hold.json(&json!({ "seats": ["stalls-A-1"] }))).await, None, "a hold");
    let document = ada.request(Method::GET, "/openapi.json");
    assert_eq!(coding(document).await.as_deref(), Some("gzip"), "a long answer");
}
