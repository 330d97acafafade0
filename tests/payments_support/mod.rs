//! A till: the gateway at one end, the sandbox at the other, real HTTP between them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use holdfast::ids::{EventId, OrderId};
use holdfast::money::Money;
use holdfast::payments::{Gateway, Intent, NewIntent, StripeSettings};
use holdfast::sandbox::{self, CallFault, Controls, Faults, Sandbox, SandboxSettings};
use holdfast::telemetry::Metrics;
use secrecy::SecretString;
use tokio::net::TcpListener;

pub const SECRET_KEY: &str = "sk_test_of_the_till";
pub const PUBLISHABLE_KEY: &str = "pk_test_of_the_till";
pub const WEBHOOK_SECRET: &str = "whsec_of_the_till_0123456789";

pub struct Till {
    pub sandbox: Sandbox,
    pub gateway: Gateway,
    pub metrics: Metrics,
    /// One for each test: its connections belong to the test's own runtime.
    client: reqwest::Client,
}

impl Till {
    pub async fn open() -> Self {
        Self::with(1000, None).await
    }

    pub async fn with(creates_per_second: u32, journal: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let settings = SandboxSettings {
            webhook: None,
            secret_key: SecretString::from(SECRET_KEY),
            publishable_key: PUBLISHABLE_KEY.to_owned(),
            journal,
            public_url: None,
        };
        let sandbox = sandbox::start(settings, listener).await.expect("the sandbox starts");
        let metrics = Metrics::new();
        let gateway = gateway(&sandbox.url(), SECRET_KEY, creates_per_second, metrics.clone());
        Self { sandbox, gateway, metrics, client: client() }
    }

    pub fn controls(&self) -> &Controls {
        self.sandbox.controls()
    }

    pub fn fails(&self, fault: CallFault) {
        self.controls().set_faults(Faults { calls: vec![fault], ..Faults::default() });
    }

    pub async fn opened(&self) -> Intent {
        self.gateway.open(&wish()).await.expect("it opens")
    }

    /// A PaymentIntent that a customer has paid.
    pub async fn paid(&self) -> Intent {
        let intent = self.opened().await;
        self.controls().pay(&intent.id, "pm_card_visa").expect("a good card pays");
        intent
    }

    /// A call as any program would make it, with the secret key.
    pub fn call(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, format!("{}{path}", self.sandbox.url())).bearer_auth(SECRET_KEY)
    }
}

pub fn gateway(url: &str, key: &str, creates_per_second: u32, metrics: Metrics) -> Gateway {
    let settings =
        StripeSettings { api_url: url.to_owned(), secret_key: SecretString::from(key), creates_per_second };
    Gateway::new(&settings, metrics).expect("the settings are sound")
}

/// A client that shows redirects instead of following them.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

pub fn wish() -> NewIntent {
    NewIntent {
        order: OrderId::new(),
        event: EventId::new(),
        attempt: 1,
        amount: Money::new(1250, "eur".parse().expect("a currency")),
        request_id: "req-1".to_owned(),
    }
}

/// Somebody who receives webhooks, and refuses as many as told first.
#[derive(Clone)]
pub struct Mailbox {
    pub url: String,
    letters: Arc<Mutex<Vec<Letter>>>,
    refusals: Arc<Mutex<u32>>,
}

#[derive(Clone)]
pub struct Letter {
    pub signature: String,
    pub body: Vec<u8>,
    pub refused: bool,
}

impl Letter {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("events are JSON")
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("events have a type").to_owned()
    }
}

impl Mailbox {
    pub async fn open(refusals: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let mailbox = Self { url, letters: Arc::default(), refusals: Arc::new(Mutex::new(refusals)) };
        let app = Router::new().route("/hook", post(receive)).with_state(mailbox.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        mailbox
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().expect("nobody panics here").clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.letters().iter().map(Letter::kind).collect()
    }
}

async fn receive(State(mailbox): State<Mailbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers["stripe-signature"].to_str().expect("a header of text").to_owned();
    let mut refusals = mailbox.refusals.lock().expect("nobody panics here");
    let refused = *refusals > 0;
    *refusals = refusals.saturating_sub(1);
    let letter = Letter { signature, body: body.to_vec(), refused };
    mailbox.letters.lock().expect("nobody panics here").push(letter);
    if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}
