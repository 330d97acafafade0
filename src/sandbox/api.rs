//! The `/v1` calls: who asks, what for, once or again, and what the switches make of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use super::faults::{CallFault, Endpoint, How, When};
use super::objects::Origin;
use super::once::Once;
use super::params::Params;
use super::reply::{self, Answer};
use super::world::{Shared, World, fresh};
use super::{intents, lists, refunds, shapes};

/// Far more than any call needs.
const LONGEST_BODY: usize = 256 << 10;
/// A body that trickles in slower than this is not waited for.
const BODY_ARRIVES: Duration = Duration::from_secs(20);
/// Longer than any client of ours waits.
const SILENCE: Duration = Duration::from_secs(90);

/// A call that this double knows.
#[derive(Debug)]
enum Call {
    CreateIntent,
    ListIntents,
    Intent(String),
    UpdateIntent(String),
    Confirm(String),
    Cancel(String),
    CreateRefund,
    ListRefunds,
    Refund(String),
    ListCharges,
    Charge(String),
    ListEvents,
    Event(String),
}

impl Call {
    fn named(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/v1/")?.trim_end_matches('/').split('/').collect();
        let get = method == Method::GET;
        if !get && method != Method::POST {
            return None;
        }
        Some(match (parts.as_slice(), get) {
            (["payment_intents"], false) => Self::CreateIntent,
            (["payment_intents"], true) => Self::ListIntents,
            (["payment_intents", id], true) => Self::Intent((*id).to_owned()),
            (["payment_intents", id], false) => Self::UpdateIntent((*id).to_owned()),
            (["payment_intents", id, "confirm"], false) => Self::Confirm((*id).to_owned()),
            (["payment_intents", id, "cancel"], false) => Self::Cancel((*id).to_owned()),
            (["refunds"], false) => Self::CreateRefund,
            (["refunds"], true) => Self::ListRefunds,
            (["refunds", id], true) => Self::Refund((*id).to_owned()),
            (["charges"], true) => Self::ListCharges,
            (["charges", id], true) => Self::Charge((*id).to_owned()),
            (["events"], true) => Self::ListEvents,
            (["events", id], true) => Self::Event((*id).to_owned()),
            _ => return None,
        })
    }

    fn endpoint(&self) -> Endpoint {
        match self {
            Self::CreateIntent => Endpoint::Create,
            Self::UpdateIntent(_) => Endpoint::Update,
            Self::Confirm(_) => Endpoint::Confirm,
            Self::Cancel(_) => Endpoint::Cancel,
            Self::CreateRefund => Endpoint::Refund,
            Self::Intent(_) | Self::Refund(_) | Self::Charge(_) | Self::Event(_) => Endpoint::Retrieve,
            Self::ListIntents | Self::ListRefunds | Self::ListCharges | Self::ListEvents => Endpoint::List,
        }
    }
}

/// One request, read.
struct Asked {
    method: Method,
    path: String,
    params: Params,
    headers: HeaderMap,
    request: String,
}

pub async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    // A caller who hangs up does not undo his call: it goes on by itself, as it would at Stripe.
    let answering = tokio::spawn(answer(shared, request));
    answering.await.unwrap_or_else(|_| reply::cut())
}

async fn answer(shared: Arc<Shared>, request: Request) -> Response {
    let id = fresh("req");
    let key = header(request.headers(), "idempotency-key").map(str::to_owned);
    let answer = match read(request, &id).await {
        Ok(asked) => run(&shared, &asked, key.as_deref()).await,
        Err(failure) => failure.into(),
    };
    answer.into_response(&id, key.as_deref())
}

