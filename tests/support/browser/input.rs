//! Hands: keys, a mouse, two fingers.

use serde_json::{Value, json};

use super::page::Page;

/// A key as Chromium wants it: its name, the place on the keyboard, the number of old, and what it writes.
struct Key {
    name: String,
    code: String,
    number: u32,
    text: Option<String>,
}

impl Page {
    /// Presses and lets go: "Tab", "Enter", "Space", "ArrowDown", "Shift+Tab", "Control+a", or a character.
    pub async fn press(&self, keys: &str) {
        let (modifiers, key) = match keys.rsplit_once('+') {
            Some((modifiers, key)) if !key.is_empty() => (modifiers, key),
            _ => ("", keys),
        };
        let bits = modifiers.split('+').filter(|name| !name.is_empty()).map(modifier).sum::<u32>();
        let Key { name, code, number, text } = Key::named(key);
        let is_command = bits & (modifier("Control") | modifier("Alt") | modifier("Meta")) != 0;
        let text = text.filter(|_| !is_command);
        // What Control and A do is a matter of the system, so it is spelt out.
        let commands = if is_command && name == "a" { json!(["selectAll"]) } else { json!([]) };
        let kind = if text.is_some() { "keyDown" } else { "rawKeyDown" };
        let mut event = json!({
            "type": kind, "key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": bits,
            "commands": commands,
        });
        if let Some(text) = text {
            event["text"] = text.into();
        }
        self.session.call("Input.dispatchKeyEvent", event.clone()).await;
        event["type"] = "keyUp".into();
        for only_down in ["text", "commands"] {
            event.as_object_mut().expect("an object").remove(only_down);
        }
        self.session.call("Input.dispatchKeyEvent", event).await;
    }

    /// Moves the mouse there.
    pub async fn mouse(&self, x: f64, y: f64) {
        self.mouse_event("mouseMoved", (x, y), "none", 0).await;
    }

    pub async fn click_at(&self, x: f64, y: f64) {
        self.mouse(x, y).await;
        self.mouse_event("mousePressed", (x, y), "left", 1).await;
        self.mouse_event("mouseReleased", (x, y), "left", 0).await;
    }

    /// Presses at one point, moves in steps, lets go at the other.
    pub async fn drag(&self, from: (f64, f64), to: (f64, f64), steps: u32) {
        self.mouse(from.0, from.1).await;
        self.mouse_event("mousePressed", from, "left", 1).await;
        for step in 1..=steps {
            self.mouse_event("mouseMoved", between(from, to, step, steps), "left", 1).await;
        }
        self.mouse_event("mouseReleased", to, "left", 0).await;
    }

    /// Turns the wheel there; down is positive.
    pub async fn wheel(&self, x: f64, y: f64, dy: f64) {
        let event = json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": dy });
        self.session.call("Input.dispatchMouseEvent", event).await;
    }

    /// Two fingers, 100 pixels apart around this point, move until they are `scale` times as far apart.
    pub async fn pinch(&self, x: f64, y: f64, scale: f64) {
        let fingers = |step| {
            let apart = between((50.0, 0.0), (50.0 * scale, 0.0), step, 10).0;
            json!([{ "id": 0, "x": x - apart, "y": y }, { "id": 1, "x": x + apart, "y": y }])
        };
        self.touch("touchStart", fingers(0)).await;
        for step in 1..=10 {
            self.touch("touchMove", fingers(step)).await;
        }
        self.touch("touchEnd", json!([])).await;
    }

    async fn mouse_event(&self, kind: &str, at: (f64, f64), button: &str, held: u32) {
        let clicks = u32::from(kind != "mouseMoved");
        let event = json!({
            "type": kind, "x": at.0, "y": at.1, "button": button, "buttons": held, "clickCount": clicks,
        });
        self.session.call("Input.dispatchMouseEvent", event).await;
    }

    async fn touch(&self, kind: &str, points: Value) {
        self.session.call("Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points })).await;
    }
}

fn between(from: (f64, f64), to: (f64, f64), step: u32, steps: u32) -> (f64, f64) {
    let part = f64::from(step) / f64::from(steps);
    (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
}

fn modifier(name: &str) -> u32 {
    match name {
        "Alt" => 1,
        "Control" => 2,
        "Meta" => 4,
        "Shift" => 8,
        _ => panic!("no such key to hold: {name}"),
    }
}

impl Key {
    fn named(name: &str) -> Self {
        let (number, text) = match name {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "Escape" => (27, None),
            "Space" => return Self { code: "Space".into(), ..Self::character(' ', 32) },
            "PageUp" => (33, None),
            "PageDown" => (34, None),
            "End" => (35, None),
            "Home" => (36, None),
            "ArrowLeft" => (37, None),
            "ArrowUp" => (38, None),
            "ArrowRight" => (39, None),
            "ArrowDown" => (40, None),
            "Backspace" => (8, None),
            "Delete" => (46, None),
            _ => return Self::of_a_character(name),
        };
        Self { name: name.to_owned(), code: name.to_owned(), number, text: text.map(str::to_owned) }
    }

    fn of_a_character(name: &str) -> Self {
        let mut characters = name.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            panic!("no such key: {name}");
        };
        let upper = character.to_ascii_uppercase();
        let code = match upper {
            'A'..='Z' => format!("Key{upper}"),
            '0'..='9' => format!("Digit{upper}"),
            _ => String::new(),
        };
        let number = if upper.is_ascii_alphanumeric() { u32::from(upper) } else { 0 };
        Self { code, ..Self::character(character, number) }
    }

    fn character(character: char, number: u32) -> Self {
        let text = character.to_string();
        Self { name: text.clone(), code: String::new(), number, text: Some(text) }
    }
}
