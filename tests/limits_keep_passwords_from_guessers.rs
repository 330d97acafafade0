//! Passwords cannot be guessed as fast as they can be sent, the owner of an account is not locked out by who tries, and
//! without Redis nobody tries at all.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Holdfast, Node, eventually};

const PASSWORD: &str = "four-quiet-words";
/// Where the owner signs in from, and where nobody of hers is.
const HOME: &str = "203.0.113.7";
const ABROAD: &str = "198.51.100.9";

async fn house(limits: &str) -> Holdfast {
    Holdfast::with(|config| {
        config.rate_limits = limits.parse().expect("limits");
        // On a machine that is busy with other tests, Redis is heard late, and is waited for.
        config.rate_limit_wait_ms = 20_000;
        config.trusted_proxies = vec!["127.0.0.1".parse().expect("a network")];
    })
    .await
}

async fn posts(anyone: &Client, door: &str, place: &str, body: &Value) -> Answer {
    let path = format!("/v1/auth/{door}");
    anyone.send(anyone.request(Method::POST, &path).header("X-Forwarded-For", place).json(body)).await
}

async fn registers(holdfast: &Holdfast, email: &str) -> Answer {
    let form = json!({ "name": "Ada", "email": email, "password": PASSWORD });
    posts(&holdfast.anyone(), "register", HOME, &form).await
}

async fn enters(anyone: &Client, place: &str, email: &str, password: &str) -> Answer {
    posts(anyone, "login", place, &json!({ "email": email, "password": password })).await
}

/// Many tries at once on two nodes, each from the place that its number gives it.
async fn guesses(
    holdfast: &Holdfast,
    second: &Node,
    email: &str,
    many: usize,
    place: impl Fn(usize) -> String,
) -> Vec<Answer> {
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..many {
        let anyone = if number % 2 == 0 { holdfast.anyone() } else { holdfast.anyone().at(second) };
        let (email, place) = (email.to_owned(), place(number));
        tries.spawn(async move { enters(&anyone, &place, &email, "a-guess").await });
    }
    tries.join_all().await
}

/// How many of these were looked at; `None` where Redis was heard too late, on a machine that is busy with other tests:
/// then nothing is learned, and another address is tried.
fn looked_at(answers: &[Answer]) -> Option<usize> {
    for answer in answers {
        assert!([401, 429, 503].contains(&answer.status), "{}", answer.body);
        assert_eq!(answer.status != 401, answer.header("retry-after").is_some());
    }
    let how_many = |status| answers.iter().filter(|answer| answer.status == status).count();
    (how_many(503) == 0).then(|| how_many(401))
}

