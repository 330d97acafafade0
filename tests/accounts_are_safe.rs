//! Signing up, in, on and out; who may do what; and what nobody can find out.

use serde_json::{Value, json};

use crate::support::{Client, Holdfast};

const PASSWORD: &str = "four-quiet-words";

async fn registers(holdfast: &Holdfast, email: &str) -> Value {
    let form = json!({ "name": "Ada", "email": email, "password": PASSWORD });
    holdfast.anyone().post("/v1/auth/register", form).await.expect(201)
}

async fn refreshes(holdfast: &Holdfast, tokens: &Value) -> crate::support::Answer {
    holdfast.anyone().post("/v1/auth/refresh", json!({ "refresh_token": tokens["refresh_token"] })).await
}

fn signed_in(holdfast: &Holdfast, tokens: &Value) -> Client {
    Client::new(holdfast.url(), tokens["access_token"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_is_signed_in_as_a_customer_and_can_sign_in_again() {
    let holdfast = Holdfast::start().await;
    let tokens = registers(&holdfast, "Ada@Example.com").await;
    assert_eq!(
        (tokens["token_type"].as_str(), tokens["account"]["role"].as_str()),
        (Some("Bearer"), Some("customer"))
    );
    assert!(tokens["expires_in"].as_u64().is_some_and(|seconds| (1..=3600).contains(&seconds)));
    let me = signed_in(&holdfast, &tokens).get("/v1/me").await.expect(200);
    assert_eq!(me["id"], tokens["account"]["id"]);
    assert!(!me.to_string().contains("argon2"), "no hash is shown");

    let form = json!({ "email": "ada@example.COM", "password": PASSWORD });
    let again = holdfast.anyone().post("/v1/auth/login", form).await.expect(200);
    assert_eq!(again["account"]["id"], tokens["account"]["id"]);
    let taken = holdfast
        .anyone()
        .post("/v1/auth/register", json!({ "name": "Eve", "email": "ADA@example.com", "password": PASSWORD }))
        .await;
    assert_eq!((taken.status, taken.code()), (409, "email_taken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_answer_the_same() {
    let holdfast = Holdfast::start().await;
    registers(&holdfast, "ada@example.com").await;
    let login = async |email: &str| {
        let form = json!({ "email": email, "password": "not-the-password" });
        holdfast.anyone().post("/v1/auth/login", form).await
    };
    let (known, unknown) = (login("ada@example.com").await, login("nobody@example.com").await);
    assert_eq!((known.status, known.code()), (401, "bad_credentials"));
    // That it is the same work, too, is seen where passwords are checked, and in a flood of strangers, who all wait for it.
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_for_once_and_its_reuse_signs_the_family_out() {
    let holdfast = Holdfast::start().await;
    let first = registers(&holdfast, "ada@example.com").await;
    let second = refreshes(&holdfast, &first).await.expect(200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    signed_in(&holdfast, &second).get("/v1/me").await.expect(200);

    let reused = refreshes(&holdfast, &first).await;
    assert_eq!((reused.status, reused.code()), (401, "bad_refresh_token"));
    assert_eq!(
        refreshes(&holdfast, &second).await.status,
        401,
        "the thief's copy is worthless, and so is this one"
    );
    let elsewhere = json!({ "email": "ada@example.com", "password": PASSWORD });
    let other_family = holdfast.anyone().post("/v1/auth/login", elsewhere).await.expect(200);
    refreshes(&holdfast, &other_family).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refreshes_at_once_with_one_token_at_most_one_succeeds() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let tokens = registers(&holdfast, "ada@example.com").await;
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..20 {
        let client = if number % 2 == 0 { holdfast.anyone() } else { holdfast.anyone().at(&second) };
        let body = json!({ "refresh_token": tokens["refresh_token"] });
        tries.spawn(async move { client.post("/v1/auth/refresh", body).await.status });
    }
    let answers = tries.join_all().await;
    assert_eq!(answers.iter().filter(|&&status| status == 200).count(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_cannot_go_on() {
    let holdfast = Holdfast::start().await;
    let tokens = registers(&holdfast, "ada@example.com").await;
    let body = json!({ "refresh_token": tokens["refresh_token"] });
    assert_eq!(holdfast.anyone().post("/v1/auth/logout", body.clone()).await.status, 204);
    assert_eq!(holdfast.anyone().post("/v1/auth/logout", body).await.status, 204, "twice is as good");
    assert_eq!(refreshes(&holdfast, &tokens).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_forms_name_every_fault() {
    let holdfast = Holdfast::start().await;
    let form = json!({ "name": " ", "email": "nowhere", "password": "short" });
    let answer = holdfast.anyone().post("/v1/auth/register", form).await;
    assert_eq!((answer.status, answer.code()), (422, "invalid_request"));
    let fields: Vec<_> = answer.body["errors"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| fault["field"].clone())
        .collect();
    assert_eq!(fields, ["name", "email", "password"]);
    for token in ["", "x", "a.b.c"] {
        let answer = refreshes(&holdfast, &json!({ "refresh_token": token })).await;
        assert_eq!(answer.status, 401, "{token:?}");
    }
    for header in ["", "nonsense", "eyJhbGciOiJub25lIn0.e30."] {
        let client = Client::new(holdfast.url(), Some(header.to_owned()));
        let answer = client.get("/v1/me").await;
        assert_eq!((answer.status, answer.code()), (401, "not_authenticated"));
        assert!(answer.header("www-authenticate").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_makes_accounts_with_a_role_and_sees_them_all() {
    let holdfast = Holdfast::start().await;
    let admin = holdfast.admin().await;
    let form =
        json!({ "name": "Otto", "email": "otto@example.com", "password": PASSWORD, "role": "organiser" });
    assert_eq!(holdfast.organiser().post("/v1/admin/accounts", form.clone()).await.status, 403);
    let made = admin.post("/v1/admin/accounts", form).await.expect(201);
    assert_eq!(made["role"], "organiser");

    let mut seen = Vec::new();
    let mut path = "/v1/admin/accounts?limit=1".to_owned();
    loop {
        let page = admin.get(&path).await.expect(200);
        seen.extend(page["items"].as_array().expect("items").iter().map(|account| account["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/admin/accounts?limit=1&cursor={next}");
    }
    let (count,): (i64,) =
        sqlx::query_as("select count(*) from accounts").fetch_one(&holdfast.app().pg).await.expect("a query");
    assert_eq!(i64::try_from(seen.len()).expect("few"), count, "every account is on exactly one page");
    assert!(seen.contains(&made["id"]));
}
