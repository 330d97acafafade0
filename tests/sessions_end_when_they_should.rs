//! A sign-in lasts until it is ended, and then it is over everywhere: a copied token, a sign-out, a new password. What only
//! got lost on the way ends nothing.

use serde_json::{Value, json};

use crate::support::{Answer, Client, Holdfast, eventually};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "four-quiet-words";
const OTHER: &str = "five-other-words-for-it";

async fn registers(holdfast: &Holdfast) -> Value {
    let form = json!({ "name": "Ada", "email": EMAIL, "password": PASSWORD });
    holdfast.anyone().post("/v1/auth/register", form).await.expect(201)
}

async fn signs_in(anyone: &Client, password: &str) -> Answer {
    anyone.post("/v1/auth/login", json!({ "email": EMAIL, "password": password })).await
}

fn token_of(tokens: &Value) -> Value {
    json!({ "refresh_token": tokens["refresh_token"] })
}

async fn refreshes(anyone: &Client, tokens: &Value) -> Answer {
    anyone.post("/v1/auth/refresh", token_of(tokens)).await
}

fn signed_in(holdfast: &Holdfast, tokens: &Value) -> Client {
    Client::new(holdfast.url(), tokens["access_token"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_renewal_is_had_again_under_its_key_and_signs_nobody_out() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let first = registers(&holdfast).await;
    let renews =
        async |anyone: Client| anyone.post_once("/v1/auth/refresh", "renewal-1", token_of(&first)).await;
    let lost = renews(holdfast.anyone()).await.expect(200);
    let again = renews(holdfast.anyone().at(&second)).await.expect(200);
    assert_eq!(lost["refresh_token"], again["refresh_token"], "the same answer, from any node");
    refreshes(&holdfast.anyone(), &again).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_died_before_it_could_remember_a_renewal_signs_nobody_out() {
    let holdfast = Holdfast::start().await;
    let first = registers(&holdfast).await;
    let renews =
        async || holdfast.anyone().post_once("/v1/auth/refresh", "renewal-1", token_of(&first)).await;
    let lost = renews().await.expect(200);
    // What a node leaves that dies between its commit and its answer.
    let forget = async || {
        sqlx::query(
            "update idempotency_keys set status = null, answer = null, locked_until = now() - interval '1 second'
              where key = 'renewal-1'",
        )
        .execute(&holdfast.owner())
        .await
        .expect("forgotten");
    };
    forget().await;
    let again = renews().await.expect(200);
    assert_ne!(lost["refresh_token"], again["refresh_token"]);
    signed_in(&holdfast, &again).get("/v1/me").await.expect(200);
    assert_eq!(refreshes(&holdfast.anyone(), &lost).await.status, 401, "what was lost is worth nothing");
    refreshes(&holdfast.anyone(), &again).await.expect(200);

    // Once somebody has used what came of it, a repeat is a second use, whoever it is.
    forget().await;
    assert_eq!(renews().await.code(), "bad_refresh_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_token_ends_the_sign_in_before_and_after_its_successor_was_used() {
    let holdfast = Holdfast::start().await;
    let anyone = holdfast.anyone();
    for uses in 0..3 {
        let copied = if uses == 0 {
            registers(&holdfast).await
        } else {
            signs_in(&anyone, PASSWORD).await.expect(200)
        };
        let mut last = anyone
            .post_once("/v1/auth/refresh", &format!("owner-{uses}"), token_of(&copied))
            .await
            .expect(200);
        for _ in 0..uses {
            last = refreshes(&anyone, &last).await.expect(200);
        }
        // The thief has the token, and not the key that the owner used it under.
        let thief = anyone.post_once("/v1/auth/refresh", &format!("thief-{uses}"), token_of(&copied)).await;
        assert_eq!((thief.status, thief.code()), (401, "bad_refresh_token"));
        assert_eq!(refreshes(&anyone, &last).await.status, 401, "after {uses} uses");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_ends_every_sign_in_on_every_node_at_once() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let anyone = holdfast.anyone();
    let mut sign_ins = vec![registers(&holdfast).await];
    for _ in 0..3 {
        sign_ins.push(signs_in(&anyone, PASSWORD).await.expect(200));
    }
    let here = token_of(&sign_ins[0]);
    assert_eq!(anyone.post("/v1/auth/logout", here.clone()).await.status, 204);
    signed_in(&holdfast, &sign_ins[1]).get("/v1/me").await.expect(200);

    let everywhere = json!({ "refresh_token": sign_ins[1]["refresh_token"], "everywhere": true });
    assert_eq!(anyone.post("/v1/auth/logout", everywhere).await.status, 204);
    for tokens in &sign_ins {
        assert_eq!(signed_in(&holdfast, tokens).get("/v1/me").await.code(), "not_authenticated");
        let there = signed_in(&holdfast, tokens).at(&second);
        eventually("the other node knows", async || (there.get("/v1/me").await.status == 401).then_some(()))
            .await;
        assert_eq!(refreshes(&anyone, tokens).await.code(), "bad_refresh_token");
    }
    let anew = signs_in(&anyone, PASSWORD).await.expect(200);
    signed_in(&holdfast, &anew).get("/v1/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_sign_in_but_the_one_that_it_opens() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let anyone = holdfast.anyone();
    let before = [registers(&holdfast).await, signs_in(&anyone, PASSWORD).await.expect(200)];
    let ada = signed_in(&holdfast, &before[0]);
    let changes = async |current: &str, new: &str| {
        ada.post("/v1/me/password", json!({ "current_password": current, "new_password": new })).await
    };
    assert_eq!(changes("not-the-password", OTHER).await.code(), "bad_credentials");
    let short = changes(PASSWORD, "short").await;
    assert_eq!((short.status, &short.body["errors"][0]["field"]), (422, &json!("new_password")));
    assert_eq!(
        anyone
            .post("/v1/me/password", json!({ "current_password": PASSWORD, "new_password": OTHER }))
            .await
            .code(),
        "not_authenticated"
    );

    let anew = changes(PASSWORD, OTHER).await.expect(200);
    for tokens in &before {
        assert_eq!(signed_in(&holdfast, tokens).get("/v1/me").await.status, 401);
        let there = signed_in(&holdfast, tokens).at(&second);
        eventually("the other node knows", async || (there.get("/v1/me").await.status == 401).then_some(()))
            .await;
        assert_eq!(refreshes(&anyone, tokens).await.code(), "bad_refresh_token");
    }
    for node in [signed_in(&holdfast, &anew), signed_in(&holdfast, &anew).at(&second)] {
        node.get("/v1/me").await.expect(200);
    }
    refreshes(&anyone, &anew).await.expect(200);
    assert_eq!(signs_in(&anyone, PASSWORD).await.code(), "bad_credentials");
    signs_in(&anyone, OTHER).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_password_to_be_changed_are_counted_like_those_at_the_sign_in() {
    let holdfast = Holdfast::with(|config| {
        config.rate_limits = "off,login=3/1h".parse().expect("limits");
        config.rate_limit_wait_ms = 20_000;
    })
    .await;
    let ada = signed_in(&holdfast, &registers(&holdfast).await);
    let mut answers = Vec::new();
    for _ in 0..5 {
        let guess = json!({ "current_password": "a-guess-at-it", "new_password": OTHER });
        answers.push(ada.post("/v1/me/password", guess).await.status);
    }
    assert_eq!(answers, [401, 401, 401, 429, 429]);
    assert_eq!(signs_in(&holdfast.anyone(), PASSWORD).await.status, 429, "and the other way round");
}

/// A hundred sign-ins are renewed while all of them are ended: whichever comes first, none is left.
#[tokio::test(flavor = "multi_thread")]
async fn no_renewal_and_no_sign_in_slips_through_while_all_are_ended() {
    for way in ["password", "everywhere", "disabled"] {
        let holdfast = Holdfast::with(|config| config.hashing_threads = 8).await;
        let second = holdfast.second_node().await;
        let first = registers(&holdfast).await;
        let ada = signed_in(&holdfast, &first);
        let mut sign_ins = Vec::new();
        for number in 0..10 {
            let key = format!("sign-in-{number}");
            let form = json!({ "email": EMAIL, "password": PASSWORD });
            sign_ins.push(holdfast.anyone().post_once("/v1/auth/login", &key, form).await.expect(200));
        }
        let families: Vec<uuid::Uuid> = sqlx::query_scalar("select distinct family from refresh_tokens")
            .fetch_all(&holdfast.app().pg)
            .await
            .expect("families");
        let mut renewals = tokio::task::JoinSet::new();
        for number in 0..100 {
            let anyone = if number % 2 == 0 { holdfast.anyone() } else { holdfast.anyone().at(&second) };
            let mut tokens = sign_ins[number % 10].clone();
            renewals.spawn(async move {
                if number >= 10 {
                    // Who knows the old password tries it at the same time.
                    let answer = signs_in(&anyone, PASSWORD).await;
                    return vec![answer.body];
                }
                let mut seen = Vec::new();
                for _ in 0..20 {
                    let answer = refreshes(&anyone, &tokens).await;
                    if answer.status != 200 {
                        break;
                    }
                    tokens = answer.body;
                    seen.push(tokens.clone());
                }
                seen
            });
        }
        // In the middle of it.
        eventually("some are renewed", async || {
            let (renewed,): (i64,) =
                sqlx::query_as("select count(*) from refresh_tokens where used_at is not null")
                    .fetch_one(&holdfast.app().pg)
                    .await
                    .expect("a count");
            (renewed > 5).then_some(())
        })
        .await;
        let (mut admin, mut change) =
            (None, json!({ "refresh_token": first["refresh_token"], "everywhere": true }));
        match way {
            "password" => {
                change = json!({ "current_password": PASSWORD, "new_password": OTHER });
                eventually("it is changed", async || {
                    (ada.post("/v1/me/password", change.clone()).await.status == 200).then_some(())
                })
                .await;
            }
            "everywhere" => assert_eq!(holdfast.anyone().post("/v1/auth/logout", change).await.status, 204),
            _ => {
                let path = format!("/v1/admin/accounts/{}", first["account"]["id"].as_str().expect("an id"));
                let by = holdfast.admin().await;
                by.patch(&path, json!({ "disabled": true })).await.expect(200);
                admin = Some(by);
            }
        }
        let handed_out: Vec<Value> = renewals.join_all().await.into_iter().flatten().collect();
        assert!(handed_out.len() >= 5);
        let (alive,): (i64,) = sqlx::query_as(
            "select count(*) from refresh_tokens
              where used_at is null and revoked_at is null and family = any ($1)",
        )
        .bind(&families)
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a count");
        assert_eq!(alive, 0, "{way}: a renewal has outlived the end of its sign-in");
        if way != "everywhere" {
            // Nobody signs in with what was right before: only what the change itself opened is alive.
            let (alive,): (i64,) = sqlx::query_as(
                "select count(*) from refresh_tokens where used_at is null and revoked_at is null",
            )
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("a count");
            assert_eq!(alive, i64::from(admin.is_none()), "{way}");
        }
        holdfast.every_invariant_holds().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_given_a_seat_and_never_signed_in_is_like_nobody_at_the_sign_in() {
    let holdfast = Holdfast::start().await;
    let guest = holdfast.app().accounts.guest("Grace", "grace@example.com").await.expect("a guest");
    assert_ne!(guest, holdfast.organiser_id());
    let tries = async |email: &str| {
        holdfast.anyone().post("/v1/auth/login", json!({ "email": email, "password": "none" })).await
    };
    let (known, unknown) = (tries("grace@example.com").await, tries("nobody@example.com").await);
    assert_eq!((known.status, known.code()), (401, "bad_credentials"), "{}", known.body);
    assert_eq!(known.body, unknown.body);
}

/// Somebody renews, and in the middle of it everything is ended: whoever ends waits, and ends the new token, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_under_way_does_not_outlive_the_end() {
    for way in ["password", "everywhere", "here", "disabled"] {
        let holdfast = Holdfast::start().await;
        let (first, owner) = (registers(&holdfast).await, holdfast.owner());
        // Another node, slow in the very moment between looking at the old token and keeping the new one.
        for statement in [
            "create function takes_its_time() returns trigger language plpgsql
                 as 'begin perform pg_sleep(0.5); return new; end'",
            "create trigger takes_its_time before insert on refresh_tokens
                 for each row execute function takes_its_time()",
        ] {
            sqlx::query(statement).execute(&owner).await.expect("made");
        }
        let (anyone, tokens) = (holdfast.anyone(), first.clone());
        let renewal = tokio::spawn(async move { refreshes(&anyone, &tokens).await });
        eventually("the renewal is under way", async || {
            let (sleeping,): (bool,) = sqlx::query_as(
                "select exists (select from pg_stat_activity
                                 where datname = current_database() and wait_event = 'PgSleep')",
            )
            .fetch_one(&owner)
            .await
            .expect("an answer");
            sleeping.then_some(())
        })
        .await;
        let ended = match way {
            "password" => {
                let change = json!({ "current_password": PASSWORD, "new_password": OTHER });
                signed_in(&holdfast, &first).post("/v1/me/password", change).await.status
            }
            "disabled" => {
                let path = format!("/v1/admin/accounts/{}", first["account"]["id"].as_str().expect("an id"));
                holdfast.admin().await.patch(&path, json!({ "disabled": true })).await.status
            }
            _ => {
                let wish =
                    json!({ "refresh_token": first["refresh_token"], "everywhere": way == "everywhere" });
                holdfast.anyone().post("/v1/auth/logout", wish).await.status
            }
        };
        let renewed = renewal.await.expect("an answer");
        if renewed.status != 200 || ![200, 204].contains(&ended) {
            // On a machine that is busy with other tests one of them may have been too late: then nothing is learned.
            assert!([renewed.status, ended].contains(&503), "{way}: {ended} {}", renewed.body);
            continue;
        }
        let (alive,): (i64,) = sqlx::query_as(
            "select count(*) from refresh_tokens t join refresh_tokens first on first.family = t.family
              where first.used_at is not null and t.used_at is null and t.revoked_at is null",
        )
        .fetch_one(&owner)
        .await
        .expect("a count");
        assert_eq!(alive, 0, "{way}");
        assert_eq!(refreshes(&holdfast.anyone(), &renewed.body).await.status, 401, "{way}");
    }
}
