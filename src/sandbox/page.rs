//! The page on which a person pays by hand. Plain forms, no script, and the truth about what happened.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use reqwest::Url;

use super::failure::Failure;
use super::intents;
use super::methods::Method;
use super::objects::{Intent, Origin, Outcome};
use super::params::Params;
use super::world::{Shared, World, fresh};
use crate::markup::{escaped, fill};
use crate::money::written;
use crate::payments::IntentStatus;

const PAGE: &str = include_str!("pages/page.html");
const PAYABLE: &str = include_str!("pages/payable.html");
const APPROVAL: &str = include_str!("pages/approval.html");
const PROCESSING: &str = include_str!("pages/processing.html");
const STYLE: &str = include_str!("pages/pay.css");

/// Nothing but our own style and our own forms, which may lead back to the shop; in nobody's frame.
fn policy(link: Option<&Link>) -> String {
    let shop = link.and_then(|link| link.return_url.as_ref()).map(|url| url.origin().ascii_serialization());
    format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
        shop.unwrap_or_default()
    )
}

pub fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/pay/{intent}", get(show).post(act)).route("/pay.css", get(style))
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], STYLE).into_response()
}

async fn show(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let link = Link::read(&Params::parse(query.unwrap_or_default().as_bytes()));
    let Some((intent, refunded)) = shared.look(|world| link.open(world, &id)) else { return refused() };
    document(StatusCode::OK, &content(&intent, refunded, &link))
}

async fn act(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return refused() };
    let form = Params::parse(&body);
    let link = Link::read(&form);
    let opened = shared.change(|world| {
        link.open(world, &id)?;
        // A refusal needs no page of its own: the page says how things stand, and why the last try failed.
        if let Err(failure) = perform(world, &id, &form) {
            tracing::debug!(intent = id, reason = failure.message(), "the pay page could not do it");
        }
        link.open(world, &id)
    });
    let Some((intent, _)) = opened else { return refused() };
    // Answering with a redirect keeps a reload from paying again.
    let is_done = matches!(intent.status, IntentStatus::Succeeded | IntentStatus::Canceled);
    let location = link.way_back(&intent).filter(|_| is_done);
    let location = location.unwrap_or_else(|| format!("/pay/{id}?{}", link.query()));
    (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())]).into_response()
}

fn perform(world: &mut World, id: &str, form: &Params) -> Result<Intent, Failure> {
    let origin = Origin { request: Some(fresh("req")), key: None };
    let mut confirm = |method| intents::confirm_with(world, id, Some(method), &origin);
    match form.get("do").unwrap_or_default() {
        "pay" => confirm(Method::numbered(form.get("number").unwrap_or_default())),
        "decline" => confirm(Method::numbered("4000000000000002")),
        "delay" => match Method::named("pm_usBankAccount") {
            Some(method) => confirm(method),
            None => Err(Failure::missing_parameter("payment_method")),
        },
        "succeed" => intents::settle(world, id, Outcome::Succeeded, &origin),
        "fail" => intents::settle(world, id, Outcome::Failed, &origin),
        "cancel" => intents::cancel(world, id, &Params::default(), &origin),
        other => Err(Failure::unknown_parameter(other)),
    }
}

/// What a link to the page carries.
struct Link {
    client_secret: String,
    return_url: Option<Url>,
}

impl Link {
    fn read(params: &Params) -> Self {
        let return_url = params.get("return_url").and_then(|text| Url::parse(text).ok());
        Self {
            client_secret: params.text("client_secret").unwrap_or_default(),
            // Anything else, like `javascript:`, would run with this page's rights.
            return_url: return_url.filter(|url| matches!(url.scheme(), "http" | "https")),
        }
    }

    /// The PaymentIntent and how much of it went back, for whoever knows its secret.
    fn open(&self, world: &World, id: &str) -> Option<(Intent, i64)> {
        let intent = world.intents.get(id).filter(|intent| intent.client_secret == self.client_secret)?;
        let charge = intent.latest_charge.as_deref().and_then(|charge| world.charges.get(charge));
        Some((intent.clone(), charge.map_or(0, |charge| charge.refunded)))
    }

