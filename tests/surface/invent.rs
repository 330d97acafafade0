//! Requests as the document describes them, about things that there are.

use std::fmt;

use serde_json::{Map, Value, json};

use super::world::{PASSWORD, SIGNS_IN, Who, World, house};
use super::{Kind, Operation};
use crate::invention::Inventor;
use crate::support::webhook_secret;

/// What is sent, so that it can be told when something is wrong with the answer.
#[derive(Debug, Clone)]
pub struct Request {
    pub who: Who,
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Nothing in it was spoiled on purpose.
    pub is_as_documented: bool,
    /// A field was added that the form does not have.
    pub has_more: bool,
    /// Whose the thing is that its path names, if it is anybody's.
    pub names: Option<(Kind, Who)>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.query.is_empty() { "" } else { "?" };
        writeln!(f, "{:?}: {} {}{mark}{}", self.who, self.method.to_uppercase(), self.path, self.query)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {}", value.escape_ascii())?;
        }
        let shown = &self.body[..self.body.len().min(2000)];
        write!(f, "  {} bytes: {}", self.body.len(), shown.escape_ascii())
    }
}

impl Request {
    /// Everything that the caller has said, in which an answer may well repeat it.
    pub fn says(&self, word: &str) -> bool {
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(word);
        self.path.contains(word) || self.query.contains(word) || said(&self.body)
    }
}

/// Makes requests.
pub struct Maker<'a> {
    pub world: &'a World,
    pub chance: &'a mut Inventor,
}

