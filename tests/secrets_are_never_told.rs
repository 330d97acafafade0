//! Whatever happens, a secret is not written down where others read: not in log lines, whatever their level and form, not in
//! refusals, not in metrics. A real `holdfast serve` is given secrets that nothing else looks like, goes through a whole
//! sale and through every outage, and all that it said is searched for them.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use holdfast::app::App;
use holdfast::config::Config;
use holdfast::sandbox::{self, SandboxSettings, WebhookTarget};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::journeys::{BAD_CARD, GOOD_CARD, id};
use crate::support::receiver::Receiver;
use crate::support::{Answer, Client, Holdfast, eventually};

/// Something that nothing else looks like.
fn canary(what: &str) -> String {
    format!("{what}{}", uuid::Uuid::new_v4().simple())
}

/// Every secret so far, with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn keep(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 16, "{what} is too short to be told from other things: {secret}");
        self.0.push((what.to_owned(), secret.to_owned()));
    }

    fn keep_from(&mut self, what: &str, answer: &Value) {
        self.keep(what, answer.as_str().unwrap_or_else(|| panic!("{what} was not given")));
    }

    fn keep_tokens(&mut self, what: &str, tokens: &Value) {
        self.keep_from(&format!("the access token of {what}"), &tokens["access_token"]);
        self.keep_from(&format!("the refresh token of {what}"), &tokens["refresh_token"]);
    }

    /// Whether a text has one of them, as it is or as it is sent.
    fn found_in<'s>(&'s self, text: &str) -> Vec<&'s str> {
        let is_in = |secret: &str| {
            let mut forms = vec![secret.to_owned(), BASE64_STANDARD.encode(secret)];
            forms.push(BASE64_URL_SAFE_NO_PAD.encode(secret));
            // As SMTP and HTTP send it, behind a name.
            for name in ["\0mailer\0", "mailer:", ":"] {
                forms.push(BASE64_STANDARD.encode(format!("{name}{secret}")));
            }
            let hex: Vec<_> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            forms.push(hex.concat());
            forms.push(format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned());
            forms.iter().any(|form| text.contains(form.as_str()))
        };
        self.0.iter().filter(|(_, secret)| is_in(secret)).map(|(what, _)| what.as_str()).collect()
    }
}

/// A running `holdfast serve`, and all that it says.
struct Served {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Served {
    fn start(settings: &[(&str, String)]) -> Self {
        let mut child = binary(settings)
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let said = Arc::new(Mutex::new(String::new()));
        let out: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("a pipe"));
        let err: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("a pipe"));
        for pipe in [out, err] {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.push_str(&String::from_utf8_lossy(&line));
                    said.push('\n');
                }
            });
        }
        Self { child, said }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn says(&self, words: &str) {
        eventually(&format!("it says: {words}"), async || self.said().contains(words).then_some(())).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary(settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.stdin(Stdio::null()).env("RUST_LOG", "trace");
    for (name, value) in settings {
        command.env(name, value);
    }
    command
}

/// A mail server that wants a password, takes it twice, and then no more.
async fn a_mail_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        for visit in 0.. {
            let Ok((wire, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let (from, mut to) = wire.into_split();
                let mut lines = tokio::io::BufReader::new(from).lines();
                let mut is_letter = false;
                let mut answer = "220 mail.example";
                loop {
                    if !answer.is_empty() && to.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                        return;
                    }
                    let Ok(Some(line)) = lines.next_line().await else { return };
                    answer = match line.split(' ').next().unwrap_or_default() {
                        "." => {
                            is_letter = false;
                            "250 taken"
                        }
                        _ if is_letter => "",
                        "EHLO" => "250-mail.example\r\n250 AUTH PLAIN LOGIN",
                        "AUTH" if visit < 2 => "235 come in",
                        "AUTH" => "535 that is not the password",
                        "DATA" => {
                            is_letter = true;
                            "354 go on"
                        }
                        _ => "250 all right",
                    };
                }
            });
        }
    });
    port
}

/// Refusals and other answers that hold nobody's secret, as they came.
struct Told(Vec<String>);

