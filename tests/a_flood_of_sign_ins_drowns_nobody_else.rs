//! Checking a password takes 19 MiB and a core, for whoever asks. So only a few are checked at a time: a flood of sign-ins waits
//! in a line that is cut short, and everybody else is served as ever.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Holdfast;

/// More than one thread on each of two nodes checks in the time that anybody waits, however quick the machine.
const FLOOD: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_sign_ins_at_once_are_told_to_come_back_and_others_go_on_buying() {
    let holdfast = Holdfast::with(|config| config.hashing_threads = 1).await;
    let second = holdfast.another_node(|config| config.hashing_threads = 1).await;
    let event = holdfast.theatre().await;
    let ben = holdfast.customer().await;
    let strangers = [holdfast.anyone(), holdfast.anyone().at(&second)];
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..FLOOD {
        let anyone = strangers[number % 2].clone();
        let form = json!({ "email": format!("nobody-{number}@example.com"), "password": "four-quiet-words" });
        flood.spawn(async move {
            let begun = Instant::now();
            let answer = anyone.post("/v1/auth/login", form).await;
            (answer.status, answer.header("retry-after").is_some(), begun.elapsed())
        });
    }
    // Meanwhile somebody buys.
    let mut others = Vec::new();
    for seat in 1..=8 {
        let person = if seat % 2 == 0 { ben.clone() } else { ben.at(&second) };
        assert_eq!(person.get("/v1/events").await.status, 200);
        let begun = Instant::now();
        let held = person.holds_seats(event, &[&format!("stalls-A-{seat}")]).await;
        others.push((held.status, begun.elapsed()));
    }
    let flood = flood.join_all().await;
    let checked = flood.iter().filter(|(status, ..)| *status == 401).count();
    let put_off = flood.iter().filter(|(status, told, _)| *status == 503 && *told).count();
    assert_eq!(checked + put_off, flood.len(), "{flood:?}");
    assert!(checked > 0, "some are always checked");
    assert!(put_off > 0, "two cores do not check all of them while they wait");
    let longest = flood.iter().map(|(.., took)| *took).max().unwrap_or_default();
    // The line is cut after little more than a second; the rest is a machine that is busy with other tests.
    assert!(longest < Duration::from_secs(20), "{longest:?}");
    let (served, slowest) = (
        others.iter().filter(|(status, _)| *status == 201).count(),
        others.iter().map(|(_, took)| *took).max(),
    );
    assert_eq!(served, others.len(), "{others:?}");
    assert!(slowest < Some(Duration::from_secs(10)), "{slowest:?}");
    holdfast.every_invariant_holds().await;
}
