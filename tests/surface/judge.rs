//! Whether an answer is what the document promises, and none of somebody else's business.

use serde_json::Value;

use super::Operation;
use super::invent::Request;
use super::world::{Who, World};
use crate::collection::schema;

/// What came back, as far as it is looked at.
pub struct Answered {
    pub status: u16,
    pub kind: String,
    pub headers: String,
    pub bytes: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.bytes).ok()
    }
}

/// What is wrong with an answer.
pub fn faults(world: &World, operation: &Operation, request: &Request, answer: &Answered) -> Vec<String> {
    let mut faults = Vec::new();
    let status = answer.status;
    if status >= 500 {
        faults.push(format!("a mistake of ours: {status}"));
    }
    let says = resolved(&world.document, &operation.says["responses"][status.to_string()]);
    if !says.is_object() {
        faults.push(format!("{status} is not documented"));
    } else if status >= 400 {
        is_a_documented_problem(says, answer, &mut faults);
    } else {
        is_a_documented_answer(&world.document, says, answer, &mut faults);
    }
    if request.who.is_outside() {
        is_no_business_of_theirs(world, request, answer, &mut faults);
    }
    may_be_done(operation, request, answer, &mut faults);
    faults
}

fn resolved<'d>(document: &'d Value, says: &'d Value) -> &'d Value {
    match says["$ref"].as_str() {
        Some(address) => document.pointer(address.trim_start_matches('#')).expect("in the document"),
        None => says,
    }
}

fn is_a_documented_problem(says: &Value, answer: &Answered, faults: &mut Vec<String>) {
    if answer.kind != "application/problem+json" {
        return faults.push(format!("a refusal as {:?}", answer.kind));
    }
    let Some(problem) = answer.json() else { return faults.push("a refusal that is no JSON".to_owned()) };
    if problem["status"] != answer.status || !problem["title"].is_string() || !problem["type"].is_string() {
        faults.push("a refusal that is no problem document".to_owned());
    }
    let codes = says["x-codes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !codes.contains(&problem["code"]) {
        faults.push(format!("{} is not documented for {}", problem["code"], answer.status));
    }
}

fn is_a_documented_answer(document: &Value, says: &Value, answer: &Answered, faults: &mut Vec<String>) {
    if answer.bytes.is_empty() || answer.status == 304 {
        return;
    }
    let form = &says["content"][&answer.kind];
    if !form.is_object() {
        return faults.push(format!("{:?} is not documented for {}", answer.kind, answer.status));
    }
    if answer.kind == "application/json" {
        match answer.json() {
            Some(body) => faults.extend(schema::faults(document, &form["schema"], &body)),
            None => faults.push("an answer that is no JSON".to_owned()),
        }
    }
}

fn is_no_business_of_theirs(world: &World, request: &Request, answer: &Answered, faults: &mut Vec<String>) {
    let body = String::from_utf8_lossy(&answer.bytes);
    for secret in &world.secrets {
        let is_told = body.contains(secret.as_str()) || answer.headers.contains(secret.as_str());
        // What somebody has said themselves they may be told.
        if is_told && !request.says(secret) {
            faults.push(format!("tells {:?} of {secret}", request.who));
        }
    }
}

/// What must be refused whatever else is right about it.
fn may_be_done(operation: &Operation, request: &Request, answer: &Answered, faults: &mut Vec<String>) {
    let status = answer.status;
    let is_done = status < 400;
    // A key is looked at before who sends it: it says nothing of what is asked for.
    let is_repeat = answer.json().is_some_and(|problem| problem["code"] == "idempotency_key_reused");
    if is_done && operation.needs_a_caller() && request.who == Who::Nobody {
        faults.push("done for nobody".to_owned());
    }
    let is_customer = matches!(request.who, Who::Ben | Who::Ada);
    if operation.needs_a_role() && is_customer {
        if is_done {
            faults.push("done for a customer".to_owned());
        } else if request.is_as_documented && status != 403 && !is_repeat {
            faults.push(format!("a customer is answered {status} and not 403"));
        }
    }
    if operation.needs_a_caller() && request.who == Who::Nobody && request.is_as_documented && status != 401 {
        faults.push(format!("nobody is answered {status} and not 401"));
    }
    if let Some((kind, Who::Ada)) = request.names
        && is_done
        && request.who.is_outside()
        && kind != super::Kind::Event
    {
        faults.push(format!("done with what is Ada's: her {kind:?}"));
    }
    if request.has_more && is_done {
        faults.push("done, although it has a field that nobody documents".to_owned());
    }
}
