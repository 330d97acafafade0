//! The API's description: what each resource says of itself, and what is true of all of them, said once.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{Code, FieldFault, ProblemBody};

/// The document that resources are merged into.
pub fn base() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = ComponentsBuilder::new()
        .schema(<ProblemBody as ToSchema>::name(), ProblemBody::schema())
        .schema(<FieldFault as ToSchema>::name(), FieldFault::schema())
        .schema(<Code as ToSchema>::name(), Code::schema())
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .build();
    let info = InfoBuilder::new()
        .title("Holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(introduction()))
        .license(Some(LicenseBuilder::new().name("MIT").build()))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Every code with its status: the table that clients are written against.
fn introduction() -> String {
    let mut text = String::from(INTRODUCTION);
    for code in Code::ALL {
        let (status, title) = (code.status().as_u16(), code.title());
        writeln!(text, "| {status} | `{}` | {title} |", code.as_str())
            .expect("writing to a String cannot fail");
    }
    text
}

const INTRODUCTION: &str = "\
Seats are held, paid for, and confirmed: no seat is sold twice, and no captured payment is left without \
its seats or its money back.

A customer signs in, looks at `GET /v1/events/{id}/availability` (or follows `/live`), takes a hold, turns it \
into an order and pays. Stripe's word confirms the order.

**Repeating is safe.** Every changing call takes an `Idempotency-Key`: for 24 hours the same key and body get \
the same answer (with `Idempotent-Replayed: true`), another body is refused. Answers 429 and 5xx are not \
kept, so a repeat tries again.

**Amounts** are integers in the currency's smallest unit. **Times** are RFC 3339 in UTC. **Lists** come in \
pages: pass `next` back as `cursor` until it is null.

**Limits.** Calls are counted by account and by address. Limited calls say in `RateLimit-Policy` and `RateLimit` (and \
in `RateLimit-Limit`, `-Remaining` and `-Reset`) how much is left; a refused one is 429 with `Retry-After` and did nothing.

**Refusals** are `application/problem+json` with one of these codes:

| status | code | meaning |
| --- | --- | --- |
";

/// Adds what every call shares, so that no handler repeats it: the refusals that any call may meet, the
/// key of changing calls, and the media type of problems.
pub fn finish(api: &OpenApi) -> Value {
    let mut document = serde_json::to_value(api).expect("a description is always JSON");
    for (name, description) in SHARED {
        document["components"]["responses"][name] = problem_response(description);
        document["components"]["responses"][name][CODES] = codes_in(description).into();
    }
    document["components"]["responses"]["429"]["headers"] = json!({
        "Retry-After": said("Seconds until one more call is answered", "integer"),
        "RateLimit-Policy": said("The limits that this call counts against: `\"hold\";q=100;w=10` is 100 calls in 10 seconds", "string"),
        "RateLimit": said("What is left of each: `\"hold\";r=0;t=1`, and in how many seconds there is more", "string"),
    });
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for (path, item) in paths {
        for (method, call) in item.as_object_mut().into_iter().flatten() {
            if let Some(call) = call.as_object_mut().filter(|call| call.contains_key("responses")) {
                complete(path, method, call);
            }
        }
    }
    document
}

/// Says which codes an answer of this status may have, for readers that are no people: OpenAPI has no word for it.
const CODES: &str = "x-codes";

const WEBHOOK: &str = "/v1/webhooks/stripe";

/// Refusals that any call may meet, by the name they are referred to.
const SHARED: [(&str, &str); 12] = [
    ("400", "`malformed_json` or `bad_request`: the request cannot be read"),
    ("401", "`not_authenticated`: no access token, or one that is not valid"),
    ("403", "`forbidden`: the caller's role does not allow this"),
    ("404", "`not_found`: there is nothing here, or nothing of the caller's"),
    ("408", "`request_timeout`: the body took too long to arrive"),
    ("409", "`still_running`: the first call with this Idempotency-Key has not answered yet"),
    ("413", "`body_too_large`"),
    ("415", "`unsupported_media_type`: the body is not application/json"),
    ("422", "`invalid_request`, where `errors` names each field and its fault, or `idempotency_key_reused`"),
    ("429", "`too_many_requests`: Retry-After says when to come back"),
    ("500", "`internal`: a mistake of ours"),
    (
        "503",
        "`unavailable`, or `event_not_ready`: something we need cannot answer right now; nothing was lost, come back \
      after Retry-After",
    ),
];

/// The codes that a description names.
fn codes_in(description: &str) -> Vec<&'static str> {
    let words = description.split('`').skip(1).step_by(2);
    words.filter_map(|word| Code::ALL.iter().map(|code| code.as_str()).find(|code| *code == word)).collect()
}

