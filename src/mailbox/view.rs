//! One letter as a person reads it: as it looks, as plain text, as its source, and its files.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::page::{Handle, came, not_there, page, subject};
use super::reading::File;
use super::shelf::Letter;
use crate::markup::{escaped, fill};

const LETTER: &str = include_str!("pages/letter.html");

/// Ways to read a letter: what links and people call them.
const WAYS: [(&str, &str); 3] = [("html", "As it looks"), ("text", "Plain text"), ("source", "Source")];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    view: String,
}

pub async fn letter(State(shelf): Handle, Path(number): Path<u64>, Query(wanted): Query<Wanted>) -> Response {
    let Some(letter) = shelf.letter(number) else { return not_there() };
    let read = &letter.read;
    let offered: Vec<_> = WAYS.into_iter().filter(|(way, _)| body(&letter, way).is_some()).collect();
    let way = offered.iter().find(|(way, _)| *way == wanted.view).or(offered.first());
    let way = way.map_or("source", |(way, _)| *way);
    let main = fill(LETTER, |blank| match blank {
        "subject" => escaped(subject(&letter)),
        "from" => escaped(read.header("from").unwrap_or(&letter.from)),
        "to" => escaped(read.header("to").unwrap_or(&letter.to.join(", "))),
        "came" => escaped(&came(&letter)),
        "views" => links(number, &offered, way),
        "files" if !read.files.is_empty() => files(number, &read.files),
        "body" => body(&letter, way).unwrap_or_default(),
        _ => String::new(),
    });
    page(StatusCode::OK, subject(&letter), &main)
}

fn links(number: u64, offered: &[(&str, &str)], chosen: &str) -> String {
    let link = |(way, name): &(&str, &str)| {
        let current = if *way == chosen { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"/mailbox/{number}?view={way}\"{current}>{name}</a>")
    };
    offered.iter().map(link).collect::<Vec<_>>().concat()
}

fn files(number: u64, files: &[File]) -> String {
    let link = |(index, file): (usize, &File)| {
        format!("<li><a href=\"/mailbox/{number}/files/{index}\">{}</a></li>", escaped(&file.name))
    };
    let links = files.iter().enumerate().map(link).collect::<Vec<_>>().concat();
    format!("<ul class=\"files\" aria-label=\"Files\">{links}</ul>")
}

/// The letter read in one way, if it can be.
fn body(letter: &Letter, way: &str) -> Option<String> {
    let text = |text: &str, name: &str| {
        format!("<pre tabindex=\"0\" role=\"region\" aria-label=\"{name}\">{text}</pre>")
    };
    match way {
        "html" => letter.read.html.as_ref().map(|html| {
            let rights = "allow-popups allow-popups-to-escape-sandbox";
            let html = escaped(&shown(html, &letter.read.files));
            format!("<iframe title=\"The letter\" sandbox=\"{rights}\" srcdoc=\"{html}\"></iframe>")
        }),
        "text" => letter.read.text.as_ref().map(|plain| text(&linked(plain), "The letter")),
        _ => Some(text(&escaped(&String::from_utf8_lossy(&letter.source)), "The letter's source")),
    }
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

pub async fn source(State(shelf): Handle, Path(number): Path<u64>) -> Response {
    let Some(letter) = shelf.letter(number) else { return not_there() };
    download(&format!("letter-{number}.eml"), letter.source.clone())
}

pub async fn file(State(shelf): Handle, Path((number, index)): Path<(u64, usize)>) -> Response {
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
