//! The files of `web/`, and the pages that are made of them.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

pub const HTML: &str = "text/html; charset=utf-8";
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The frame of every page.
const FRAME: &str = "page.html";

/// A debug build reads the folder when it starts, so that a page can be changed without compiling.
#[derive(RustEmbed)]
#[folder = "web/"]
struct Web;

/// One file as it is sent.
pub struct File {
    pub kind: &'static str,
    pub content: Bytes,
}

/// All files, under one name for all of them.
pub struct Site {
    build: String,
    files: BTreeMap<String, File>,
}

impl Site {
    pub fn read() -> Self {
        let mut files = BTreeMap::new();
        let mut all = Sha256::new();
        let mut names: Vec<_> = Web::iter().collect();
        names.sort();
        for name in names {
            let (Some(file), Some(kind)) = (Web::get(&name), kind_of(&name)) else { continue };
            all.update(name.as_bytes());
            all.update(&file.data);
            let content = Bytes::from(file.data.into_owned());
            files.insert(name.into_owned(), File { kind, content });
        }
        let build = BASE64_URL_SAFE_NO_PAD.encode(&all.finalize()[..9]);
        Self { build, files }
    }

    /// Names what all files hold together: when one changes, so does this.
    pub fn build(&self) -> &str {
        &self.build
    }

    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name).filter(|_| name != FRAME)
    }

    /// The frame, filled with what makes one page.
    ///
    /// Modules that are imported by modules are named at once: a browser that learns of them one after the other
    /// needs a round trip for each step.
    pub fn page(&self, script: &str) -> String {
        let mut wanted = BTreeSet::new();
        self.gather(script, &mut wanted);
        let preload = |name| format!("  <link rel=\"modulepreload\" href=\"/web/{}/{name}\">\n", self.build);
        let preloads: String = wanted.iter().map(preload).collect();
        self.text(FRAME)
            .replace("{{build}}", &self.build)
            .replace("{{script}}", script)
            .replace("  {{preloads}}\n", &preloads)
    }

    /// A module at an address that stays, which hands on everything of this build's `script`.
    pub fn embedded(&self, script: &str) -> String {
        format!("export * from './{}/{script}';\n", self.build)
    }

    fn text(&self, name: &str) -> &str {
        let content = self.files.get(name).map(|file| file.content.as_ref()).unwrap_or_default();
        std::str::from_utf8(content).unwrap_or_default()
    }

    fn gather(&self, script: &str, wanted: &mut BTreeSet<String>) {
        for path in imports(self.text(script)) {
            let name = resolve(script, path);
            if wanted.insert(name.clone()) {
                self.gather(&name, wanted);
            }
        }
    }
}

fn kind_of(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some(HTML),
        "js" => Some(SCRIPT),
        "css" => Some(CSS),
        "svg" => Some(SVG),
        _ => None,
    }
}

/// What a module of ours imports: each in a line of its own that begins so.
fn imports(module: &str) -> impl Iterator<Item = &str> {
    let lines =
        module.lines().filter(|line| line.starts_with("import ") || line.starts_with("export * from "));
    lines.filter_map(|line| line.split('\'').nth(1))
}

/// The name of what `from` calls `path`.
fn resolve(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_like_a_browser_does() {
        assert_eq!(resolve("pages/event.js", "../map/seat-map.js"), "map/seat-map.js");
        assert_eq!(resolve("text.js", "./dom.js"), "dom.js");
    }

    #[test]
    fn every_import_of_every_module_leads_to_a_file() {
        let site = Site::read();
        for (name, _) in site.files.iter().filter(|(_, file)| file.kind == SCRIPT) {
            for path in imports(site.text(name)) {
                let wanted = resolve(name, path);
                assert!(site.files.contains_key(&wanted), "{name} imports {wanted}");
            }
        }
    }

    #[test]
    fn imports_of_every_kind_are_seen() {
        let module =
            "import {a} from './a.js';\nimport '../b.js';\nconst c = 'import d';\nexport * from './e.js';\n";
        assert_eq!(imports(module).collect::<Vec<_>>(), ["./a.js", "../b.js", "./e.js"]);
    }

    /// The text between quotation marks behind each `before`.
    fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        let ends = |letter: char| letter == '\'' || letter == '`' || letter == '$';
        text.split(before).skip(1).filter_map(|rest| rest.split(ends).next()).collect()
    }

    #[test]
    fn every_word_that_a_page_says_is_in_the_list_and_the_list_has_no_other() {
        let site = Site::read();
        let words: BTreeSet<_> = site
            .text("text.js")
            .lines()
            .filter_map(|line| line.strip_prefix("  '")?.split_once("': ").map(|(key, _)| key))
            .collect();
        assert!(words.len() > 200);
        let modules: String =
            site.files.keys().filter(|name| *name != "text.js").map(|name| site.text(name)).collect();
        let asked: BTreeSet<_> = quoted(&modules, "t('")
            .into_iter()
            .filter(|key| key.contains('.') && !key.contains('/'))
            .collect();
        for key in &asked {
            assert!(words.contains(key), "nobody has written {key}");
        }
        let families: Vec<_> =
            quoted(&modules, "t(`").into_iter().filter(|family| family.ends_with(['.', '-'])).collect();
        let elsewhere = |key: &str| modules.contains(&format!("'{key}'")) || key.starts_with("problem.");
        for key in &words {
            let known = asked.contains(key)
                || families.iter().any(|family| key.starts_with(*family))
                || elsewhere(key);
            assert!(known, "nothing says {key}");
        }
    }

    #[test]
    fn every_module_is_part_of_some_page() {
        let site = Site::read();
        let mut used = BTreeSet::new();
        for (_, script) in super::super::PAGES {
            used.insert(script.to_owned());
            site.gather(script, &mut used);
        }
        for (name, _) in site.files.iter().filter(|(_, file)| file.kind == SCRIPT) {
            assert!(used.contains(name), "nothing uses {name}");
        }
    }
}
