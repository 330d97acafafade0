//! Finding things as a person does who hears them: by role and name, as Chromium computes them for assistive
//! technology, open shadow roots included.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Page;

/// Something on the page that can be named.
#[derive(Debug, Clone)]
struct Thing {
    name: String,
    node: Value,
}

/// Where to press something, or why not yet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Place {
    Here { x: f64, y: f64, bounds: [f64; 4] },
    Nowhere { why: String },
}

/// Nobody presses what still moves: a box counts when it was the same a moment before.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(40);

impl Page {
    /// Whether there is such a thing right now. A name may be the whole or the beginning.
    pub async fn has(&self, role: &str, name: &str) -> bool {
        self.things(role).await.is_ok_and(|things| things.iter().any(|thing| thing.name.starts_with(name)))
    }

    /// Until there is exactly one such thing: with this name, or else whose name begins so.
    pub async fn waits_for(&self, role: &str, name: &str) {
        let found = self.until(async || self.find(role, name).await).await;
        self.must(&format!("waits for {role} {name:?}"), found).await;
    }

    /// Presses it where it is drawn, once it is there, enabled, uncovered and at rest.
    pub async fn click(&self, role: &str, name: &str) {
        let place = self.until(async || self.place(role, name).await).await;
        let (x, y) = self.must(&format!("click {role} {name:?}"), place).await;
        self.click_at(x, y).await;
    }

    /// Replaces what is in a field.
    pub async fn type_into(&self, role: &str, name: &str, text: &str) {
        self.click(role, name).await;
        self.press("Control+a").await;
        if text.is_empty() {
            self.press("Delete").await;
        } else {
            self.session.call("Input.insertText", json!({ "text": text })).await;
        }
    }

    /// Picks from a select, by the value or the text of an option; or sets a date, a time or a slider.
    pub async fn choose(&self, role: &str, name: &str, value: &str) {
        let chosen = self.until(async || {
            self.place(role, name).await?;
            let thing = self.find(role, name).await?;
            let refusal: Option<String> = self.on(&thing, include_str!("choose.js"), &[json!(value)]).await?;
            refusal.map_or(Ok(()), Err)
        });
        self.must(&format!("choose {value:?} in {role} {name:?}"), chosen.await).await;
    }

    /// The role and name of what has the focus, through shadow roots; `("none", "")` when nothing has.
    pub async fn focused(&self) -> (String, String) {
        let found = self.until(async || self.try_focused().await).await;
        self.must("has a focus", found).await
    }

    async fn try_focused(&self) -> Result<(String, String), String> {
        let script = "(() => {
            let focused = document.activeElement;
            while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
            return focused === document.body ? null : focused;
        })()";
        let focused = self.session.ask("Runtime.evaluate", json!({ "expression": script })).await?;
        let Some(object) = focused["result"]["objectId"].as_str() else {
            return Ok(("none".to_owned(), String::new()));
        };
        let tree = json!({ "objectId": object, "fetchRelatives": false });
        let tree = self.session.ask("Accessibility.getPartialAXTree", tree).await?;
        Ok((role(&tree["nodes"][0]), name(&tree["nodes"][0])))
    }

    /// Presses Tab until that has the focus.
    pub async fn tab_to(&self, role: &str, name: &str) {
        let mut passed = String::new();
        for _ in 0..150 {
            self.press("Tab").await;
            let (at_role, at_name) = self.focused().await;
            if at_role == role && at_name.starts_with(name) {
                return;
            }
            let _ = writeln!(passed, "  {at_role} {at_name:?}");
        }
        panic!("Tab does not come to {role} {name:?}, only to\n{passed}");
    }

    /// The point at which something rests.
    async fn place(&self, role: &str, name: &str) -> Result<(f64, f64), String> {
        let mut before = None;
        loop {
            let thing = self.find(role, name).await?;
            let place: Place = self.on(&thing, include_str!("place.js"), &[]).await?;
            match place {
                Place::Nowhere { why } => return Err(why),
                Place::Here { x, y, bounds } if before == Some(bounds) => return Ok((x, y)),
                // It may move for as long as the caller has patience.
                Place::Here { bounds, .. } if before.is_some() => {
                    return Err(format!("it moves, now at {bounds:?}"));
                }
                Place::Here { bounds, .. } => before = Some(bounds),
            }
            tokio::time::sleep(MOMENT).await;
        }
    }

    async fn find(&self, role: &str, name: &str) -> Result<Thing, String> {
        let things = self.things(role).await?;
        let whole: Vec<_> = things.iter().filter(|thing| thing.name == name).collect();
        let begun: Vec<_> = things.iter().filter(|thing| thing.name.starts_with(name)).collect();
        match (&whole[..], &begun[..]) {
            ([thing], _) | ([], [thing]) => Ok((*thing).clone()),
            ([], []) => Err(format!("there are only {:?}", names(&things))),
            ([], several) => Err(format!("{} names begin so, of {:?}", several.len(), names(&things))),
            (several, _) => Err(format!("{} have this name", several.len())),
        }
    }

    /// Everything with this role that is not hidden from assistive technology.
    async fn things(&self, wanted: &str) -> Result<Vec<Thing>, String> {
        // The word of ARIA's older versions, which is the one that people write.
        let wanted = if wanted == "img" { "image" } else { wanted };
        // Asked about a page that is just coming, Chromium can lose it altogether.
        if self.try_eval::<String>("document.readyState").await? != "complete" {
            return Err("it is still loading".to_owned());
        }
        let document = self.session.ask("DOM.getDocument", json!({ "depth": 0 })).await?;
        let query = json!({ "backendNodeId": document["root"]["backendNodeId"], "role": wanted });
        let found = self.session.ask("Accessibility.queryAXTree", query).await?;
        let nodes = found["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let seen = nodes.iter().filter(|node| node["ignored"] != true);
        Ok(seen.map(|node| Thing { name: name(node), node: node["backendDOMNodeId"].clone() }).collect())
    }

    /// Calls a function of JavaScript on something of the page.
    async fn on<T: serde::de::DeserializeOwned>(
        &self,
        thing: &Thing,
        js: &str,
        args: &[Value],
    ) -> Result<T, String> {
        let object = self.session.ask("DOM.resolveNode", json!({ "backendNodeId": thing.node })).await?;
        let arguments: Vec<_> = args.iter().map(|value| json!({ "value": value })).collect();
        let call = json!({
            "objectId": object["object"]["objectId"], "functionDeclaration": js, "arguments": arguments,
            "returnByValue": true,
        });
        let mut answer = self.session.ask("Runtime.callFunctionOn", call).await?;
        if answer["exceptionDetails"].is_object() {
            return Err(super::diary::exception(&answer["exceptionDetails"]));
        }
        serde_json::from_value(answer["result"]["value"].take()).map_err(|error| error.to_string())
    }
}

fn role(node: &Value) -> String {
    node["role"]["value"].as_str().unwrap_or_default().to_owned()
}

fn name(node: &Value) -> String {
    let name = node["name"]["value"].as_str().unwrap_or_default();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn names(things: &[Thing]) -> Vec<&str> {
    things.iter().map(|thing| thing.name.as_str()).take(60).collect()
}