impl Told {
    #[track_caller]
    fn refused(&mut self, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{}", answer.body);
        self.0.push(format!("{:?} {}", answer.headers, answer.body));
    }
}

/// So much is written down that not every call is answered in time: it is made again until it is.
async fn posts(who: &Client, path: &str, body: Value) -> Answer {
    posts_once(who, path, &canary("key-"), body).await
}

async fn posts_once(who: &Client, path: &str, key: &str, body: Value) -> Answer {
    who.insists(path, key, body).await
}

/// What the journey needs to know of its surroundings.
struct Town {
    holdfast: Holdfast,
    served: Served,
    url: String,
    stripe: String,
    owner: sqlx::PgPool,
    database: String,
    redis_user: String,
    redis_password: String,
    secrets: Secrets,
    told: Told,
    _sandbox: sandbox::Sandbox,
}

async fn opens(format: &str) -> Town {
    let holdfast = Holdfast::start().await;
    let stack = holdfast.stack();
    let database = format!("secrets_{}", uuid::Uuid::new_v4().simple());
    stack.create_database(&database, Some("holdfast_template")).await.expect("a database");
    let owner = holdfast::stores::postgres::pool(&stack.database_url(&database), 2).expect("an address");

    let mut secrets = Secrets::default();
    let mut made = |what: &str, beginning: &str| {
        let secret = canary(beginning);
        secrets.keep(what, &secret);
        secret
    };
    let redis_user = canary("user");
    let redis_password = made("the password of Redis", "redis");
    let (database_password, smtp_password) =
        (made("the password of Postgres", "postgres"), made("the password of the mail server", "smtp"));
    let (jwt, stripe_key, webhook) = (
        made("JWT_SECRET", "jwt"),
        made("STRIPE_SECRET_KEY", "sk_test_"),
        made("STRIPE_WEBHOOK_SECRET", "whsec_"),
    );
    let ticket_key = BASE64_STANDARD.encode(rand::random::<[u8; 32]>());
    secrets.keep("TICKET_KEY", &ticket_key);

    let rights = ["on", &format!(">{redis_password}"), "~*", "&*", "+@all"];
    holdfast.redis_command(&[&["ACL", "SETUSER", &redis_user][..], &rights[..]].concat()).await;
    let port =
        TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let url = format!("http://127.0.0.1:{port}");
    let money = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = SandboxSettings {
        secret_key: SecretString::from(stripe_key.as_str()),
        publishable_key: "pk_test_open".to_owned(),
        webhook: Some(WebhookTarget {
            url: format!("{url}/v1/webhooks/stripe"),
            secret: SecretString::from(webhook.as_str()),
        }),
        journal: None,
        public_url: None,
    };
    let sandbox = sandbox::start(settings, money).await.expect("a sandbox");
    // Far from the key spaces that are counted up for other tests.
    let space = 4000 + rand::random::<u32>() % 90;
    let redis = format!("{}&user={redis_user}&pass={redis_password}", stack.redis_url(space));
    let served = Served::start(&[
        ("LISTEN_ADDR", format!("127.0.0.1:{port}")),
        ("DATABASE_URL", stack.service_url(&database).replace('@', &format!(":{database_password}@"))),
        ("REDIS_URL", redis),
        ("JWT_SECRET", jwt),
        ("TICKET_KEY", ticket_key),
        ("STRIPE_SECRET_KEY", stripe_key),
        ("STRIPE_WEBHOOK_SECRET", webhook),
        ("STRIPE_PUBLISHABLE_KEY", "pk_test_open".to_owned()),
        ("STRIPE_API_URL", sandbox.url()),
        ("SMTP_URL", format!("smtp://mailer:{smtp_password}@127.0.0.1:{}", a_mail_server().await)),
        ("MAIL_FROM", "Tickets <no-reply@tickets.example>".to_owned()),
        ("HOOKS_ALLOW_PRIVATE", "true".to_owned()),
        ("HOOKS_PAUSE_MS", "50".to_owned()),
        ("RECONCILE_SECONDS", "1".to_owned()),
        ("RATE_LIMITS", "off".to_owned()),
        ("LOG_FORMAT", format.to_owned()),
    ]);
    let anyone = Client::new(&url, None);
    served.says("holdfast serves").await;
    eventually("it is ready", async || (anyone.get("/readyz").await.status == 200).then_some(())).await;
    Town {
        stripe: sandbox.url(),
        _sandbox: sandbox,
        told: Told(Vec::new()),
        holdfast,
        served,
        url,
        owner,
        database,
        redis_user,
        redis_password,
        secrets,
    }
}

