//! What a page is held to: it complains of nothing, does not jump, and is accessible.

use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Page;

const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules/axe-core/axe.min.js");

/// A rule that the page breaks, and where.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Violation {
    id: String,
    impact: Option<String>,
    help: String,
    help_url: String,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    target: Value,
    html: String,
    failure_summary: Option<String>,
}

impl Page {
    /// Errors and warnings in the console, what nobody caught, what the browser refused or could not load; without
    /// what was to be expected.
    pub fn complaints(&self) -> Vec<String> {
        self.diary.complaints()
    }

    /// Answers with this status are no complaint, before or after.
    pub fn expects_status(&self, status: u16) {
        self.diary.expects_status(status);
    }

    pub fn has_no_complaints(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "the page complains:\n{}", complaints.join("\n"));
    }

    /// By how much the page moved what was already there, since it was gone to, without being asked.
    pub async fn layout_shift(&self) -> f64 {
        // What was drawn a moment ago is told with the frame after.
        self.eval(
            "new Promise(tell => requestAnimationFrame(() => setTimeout(() => tell(__layoutShift), 50)))",
        )
        .await
    }

    /// Holds the page as it is to WCAG 2.2 A and AA and to good practice, as far as a program can tell.
    pub async fn is_accessible(&self) {
        self.eval::<()>(include_str!("at_rest.js")).await;
        let axe = fs::read_to_string(AXE).expect("axe-core is installed: run script/setup tests");
        // A world of its own: the page's policy and scripts neither hinder nor notice.
        let tree = self.session.call("Page.getFrameTree", json!({})).await;
        let world = json!({ "frameId": tree["frameTree"]["frame"]["id"], "worldName": "axe" });
        let world = self.session.call("Page.createIsolatedWorld", world).await["executionContextId"].take();
        let run = "axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
            resultTypes: ['violations'],
        }).then(result => result.violations)";
        let load = json!({ "expression": axe + ";null", "contextId": world });
        let loaded: Result<(), String> = self.evaluate(load).await;
        loaded.expect("axe-core loads");
        let violations: Result<Vec<Violation>, String> =
            self.evaluate(json!({ "expression": run, "contextId": world })).await;
        let violations = violations.expect("axe-core has an answer");
        let outcome = if violations.is_empty() { Ok(()) } else { Err(report(&violations)) };
        self.must("is accessible", outcome).await;
    }
}

fn report(violations: &[Violation]) -> String {
    let mut text = String::new();
    for rule in violations {
        let impact = rule.impact.as_deref().unwrap_or("no impact given");
        let _ = writeln!(text, "{} ({impact}): {}, see {}", rule.id, rule.help, rule.help_url);
        for node in &rule.nodes {
            let why = node.failure_summary.as_deref().unwrap_or_default().replace('\n', "\n      ");
            let _ = writeln!(text, "  at {}\n    {}\n      {why}", node.target, node.html);
        }
    }
    text
}
