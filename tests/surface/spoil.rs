//! Requests as nobody ought to send them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::Operation;
use super::invent::Request;
use crate::invention::Inventor;

/// Texts that have meant something to somebody: to a store, a header, a shell, a page, or to who looks at letters.
const TEXTS: [&str; 22] = [
    "",
    " ",
    "\0",
    "a\0b",
    "a\r\nb",
    "}{",
    "{e}:x",
    "ѕtаlls-А-1",
    "ｓｔａｌｌｓ-Ａ-１",
    "stalls-A-01",
    "stalls-A-1 ",
    "../../etc/passwd",
    "'; drop table orders; --",
    "<script>alert(1)</script>",
    "\u{202e}",
    "🎭",
    "e\u{301}\u{301}\u{301}",
    "%00",
    "0190aaaa-0000-7000-8000-000000000000",
    "-1",
    "1e999",
    "null",
];

/// Addresses of endpoints: none has a name, so that nobody is asked for one.
const ADDRESSES: [&str; 9] = [
    "",
    "x",
    "ftp://127.0.0.1/",
    "http://",
    "http://127.0.0.1:9/#f",
    "http://a:b@127.0.0.1:9/",
    "javascript:alert(1)",
    "http://127.0.0.1:9/\r\nX: y",
    "http://[::1]:9/",
];

/// What would be worth having written by oneself.
const MORE: [(&str, &str); 12] = [
    ("role", "\"admin\""),
    ("status", "\"confirmed\""),
    ("price", "0"),
    ("amount", "0"),
    ("user_id", "\"0190aaaa-0000-7000-8000-000000000000\""),
    ("account_id", "\"0190aaaa-0000-7000-8000-000000000000\""),
    ("customer_id", "\"0190aaaa-0000-7000-8000-000000000000\""),
    ("organiser_id", "\"0190aaaa-0000-7000-8000-000000000000\""),
    ("id", "\"0190aaaa-0000-7000-8000-000000000000\""),
    ("for_all", "true"),
    ("disabled_at", "null"),
    ("__proto__", "{\"role\":\"admin\"}"),
];

/// Ids that are none, as they stand in a path.
const IDS: [&str; 14] = [
    "x",
    "-",
    "%00",
    "%ff",
    "%7B0190aaaa-0000-7000-8000-000000000000%7D",
    "0190aaaa000070008000000000000000",
    "urn:uuid:0190aaaa-0000-7000-8000-000000000000",
    "0190AAAA-0000-7000-8000-000000000000",
    "0190aaaa-0000-7000-8000-000000000000%0d%0aX-Y:%20z",
    "0190aaaa-0000-7000-8000-00000000000%D0%B0",
    "%252e%252e",
    "..%2f..%2fetc",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "00000000-0000-0000-0000-000000000000",
];

/// Spoils one thing about a request, or some.
pub fn spoil(chance: &mut Inventor, operation: &Operation, request: &mut Request) {
    request.is_as_documented = false;
    for _ in 0..=chance.below(2) {
        match chance.below(8) {
            0 | 1 if operation.has_body() => spoil_fields(chance, operation, request),
            2 | 3 if operation.has_body() => spoil_body(chance, request),
            4 if operation.path.contains('{') => spoil_id(chance, operation, request),
            5 => spoil_key(chance, request),
            6 => spoil_headers(chance, request),
            _ => spoil_query(chance, operation, request),
        }
    }
}

