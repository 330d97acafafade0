//! Reading JSON so that its faults are the caller's to mend: not JSON at all, or which field and why.

use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problem::{Code, FieldFault, Problem};

/// `application/json`, with or without parameters, or a kin such as `application/merge-patch+json`.
pub fn is_announced(headers: &HeaderMap) -> bool {
    let announced = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = announced.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Parses a whole body.
///
/// # Errors
/// `malformed_json` when it is none, `invalid_request` with the field when it is not what the call takes.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if holds_nul(bytes) {
        return Err(Code::MalformedJson.detail("text cannot hold NUL characters"));
    }
    // A struct could also be read from a list of its fields' values, in an order that nobody documents.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::invalid(vec![FieldFault::new("body", "must be a JSON object")]));
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|fault| {
        let path = fault.path().to_string();
        problem(&path, fault.inner())
    })?;
    source.end().map_err(|fault| problem(".", &fault))?;
    Ok(value)
}

fn problem(path: &str, fault: &serde_json::Error) -> Problem {
    match fault.classify() {
        Category::Data => Problem::invalid(vec![field_fault(path, &without_position(fault))]),
        Category::Syntax | Category::Eof | Category::Io => Code::MalformedJson.detail(fault.to_string()),
    }
}

/// Where a field is told by its path, line and column only distract.
fn without_position(fault: &serde_json::Error) -> String {
    let text = fault.to_string();
    text.rfind(" at line ").map_or_else(|| text.clone(), |end| text[..end].to_owned())
}

/// Puts the name that serde only mentions in its message, of a missing or an unknown field, into the path.
pub fn field_fault(path: &str, message: &str) -> FieldFault {
    let parent = if path == "." { "" } else { path };
    for (opening, told) in [
        ("missing field `", "is required"),
        ("unknown field `", "is not known here"),
        ("duplicate field `", "is given twice"),
    ] {
        let Some((name, rest)) = message.strip_prefix(opening).and_then(|rest| rest.split_once('`')) else {
            continue;
        };
        let known =
            rest.strip_prefix(", expected ").map(|known| format!("; known: {}", known.replace('`', "")));
        // A struct's own name may already end the path.
        let field = match parent {
            "" => name.to_owned(),
            _ if parent == name || parent.ends_with(&format!(".{name}")) => parent.to_owned(),
            _ => format!("{parent}.{name}"),
        };
        return FieldFault::new(field, format!("{told}{}", known.unwrap_or_default()));
    }
    FieldFault::new(if parent.is_empty() { "body" } else { parent }, without_value(message))
}

/// What was sent in the wrong type is not repeated: it may be a password.
fn without_value(message: &str) -> String {
    let told = message.starts_with("invalid type: ").then(|| {
        let kind = message.find(['`', '"'])?;
        let expected = message.rfind(", expected ")?;
        (kind < expected).then(|| format!("{}{}", message[..kind].trim_end(), &message[expected..]))
    });
    told.flatten().unwrap_or_else(|| message.to_owned())
}

/// Whether some string holds U+0000, which JSON may write but no text of ours can store.
fn holds_nul(bytes: &[u8]) -> bool {
    let escaped = b"\\u0000";
    let is_escape = |at: usize| bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0;
    bytes.windows(escaped.len()).enumerate().any(|(at, window)| window == escaped && is_escape(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use axum::response::IntoResponse;
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses is of interest")]
    struct Chart {
        title: String,
        rows: Vec<Row>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses is of interest")]
    struct Row {
        name: String,
        count: u32,
    }

    async fn refusal(body: &[u8]) -> Value {
        let problem = parse::<Chart>(body).expect_err("a body with a fault");
        let answer = to_bytes(problem.into_response().into_body(), usize::MAX).await.expect("a body");
        serde_json::from_slice(&answer).expect("a problem document")
    }

    #[tokio::test]
    async fn every_fault_names_its_field() {
        for (body, field) in [
            (json!({"rows": []}), "title"),
            (json!({"title": "x", "rows": [], "colour": 1}), "colour"),
            (json!({"title": 1, "rows": []}), "title"),
            (
                json!({"title": "x", "rows": [{"name": "A", "count": 1}, {"name": "B", "count": -1}]}),
                "rows[1].count",
            ),
            (json!({"title": "x", "rows": [{"count": 1}]}), "rows[0].name"),
            (json!({"title": "x", "rows": [{"name": "A", "count": 1, "z": 0}]}), "rows[0].z"),
            (json!([1]), "body"),
        ] {
            let told = refusal(body.to_string().as_bytes()).await;
            assert_eq!(told["code"], "invalid_request", "{told}");
            let message = told["errors"][0]["message"].as_str().expect("a message");
            assert!(!message.contains("at line"), "{told}");
            if field != "body" {
                assert_eq!(told["errors"][0]["field"], field, "{told}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_sent_in_the_wrong_type_is_not_repeated() {
        for (title, told) in [
            (json!(918_273_645), "invalid type: integer, expected a string"),
            (json!(1.5), "invalid type: floating point, expected a string"),
            (json!(true), "invalid type: boolean, expected a string"),
            (json!(["secret"]), "invalid type: sequence, expected a string"),
        ] {
            let refusal = refusal(json!({ "title": title, "rows": [] }).to_string().as_bytes()).await;
            assert_eq!(refusal["errors"][0]["message"], told);
        }
        let rows = refusal(br#"{"title": "x", "rows": "secret, expected \"nothing\""}"#).await;
        assert_eq!(rows["errors"][0]["message"], "invalid type: string, expected a sequence");
    }

    #[tokio::test]
    async fn what_is_not_json_is_malformed() {
        for body in [
            &b""[..],
            b"{",
            b"{\"title\": \"x\", \"rows\": []} trailing",
            b"{\"title\": \"\xff\"}",
            b"\xff\xfe",
            b"{\"title\": \"\\u0000\"}",
        ] {
            let told = refusal(body).await;
            assert_eq!(told["code"], "malformed_json", "{told}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused_rather_than_followed() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse::<Value>(deep.as_bytes()).is_err());
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_plain_text() {
        assert!(holds_nul(br#""a\u0000""#));
        assert!(!holds_nul(br#""a\\u0000""#));
        assert!(holds_nul(br#""a\\\u0000""#));
    }

    #[test]
    fn json_is_announced_in_several_ways() {
        let announced = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
            is_announced(&headers)
        };
        assert!(announced("application/json"));
        assert!(announced("Application/JSON; charset=utf-8"));
        assert!(announced("application/merge-patch+json"));
        assert!(!announced("text/plain"));
        assert!(!announced("application/x-www-form-urlencoded"));
        assert!(!is_announced(&HeaderMap::new()));
    }
}
