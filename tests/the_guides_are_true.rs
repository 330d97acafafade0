//! The pages in `docs/`: their links lead somewhere, their lists are whole, and the shop of the quick start sells seats.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args as _, Command};
use holdfast::config::Config;
use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::journeys::{BAD_CARD, GOOD_CARD};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Every page that people read in the repository.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(PathBuf::from).to_vec();
    for file in std::fs::read_dir(root().join("docs")).expect("docs") {
        let path = Path::new("docs").join(file.expect("a file").file_name());
        if path.extension().is_some_and(|kind| kind == "md") {
            pages.push(path);
        }
    }
    pages
}

/// The text of a page without its blocks of code.
fn prose(page: &str) -> String {
    let mut is_code = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between two marks, each time.
fn between<'t>(text: &'t str, from: &str, to: char) -> impl Iterator<Item = &'t str> {
    text.split(from).skip(1).filter_map(move |rest| rest.split_once(to).map(|(inside, _)| inside))
}

/// The name that a heading has in an address: small letters, digits and hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-' || *letter == '_').collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = prose(&read(&page));
        for link in between(&text, "](", ')').chain(between(&text, "src=\"", '"')) {
            if link.starts_with("https://") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            assert!(root().join(&target).is_file(), "{}: {link} leads nowhere", page.display());
            if !heading.is_empty() {
                let there = prose(&read(&target));
                let mut headings = there.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(is_there, "{}: {link} names no heading", page.display());
            }
        }
    }
    assert!(links > 40, "only {links} links were found");
}

#[test]
fn every_page_of_docs_can_be_reached_from_the_readme() {
    let readme = read("README.md");
    for page in pages() {
        let page = page.to_str().expect("text").to_owned();
        assert!(
            page == "README.md" || readme.contains(&format!("]({page})")),
            "README does not lead to {page}"
        );
    }
}

/// The rows of a page's tables whose first column names something in backticks: the names, and the second column.
fn rows(page: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split(" | ").collect();
        for name in cells[0].split('`').skip(1).step_by(2) {
            rows.push((name.to_owned(), cells.get(1).copied().unwrap_or_default().trim().to_owned()));
        }
    }
    rows
}

#[test]
fn operations_lists_every_setting_with_its_default() {
    let page = read("docs/operations.md");
    let (_, page) = page.split_once("## Settings").expect("settings");
    let (page, _) = page.split_once("## Health").expect("an end");
    let listed = rows(page);
    let command = Config::augment_args(Command::new("holdfast"));
    let mut known = BTreeSet::new();
    for setting in command.get_arguments() {
        let Some(name) = setting.get_env().and_then(|name| name.to_str()) else { continue };
        known.insert(name.to_owned());
        let (_, says) = listed
            .iter()
            .find(|(own, _)| own == name)
            .unwrap_or_else(|| panic!("{name} is not in docs/operations.md"));
        let default = setting.get_default_values().first().and_then(|value| value.to_str());
        if let Some(default) = default {
            assert_eq!(says, default, "the default of {name}");
        }
        assert!(
            setting.get_long().is_some_and(|flag| flag.replace('-', "_").eq_ignore_ascii_case(name)),
            "the flag of {name}"
        );
    }
    assert!(known.len() > 30, "{known:?}");
    let invented: Vec<_> = listed.iter().filter(|(name, _)| !known.contains(name)).collect();
    assert!(invented.is_empty(), "there is no such setting: {invented:?}");
    for page in ["docs/stripe.md", "docs/waiting-list.md"] {
        for (name, _) in rows(&read(page)) {
            let is_a_setting = name.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_');
            assert!(!is_a_setting || known.contains(&name), "{page}: there is no {name}");
        }
    }
}