fn spoil_fields(chance: &mut Inventor, operation: &Operation, request: &mut Request) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else { return };
    let before = body.clone();
    match chance.below(3) {
        0 => {
            let (name, value) = *chance.one_of(&MORE);
            let value: Value = serde_json::from_str(value).expect("JSON");
            let schema_has = |fields: &serde_json::Map<String, Value>| fields.contains_key(name);
            if let Some(fields) = body.as_object_mut()
                && !schema_has(fields)
            {
                fields.insert(name.to_owned(), value);
                request.has_more = !is_known(operation, name);
            }
        }
        1 => {
            if let Some(fields) = body.as_object_mut()
                && !fields.is_empty()
            {
                let names: Vec<_> = fields.keys().cloned().collect();
                fields.remove(chance.one_of(&names));
            }
        }
        _ => {
            let at = chance.below(1 + count(&body));
            put(chance, &mut body, "", at);
        }
    }
    // What was put in before may have been taken out again.
    let is_there = |(name, _): &(&str, &str)| body.get(name).is_some() && !is_known(operation, name);
    request.has_more &= MORE.iter().any(is_there);
    if body != before {
        request.body = body.to_string().into_bytes();
    }
}

/// Whether the form may have a field of this name after all, in whatever part of it.
fn is_known(operation: &Operation, name: &str) -> bool {
    // Forms are referred to by name; where one of the names above is a field of some form, it is one of these.
    match name {
        "role" => operation.path.starts_with("/v1/admin/accounts"),
        "price" => operation.path.contains("events") || operation.path.contains("charts"),
        "amount" => operation.path.ends_with("/refund"),
        _ => operation.path == "/v1/webhooks/stripe",
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(|field| 1 + count(field)).sum(),
        Value::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        _ => 0,
    }
}

/// Puts something else where the value with this number is.
fn put(chance: &mut Inventor, value: &mut Value, name: &str, mut at: usize) {
    if at == 0 {
        *value = strange(chance, name);
        return;
    }
    at -= 1;
    let parts: Vec<(String, &mut Value)> = match value {
        Value::Object(fields) => fields.iter_mut().map(|(name, field)| (name.clone(), field)).collect(),
        Value::Array(items) => items.iter_mut().map(|item| (name.to_owned(), item)).collect(),
        _ => return,
    };
    for (name, part) in parts {
        let size = 1 + count(part);
        if at < size {
            return put(chance, part, &name, at);
        }
        at -= size;
    }
}

fn strange(chance: &mut Inventor, name: &str) -> Value {
    if name == "url" {
        return json!(chance.one_of(&ADDRESSES));
    }
    match chance.below(16) {
        0 => Value::Null,
        1 => json!(chance.once_in(2)),
        2 => json!([]),
        3 => json!({}),
        4 => json!(-1),
        5 => json!(0),
        6 => json!(9_007_199_254_740_993_i64),
        7 => json!(u64::MAX),
        8 => json!(i64::MIN),
        9 => json!(1.5),
        10 => json!(1e300),
        11 => json!("x".repeat(1 + chance.below(70_000))),
        12 => (0..3000).map(|at| json!(format!("stalls-A-{at}"))).collect(),
        13 => json!({ "\u{0}": 1, "$ref": "#", "floor": 4_294_967_295_u32, "}{": 1 }),
        14 => json!(
            ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59+23:59", "2031-13-01T00:00:00Z"][chance.below(3)]
        ),
        _ => json!(chance.one_of(&TEXTS)),
    }
}

fn spoil_body(chance: &mut Inventor, request: &mut Request) {
    let body = &mut request.body;
    match chance.below(9) {
        0 => body.clear(),
        1 => body.truncate(chance.below(body.len() + 1)),
        2 => body.extend_from_slice(b" {}"),
        3 => *body = b"{\"a\":".repeat(chance.below(300)),
        4 => *body = format!("{}1{}", "[".repeat(200), "]".repeat(200)).into_bytes(),
        5 => *body = vec![0xff, 0xfe, b'{', 0, b'}'],
        6 => {
            let at = chance.below(body.len() + 1);
            body.insert(at, *chance.one_of(&[0, b'"', b'\\', 0x80, b'}', b'\n']));
        }
        7 => {
            // A field that is there twice.
            let text = String::from_utf8_lossy(body).into_owned();
            if let Some(inside) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                *body = format!("{{{inside},{inside}}}").into_bytes();
            }
        }
        _ => {
            *body = chance.changed(std::slice::from_ref(body));
            // A host's name, however it came to be there, would be asked for.
            if String::from_utf8_lossy(body).contains("http") {
                body.clear();
            }
        }
    }
}

