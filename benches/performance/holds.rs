//! The hold path: HTTP beside redis-benchmark, which asks the same Redis with the same script and the same arguments.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::paired::{Paired, paired};
use crate::report::Part;
use crate::stand::{CROWD, House, output, rate_of};

/// Fewer holds than there are seats.
const SECONDS: &str = "4";
/// Calls of one turn of redis-benchmark: some seconds.
const CALLS: u32 = 100_000;
/// As many as `holdfast bench hold --rate max` puts on sale.
const SEATS: u32 = 100_000;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "The hold path",
        "A node with its Redis (append-only file on) and Postgres, calls counted and logged as in production, asked by `holdfast \
         bench hold` over 64 connections as fast as they have answers, by 256 customers in turn; beside it `redis-benchmark -c 64` \
         with the very command that the node sends, taken from Redis' own MONITOR, and put to an event of as many seats that nobody \
         looks at, so that the node does nothing meanwhile. All of them share the same two cores. The winning path takes another \
         seat each time, once as a program asks and once with an `Idempotency-Key` each, as the seat map does; the losing one asks \
         for seats that somebody has.",
    );
    let house = House::open().await?;
    let found = won(&house, Call::Wins).await?;
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
    // In houses of their own: hundreds of thousands of seats that others hold come free one by one in the one before.
    drop(house);
    let house = House::open().await?;
    let keyed = won(&house, Call::WinsWithKey).await?;
    part.ratio("holds a second with a key each, beside redis-benchmark with one each", 0.5, &keyed);
    drop(house);
    let house = House::open().await?;
    let losers = captured(&house, Call::Loses).await?;
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

/// Which call of the hold script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Wins,
    WinsWithKey,
    Loses,
}

impl Call {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Wins => &[],
            Self::WinsWithKey => &["--keys"],
            Self::Loses => &["--hot", "1"],
        }
    }
}

/// The winning path: ours, and the same call from redis-benchmark.
async fn won(house: &House, call: Call) -> anyhow::Result<Paired> {
    let words = [&["hold", "--rate", "max", "--seconds", SECONDS], call.words()].concat();
    let asked = async || rate_of(&house.bench(&words).await?, &["201"]);
    paired(asked, async || {
        let call = captured(house, call).await?;
        redis_benchmark(house, &elsewhere(house, call).await?).await
    })
    .await
}

/// The same call at an event that the node does not follow: it would read every change of the one that was captured, because
/// somebody has just looked at that.
async fn elsewhere(house: &House, call: Vec<String>) -> anyhow::Result<Vec<String>> {
    let (_, rest) = call[2].split_once('{').context("a key with a tag")?;
    let event = rest.split('}').next().context("a tag")?.to_owned();
    let other = house.event(SEATS).await?;
    Ok(call.into_iter().map(|word| word.replace(&event, &other)).collect())
}

/// A call of the hold script as the node sends it; of a winning one, the parts that differ from call to call are left to
/// redis-benchmark.
async fn captured(house: &House, which: Call) -> anyhow::Result<Vec<String>> {
    let mut monitor = tokio::process::Command::new("redis-cli")
        .args(["-s", &house.redis_socket()?, "MONITOR"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(monitor.stdout.take().context("it prints")?).lines();
    lines.next_line().await?;
    let asking = async {
        let few = ["hold", "--rate", "50", "--seconds", "1", "--connections", "2", "--customers", "2"];
        house.bench(&[&few, which.words()].concat()).await
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
    let call = last?.context("the node has called the script")?;
    if which == Call::Loses { Ok(call) } else { varied(call, which) }
}

/// As long as an id, and never the same.
const VARIED: &str = "0__rand_int__-__rand_int__-123456789";

/// With another hold, another seat and, where there is one, another key each time. The script looks at none of them. Of the seats
/// some come twice, which are had again, since the flag that is looked at is another one's.
fn varied(mut call: Vec<String>, which: Call) -> anyhow::Result<Vec<String>> {
    let keys: usize = call[1].parse()?;
    // `call[1 + n]` is the script's KEYS[n], and its ARGV come behind them.
    let hold = call[1 + 10].rsplit(':').next().context("a hold's id")?.to_owned();
    if hold.len() != 36 {
        bail!("{hold} is no id");
    }
    for word in &mut call {
        *word = word.replace(&hold, VARIED);
    }
    if which == Call::WinsWithKey {
        let memory = &mut call[1 + 12];
        if !memory.starts_with("once:") {
            bail!("{memory} remembers no call");
        }
        memory.truncate(memory.rfind(':').context("a key's digest")?);
        memory.extend([":", VARIED]);
        // MONITOR writes it in its own way; it is so many bytes.
        call[1 + keys + 10] = "f".repeat(32);
    }
    let flag = &mut call[1 + keys];
    *flag = format!("{}__rand_int__", &flag[..=flag.rfind(':').context("a flag's key")?]);
    "__rand_int__".clone_into(call.last_mut().context("a seat")?);
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
