//! The mailbox as pages, and as JSON for programs. Plain forms, no script; what came by mail runs nothing either.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::behaviour::{Behaviour, How};
use super::shelf::{Letter, Shelf};
use super::view;
use crate::markup::{escaped, fill};

const PAGE: &str = include_str!("pages/page.html");
const LIST: &str = include_str!("pages/list.html");
const STYLE: &str = include_str!("pages/mailbox.css");

/// A letter's own styles stand at its elements; it brings nothing else in, and can send nothing out.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

pub type Handle = State<Arc<Shelf>>;

pub fn routes(shelf: Arc<Shelf>) -> Router {
    Router::new()
        .route("/", get(async || see_other("/mailbox")))
        .route("/mailbox", get(list))
        .route("/mailbox.json", get(list_for_programs))
        .route("/mailbox.css", get(style))
        .route("/mailbox/{number}", get(view::letter))
        .route("/mailbox/{number}/source", get(view::source))
        .route("/mailbox/{number}/files/{index}", get(view::file))
        .route("/mailbox/behaviour", post(behave))
        .route("/mailbox/empty", post(empty))
        .with_state(shelf)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    to: String,
}

async fn list(State(shelf): Handle, Query(wanted): Query<Wanted>) -> Response {
    let letters = shelf.letters_to(wanted.to.trim());
    let title = match wanted.to.trim() {
        "" => "All letters".to_owned(),
        to => format!("Letters to {to}"),
    };
    let lines: String = letters.iter().map(|letter| line(letter)).collect();
    let letters = match lines.as_str() {
        "" => "<p>Nothing has come yet. Reload this page when something has been sent.</p>".to_owned(),
        lines => format!("<ul class=\"letters\">{lines}</ul>"),
    };
    let now = shelf.behaviour();
    let name = How::ALL.iter().find(|(how, _)| *how == now.how).map_or("", |(_, name)| *name);
    let main = fill(LIST, |blank| match blank {
        "title" => escaped(&title),
        "to" => escaped(wanted.to.trim()),
        "letters" => letters.clone(),
        "open" => if now.how == How::Take { "" } else { " open" }.to_owned(),
        "now" => escaped(name),
        "ways" => ways(now.how),
        "only" => escaped(now.to.as_deref().unwrap_or_default()),
        "times" => now.times.map(|times| times.to_string()).unwrap_or_default(),
        _ => String::new(),
    });
    page(StatusCode::OK, &title, &main)
}

/// Every way to treat letters, as options.
fn ways(now: How) -> String {
    let option = |(how, name): &(How, &str)| {
        let chosen = if *how == now { " selected" } else { "" };
        format!("<option value=\"{}\"{chosen}>{}</option>", how.name(), escaped(name))
    };
    How::ALL.iter().map(option).collect::<Vec<_>>().concat()
}

fn line(letter: &Letter) -> String {
    format!(
        "<li><a href=\"/mailbox/{}\"><strong>{}</strong><span>{} · {}</span></a></li>",
        letter.number,
        escaped(subject(letter)),
        escaped(&letter.to.join(", ")),
        escaped(&came(letter)),
    )
}

async fn list_for_programs(State(shelf): Handle, Query(wanted): Query<Wanted>) -> axum::Json<Value> {
    let letters = shelf.letters_to(wanted.to.trim());
    let letters: Vec<_> = letters.iter().map(|letter| in_json(letter)).collect();
    axum::Json(json!({ "letters": letters }))
}

fn in_json(letter: &Letter) -> Value {
    let files: Vec<_> = letter
        .read
        .files
        .iter()
        .map(|file| json!({ "name": file.name, "type": file.kind, "size": file.content.len() }))
        .collect();
    json!({
        "number": letter.number,
        "received_at": letter.received_at.format(&Rfc3339).unwrap_or_default(),
        "from": letter.from,
        "to": letter.to,
        "subject": letter.read.subject,
        "headers": letter.read.headers,
        "text": letter.read.text,
        "html": letter.read.html,
        "files": files,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    how: String,
    to: String,
    times: String,
}

async fn behave(State(shelf): Handle, Form(wish): Form<Wish>) -> Response {
    let times = match wish.times.trim() {
        "" => Ok(None),
        times => times.parse().map(Some).map_err(drop),
    };
    let (Some(how), Ok(times)) = (How::named(&wish.how), times) else {
        let main = "<h1>That is no way to treat letters</h1>\n<p>Choose one from the list, and a whole number or nothing.</p>";
        return page(StatusCode::BAD_REQUEST, "Not set", main);
    };
    let to = Some(wish.to.trim().to_owned()).filter(|to| !to.is_empty());
    shelf.behave(Behaviour { how, to, times });
    see_other("/mailbox")
}

async fn empty(State(shelf): Handle) -> Response {
    match shelf.clear() {
        Ok(()) => see_other("/mailbox"),
        Err(error) => {
            tracing::warn!(%error, "the mailbox cannot be emptied");
            page(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Not emptied",
                "<h1>The mailbox could not be emptied</h1>",
            )
        }
    }
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], STYLE).into_response()
}

pub fn subject(letter: &Letter) -> &str {
    if letter.read.subject.is_empty() { "(no subject)" } else { &letter.read.subject }
}

pub fn came(letter: &Letter) -> String {
    let at = letter.received_at;
    format!("{}, {:02}:{:02}:{:02} UTC", at.date(), at.hour(), at.minute(), at.second())
}

fn see_other(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path), (CACHE_CONTROL, "no-store")]).into_response()
}

pub fn not_there() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "Not here",
        "<h1>This letter is not here</h1>\n<p>Older letters make room for newer ones.</p>",
    )
}

pub fn page(status: StatusCode, title: &str, main: &str) -> Response {
    let page = fill(PAGE, |blank| match blank {
        "title" => escaped(title),
        "main" => main.to_owned(),
        _ => String::new(),
    });
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, page).into_response()
}
