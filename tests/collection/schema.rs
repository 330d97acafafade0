//! Whether a value is what OpenAPI says that it is: nothing required is missing, nothing unknown is there.

use serde_json::Value;

/// Every way in which a value differs, each with where.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    judge(&Judge { document, at: String::new() }, schema, value, &mut faults);
    faults
}

struct Judge<'a> {
    document: &'a Value,
    at: String,
}

impl<'a> Judge<'a> {
    fn inside(&self, step: &str) -> Self {
        Self { document: self.document, at: format!("{}/{step}", self.at) }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(address) => {
                let pointer = address.strip_prefix('#').expect("an address in this document");
                self.resolve(self.document.pointer(pointer).unwrap_or_else(|| panic!("no {address}")))
            }
            None => schema,
        }
    }
}

fn judge<'a>(judge_: &Judge<'a>, schema: &'a Value, value: &Value, faults: &mut Vec<String>) {
    let schema = judge_.resolve(schema);
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let fits = |choice| {
            let mut own = Vec::new();
            judge(judge_, choice, value, &mut own);
            own.is_empty()
        };
        if !choices.iter().any(fits) {
            faults.push(format!("{}: {value} is none of what is allowed", judge_.at));
        }
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        faults.push(format!("{}: {value} is not in the list", judge_.at));
    }
    if !is_of_type(schema, value) {
        faults.push(format!("{}: {value} is no {}", judge_.at, schema["type"]));
        return;
    }
    match value {
        Value::Object(fields) => {
            let shape = Shape::of(judge_, schema);
            for name in &shape.required {
                if !fields.contains_key(*name) {
                    faults.push(format!("{}: {name} is missing", judge_.at));
                }
            }
            for (name, value) in fields {
                match (shape.property(name), shape.others) {
                    (Some(property), _) => judge(&judge_.inside(name), property, value, faults),
                    (None, Some(other)) => judge(&judge_.inside(name), other, value, faults),
                    (None, None) if shape.is_open => {}
                    (None, None) => faults.push(format!("{}: {name} is not known", judge_.at)),
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                judge(&judge_.inside(&place.to_string()), &schema["items"], item, faults);
            }
        }
        _ => {}
    }
}

/// What an object may have, put together from all parts of its schema.
#[derive(Default)]
struct Shape<'a> {
    properties: Vec<(&'a str, &'a Value)>,
    required: Vec<&'a str>,
    others: Option<&'a Value>,
    /// It says nothing of its fields at all.
    is_open: bool,
}

impl<'a> Shape<'a> {
    fn of(judge: &Judge<'a>, schema: &'a Value) -> Self {
        let mut shape = Self::default();
        shape.add(judge, schema);
        shape.is_open = shape.properties.is_empty() && shape.others.is_none() && schema["allOf"].is_null();
        shape
    }

    fn add(&mut self, judge: &Judge<'a>, schema: &'a Value) {
        let schema = judge.resolve(schema);
        self.properties
            .extend(schema["properties"].as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v)));
        self.required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
        if schema["additionalProperties"].is_object() {
            self.others = Some(&schema["additionalProperties"]);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.add(judge, part);
        }
    }

    fn property(&self, name: &str) -> Option<&'a Value> {
        self.properties.iter().find(|(own, _)| *own == name).map(|(_, schema)| *schema)
    }
}

fn is_of_type(schema: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[test]
fn what_is_missing_unknown_or_of_another_kind_is_a_fault() {
    let document = serde_json::json!({ "schemas": { "Seat": {
        "type": "object", "required": ["name"],
        "properties": { "name": { "type": "string" }, "x": { "type": ["number", "null"] } },
    } } });
    let schema = serde_json::json!({ "allOf": [
        { "type": "object", "properties": { "seats": { "type": "array", "items": { "oneOf": [
            { "type": "integer" }, { "$ref": "#/schemas/Seat" },
        ] } } } },
        { "type": "object", "required": ["by"], "properties": { "by": { "type": "string", "enum": ["day"] } } },
    ] });
    let found = |value: Value| faults(&document, &schema, &value).len();
    assert_eq!(found(serde_json::json!({ "by": "day", "seats": [1, { "name": "A", "x": null }] })), 0);
    assert_eq!(found(serde_json::json!({ "seats": [] })), 1, "by is missing");
    assert_eq!(found(serde_json::json!({ "by": "day", "colour": 1 })), 1, "colour is not known");
    assert_eq!(found(serde_json::json!({ "by": "year" })), 1);
    assert_eq!(found(serde_json::json!({ "by": "day", "seats": [{ "x": 1 }] })), 1, "a seat without a name");
    assert_eq!(found(serde_json::json!({ "by": "day", "seats": 3 })), 1);
}