/// `holdfast_holds_total{label}` as it was registered: `holds`.
fn metric(name: &str) -> &str {
    let name = name.split('{').next().unwrap_or(name);
    let name = name.strip_prefix("holdfast_").unwrap_or_else(|| panic!("{name} is none of ours"));
    name.strip_suffix("_total").unwrap_or(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_lists_every_metric() {
    let page = read("docs/operations.md");
    let (_, page) = page.split_once("## Metrics").expect("metrics");
    let (page, _) = page.split_once("## The audit").expect("an end");
    let listed = rows(page);
    let listed: BTreeSet<_> = listed.iter().map(|(name, _)| metric(name)).collect();

    // What a node registers, also what it has not counted yet.
    let source = read("src/telemetry.rs");
    let mut known = BTreeSet::new();
    for call in source.split(".register").skip(1) {
        let (kind, arguments) = call.split_once('(').expect("a call");
        let name = arguments.split('"').nth(1).expect("a name").to_owned();
        known.insert(if kind == "_with_unit" { name + "_seconds" } else { name });
    }
    assert!(known.len() > 25, "{known:?}");
    assert_eq!(listed, known.iter().map(String::as_str).collect());

    let holdfast = Holdfast::start().await;
    for line in holdfast.anyone().get_text("/metrics").await.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next()) {
            assert!(listed.contains(metric(name)), "{name} is not in docs/operations.md");
        }
    }
}

#[test]
fn the_waiting_list_page_names_questions_that_the_audit_asks() {
    let audit = read("src/workers/audit.rs");
    let page = read("docs/waiting-list.md");
    let (_, table) = page.split_once("| `holdfast audit` |").expect("a table");
    let (table, _) = table.split_once("\n\n").expect("an end");
    let names = rows(table);
    assert_eq!(names.len(), 4);
    for (name, _) in names {
        assert!(audit.contains(&format!("name: \"{name}\"")), "the audit does not ask {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_of_the_quick_start_sells_seats_in_a_browser() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto("/orders").await;
    let text = read("docs/quick-start.md");
    let mut code = String::new();
    for block in text.split("```js\n").skip(1) {
        code.push_str(block.split("```").next().expect("an end"));
    }
    let code = code.replace("http://127.0.0.1:8080", holdfast.url());
    assert!(page.eval::<bool>(&format!("{code}; true")).await);
    let play = async |scene: &str| page.eval::<Value>(&format!("(async () => {{ {scene} }})()")).await;

    let events = play("return onSale()").await;
    assert_eq!(events[0]["id"], json!(event));
    assert_eq!(play("return price(4800, 'eur').replace(/[^0-9]/g, '')").await, "4800");
    assert_eq!(play("return price(1250, 'jpy').replace(/[^0-9]/g, '')").await, "1250");
    play(&format!("globalThis.seen = null; follow('{event}', (taken) => {{ seen = taken; }}); return 0"))
        .await;
    play("await enter('register', {name: 'Ada', email: 'ada@example.com', password: 'a short sentence'}); return 0").await;
    play("await renew(); return 0").await;

    // Held, swapped, refused with reasons, paid.
    let ben = holdfast.customer().await;
    ben.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    play(&format!("globalThis.held = await hold('{event}', {{best: {{quantity: 2}}}}); return 0")).await;
    let refused = play(&format!(
        "return hold('{event}', {{seats: ['stalls-A-1']}}, held).catch(({{code, seats}}) => ({{code, seats}}))"
    ))
    .await;
    assert_eq!(
        refused,
        json!({ "code": "seats_unavailable", "seats": [{ "id": "stalls-A-1", "reason": "held" }] })
    );
    play(&format!("held = await hold('{event}', {{seats: ['stalls-B-1', 'stalls-B-2']}}, held); return 0"))
        .await;
    let left = play("return secondsLeft(held, performance.now())").await.as_f64().expect("a number");
    assert!((500.0..=600.0).contains(&left), "{left}");
    // The two that were swapped for these are free again.
    page.comes_to("[...seen.keys()].sort().join() === 'stalls-A-1,stalls-B-1,stalls-B-2'").await;

    let order = play("return checkOut(held)").await;
    let pays_at = play(&format!("return payPage({order}, location.origin + '/orders/1')")).await;
    assert!(pays_at.as_str().is_some_and(|url| url.contains("/pay/pi_") && url.contains("return_url=http")));
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let after = play(&format!("return outcome('{}')", order["id"].as_str().expect("an id"))).await;
    assert_eq!(
        (after["status"].as_str(), after["tickets"].as_array().map(Vec::len)),
        (Some("confirmed"), Some(2))
    );
    page.comes_to("seen.get('stalls-B-2') === 'sold'").await;

    let order = play(&format!("return checkOut(await hold('{event}', {{best: {{quantity: 1}}}}))")).await;
    holdfast.pay(&order, BAD_CARD).await;
    let after = play(&format!("return outcome('{}')", order["id"].as_str().expect("an id"))).await;
    assert_eq!(after["status"], "failed");
    holdfast.every_invariant_holds().await;
}
