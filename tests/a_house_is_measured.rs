//! `holdfast bench` asks what it says, counts what came of it, and tells it on the terminal, as JSON and as a page.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use holdfast::accounts::{NewAccount, Role};
use holdfast::ids::AccountId;
use secrecy::SecretString;
use serde_json::Value;

use crate::support::Holdfast;

const EMAIL: &str = "otto@example.com";
const PASSWORD: &str = "four-quiet-words";

/// A house with somebody who may put events on sale.
async fn house() -> Holdfast {
    let holdfast = Holdfast::with(|config| {
        config.pay_page_url = config.stripe_api_url.as_ref().map(|url| format!("{url}/pay"));
    })
    .await;
    let otto = NewAccount {
        id: AccountId::new(),
        name: "Otto".to_owned(),
        email: EMAIL.to_owned(),
        password: SecretString::from(PASSWORD),
        role: Role::Organiser,
    };
    holdfast.app().accounts.create(otto).await.expect("an organiser");
    holdfast
}

async fn bench(arguments: Vec<String>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.arg("bench").args(arguments).env("BENCH_PASSWORD", PASSWORD).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
}

/// What was measured of this house, as JSON; the terminal and a page say it, too.
async fn measured(holdfast: &Holdfast, words: &str) -> Value {
    let folder = std::env::temp_dir().join(format!("holdfast-measured-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).expect("a folder");
    let (json, html) = (folder.join("figures.json"), folder.join("figures.html"));
    let mut arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let path = |path: &Path| path.to_str().expect("text").to_owned();
    for (name, value) in [
        ("--url", holdfast.url().to_owned()),
        ("--organiser", EMAIL.to_owned()),
        ("--json", path(&json)),
        ("--html", path(&html)),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    let output = bench(arguments).await;
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("milliseconds"), "{said}");
    let figures = std::fs::read(&json).expect("figures");
    let page = std::fs::read_to_string(&html).expect("a page");
    std::fs::remove_dir_all(folder).expect("removed");
    assert!(page.contains("<svg") && page.contains("</html>"), "{words}: it has plots");
    assert!(!page.contains("src=") && !page.contains("href="), "{words}: it needs nothing else");
    serde_json::from_slice(&figures).expect("JSON")
}

fn count(figures: &Value, outcome: &str) -> u64 {
    figures["outcomes"][outcome].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_was_asked_and_every_answer_is_counted() {
    let holdfast = Box::pin(house()).await;
    let hold = measured(&holdfast, "hold --rate 20 --seconds 2 --connections 8").await;
    assert_eq!((count(&hold, "201"), &hold["answered"]), (40, &Value::from(40)), "{hold}");
    assert_eq!(hold["latency"]["count"], 40);

    let hot = measured(&holdfast, "hold --hot 3 --rate 20 --seconds 2 --connections 8").await;
    assert_eq!(
        (count(&hot, "201"), count(&hot, "409 seats_unavailable")),
        (3, 37),
        "one winner a seat: {hot}"
    );
    let keyed = measured(&holdfast, "hold --keys --rate 10 --seconds 1 --connections 4").await;
    assert_eq!(
        (count(&keyed, "201"), &keyed["notes"]["each with an Idempotency-Key"]),
        (10, &Value::from(true))
    );
    let order = measured(&holdfast, "order --rate 5 --seconds 1 --connections 4").await;
    assert_eq!(count(&order, "201"), 5, "{order}");
    let best = measured(&holdfast, "best --rate 10 --seconds 1 --connections 4").await;
    assert_eq!(count(&best, "201"), 10, "{best}");
    let map = measured(&holdfast, "map --seats 500 --rate 20 --seconds 1 --connections 4").await;
    assert_eq!((count(&map, "200"), count(&map, "304")), (15, 5), "{map}");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_is_measured_to_the_screen_and_a_crowd_to_its_last_seat() {
    let holdfast = Box::pin(house()).await;
    let journey = measured(&holdfast, "journey --rate 4 --seconds 2 --connections 8").await;
    assert_eq!(count(&journey, "confirmed"), 8, "{journey}");
    assert_eq!(journey["parts"]["6 on another screen, since it was paid"]["count"], 8, "{journey}");

    let watch = measured(&holdfast, "watch --viewers 40 --rate 10 --seconds 2 --connections 4").await;
    assert_eq!(count(&watch, "201"), 20, "{watch}");
    assert_eq!(
        watch["parts"]["from asking for a seat to a screen"]["count"], 40,
        "two of them read: {watch}"
    );
    assert_eq!(watch["notes"]["viewers that lost the stream"], 0, "{watch}");
    let told = |what: &str| watch["notes"][format!("changes that those who read were {what}")].clone();
    assert_eq!((told("to be told of"), told("told of")), (Value::from(40), Value::from(40)), "{watch}");

    let slow = measured(&holdfast, "watch --viewers 20 --slow 3 --rate 10 --seconds 2 --connections 4").await;
    let all_of_them = &slow["notes"]["viewers that stopped reading, and were told everything afterwards"];
    assert_eq!(
        (&slow["notes"]["viewers that stopped reading"], all_of_them),
        (&Value::from(3), &Value::from(3)),
        "{slow}"
    );
    let landing = measured(&holdfast, "landing --orders 6 --connections 3").await;
    assert_eq!(count(&landing, "booked, and seen"), 6, "{landing}");

    let rush = measured(&holdfast, "rush --customers 12 --seats 16 --seconds 60").await;
    assert_eq!(
        (count(&rush, "confirmed"), &rush["notes"]["how the seats stand at the end"]["sold"]),
        (8, &Value::from(16)),
        "{rush}"
    );
    // Whoever was let in before the last seat was gone asked for one; the others were still in line.
    let refused = count(&rush, "hold: 409 sold_out");
    assert_eq!(refused + count(&rush, "still waiting when it was over"), 4, "{rush}");
    assert_eq!(rush["notes"]["sold out"], true, "{rush}");
    assert!(rush["notes"]["seconds from the opening to the last seat's booking"].is_number(), "{rush}");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_that_is_not_there_is_said_to_be_away_and_a_pace_must_make_sense() {
    let wrong = bench(vec!["hold".to_owned(), "--rate".to_owned(), "fast".to_owned()]).await;
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && said.contains("requests a second, or max"), "{said}");
    // Nobody listens where somebody listened a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let away = format!("http://{}", free.expect("a port"));
    for (url, why) in [("127.0.0.1:8080", "does not begin with http://"), (away.as_str(), "is not ready")] {
        let wrong = bench(vec!["hold".to_owned(), "--url".to_owned(), url.to_owned()]).await;
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(!wrong.status.success() && said.contains(why), "{said}");
    }
}
