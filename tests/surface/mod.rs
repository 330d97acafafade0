//! The whole surface of the service: every call that the API documents, asked by everybody in every way.

pub mod invent;
pub mod judge;
pub mod spoil;
pub mod world;

use serde_json::Value;

/// One documented call.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: String,
    pub path: String,
    pub says: Value,
}

/// What an id in a path is the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Event,
    Hold,
    Order,
    Ticket,
    Entry,
    Hook,
    Account,
}

/// Every call of the document.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, says) in item.as_object().expect("calls") {
            operations.push(Operation { method: method.clone(), path: path.clone(), says: says.clone() });
        }
    }
    operations
}

impl Operation {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn is(&self, name: &str) -> bool {
        self.name() == name
    }

    pub fn needs_a_caller(&self) -> bool {
        self.says["security"].is_array()
    }

    pub fn needs_a_role(&self) -> bool {
        self.path.starts_with("/v1/admin/")
    }

    pub fn has_body(&self) -> bool {
        self.says["requestBody"].is_object()
    }

    pub fn form(&self) -> &Value {
        &self.says["requestBody"]["content"]["application/json"]["schema"]
    }

    pub fn parameters(&self, place: &str) -> Vec<&Value> {
        let all = self.says["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == place).collect()
    }

    /// What its id names.
    pub fn kind(&self) -> Option<Kind> {
        if !self.path.contains('{') {
            return None;
        }
        let path = self.path.strip_prefix("/v1/")?;
        let path = path.strip_prefix("admin/").unwrap_or(path);
        match path.split('/').next()? {
            "events" => Some(Kind::Event),
            "holds" => Some(Kind::Hold),
            "orders" => Some(Kind::Order),
            "tickets" => Some(Kind::Ticket),
            "waitlist" => Some(Kind::Entry),
            "hooks" => Some(Kind::Hook),
            "accounts" => Some(Kind::Account),
            other => panic!("{}: what is the id of {other}?", self.name()),
        }
    }
}
