//! The hold path: HTTP beside redis-benchmark, which asks the same Redis with the same script and the same arguments.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::paired::paired;
use crate::report::Part;
use crate::stand::{CROWD, House, output, rate_of};

/// Fewer holds than there are seats.
const SECONDS: &str = "4";
/// Calls of one turn of redis-benchmark: some seconds.
const CALLS: u32 = 100_000;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "The hold path",
        "A node with its Redis (append-only file on) and Postgres, calls counted and logged as in production, asked by `holdfast \
         bench hold` over 64 connections as fast as they have answers; beside it `redis-benchmark -c 64` with the very command \
         that the node sends, taken from Redis' own MONITOR. All of them share the same two cores. The winning path takes another \
         seat each time, the losing one asks for seats that somebody has.",
    );
    let house = House::open().await?;
    let found = paired(
        || async { rate_of(&house.bench(&["hold", "--rate", "max", "--seconds", SECONDS]).await?, &["201"]) },
        || async { redis_benchmark(&house, &captured(&house, false).await?).await },
    )
    .await?;
    part.ratio("holds a second over HTTP beside redis-benchmark", 0.5, &found);

    let half = (crate::paired::median(&found.ours) / 2.0).round().to_string();
    let mut late = Vec::new();
    for _ in 0..crate::paired::TURNS {
        let figures = house.bench(&["hold", "--rate", &half, "--seconds", SECONDS]).await?;
        late.push(figures["latency"]["p99"].as_f64().context("there is a p99")?);
    }
    part.at_most(
        &format!("p99 of a hold at half of that load ({half} a second, open loop)"),
        10.0,
        "ms",
        &late,
    );
    // In a house of their own: hundreds of thousands of seats that others hold come free one by one in the one before.
    drop(house);
    let house = House::open().await?;
    let losers = captured(&house, true).await?;
    let refused = ["201", "409 seats_unavailable"];
    let lost = paired(
        || async {
            let words = ["hold", "--hot", "20", "--rate", "max", "--seconds", SECONDS];
            rate_of(&house.bench(&words).await?, &refused)
        },
        || redis_benchmark(&house, &losers),
    )
    .await?;
    part.ratio("refusals a second over HTTP beside redis-benchmark", 0.6, &lost);

    Ok(part)
}

/// A call of the hold script as the node sends it; of a winning one, the parts that differ from call to call are left to
/// redis-benchmark.
async fn captured(house: &House, loses: bool) -> anyhow::Result<Vec<String>> {
    let mut monitor = tokio::process::Command::new("redis-cli")
        .args(["-s", &house.redis_socket()?, "MONITOR"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(monitor.stdout.take().context("it prints")?).lines();
    lines.next_line().await?;
    let asking = async {
        let hot: &[&str] = if loses { &["--hot", "1"] } else { &[] };
        let words = [&["hold", "--rate", "50", "--seconds", "1", "--connections", "2"], hot].concat();
        house.bench(&words).await
    };
    let listening = async {
        let mut last = None;
        while let Some(line) = lines.next_line().await? {
            if line.contains("\"EVALSHA\"") && line.contains("\"public\"") {
                last = Some(words(line.split_once("\"EVALSHA\"").map_or("", |(_, rest)| rest)));
            }
            if line.contains("the call is over") {
                break;
            }
        }
        anyhow::Ok(last)
    };
    let ending = async {
        let asked = asking.await;
        let mut redis = house.redis().await?;
        let _: String = redis::cmd("ECHO").arg("the call is over").query_async(&mut redis).await?;
        asked
    };
    let (last, asked) = tokio::join!(listening, ending);
    asked?;
    let mut call = last?.context("the node has called the script")?;
    if !loses {
        let keys: usize = call[1].parse()?;
        let hold = call[2 + 9].rsplit(':').next().context("a hold's id")?.to_owned();
        if hold.len() != 36 {
            bail!("{hold} is no id");
        }
        // As long as an id, and never the same: the script looks at neither. Of the seats some come twice, which are had
        // again, since the flag that is looked at is another one's.
        let varied = "0__rand_int__-__rand_int__-123456789";
        for word in &mut call {
            *word = word.replace(&hold, varied);
        }
        let flag = &mut call[2 + keys - 1];
        *flag = format!("{}__rand_int__", &flag[..=flag.rfind(':').context("a flag's key")?]);
        "__rand_int__".clone_into(call.last_mut().context("a seat")?);
    }
    Ok(call)
}

/// The quoted words of a line of MONITOR.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (&mut word, letter) {
            (None, '"') => word = Some(String::new()),
            (Some(_), '"') => words.extend(word.take()),
            (Some(word), '\\') => word.extend(letters.next()),
            (Some(word), letter) => word.push(letter),
            (None, _) => {}
        }
    }
    words
}

async fn redis_benchmark(house: &House, call: &[String]) -> anyhow::Result<f64> {
    let (socket, crowd, calls) = (house.redis_socket()?, CROWD.to_string(), CALLS.to_string());
    let mut args: Vec<String> =
        ["-s", &socket, "-c", &crowd, "-n", &calls, "-r", "100000", "--csv", "EVALSHA"]
            .map(str::to_owned)
            .to_vec();
    args.extend_from_slice(call);
    let printed = output("redis-benchmark", &args).await?;
    // "the command","rps",…
    let last = printed.lines().last().context("it prints a line")?;
    let rate = last.rsplit("\",\"").nth(6).context("it prints its rate")?;
    Ok(rate.parse()?)
}
