//! The mailbox as pages, and as JSON for programs. Plain forms, no script; what came by mail runs nothing either.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::behaviour::{Behaviour, How};
use super::reading::File;
use super::shelf::{Letter, Shelf};
use crate::markup::{escaped, fill};

const PAGE: &str = include_str!("pages/page.html");
const LIST: &str = include_str!("pages/list.html");
const LETTER: &str = include_str!("pages/letter.html");
const STYLE: &str = include_str!("pages/mailbox.css");

/// A letter's own styles stand at its elements; it brings nothing else in, and can send nothing out.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

type Handle = State<Arc<Shelf>>;

pub fn routes(shelf: Arc<Shelf>) -> Router {
    Router::new()
        .route("/", get(async || see_other("/mailbox")))
        .route("/mailbox", get(list))
        .route("/mailbox.json", get(list_for_programs))
        .route("/mailbox.css", get(style))
        .route("/mailbox/{number}", get(letter))
        .route("/mailbox/{number}/source", get(source))
        .route("/mailbox/{number}/files/{index}", get(file))
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
    let ways: String = How::ALL
        .iter()
        .map(|(how, name)| {
            let chosen = if *how == now.how { " selected" } else { "" };
            format!("<option value=\"{}\"{chosen}>{}</option>", how.name(), escaped(name))
        })
        .collect();
    let name = How::ALL.iter().find(|(how, _)| *how == now.how).map_or("", |(_, name)| *name);
    let main = fill(LIST, |blank| match blank {
        "title" => escaped(&title),
        "to" => escaped(wanted.to.trim()),
        "letters" => letters.clone(),
        "open" => if now.how == How::Take { "" } else { " open" }.to_owned(),
        "now" => escaped(name),
        "ways" => ways.clone(),
        "only" => escaped(now.to.as_deref().unwrap_or_default()),
        "times" => now.times.map(|times| times.to_string()).unwrap_or_default(),
        _ => String::new(),
    });
    page(StatusCode::OK, &title, &main)
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    view: String,
}

async fn letter(State(shelf): Handle, Path(number): Path<u64>, Query(view): Query<View>) -> Response {
    let Some(letter) = shelf.letter(number) else { return not_there() };
    let read = &letter.read;
    let all = [
        ("html", "As it looks", read.html.is_some()),
        ("text", "Plain text", read.text.is_some()),
        ("source", "Source", true),
    ];
    let offered = || all.iter().filter(|(_, _, is_there)| *is_there);
    let chosen = offered().find(|(key, ..)| *key == view.view).or_else(|| offered().next());
    let chosen = chosen.map_or("source", |(key, ..)| *key);
    let views: String = offered()
        .map(|(key, name, _)| {
            let current = if *key == chosen { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"/mailbox/{number}?view={key}\"{current}>{name}</a>")
        })
        .collect();
    let body = match chosen {
        "html" => format!(
            "<iframe title=\"The letter\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" srcdoc=\"{}\"></iframe>",
            escaped(&shown(read.html.as_deref().unwrap_or_default(), &read.files))
        ),
        "text" => {
            format!(
                "<pre tabindex=\"0\" aria-label=\"The letter\">{}</pre>",
                linked(read.text.as_deref().unwrap_or_default())
            )
        }
        _ => format!(
            "<pre tabindex=\"0\" aria-label=\"The letter's source\">{}</pre>",
            escaped(&String::from_utf8_lossy(&letter.source))
        ),
    };
    let files: String = (0..)
        .zip(&read.files)
        .map(|(index, file): (usize, _)| {
            format!("<li><a href=\"/mailbox/{number}/files/{index}\">{}</a></li>", escaped(&file.name))
        })
        .collect();
    let main = fill(LETTER, |blank| match blank {
        "subject" => escaped(subject(&letter)),
        "from" => escaped(read.header("from").unwrap_or(&letter.from)),
        "to" => escaped(read.header("to").unwrap_or(&letter.to.join(", "))),
        "came" => escaped(&came(&letter)),
        "views" => views.clone(),
        "files" if !files.is_empty() => format!("<ul class=\"files\" aria-label=\"Files\">{files}</ul>"),
        "body" => body.clone(),
        _ => String::new(),
    });
    page(StatusCode::OK, subject(&letter), &main)
}

/// A letter's HTML for its frame: links open beside it, and pictures that came with it are shown.
fn shown(html: &str, files: &[File]) -> String {
    let mut html = html.replacen("<head>", "<head><base target=\"_blank\">", 1);
    for file in files {
        if let Some(id) = &file.content_id {
            let kind = file.kind.split(';').next().unwrap_or_default();
            let data = format!("data:{kind};base64,{}", BASE64_STANDARD.encode(&file.content));
            html = html.replace(&format!("cid:{id}"), &data);
        }
    }
    html
}

/// Plain text in which addresses of pages can be followed.
fn linked(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(linked_word).collect()
}

fn linked_word(word: &str) -> String {
    if !(word.starts_with("http://") || word.starts_with("https://")) {
        return escaped(word);
    }
    let length = word.trim_end().trim_end_matches(['.', ',', ')']).len();
    let (address, rest) = (escaped(&word[..length]), escaped(&word[length..]));
    format!("<a href=\"{address}\" rel=\"noreferrer\">{address}</a>{rest}")
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

async fn source(State(shelf): Handle, Path(number): Path<u64>) -> Response {
    let Some(letter) = shelf.letter(number) else { return not_there() };
    download(&format!("letter-{number}.eml"), letter.source.clone())
}

async fn file(State(shelf): Handle, Path((number, index)): Path<(u64, usize)>) -> Response {
    let letter = shelf.letter(number);
    let Some(file) = letter.as_ref().and_then(|letter| letter.read.files.get(index)) else {
        return not_there();
    };
    download(&file.name, file.content.clone())
}

/// As a file and nothing else, whatever it calls itself.
fn download(name: &str, content: Vec<u8>) -> Response {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect();
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, content).into_response()
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

fn subject(letter: &Letter) -> &str {
    if letter.read.subject.is_empty() { "(no subject)" } else { &letter.read.subject }
}

fn came(letter: &Letter) -> String {
    let at = letter.received_at;
    format!("{}, {:02}:{:02}:{:02} UTC", at.date(), at.hour(), at.minute(), at.second())
}

fn see_other(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path), (CACHE_CONTROL, "no-store")]).into_response()
}

fn not_there() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "Not here",
        "<h1>This letter is not here</h1>\n<p>Older letters make room for newer ones.</p>",
    )
}

fn page(status: StatusCode, title: &str, main: &str) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_text_can_be_followed_and_nothing_else_is_markup() {
        assert_eq!(
            linked("See <b>\nhttp://a.example/o?x=1&y=2.\njavascript:alert(1)"),
            "See &lt;b&gt;\n<a href=\"http://a.example/o?x=1&amp;y=2\" rel=\"noreferrer\">http://a.example/o?x=1&amp;y=2</a>.\njavascript:alert(1)"
        );
    }
}