fn a_new_address(who: &str) -> String {
    format!("{who}-{}@example.com", uuid::Uuid::new_v4().simple())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_guesses_at_once_on_two_nodes_no_more_than_may_are_looked_at() {
    let holdfast = house("off,login=5/1h").await;
    let second = holdfast.second_node().await;
    let (known, unknown) = eventually("guesses are counted", async || {
        let (ada, nobody) = (a_new_address("ada"), a_new_address("nobody"));
        registers(&holdfast, &ada).await.expect(201);
        for who in [&ada, &nobody] {
            let answers = guesses(&holdfast, &second, who, 120, |_| ABROAD.to_owned()).await;
            assert_eq!(looked_at(&answers)?, 5, "an account is not told by its limit");
        }
        Some((ada, nobody))
    })
    .await;
    let anyone = holdfast.anyone();
    for written in [format!(" {}", known.to_uppercase()), unknown.to_uppercase()] {
        enters(&anyone, ABROAD, &written, PASSWORD).await.expect(429);
    }
    enters(&anyone, HOME, &known, PASSWORD).await.expect(200);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_a_hundred_places_are_stopped_and_the_owner_comes_in_from_home() {
    let holdfast = house("off,login=5/1h,login.anywhere=12/1h").await;
    let second = holdfast.second_node().await;
    let anyone = holdfast.anyone();
    let ada = eventually("guesses are counted", async || {
        let ada = a_new_address("ada");
        registers(&holdfast, &ada).await.expect(201);
        enters(&anyone, HOME, &ada, PASSWORD).await.expect(200);
        let abroad = |number| format!("198.51.100.{number}");
        let answers = guesses(&holdfast, &second, &ada, 150, abroad).await;
        assert_eq!(looked_at(&answers)?, 12);
        Some(ada)
    })
    .await;
    enters(&anyone, "192.0.2.1", &ada, PASSWORD).await.expect(429);

    // For as long as it lasts, from where she has been before.
    for _ in 0..8 {
        enters(&anyone, HOME, &ada, PASSWORD).await.expect(200);
    }
    // Whoever guesses from there is stopped by what that place got wrong.
    let answers = guesses(&holdfast, &second, &ada, 20, |_| HOME.to_owned()).await;
    assert!(looked_at(&answers).is_none_or(|looked_at| looked_at == 5));
    enters(&anyone, HOME, &ada, PASSWORD).await.expect(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_password_is_not_counted_with_those_who_guess() {
    let holdfast = house("off,login=2/1h,login.anywhere=2/1h,login.address=2/1h").await;
    registers(&holdfast, "ada@example.com").await.expect(201);
    let anyone = holdfast.anyone();
    for _ in 0..6 {
        enters(&anyone, HOME, "ada@example.com", PASSWORD).await.expect(200);
    }
    for _ in 0..2 {
        enters(&anyone, HOME, "ada@example.com", "wrong-password").await.expect(401);
    }
    enters(&anyone, HOME, "ada@example.com", PASSWORD).await.expect(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_password_tried_on_many_accounts_is_stopped_by_where_it_comes_from() {
    let holdfast = house("off,login=5/1h,login.address=10/1h").await;
    let anyone = holdfast.anyone();
    let mut answers = Vec::new();
    for number in 0..15 {
        answers.push(enters(&anyone, ABROAD, &format!("victim-{number}@example.com"), "12345678").await);
    }
    assert_eq!(looked_at(&answers), Some(10));
    assert_eq!(answers[14].header("ratelimit-policy"), Some("\"login-address\";q=10;w=3600"));
    enters(&anyone, HOME, "somebody@example.com", "12345678").await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_not_made_by_the_hundred() {
    let holdfast = house("off,register.address=3/1h").await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(registers(&holdfast, &format!("bot-{number}@example.com")).await.status);
    }
    assert_eq!(made, [201, 201, 201, 429, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nobody_tries_a_password_and_who_is_signed_in_stays_so() {
    let holdfast =
        Holdfast::with_its_own_stack_and(|config| config.rate_limits = "default".parse().expect("limits"))
            .await;
    let tokens = registers(&holdfast, "ada@example.com").await.expect(201);
    let anyone = holdfast.anyone();
    for outage in ["frozen", "killed"] {
        if outage == "frozen" {
            holdfast.stack().freeze_redis();
        } else {
            holdfast.stack().thaw_redis();
            holdfast.stack().kill_redis();
        }
        let begun = Instant::now();
        for answer in [
            enters(&anyone, HOME, "ada@example.com", PASSWORD).await,
            registers(&holdfast, &format!("{outage}@example.com")).await,
        ] {
            assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{outage}: {}", answer.body);
            assert!(answer.header("retry-after").is_some());
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{outage}: both took {:?}", begun.elapsed());
    }
    // A refresh token cannot be guessed, limit or none.
    posts(&anyone, "refresh", HOME, &json!({ "refresh_token": tokens["refresh_token"] })).await.expect(200);

    holdfast.stack().start_redis().await.expect("it starts");
    eventually("one can sign in again", async || {
        (enters(&anyone, HOME, "ada@example.com", PASSWORD).await.status == 200).then_some(())
    })
    .await;
}