fn said(description: &str, kind: &str) -> Value {
    json!({"description": description, "schema": {"type": kind}})
}

fn complete(path: &str, method: &str, call: &mut Map<String, Value>) {
    call.insert("operationId".to_owned(), operation_id(method, path).into());
    for (status, response) in call["responses"].as_object_mut().into_iter().flatten() {
        as_problem(status, response);
    }
    if !path.starts_with("/v1/") {
        return;
    }
    let is_public = !call.contains_key("security");
    let has_body = call.contains_key("requestBody");
    let is_change = !matches!(method, "get" | "head");
    let has_role = path.starts_with("/v1/admin/");
    let parameters = call.get("parameters").and_then(Value::as_array);
    let has_query = parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "query"));

    let applies = |status: &str| match status {
        "401" => !is_public,
        "403" => has_role,
        "404" => path.contains('{'),
        "400" => has_body || has_query,
        "408" | "413" | "415" => has_body,
        "409" => is_change,
        "422" => is_change || has_query,
        // Stripe's news is never too much.
        "429" => path != WEBHOOK,
        _ => true,
    };
    let responses = call["responses"].as_object_mut().expect("looked at above");
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let mut codes = codes_in(response["description"].as_str().unwrap_or_default());
        let shared = SHARED.into_iter().find(|(shared, _)| shared == status && applies(shared));
        codes.extend(shared.iter().flat_map(|(_, description)| codes_in(description)));
        codes.sort_unstable();
        codes.dedup();
        response[CODES] = codes.into();
    }
    for (status, _) in SHARED.into_iter().filter(|(status, _)| applies(status)) {
        responses
            .entry(status)
            .or_insert_with(|| json!({"$ref": format!("#/components/responses/{status}")}));
    }
    if is_change && path != WEBHOOK {
        let parameters = call.entry("parameters").or_insert_with(|| json!([]));
        parameters.as_array_mut().expect("parameters are a list").push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "Makes repeating this call safe for 24 hours.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }));
    }
}

/// `post_events_id_holds`: handlers of several resources have the same name, paths have not.
fn operation_id(method: &str, path: &str) -> String {
    let words =
        path.trim_start_matches("/v1").split(['/', '{', '}', '-', '.']).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// Handlers name the refusals that are their own; all of them are problem documents.
fn as_problem(status: &str, response: &mut Value) {
    if !status.starts_with(['4', '5']) || response.get("$ref").is_some() {
        return;
    }
    let mut content = response["content"]["application/json"].take();
    if content.is_null() {
        content = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    }
    response["content"] = json!({"application/problem+json": content});
}

fn problem_response(description: &str) -> Value {
    let mut response = json!({"description": description});
    as_problem("400", &mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_unique_and_documented() {
        let document = finish(&base());
        let text = document["info"]["description"].as_str().expect("a description");
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} is there twice", code.as_str());
            let row = format!("| {} | `{}` |", code.status().as_u16(), code.as_str());
            assert!(text.contains(&row), "{row}");
            let written = serde_json::to_value(code).expect("a code");
            assert_eq!(written, code.as_str(), "the code in bodies is the code in the table");
            assert!(!code.title().is_empty());
        }
        let named = document["components"]["schemas"]["Code"]["enum"].as_array().expect("an enum");
        assert_eq!(named.len(), Code::ALL.len());
    }

    #[test]
    fn shared_answers_are_added_where_they_can_happen() {
        let mut call = json!({"responses": {"201": {"description": "made"}}, "requestBody": {}});
        complete("/v1/admin/events", "post", call.as_object_mut().expect("a call"));
        let responses = call["responses"].as_object().expect("responses");
        for status in ["201", "400", "403", "408", "409", "413", "415", "422", "429", "500", "503"] {
            assert!(responses.contains_key(status), "{status}");
        }
        assert!(!responses.contains_key("404"), "there is no id in this path");
        assert!(!responses.contains_key("401"), "it says nothing of signing in");
        assert_eq!(call["parameters"][0]["name"], "Idempotency-Key");
    }

    #[test]
    fn a_handlers_own_refusal_is_a_problem_document() {
        let mut call = json!({"responses": {"409": {"description": "x",
            "content": {"application/json": {"schema": {"$ref": "#/x"}}}}}});
        complete("/v1/orders", "post", call.as_object_mut().expect("a call"));
        let content = &call["responses"]["409"]["content"];
        assert_eq!(content["application/problem+json"]["schema"]["$ref"], "#/x");
        assert!(content.get("application/json").is_none());
    }
}