fn spoil_id(chance: &mut Inventor, operation: &Operation, request: &mut Request) {
    let id = if chance.once_in(10) { "9".repeat(5000) } else { (*chance.one_of(&IDS)).to_owned() };
    request.path = operation.path.replace("{id}", &id);
    request.names = None;
}

fn spoil_key(chance: &mut Inventor, request: &mut Request) {
    let key: &[u8] = match chance.below(7) {
        0 => b"",
        1 => b"two words",
        2 => &[b'k'; 300],
        3 => b"}{hot}:{",
        4 => b"\xc3\xbc",
        5 => b"tab\tbed",
        _ => b"key-1",
    };
    request.headers.push(("idempotency-key".to_owned(), key.to_vec()));
}

fn spoil_headers(chance: &mut Inventor, request: &mut Request) {
    let (name, value): (&str, &[u8]) = match chance.below(12) {
        0 => ("content-type", b"text/plain"),
        1 => ("content-type", b"application/x-www-form-urlencoded"),
        2 => ("content-type", b"\xff"),
        3 => ("content-encoding", b"gzip"),
        4 => ("accept", b"application/xml"),
        5 => ("if-none-match", b"W/\"\xff\", *"),
        6 => ("last-event-id", b"-1--1-99999999999999999999"),
        7 => ("admission", b"eyJhbGciOiJub25lIn0.e30."),
        8 => ("x-forwarded-for", b"127.0.0.1, 10.0.0.1, ::1, \xff"),
        9 => ("x-request-id", b"a b\xff"),
        10 => ("accept-encoding", b"gzip;q=9, \xff"),
        _ => ("range", b"bytes=99999999999999999999-"),
    };
    request.headers.retain(|(known, _)| known != name);
    request.headers.push((name.to_owned(), value.to_vec()));
}

/// Places that no list has, as cursors.
pub fn cursors() -> Vec<String> {
    let id = "0190aaaa-0000-7000-8000-000000000000";
    let places = [
        String::new(),
        "a\0b".to_owned(),
        id.to_owned(),
        format!("{id}.-1"),
        format!("{id}.2147483648"),
        format!("1934737200000000.{id}"),
        format!("1934737200000000.a\0{id}"),
        // Before and after all times that a store knows.
        format!("-377705116800000000.{id}"),
        format!("253402300799000000.{id}"),
        format!("170141183460469231731687303715884105727.{id}"),
    ];
    let encoded = places.iter().map(|place| BASE64.encode(place));
    encoded.chain(["%00", "%ff", "YQ==", "Y R", "*"].map(str::to_owned)).collect()
}

fn spoil_query(chance: &mut Inventor, operation: &Operation, request: &mut Request) {
    let own: Vec<_> =
        operation.parameters("query").iter().filter_map(|known| known["name"].as_str()).collect();
    let name = if own.is_empty() || chance.once_in(4) {
        *chance.one_of(&["cursor", "limit", "limit[]", "", "%00", "role"])
    } else {
        *chance.one_of(&own)
    };
    let value = match chance.below(14) {
        0 => String::new(),
        1 => "0".to_owned(),
        2 => "-1".to_owned(),
        3 => "99999999999999999999".to_owned(),
        4 => "%00".to_owned(),
        5 => "%ff%fe".to_owned(),
        6 => "%0d%0aX: y".replace(' ', "%20"),
        7 => "x".repeat(chance.below(6000)),
        8..=12 => chance.one_of(&cursors()).clone(),
        _ => form_urlencoded::byte_serialize(chance.one_of(&TEXTS).as_bytes()).collect(),
    };
    let and = if request.query.is_empty() { "" } else { "&" };
    request.query = format!("{}{and}{name}={value}", request.query);
}