async fn read(request: Request, id: &str) -> Result<Asked, Failure> {
    let (head, body) = request.into_parts();
    let body = match timeout(BODY_ARRIVES, to_bytes(body, LONGEST_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => return Err(Failure::too_large()),
    };
    let query = Params::parse(head.uri.query().unwrap_or_default().as_bytes());
    Ok(Asked {
        params: query.and(Params::parse(&body)),
        path: head.uri.path().to_owned(),
        method: head.method,
        headers: head.headers,
        request: id.to_owned(),
    })
}

async fn run(shared: &Shared, asked: &Asked, key: Option<&str>) -> Answer {
    let Some(call) = Call::named(&asked.method, &asked.path) else {
        return Failure::unknown_url(asked.method.as_str(), &asked.path).into();
    };
    if let Err(failure) = shared.look(|world| admit(world, &call, asked)) {
        return failure.into();
    }
    let endpoint = call.endpoint();
    let (allowed, fault, delay) = shared.change(|world| {
        *world.calls.entry(endpoint.as_str()).or_default() += 1;
        (world.within_limit(endpoint), world.faults.strike(endpoint), world.faults.delay_ms())
    });
    if !allowed {
        return Failure::too_many(None).into();
    }
    let stored = fault.as_ref().filter(|fault| fault.how == How::Stored).map(|fault| fault.when);
    let broken = fault.as_ref().filter(|fault| fault.how != How::Stored);
    if let Some(fault) = broken.filter(|fault| fault.when == When::Before) {
        return break_off(shared, fault).await;
    }
    let once = match once(asked, key) {
        Ok(once) => once,
        Err(failure) => return failure.into(),
    };
    let begun = once.as_ref().map_or(Ok(None), |once| shared.change(|world| once.begin(world)));
    let answer = match begun {
        Ok(None) => {
            sleep(Duration::from_millis(delay)).await;
            shared.change(|world| execute(world, &call, asked, once.as_ref(), stored)).into()
        }
        Ok(Some(kept)) => Answer::replayed(kept),
        Err(failure) => failure.into(),
    };
    match broken {
        Some(fault) => break_off(shared, fault).await,
        None => answer,
    }
}

/// Only calls that change something have a key; Stripe ignores it on the others.
fn once(asked: &Asked, key: Option<&str>) -> Result<Option<Once>, Failure> {
    let Some(key) = key.filter(|_| asked.method == Method::POST) else { return Ok(None) };
    let fingerprint = format!("{} {} {}", asked.method, asked.path, asked.params.fingerprint());
    Once { key: key.to_owned(), fingerprint, request: asked.request.clone() }.check().map(Some)
}

/// The call, and what its key answers from now on, in one step.
fn execute(
    world: &mut World,
    call: &Call,
    asked: &Asked,
    once: Option<&Once>,
    stored: Option<When>,
) -> Result<Value, Failure> {
    let mut answer = match stored {
        Some(When::Before) => Err(Failure::stored_outage()),
        Some(When::After) | None => perform(world, call, asked, once),
    };
    if stored == Some(When::After) && answer.is_ok() {
        answer = Err(Failure::stored_outage());
    }
    if let Some(once) = once {
        once.finish(world, &answer);
    }
    answer
}

fn perform(world: &mut World, call: &Call, asked: &Asked, once: Option<&Once>) -> Result<Value, Failure> {
    let params = &asked.params;
    let origin = Origin { request: Some(asked.request.clone()), key: once.map(|once| once.key.clone()) };
    let intent = |world: &World, it| shapes::intent(&it, &world.base_url);
    match call {
        Call::CreateIntent => intents::create(world, params, &origin).map(|it| intent(world, it)),
        Call::UpdateIntent(id) => intents::update(world, id, params).map(|it| intent(world, it)),
        Call::Confirm(id) => intents::confirm(world, id, params, &origin).map(|it| intent(world, it)),
        Call::Cancel(id) => intents::cancel(world, id, params, &origin).map(|it| intent(world, it)),
        Call::Intent(id) => intents::find(world, id).map(|it| intent(world, it)),
        Call::ListIntents => lists::intents(world, params),
        Call::CreateRefund => refunds::create(world, params, &origin).map(|it| shapes::refund(&it)),
        Call::ListRefunds => lists::refunds(world, params),
        Call::Refund(id) => {
            world.refunds.get(id).map(shapes::refund).ok_or_else(|| Failure::not_found("refund", id))
        }
        Call::ListCharges => lists::charges(world, params),
        Call::Charge(id) => {
            world.charges.get(id).map(shapes::charge).ok_or_else(|| Failure::not_found("charge", id))
        }
        Call::ListEvents => lists::events(world, params),
        Call::Event(id) => {
            let event = world.events.get(id).ok_or_else(|| Failure::not_found("event", id))?;
            Ok(lists::event(world, event))
        }
    }
}

/// The secret key may do everything. The publishable one may pay, for whoever has the client secret.
fn admit(world: &World, call: &Call, asked: &Asked) -> Result<(), Failure> {
    let key = key_of(asked).ok_or_else(|| {
        Failure::unauthorized("You did not provide an API key. Use Bearer or Basic authorization.")
    })?;
    let client_secret = asked.params.get("client_secret");
    if key == world.secret_key.expose_secret() {
        return Ok(());
    }
    if key != world.publishable_key {
        return Err(Failure::unauthorized("Invalid API Key provided."));
    }
    let (Call::Intent(id) | Call::Confirm(id)) = call else {
        let message = "This API call cannot be made with a publishable API key. Use a secret API key.";
        return Err(Failure::unauthorized(message));
    };
    let given = client_secret.ok_or_else(|| Failure::missing_parameter("client_secret"))?;
    let intent = intents::find(world, id)?;
    if intent.client_secret == given { Ok(()) } else { Err(Failure::wrong_client_secret()) }
}

fn key_of(asked: &Asked) -> Option<String> {
    let Some(authorization) = header(&asked.headers, "authorization") else {
        // Stripe's own page scripts send the publishable key among the parameters.
        return asked.params.text("key").filter(|key| key.starts_with("pk_"));
    };
    let (scheme, value) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    Some(pair.split(':').next().unwrap_or_default().to_owned())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

async fn break_off(shared: &Shared, fault: &CallFault) -> Answer {
    match fault.how {
        How::Broken | How::Stored => Failure::outage(StatusCode::INTERNAL_SERVER_ERROR, None).into(),
        How::TooMany => Failure::too_many(fault.retry_after).into(),
        How::Away => Failure::outage(StatusCode::SERVICE_UNAVAILABLE, fault.retry_after).into(),
        How::Reset => Answer::Cut,
        How::Silence => {
            tokio::select! {
                () = sleep(SILENCE) => {}
                () = shared.stop.cancelled() => {}
            }
            Answer::Cut
        }
    }
}
