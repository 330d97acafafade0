//! What the pages are like in a real browser, measured and pictured. `script/bench map` and `script/pictures` run it.
//!
//! The harness of the tests opens the house and drives Chromium; figures are of this machine at this moment.

#![expect(clippy::print_stdout, reason = "a program for its authors, which prints what it found")]

#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the rest of it")]
mod support;

mod map_speed;
mod pictures;

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`, which says nothing here.
    let what = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    match what.as_deref() {
        Some("map") => Box::pin(map_speed::measure()).await,
        Some("pictures") => Box::pin(pictures::take()).await,
        _ => println!("say what: map or pictures"),
    }
}
