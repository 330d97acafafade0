//! One call of the collection.

use std::collections::BTreeMap;
use std::path::Path;

use super::bru::{Pair, Sheet};
use super::carry::{self, Carry};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const SERVICE: &str = "{{base_url}}";
const SANDBOX: &str = "{{sandbox_url}}";

/// What `{{name}}` stands for by now.
pub type Variables = BTreeMap<String, String>;

#[derive(Debug)]
pub struct Call {
    /// `holds/take.bru`, for messages.
    pub file: String,
    pub tag: String,
    pub name: String,
    pub seq: u32,
    pub tags: Vec<String>,
    pub method: String,
    /// Whether the sandbox is called, which plays Stripe and is no part of the service.
    pub is_to_sandbox: bool,
    /// As OpenAPI writes it: `/v1/holds/{id}`.
    pub path: String,
    pub query: Vec<Pair>,
    pub in_path: Vec<Pair>,
    pub headers: Vec<Pair>,
    pub token: Option<String>,
    pub body: Body,
    pub carries: Vec<Carry>,
    pub docs: String,
}

#[derive(Debug)]
pub enum Body {
    None,
    Json(String),
    Form(Vec<Pair>),
}

impl Call {
    pub fn read(file: &Path, tag: &str) -> Self {
        let sheet = Sheet::read(file);
        let method = sheet.names().find(|name| METHODS.contains(name)).expect("a method").to_owned();
        sheet.has_only(&[
            "meta",
            &method,
            "params:query",
            "params:path",
            "headers",
            "auth:bearer",
            "body:json",
            "body:form-urlencoded",
            "script:post-response",
            "docs",
        ]);
        let folder = file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy();
        let file = format!("{folder}/{}", file.file_name().expect("a name").to_string_lossy());
        assert_eq!(sheet.value("meta", "type"), "http", "{file}");

        let url = sheet.value(&method, "url");
        let (url, asked) = url.split_once('?').unwrap_or((url, ""));
        let query = sheet.pairs("params:query").to_vec();
        let shown: Vec<_> = query
            .iter()
            .filter(|pair| pair.is_on)
            .map(|pair| format!("{}={}", pair.key, pair.value))
            .collect();
        assert_eq!(asked, shown.join("&"), "{file}: the address and its list of parameters differ");
        let (path, is_to_sandbox) = match (url.strip_prefix(SERVICE), url.strip_prefix(SANDBOX)) {
            (Some(path), _) => (path, false),
            (_, Some(path)) => (path, true),
            _ => panic!("{file}: {url} is neither the service's nor the sandbox's"),
        };
        let json = sheet.text("body:json");
        let form = sheet.pairs("body:form-urlencoded");
        let body = match sheet.value(&method, "body") {
            "none" => Body::None,
            "json" => Body::Json(json.unwrap_or_else(|| panic!("{file}: no body")).to_owned()),
            "formUrlEncoded" => Body::Form(form.to_vec()),
            other => panic!("{file}: a body of kind {other}"),
        };
        assert_eq!(json.is_some(), matches!(body, Body::Json(_)), "{file}: a body that is not sent");
        let token = match sheet.value(&method, "auth") {
            "none" => None,
            "bearer" => Some(sheet.value("auth:bearer", "token").to_owned()),
            other => panic!("{file}: signs in by {other}"),
        };
        let script = sheet.text("script:post-response").unwrap_or_default();
        let tags = sheet.pairs("meta").iter().find(|pair| pair.key == "tags");
        Self {
            tag: tag.to_owned(),
            name: sheet.value("meta", "name").to_owned(),
            seq: sheet.number("meta", "seq"),
            tags: tags.map_or_else(Vec::new, |pair| pair.value.split(' ').map(str::to_owned).collect()),
            is_to_sandbox,
            path: as_documented(path),
            query,
            in_path: sheet.pairs("params:path").to_vec(),
            headers: sheet.pairs("headers").to_vec(),
            token,
            body,
            carries: carry::read(script)
                .unwrap_or_else(|line| panic!("{file}: a script may only carry what an answer has: {line}")),
            docs: sheet.text("docs").unwrap_or_else(|| panic!("{file}: no docs")).to_owned(),
            method,
            file,
        }
    }

    /// The request as it goes out.
    pub fn request(&self, http: &reqwest::Client, known: &Variables) -> reqwest::RequestBuilder {
        let fill =
            |text: &str| fill(text, known).unwrap_or_else(|name| panic!("{}: no {name} yet", self.file));
        let mut url = fill(if self.is_to_sandbox { SANDBOX } else { SERVICE }) + &self.path;
        for pair in &self.in_path {
            url = url.replace(&format!("{{{}}}", pair.key), &fill(&pair.value));
        }
        let method = self.method.to_uppercase().parse().expect("a method");
        let mut request = http.request(method, url);
        let on = |pairs: &[Pair]| -> Vec<(String, String)> {
            pairs.iter().filter(|pair| pair.is_on).map(|pair| (pair.key.clone(), fill(&pair.value))).collect()
        };
        let query = on(&self.query);
        if !query.is_empty() {
            request = request.query(&query);
        }
        for (name, value) in on(&self.headers) {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(fill(token));
        }
        match &self.body {
            Body::None => request,
            Body::Json(text) => request.header("Content-Type", "application/json").body(fill(text)),
            Body::Form(pairs) => request.form(&on(pairs)),
        }
    }
}

/// `/v1/holds/:id` as `/v1/holds/{id}`.
fn as_documented(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A text with its variables filled in, or the name of one that nobody has set.
pub fn fill(text: &str, known: &Variables) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, behind) = behind.split_once("}}").ok_or("end of a name")?;
        filled.push_str(before);
        filled.push_str(known.get(name).ok_or_else(|| name.to_owned())?);
        rest = behind;
    }
    Ok(filled + rest)
}