impl Town {
    fn anyone(&self) -> Client {
        Client::new(&self.url, None)
    }

    fn signed_in(&self, tokens: &Value) -> Client {
        Client::new(&self.url, tokens["access_token"].as_str().map(str::to_owned))
    }

    /// Signs up, in, wrongly, on, out, and with a new password.
    async fn comes_and_goes(&mut self) -> Client {
        let anyone = self.anyone();
        let (password, other, wrong) = (canary("password-"), canary("new-password-"), canary("wrong-"));
        for (what, secret) in
            [("a password", &password), ("a new password", &other), ("a wrong password", &wrong)]
        {
            self.secrets.keep(what, secret);
        }
        let login = |password: &str| json!({ "email": "ada@example.com", "password": password });
        let form = json!({ "name": "Ada", "email": "ada@example.com", "password": password });
        let first = posts_once(&anyone, "/v1/auth/register", "register-1", form.clone()).await.expect(201);
        self.secrets.keep_tokens("who registers", &first);
        let told = &mut self.told;
        told.refused(&posts(&anyone, "/v1/auth/register", form).await, 409);
        told.refused(&posts(&anyone, "/v1/auth/login", login(&wrong)).await, 401);
        // In every shape in which somebody may get it wrong.
        let number = 918_273_645_546_372_819_u64;
        self.secrets.keep("a password that is a number", &number.to_string());
        for body in [
            json!({ "email": "ada@example.com", "password": number }),
            json!({ "email": "ada@example.com", "password": [wrong] }),
            json!({ "email": "ada@example.com", "password": { "is": wrong } }),
            json!({ "email": { "password": wrong }, "password": wrong }),
            json!({ "refresh_token": wrong }),
            json!([wrong]),
            json!(wrong),
        ] {
            told.refused(&posts(&anyone, "/v1/auth/login", body).await, 422);
        }
        let broken = format!("{{\"email\":\"ada@example.com\",\"password\":\"{wrong}").into_bytes();
        told.refused(&anyone.post_raw("/v1/auth/login", "application/json", broken.clone()).await, 400);
        told.refused(&anyone.post_raw("/v1/auth/login", "text/plain", broken).await, 415);
        let short = json!({ "name": "Ada", "email": wrong, "password": wrong });
        told.refused(&posts(&anyone, "/v1/auth/register", short).await, 422);

        let token_of = |tokens: &Value| json!({ "refresh_token": tokens["refresh_token"] });
        let second = posts_once(&anyone, "/v1/auth/refresh", "renewal", token_of(&first)).await.expect(200);
        posts_once(&anyone, "/v1/auth/refresh", "renewal", token_of(&first)).await.expect(200);
        self.secrets.keep_tokens("who goes on", &second);
        told.refused(&posts(&anyone, "/v1/auth/refresh", token_of(&first)).await, 401);
        told.refused(&posts(&anyone, "/v1/auth/refresh", token_of(&second)).await, 401);
        let third = posts(&anyone, "/v1/auth/login", login(&password)).await.expect(200);
        self.secrets.keep_tokens("who signs in", &third);
        let ada = self.signed_in(&third);
        let change = |current: &str| json!({ "current_password": current, "new_password": other });
        self.told.refused(&posts(&ada, "/v1/me/password", change(&wrong)).await, 401);
        let anew = posts(&ada, "/v1/me/password", change(&password)).await.expect(200);
        self.secrets.keep_tokens("who has a new password", &anew);
        self.told.refused(&ada.get("/v1/me").await, 401);
        assert_eq!(posts(&anyone, "/v1/auth/logout", token_of(&third)).await.status, 204);
        // Where a secret has no business to be, and somebody puts it.
        let token = third["access_token"].as_str().expect("a token");
        for path in [format!("/v1/me?token={token}"), format!("/v1/orders/{wrong}"), format!("/{wrong}")] {
            let answer = anyone.get(&path).await;
            self.told.refused(&answer, answer.status);
        }
        let basic = BASE64_STANDARD.encode(format!("ada:{other}"));
        let request =
            anyone.request(reqwest::Method::GET, "/v1/me").header("Authorization", format!("Basic {basic}"));
        self.told.refused(&anyone.send(request).await, 401);
        self.signed_in(&anew)
    }