    /// Where the customer came from, with what Stripe, too, says on that way once there is something to say.
    fn way_back(&self, intent: &Intent) -> Option<String> {
        let status = match intent.status {
            IntentStatus::Succeeded | IntentStatus::RequiresCapture => "succeeded",
            IntentStatus::Processing => "processing",
            IntentStatus::Canceled => "failed",
            IntentStatus::RequiresPaymentMethod
            | IntentStatus::RequiresConfirmation
            | IntentStatus::RequiresAction => return self.return_url.as_ref().map(Url::to_string),
        };
        let mut url = self.return_url.clone()?;
        url.query_pairs_mut()
            .append_pair("payment_intent", &intent.id)
            .append_pair("redirect_status", status);
        Some(url.to_string())
    }

    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_secret", &self.client_secret);
        if let Some(url) = &self.return_url {
            query.append_pair("return_url", url.as_str());
        }
        query.finish()
    }
}

/// The parts of a page, still to be escaped where they hold somebody's text.
struct Content<'c> {
    /// One of the style's: open, wait, done, off.
    mood: &'c str,
    title: &'c str,
    text: String,
    alert: Option<String>,
    form: &'c str,
    intent: Option<&'c Intent>,
    link: Option<&'c Link>,
}

fn content<'c>(intent: &'c Intent, refunded: i64, link: &'c Link) -> Content<'c> {
    let (mood, title, text, form) = match intent.status {
        IntentStatus::RequiresPaymentMethod | IntentStatus::RequiresConfirmation => {
            ("open", "Pay for your order", "No real money moves here.".to_owned(), PAYABLE)
        }
        IntentStatus::RequiresAction => (
            "wait",
            "Approve the payment",
            "Your bank wants to know that it is you. Nothing has been charged yet.".to_owned(),
            APPROVAL,
        ),
        IntentStatus::Processing | IntentStatus::RequiresCapture => (
            "wait",
            "The payment is on its way",
            "Your bank has not decided yet. You need not pay again.".to_owned(),
            PROCESSING,
        ),
        IntentStatus::Succeeded if refunded > 0 => (
            "done",
            "Paid, and refunded",
            format!("{} of it went back.", written(refunded, &intent.currency)),
            "",
        ),
        IntentStatus::Succeeded => {
            ("done", "Paid", "The payment has arrived. There is nothing left to do here.".to_owned(), "")
        }
        IntentStatus::Canceled => (
            "off",
            "Cancelled",
            "This payment was cancelled and can no longer be made. Nothing was charged.".to_owned(),
            "",
        ),
    };
    let declined = intent.last_error.as_ref().filter(|_| mood == "open");
    let alert =
        declined.map(|decline| format!("{} Nothing was charged; you can try again.", decline.message));
    Content { mood, title, text, alert, form, intent: Some(intent), link: Some(link) }
}

fn refused() -> Response {
    let content = Content {
        mood: "off",
        title: "This link does not open a payment",
        text: "It is incomplete or belongs to another payment. Go back to your order and follow its link."
            .to_owned(),
        alert: None,
        form: "",
        intent: None,
        link: None,
    };
    document(StatusCode::FORBIDDEN, &content)
}

fn document(status: StatusCode, content: &Content<'_>) -> Response {
    let wrap = |text: Option<String>, before: &str, after: &str| {
        text.map(|text| format!("{before}{}{after}", escaped(&text))).unwrap_or_default()
    };
    let order = content.intent.and_then(|intent| intent.metadata.get("order_id").cloned());
    let sum = content.intent.map(|intent| written(intent.amount, &intent.currency));
    let back = content.link.zip(content.intent).and_then(|(link, intent)| link.way_back(intent));
    let hidden = content.link.map(|link| {
        let field = |name: &str, value: &str| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
        };
        let url = link.return_url.as_ref().map(|url| field("return_url", url.as_str()));
        field("client_secret", &link.client_secret) + &url.unwrap_or_default()
    });
    let action = content.intent.map(|intent| format!("/pay/{}", intent.id)).unwrap_or_default();
    // One pass over the template, so that nothing filled in is taken for a blank.
    let page = fill(PAGE, |blank| match blank {
        "mood" => content.mood.to_owned(),
        "title" => content.title.to_owned(),
        "text" => escaped(&content.text),
        "alert" => wrap(content.alert.clone(), "<p class=\"alert\" role=\"alert\">", "</p>"),
        "sum" => wrap(sum.clone(), "<p class=\"sum\">", "</p>"),
        "order" => wrap(order.clone(), "<p class=\"order\">Order <code>", "</code></p>"),
        "form" => fill(content.form, |blank| match blank {
            "action" => escaped(&action),
            "hidden" => hidden.clone().unwrap_or_default(),
            "sum" => escaped(&sum.clone().unwrap_or_default()),
            _ => String::new(),
        }),
        "back" => wrap(back.clone(), "<a class=\"back\" href=\"", "\">Back to your order</a>"),
        _ => String::new(),
    });
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy(content.link)),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (status, headers, page).into_response()
}
