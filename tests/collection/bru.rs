//! A strict reader of `.bru` files: blocks in braces that begin and end at the margin, with pairs or with text in them.

use std::path::{Path, PathBuf};

/// One line of a dictionary; `~` before its key turns it off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub key: String,
    pub value: String,
    pub is_on: bool,
}

#[derive(Debug)]
enum Block {
    Pairs(Vec<Pair>),
    Text(String),
}

/// One file.
#[derive(Debug)]
pub struct Sheet {
    pub file: PathBuf,
    blocks: Vec<(String, Block)>,
}

/// Blocks whose content is text; all others are dictionaries.
const TEXTS: [&str; 4] = ["body:json", "docs", "script:pre-request", "script:post-response"];

impl Sheet {
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let blocks = blocks(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        Self { file: file.to_owned(), blocks }
    }

    /// Refuses blocks that nobody would read.
    pub fn has_only(&self, known: &[&str]) {
        for (index, (name, _)) in self.blocks.iter().enumerate() {
            assert!(known.contains(&name.as_str()), "{}: a block {name}", self.file.display());
            let again = self.blocks[..index].iter().any(|(other, _)| other == name);
            assert!(!again, "{}: two blocks {name}", self.file.display());
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().map(|(name, _)| name.as_str())
    }

    fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|(own, _)| own == name).map(|(_, block)| block)
    }

    /// The pairs of a dictionary; none when it is not there.
    pub fn pairs(&self, name: &str) -> &[Pair] {
        match self.block(name) {
            Some(Block::Pairs(pairs)) => pairs,
            Some(Block::Text(_)) => panic!("{}: {name} is text", self.file.display()),
            None => &[],
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.block(name)? {
            Block::Text(text) => Some(text),
            Block::Pairs(_) => panic!("{}: {name} is a dictionary", self.file.display()),
        }
    }

    /// A value that must be there.
    pub fn value(&self, block: &str, key: &str) -> &str {
        let pair = self.pairs(block).iter().find(|pair| pair.key == key);
        &pair.unwrap_or_else(|| panic!("{}: {block} has no {key}", self.file.display())).value
    }

    pub fn number(&self, block: &str, key: &str) -> u32 {
        let value = self.value(block, key);
        value.parse().unwrap_or_else(|_| panic!("{}: {key} is {value}", self.file.display()))
    }
}

fn blocks(text: &str) -> Result<Vec<(String, Block)>, String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let name = line.strip_suffix(" {").ok_or_else(|| format!("`{line}` begins no block"))?;
        let mut inside = Vec::new();
        loop {
            match lines.next().ok_or_else(|| format!("{name} does not end"))? {
                "}" => break,
                "" => inside.push(""),
                line => {
                    let line = line.strip_prefix("  ");
                    inside.push(line.ok_or_else(|| format!("{name} has a line that is not set in"))?);
                }
            }
        }
        let block = if TEXTS.contains(&name) {
            Block::Text(inside.join("\n"))
        } else {
            Block::Pairs(pairs(name, &inside)?)
        };
        blocks.push((name.to_owned(), block));
    }
    Ok(blocks)
}

/// `key: value`, or `key: [` with one word a line until `]`; a list's words are joined with blanks.
fn pairs(block: &str, lines: &[&str]) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        let (key, value) = line.split_once(':').ok_or_else(|| format!("{block}: `{line}` is no pair"))?;
        let mut value = value.trim().to_owned();
        if value == "[" {
            let words: Vec<_> =
                lines.by_ref().take_while(|line| **line != "]").map(|word| word.trim()).collect();
            value = words.join(" ");
        }
        let (key, is_on) = match key.strip_prefix('~') {
            Some(key) => (key, false),
            None => (key, true),
        };
        pairs.push(Pair { key: key.to_owned(), value, is_on });
    }
    Ok(pairs)
}