    async fn organiser(&mut self) -> Client {
        let password = canary("organiser-");
        self.secrets.keep("the organiser's password", &password);
        // As an operator makes one.
        let app = self.an_app().await;
        app.accounts
            .create(holdfast::accounts::NewAccount {
                id: holdfast::ids::AccountId::new(),
                name: "Otto".to_owned(),
                email: "otto@example.com".to_owned(),
                password: SecretString::from(password.as_str()),
                role: holdfast::accounts::Role::Organiser,
            })
            .await
            .expect("an organiser");
        let form = json!({ "email": "otto@example.com", "password": password });
        let tokens = posts(&self.anyone(), "/v1/auth/login", form).await.expect(200);
        self.secrets.keep_tokens("the organiser", &tokens);
        self.signed_in(&tokens)
    }

    /// A node's handles on the same database that serve nobody.
    async fn an_app(&self) -> App {
        let mut config: Config = self.holdfast.config().clone();
        config.database_url = Some(SecretString::from(self.holdfast.stack().service_url(&self.database)));
        App::start(config).await.expect("handles")
    }

    /// An endpoint that works, one that does not, a secret that is replaced.
    async fn tells_others(&mut self, organiser: &Client, receiver: &Receiver) {
        receiver.answers(500);
        let all = json!({ "url": receiver.url, "events": ["*"] });
        let hook = posts(organiser, "/v1/admin/hooks", all).await.expect(201);
        self.secrets.keep_from("a hook's secret", &hook["secret"]);
        let away = json!({ "url": "http://127.0.0.1:1/hooks", "events": ["*"] });
        let away = posts(organiser, "/v1/admin/hooks", away).await.expect(201);
        self.secrets.keep_from("another hook's secret", &away["secret"]);
        let path = format!("/v1/admin/hooks/{}", id(&hook));
        organiser.post(&format!("{path}/ping"), json!({})).await;
        let rolled = posts_once(organiser, &format!("{path}/secret"), "roll", json!({})).await.expect(200);
        self.secrets.keep_from("a hook's new secret", &rolled["secret"]);
        let hidden = canary("in-the-address-");
        self.secrets.keep("a password in an address", &hidden);
        let inside = json!({ "url": format!("https://user:{hidden}@example.com/"), "events": ["*"] });
        self.told.refused(&posts(organiser, "/v1/admin/hooks", inside).await, 422);
    }