impl Maker<'_> {
    pub fn request(&mut self, operation: &Operation, who: Who) -> Request {
        let mut request = Request {
            who,
            method: operation.method.clone(),
            path: operation.path.clone(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            is_as_documented: true,
            has_more: false,
            names: None,
        };
        if let Some(kind) = operation.kind() {
            let (id, whose) = self.id_for(operation, kind, who);
            request.path = operation.path.replace("{id}", &id);
            request.names = whose.map(|whose| (kind, whose));
        }
        self.add_query(operation, &mut request);
        self.add_headers(operation, &mut request);
        if operation.has_body() {
            let form = operation.form().clone();
            let body = self.form(operation, &form, who);
            request.headers.push(("content-type".to_owned(), b"application/json".to_vec()));
            request.body = body.to_string().into_bytes();
        }
        if operation.path == "/v1/webhooks/stripe" {
            let now = time::OffsetDateTime::now_utc().unix_timestamp();
            let signed = holdfast::payments::signature::sign(&request.body, &webhook_secret(), now);
            request.headers.push(("stripe-signature".to_owned(), signed.into_bytes()));
        }
        request
    }

    /// An id that makes sense there, or somebody else's, or nobody's.
    fn id_for(&mut self, operation: &Operation, kind: Kind, who: Who) -> (String, Option<Who>) {
        let is_final = operation.is("post /v1/admin/events/{id}/cancel") || kind == Kind::Account;
        let known: Vec<_> = (self.world.things.iter())
            .filter(|thing| thing.kind == kind && (thing.is_spare || !is_final || who.is_outside()))
            .collect();
        if known.is_empty() || self.chance.once_in(12) {
            return (uuid::Uuid::now_v7().to_string(), None);
        }
        let own: Vec<_> = known.iter().filter(|thing| thing.whose == who).copied().collect();
        let thing = match own.last() {
            // The newest has not been used up yet.
            Some(newest) if self.chance.once_in(3) => newest,
            Some(_) if !self.chance.once_in(3) => *self.chance.one_of(&own),
            _ => *self.chance.one_of(&known),
        };
        (thing.id.clone(), Some(thing.whose))
    }

    fn add_query(&mut self, operation: &Operation, request: &mut Request) {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for parameter in operation.parameters("query") {
            if self.chance.once_in(3) {
                let name = parameter["name"].as_str().expect("a name");
                // A cursor that is made up has its own place among what is spoiled.
                if name == "cursor" || name == "last_event_id" {
                    continue;
                }
                let value = self.value(&parameter["schema"], name, request.who);
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                pairs.append_pair(name, &value);
            }
        }
        request.query = pairs.finish();
    }

    fn add_headers(&mut self, operation: &Operation, request: &mut Request) {
        let has = |name: &str| operation.parameters("header").iter().any(|known| known["name"] == name);
        if has("Idempotency-Key") && self.chance.once_in(2) {
            // Few, so that people come to choose the same; each is sent again with another body sooner or later.
            let number =
                if self.chance.once_in(3) { self.chance.below(40) as u64 } else { self.chance.number() };
            request.headers.push(("idempotency-key".to_owned(), format!("key-{number}").into_bytes()));
        }
        if has("Admission") && !self.world.admissions.is_empty() && self.chance.once_in(4) {
            let word = self.chance.one_of(&self.world.admissions).clone();
            request.headers.push(("admission".to_owned(), word.into_bytes()));
        }
    }

    fn form(&mut self, operation: &Operation, form: &Value, who: Who) -> Value {
        match operation.path.as_str() {
            "/v1/auth/login" => json!({ "email": SIGNS_IN, "password": PASSWORD }),
            "/v1/webhooks/stripe" => {
                let id = format!("evt_{}", self.chance.number());
                json!({ "id": id, "type": "payment_intent.created", "data": { "object": { "id": "pi_nobodys" } } })
            }
            // Most forms that are put together by chance describe no house.
            "/v1/admin/charts/preview" | "/v1/admin/events" | "/v1/admin/events/{id}"
                if operation.method != "patch" && !self.chance.once_in(3) =>
            {
                let mut form = house("Made on the way", 3);
                form["draft"] = json!(self.chance.once_in(2));
                form
            }
            "/v1/events/{id}/holds" | "/v1/admin/events/{id}/comps" => self.wish(form, who),
            _ => self.value(form, "", who),
        }
    }

    /// Seats, or places, or the best; all of them at once is one wish in many.
    fn wish(&mut self, form: &Value, who: Who) -> Value {
        let mut wish = self.value(form, "", who);
        if let Some(fields) = wish.as_object_mut().filter(|_| !self.chance.once_in(6)) {
            let ways = [("seats", 0), ("areas", 1), ("best", 2)];
            let chosen = self.chance.below(3);
            let is_comp = fields.contains_key("email");
            for (name, way) in ways {
                if way != chosen {
                    fields.remove(name);
                }
            }
            match chosen {
                0 => drop(fields.insert("seats".to_owned(), json!([self.seat()]))),
                2 if !is_comp => drop(fields.insert("best".to_owned(), json!({ "quantity": 1 }))),
                _ => drop(fields.insert("areas".to_owned(), json!({ "floor": 1 }))),
            }
        }
        wish
    }

    fn seat(&mut self) -> String {
        let row = *self.chance.one_of(&["A", "B", "C", "D"]);
        format!("stalls-{row}-{}", 1 + self.chance.below(14))
    }

    /// A value that the schema describes.
    pub fn value(&mut self, schema: &Value, name: &str, who: Who) -> Value {
        if let Some(known) = self.known(name, who) {
            return known;
        }
        if let Some(address) = schema["$ref"].as_str() {
            let schema =
                self.world.document.pointer(address.trim_start_matches('#')).expect("in the document");
            return self.value(schema, name, who);
        }
        if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            let choice = self.chance.one_of(choices).clone();
            return self.value(&choice, name, who);
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.chance.one_of(words).clone();
        }
        match self.type_of(schema) {
            "object" => self.object(schema, who),
            "array" => {
                let least = schema["minItems"].as_u64().unwrap_or(0).max(1);
                (0..least).map(|_| self.value(&schema["items"], name, who)).collect()
            }
            "integer" | "number" => {
                let least = schema["minimum"].as_i64().unwrap_or(1);
                let most = schema["maximum"].as_i64().unwrap_or(least + 5).min(least + 5);
                json!(
                    least
                        + i64::try_from(self.chance.below(usize::try_from(most - least + 1).unwrap_or(1)))
                            .unwrap_or(0)
                )
            }
            "boolean" => json!(self.chance.once_in(2)),
            "null" => Value::Null,
            _ => match schema["format"].as_str() {
                Some("date-time") => json!("2031-04-01T12:00:00Z"),
                Some("uuid") => json!(uuid::Uuid::now_v7()),
                _ => json!(format!("word {}", self.chance.below(1000))),
            },
        }
    }

    fn type_of<'v>(&mut self, schema: &'v Value) -> &'v str {
        match &schema["type"] {
            Value::Array(kinds) => {
                let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).collect();
                let some = kinds.iter().copied().find(|kind| *kind != "null");
                let any = kinds[self.chance.below(kinds.len())];
                some.filter(|_| !self.chance.once_in(8)).unwrap_or(any)
            }
            Value::String(kind) => kind,
            _ => "object",
        }
    }

    fn object(&mut self, schema: &Value, who: Who) -> Value {
        let mut fields = Map::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Value::Object(more) = self.value(part, "", who) {
                fields.extend(more);
            }
        }
        let required: Vec<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&name.as_str()) || self.chance.once_in(4) {
                fields.insert(name.clone(), self.value(property, name, who));
            }
        }
        Value::Object(fields)
    }

    /// What a field of this name is about.
    fn known(&mut self, name: &str, who: Who) -> Option<Value> {
        let world = self.world;
        let one =
            |chance: &mut Inventor, all: &[String]| (!all.is_empty()).then(|| json!(chance.one_of(all)));
        match name {
            "seats" => Some(json!([self.seat()])),
            "seat" => Some(json!(self.seat())),
            "areas" => Some(json!({ "floor": 1 })),
            "section" => Some(json!("stalls")),
            "category" => Some(json!("gold")),
            "email" => Some(json!(format!("p{}@example.com", self.chance.number()))),
            "password" | "current_password" | "new_password" => Some(json!(PASSWORD)),
            "url" => Some(json!("http://127.0.0.1:9/hooks")),
            "events" | "types" => Some(json!(["order.confirmed"])),
            "currency" => Some(json!("eur")),
            "code" => one(self.chance, &world.codes),
            "refresh_token" => {
                // The last is the one that is still good; an earlier one ends its family.
                let last = world.sessions.last().filter(|_| !self.chance.once_in(4)).map(|last| json!(last));
                last.or_else(|| one(self.chance, &world.sessions))
            }
            "place" => one(self.chance, &world.places),
            "hold_id" | "replaces" => {
                let holds: Vec<_> = world.things.iter().filter(|thing| thing.kind == Kind::Hold).collect();
                let own: Vec<_> = holds.iter().filter(|thing| thing.whose == who).copied().collect();
                let from = if own.is_empty() || self.chance.once_in(4) { holds } else { own };
                (!from.is_empty()).then(|| json!(self.chance.one_of(&from).id))
            }
            "event_id" => Some(json!(world.event)),
            "max_per_customer" => Some(json!(1000)),
            _ => None,
        }
    }
}
