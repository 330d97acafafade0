//! Every figure of docs/performance.md. `script/bench performance` runs all of it and writes that page; with a name, only that
//! part is measured anew, and the page is written with what the other parts found last.
//!
//! Machines differ, and this one is not alone: what is claimed are ratios of two things that took turns in the same minutes,
//! and the median of at least five turns. Where something is measured in another way, its part says so on the page.

#![expect(clippy::print_stdout, reason = "a program for its authors, which prints what it found")]

mod bare;
mod confirms;
mod growth;
mod holds;
mod journey;
mod nodes;
mod paired;
mod peers;
mod plot;
mod reads;
mod report;
mod rush;
mod scale;
mod shards;
mod stand;
mod watching;

use self::report::Part;

/// The parts, in the order of the page.
const PARTS: [&str; 11] = [
    "holds", "reads", "watching", "confirms", "journey", "rush", "peers", "growth", "scale", "shards",
    "nodes",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`, which says nothing here.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let names: Vec<&str> = args.iter().map(String::as_str).collect();
    let parts = match names.as_slice() {
        ["page"] => &[],
        [] => PARTS.as_slice(),
        some => some,
    };
    for name in parts {
        measure(name).await?;
    }
    report::write_page(&PARTS)
}

async fn measure(name: &str) -> anyhow::Result<()> {
    println!("\n{name}");
    let part: Part = match name {
        "holds" => holds::measure().await?,
        "reads" => reads::measure().await?,
        "watching" => watching::measure().await?,
        "confirms" => confirms::measure().await?,
        "journey" => journey::measure().await?,
        "rush" => rush::measure().await?,
        "peers" => peers::measure().await?,
        "growth" => growth::measure().await?,
        "scale" => scale::measure().await?,
        "shards" => shards::measure().await?,
        "nodes" => nodes::measure().await?,
        other => anyhow::bail!("there is no part {other}: {}", PARTS.join(", ")),
    };
    report::keep(name, &part)
}