    /// A sale with every kind of mishap: Stripe fails, a card is declined, somebody forges a webhook.
    async fn sells(&mut self, ada: &Client, organiser: &Client, receiver: &Receiver) {
        let seats: Vec<_> = ["A", "B"].iter().map(|row| json!({ "name": row, "seats": 8 })).collect();
        let event = posts(
            organiser,
            "/v1/admin/events",
            json!({
                "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z",
                "currency": "eur", "orphan_rule": false,
                "categories": [{ "key": "gold", "name": "Stalls", "price": 4800 }],
                "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold", "rows": seats }],
            }),
        )
        .await
        .expect(201);
        let holds = format!("/v1/events/{}/holds", id(&event));
        eventually("seats can be held", async || {
            (ada.post(&holds, json!({ "best": { "quantity": 1 } })).await.status == 201).then_some(())
        })
        .await;
        // So much is written down that not every call is answered in time.
        let orders = async |seat: &str| {
            let hold = eventually("a seat is held", async || {
                let answer = ada.post_once(&holds, seat, json!({ "seats": [seat] })).await;
                (answer.status == 201).then_some(answer.body)
            })
            .await;
            ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await
        };
        let is_ordered = async |seat: &str| {
            eventually("a seat is ordered", async || {
                let answer = orders(seat).await;
                (answer.status == 201 && !answer.body["payment"].is_null()).then_some(answer.body)
            })
            .await
        };
        let switches = Client::new(&self.stripe, None);
        let failing = json!({ "calls": [{ "on": "create", "how": "500", "next": 2 }] });
        switches.post("/sandbox/faults", failing).await.expect(200);
        let delayed = orders("stalls-A-3").await;
        switches.delete("/sandbox/faults").await.expect(200);
        if delayed.body["payment"].is_null() {
            self.told.0.push(delayed.body.to_string());
        }

        let pays = async |order: &Value, card: &str| {
            let stripe = Client::new(&self.stripe, Some("pk_test_open".to_owned()));
            let intent = order["payment"]["payment_intent"].as_str().expect("it can be paid").to_owned();
            let secret = order["payment"]["client_secret"].as_str().expect("a secret").to_owned();
            let form = [("payment_method", card), ("client_secret", &secret)];
            stripe.post_form(&format!("/v1/payment_intents/{intent}/confirm"), &form).await.status
        };
        let declined = is_ordered("stalls-A-5").await;
        let bought = is_ordered("stalls-A-7").await;
        assert_eq!(pays(&declined, BAD_CARD).await, 402);
        assert_eq!(pays(&bought, GOOD_CARD).await, 200);
        for order in [&declined, &bought] {
            self.secrets.keep_from("a client secret", &order["payment"]["client_secret"]);
        }
        let bought = ada.sees(&bought, "confirmed").await;
        ada.sees(&declined, "failed").await;
        receiver.answers(200);
        receiver.hears("order.confirmed", 1).await;
        self.secrets.keep_from("a ticket's code", &bought["tickets"][0]["code"]);
        let code = json!({ "code": bought["tickets"][0]["code"], "event_id": id(&event) });
        let door = "/v1/admin/tickets/check-in";
        posts(organiser, door, code.clone()).await.expect(200);
        self.told.refused(&posts(ada, door, code).await, 403);

        let forged = canary("v1=");
        self.secrets.keep("a forged signature", &forged);
        let anyone = self.anyone();
        let request = anyone
            .request(reqwest::Method::POST, "/v1/webhooks/stripe")
            .header("Stripe-Signature", format!("t=1,{forged}"))
            .body(format!("{{\"id\":\"evt_1\",\"secret\":\"{forged}\"}}"));
        self.told.refused(&anyone.send(request).await, 400);
        posts(ada, &format!("/v1/orders/{}/cancel", id(&bought)), json!({})).await.expect(200);
        ada.sees(&bought, "refunded").await;
    }

    /// Redis refuses us, then Postgres does: both with words of their own, which name what they were given.
    async fn loses_its_stores(&mut self, ada: &Client) {
        let other = canary("other");
        self.secrets.keep("another password of Redis", &other);
        for word in [format!("resetpass >{other}"), format!("resetpass >{}", self.redis_password)] {
            let words: Vec<_> = word.split(' ').collect();
            self.holdfast
                .redis_command(&[&["ACL", "SETUSER", &self.redis_user][..], &words[..]].concat())
                .await;
            self.holdfast.redis_command(&["CLIENT", "KILL", "USER", &self.redis_user]).await;
            let status = if word.contains(&other) { 503 } else { 200 };
            let answer = eventually("Redis lets it in or not", async || {
                let answer = self.anyone().get("/readyz").await;
                (answer.status == status).then_some(answer)
            })
            .await;
            self.told.refused(&answer, status);
        }
        let maintenance = self.holdfast.stack().database_url("postgres");
        let maintenance = holdfast::stores::postgres::pool(&maintenance, 1).expect("an address");
        for is_open in [false, true] {
            let open = format!("alter database {} allow_connections {is_open}", self.database);
            sqlx::query(sqlx::AssertSqlSafe(open)).execute(&maintenance).await.expect("said");
            if !is_open {
                sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
                    .bind(&self.database)
                    .execute(&maintenance)
                    .await
                    .expect("ended");
                let answer = eventually("Postgres is away", async || {
                    let answer = ada.get("/v1/orders").await;
                    (answer.status == 503).then_some(answer)
                })
                .await;
                self.told.refused(&answer, 503);
            }
        }
        eventually("all is well again", async || {
            (self.anyone().get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }
}

async fn a_journey_in(format: &str) {
    let mut town = Box::pin(opens(format)).await;
    let receiver = Receiver::start().await;
    let ada = town.comes_and_goes().await;
    let organiser = Box::pin(town.organiser()).await;
    town.tells_others(&organiser, &receiver).await;
    town.sells(&ada, &organiser, &receiver).await;
    eventually("the mail server has refused us", async || {
        let (refused,): (bool,) = sqlx::query_as(
            "select exists (select from letters where last_error is not null and sent_at is null)",
        )
        .fetch_one(&town.owner)
        .await
        .ok()?;
        refused.then_some(())
    })
    .await;
    town.loses_its_stores(&ada).await;
    let metrics = town.anyone().get_text("/metrics").await;
    assert!(metrics.contains("holdfast_http_requests_total"));
    town.told.0.push(metrics);

    let said = town.served.said();
    // What was searched for is there to be found: the process was talkative, and failed in every way.
    for words in ["TRACE", "DEBUG", "a refresh token was used twice", "holdfast serves", "not ready"] {
        assert!(said.contains(words), "{words:?} is not in what was logged");
    }
    assert_eq!(said.contains("{\"timestamp\""), format == "json");
    for (what, secret) in &town.secrets.0 {
        assert_eq!(town.secrets.found_in(&format!("x{secret}y")).len(), 1, "{what} would not be found");
    }
    let told = town.secrets.found_in(&said);
    let line = |secret: &str| said.lines().find(|line| line.contains(secret)).unwrap_or_default().to_owned();
    let lines: Vec<_> = town.secrets.0.iter().filter(|(what, _)| told.contains(&what.as_str())).collect();
    assert!(
        told.is_empty(),
        "logged as {format}: {told:?}\n{}",
        lines.iter().map(|(_, secret)| line(secret)).collect::<Vec<_>>().join("\n")
    );
    for told in &town.told.0 {
        assert_eq!(town.secrets.found_in(told), Vec::<&str>::new(), "told in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_a_node_says_at_its_most_talkative() {
    Box::pin(a_journey_in("text")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_lines_for_collectors_either() {
    Box::pin(a_journey_in("json")).await;
}

#[test]
fn no_secret_is_repeated_by_a_start_that_is_refused_or_by_the_help() {
    let mut secrets = Secrets::default();
    let mut made = |what: &str, beginning: &str| {
        let secret = canary(beginning);
        secrets.keep(what, &secret);
        secret
    };
    let settings = [
        (
            "DATABASE_URL",
            format!("nonsense://holdfast:{}@nowhere", made("the password of Postgres", "postgres")),
        ),
        ("REDIS_URL", format!("nonsense://:{}@nowhere", made("the password of Redis", "redis"))),
        ("JWT_SECRET", made("JWT_SECRET", "aaaaaaaa")),
        ("TICKET_KEY", made("TICKET_KEY", "no-key-")),
        ("STRIPE_SECRET_KEY", made("STRIPE_SECRET_KEY", "password")),
        ("STRIPE_WEBHOOK_SECRET", format!("short,{}", made("STRIPE_WEBHOOK_SECRET", "whsec_"))),
        (
            "SMTP_URL",
            format!("nonsense://mailer:{}@nowhere", made("the password of the mail server", "smtp")),
        ),
    ];
    let all = ["serve", "migrate", "audit", "serve --help", "migrate --help", "dev --help", "sandbox --help"];
    for arguments in all {
        let output = binary(&settings).args(arguments.split(' ')).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.is_empty());
        assert_eq!(output.status.success(), arguments.contains("--help"), "{arguments}: {said}");
        assert_eq!(secrets.found_in(&said), Vec::<&str>::new(), "holdfast {arguments} says {said}");
    }
}
