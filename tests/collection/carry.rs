//! What a call keeps for those behind it. Scripts have one simple form, so that they can be applied without a browser's
//! engine: `bru.setVar("hold_id", res.body.id);`, where the path may also have `[0]` and
//! `.find(event => event.title === "The Tempest")`.

use serde_json::Value;

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    pub variable: String,
    path: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    Find { field: String, is: String },
}

/// Every line of a script, or the first that has another form.
pub fn read(script: &str) -> Result<Vec<Carry>, String> {
    script.lines().map(|line| one(line).ok_or_else(|| line.to_owned())).collect()
}

fn one(line: &str) -> Option<Carry> {
    let (variable, path) =
        line.strip_prefix("bru.setVar(\"")?.strip_suffix(");")?.split_once("\", res.body")?;
    is_word(variable).then_some(())?;
    let mut rest = path;
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = step(rest)?;
        path.push(step);
        rest = behind;
    }
    Some(Carry { variable: variable.to_owned(), path })
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(text) = text.strip_prefix(".find(") {
        let (each, text) = text.split_once(" => ")?;
        let (field, text) = text.strip_prefix(each)?.strip_prefix('.')?.split_once(" === \"")?;
        let (is, rest) = text.split_once("\")")?;
        let find = Step::Find { field: field.to_owned(), is: is.to_owned() };
        return (is_word(each) && is_word(field)).then_some((find, rest));
    }
    if let Some(text) = text.strip_prefix('[') {
        let (number, rest) = text.split_once(']')?;
        return Some((Step::Index(number.parse().ok()?), rest));
    }
    let text = text.strip_prefix('.')?;
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (field, rest) = text.split_at(end);
    is_word(field).then_some((Step::Field(field.to_owned()), rest))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

impl Carry {
    /// What the next call would see in place of `{{variable}}`; nothing when the answer does not have it.
    pub fn apply(&self, body: &Value) -> Option<String> {
        let mut here = body;
        for step in &self.path {
            here = match step {
                Step::Field(name) => here.get(name)?,
                Step::Index(place) => here.get(place)?,
                Step::Find { field, is } => here.as_array()?.iter().find(|one| one[field] == is.as_str())?,
            };
        }
        here.as_str().map(str::to_owned)
    }
}

#[test]
fn a_script_carries_what_it_names() {
    let script = "bru.setVar(\"a\", res.body.items.find(one => one.title === \"The Tempest\").seats[1].id);";
    let carries = read(script).expect("a script");
    let body = serde_json::json!({ "items": [
        { "title": "Another" }, { "title": "The Tempest", "seats": [{ "id": "A-1" }, { "id": "A-2" }] },
    ] });
    assert_eq!((carries[0].variable.as_str(), carries[0].apply(&body)), ("a", Some("A-2".to_owned())));
    assert_eq!(carries[0].apply(&serde_json::json!({ "items": [] })), None);
    for other in [
        "bru.setVar(\"a\", res.body.id)",
        "bru.setEnvVar(\"a\", res.body.id);",
        "bru.setVar(\"a\", res.body.id + 1);",
        "bru.setVar(\"a\", res.headers.id);",
        "bru.setVar(\"a\", res.body.items.find(one => two.id === \"x\"));",
        "if (true) bru.setVar(\"a\", res.body.id);",
    ] {
        assert!(read(other).is_err(), "{other}");
    }
}
