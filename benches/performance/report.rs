//! The page: what each part found last, with what was wanted of it.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::paired::{Paired, median, range};

/// What one part has to say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Part {
    pub title: String,
    /// How it was measured.
    pub how: String,
    pub rows: Vec<Row>,
    pub measured: String,
    /// What else was found.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// Markdown of a picture that was drawn of it.
    #[serde(default)]
    pub picture: Option<String>,
}

/// One thing that was wanted.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    pub what: String,
    pub wanted: String,
    pub found: String,
    pub reached: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Part {
    pub fn new(title: &str, how: &str) -> Self {
        let now = time::OffsetDateTime::now_utc().date();
        Self {
            title: title.to_owned(),
            how: how.to_owned(),
            rows: Vec::new(),
            measured: now.to_string(),
            tables: Vec::new(),
            picture: None,
        }
    }

    /// A ratio that must be at least so much.
    pub fn ratio(&mut self, what: &str, wanted: f64, found: &Paired) {
        let (least, most) = range(&found.ratios());
        let text = format!(
            "**{:.2}** (turns {least:.2} to {most:.2}; {:.0} beside {:.0} a second)",
            found.ratio(),
            median(&found.ours),
            median(&found.theirs)
        );
        self.row(what, &format!("≥ {wanted} ×"), &text, found.ratio() >= wanted);
    }

    /// A ratio of times that must be at most so much.
    pub fn ratio_at_most(&mut self, what: &str, wanted: f64, unit: &str, found: &Paired) {
        let (least, most) = range(&found.ratios());
        let text = format!(
            "**{:.2}** (turns {least:.2} to {most:.2}; {:.1} {unit} beside {:.1} {unit})",
            found.ratio(),
            median(&found.ours),
            median(&found.theirs)
        );
        self.row(what, &format!("≤ {wanted} ×"), &text, found.ratio() <= wanted);
    }

    /// A median that must be at most so much.
    pub fn at_most(&mut self, what: &str, wanted: f64, unit: &str, found: &[f64]) {
        let (least, most) = range(found);
        let text = format!("**{:.1}** {unit} (runs {least:.1} to {most:.1})", median(found));
        self.row(what, &format!("≤ {wanted} {unit}"), &text, median(found) <= wanted);
    }

    pub fn row(&mut self, what: &str, wanted: &str, found: &str, reached: bool) {
        println!("  {} {what}: {found}, wanted {wanted}", if reached { "reached" } else { "MISSED" });
        let [what, wanted, found] = [what, wanted, found].map(str::to_owned);
        self.rows.push(Row { what, wanted, found, reached });
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/performance/found")
}

/// Keeps what was found for the page.
pub fn keep(name: &str, part: &Part) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder())?;
    let text = serde_json::to_string_pretty(part)? + "\n";
    std::fs::write(folder().join(format!("{name}.json")), text).context("keeping what was found")
}

/// Writes docs/performance.md of what all parts found last, between the words that people wrote.
pub fn write_page(parts: &[&str]) -> anyhow::Result<()> {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let words = |name: &str| std::fs::read_to_string(home.join("benches/performance/words").join(name));
    let mut page = words("before.md").context("the words before the figures")?;
    for name in parts {
        let Ok(text) = std::fs::read_to_string(folder().join(format!("{name}.json"))) else { continue };
        let part: Part = serde_json::from_str(&text).with_context(|| format!("what {name} found"))?;
        write!(page, "\n## {}\n\n{} Measured {}.\n", part.title, part.how.trim_end(), part.measured)?;
        if !part.rows.is_empty() {
            writeln!(page, "\n| what | wanted | found | |\n| --- | --- | --- | --- |")?;
            for row in &part.rows {
                let verdict = if row.reached { "reached" } else { "**not reached**" };
                writeln!(page, "| {} | {} | {} | {verdict} |", row.what, row.wanted, row.found)?;
            }
        }
        for table in &part.tables {
            writeln!(page, "\n{}\n\n| {} |", table.title, table.head.join(" | "))?;
            writeln!(page, "|{}", " --- |".repeat(table.head.len()))?;
            for row in &table.rows {
                writeln!(page, "| {} |", row.join(" | "))?;
            }
        }
        if let Some(picture) = &part.picture {
            writeln!(page, "\n{picture}")?;
        }
    }
    page.push('\n');
    page.push_str(&words("after.md").context("the words after the figures")?);
    std::fs::write(home.join("docs/performance.md"), page).context("writing docs/performance.md")?;
    println!("\nwritten: docs/performance.md");
    Ok(())
}
