//! A house as it is served, with servers of its own that keep what they are told, and the tools that measure it from outside.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use holdfast::demo;
use holdfast::local::Stack;
use serde_json::{Value, json};

/// Connections of every crowd here: few enough for two cores to be busy with work and not with people.
pub const CROWD: u32 = 64;
const PATIENCE: Duration = Duration::from_mins(1);
/// Every call is counted, as in a sale; only that all of them come from this machine must not matter.
pub const LIMITS: &str = "default,browse.address=1000000/1s,hold=1000000/1s,hold.address=1000000/1s,order=1000000/1m,\
    order.address=1000000/1m,change=1000000/1m,change.address=1000000/1m,read=1000000/1m,register.address=1000000/10m";

/// The program as it is served: `script/bench` builds it and says where.
pub fn program() -> PathBuf {
    std::env::var_os("HOLDFAST_SERVED")
        .map_or_else(|| PathBuf::from("target/release/holdfast"), PathBuf::from)
}

/// A running house.
pub struct House {
    process: Child,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    pub url: String,
    /// Where its Stripe is.
    pub sandbox: String,
    pub client: reqwest::Client,
    /// Shows that its bearer may put events on sale.
    pub organiser: String,
}

impl Drop for House {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = std::fs::remove_file(self.folder.with_extension("log"));
    }
}

fn start(folder: &Path, settings: &[(String, String)]) -> anyhow::Result<Child> {
    // Lines are written as in production.
    let log = std::fs::File::create(folder.with_extension("log"))?;
    Command::new(program())
        .args(["dev", "--data"])
        .arg(folder)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("starting the house: script/bench builds it first")
}

impl House {
    pub async fn open() -> anyhow::Result<Self> {
        Self::with(&[]).await
    }

    /// The same with other settings.
    pub async fn with(settings: &[(&str, String)]) -> anyhow::Result<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let sandbox = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder =
            std::env::temp_dir().join(format!("holdfast-performance-{}-{}", std::process::id(), free.port()));
        let mut all = vec![
            ("LISTEN_ADDR".to_owned(), free.to_string()),
            ("SANDBOX_ADDR".to_owned(), sandbox.to_string()),
            ("RATE_LIMITS".to_owned(), LIMITS.to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut house = Self {
            process: start(&folder, &all)?,
            folder,
            settings: all,
            url: format!("http://{free}"),
            sandbox: format!("http://{sandbox}"),
            client: reqwest::Client::builder().timeout(PATIENCE).build()?,
            organiser: String::new(),
        };
        house.gets_ready().await?;
        let who = demo::addresses().find(|address| address.starts_with("organiser"));
        let form = json!({ "email": who.context("the demo has an organiser")?, "password": demo::PASSWORD });
        let asked = house.client.post(format!("{}/v1/auth/login", house.url)).json(&form);
        let signed_in: Value = asked.send().await?.json().await?;
        signed_in["access_token"].as_str().context("signing in")?.clone_into(&mut house.organiser);
        // What it does after it has opened, such as drawing its charts, is done before anything is measured.
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(house)
    }

    async fn is_ready(&self) -> bool {
        let asked = self.client.get(format!("{}/readyz", self.url)).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    }

    /// Ends it, stores and all, and opens it again with what they have kept; says how long the opening took.
    pub async fn open_again(&mut self) -> anyhow::Result<Duration> {
        self.end();
        self.process = start(&self.folder, &self.settings)?;
        let begun = Instant::now();
        self.gets_ready().await?;
        Ok(begun.elapsed())
    }

    fn end(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(self.process.id()).unwrap_or(0)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }

    async fn gets_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !self.is_ready().await {
            if begun.elapsed() > PATIENCE {
                bail!(
                    "the house does not open: {}",
                    std::fs::read_to_string(self.folder.with_extension("log"))?
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Runs `holdfast bench` beside it, and answers with the figures.
    pub async fn bench(&self, words: &[&str]) -> anyhow::Result<Value> {
        bench(&[words, &["--url", &self.url]].concat()).await
    }

    /// Puts an event of so many seats on sale, without a rule about single seats or a list, and does not look at it.
    pub async fn event(&self, seats: u32) -> anyhow::Result<String> {
        let rows: Vec<Value> = (0..50).map(|row| json!({ "name": row.to_string(), "seats": 100 })).collect();
        let sections: Vec<Value> = (0..seats.div_ceil(5_000))
            .map(|section| json!({ "key": format!("s{section}"), "category": "all", "rows": rows }))
            .collect();
        let form = json!({
            "title": "Elsewhere", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
            "orphan_rule": false, "waitlist": false,
            "categories": [{ "key": "all", "name": "All seats", "price": 4800 }], "sections": sections,
        });
        let asked = self.client.post(format!("{}/v1/admin/events", self.url)).bearer_auth(&self.organiser);
        let made: Value = asked.json(&form).send().await?.error_for_status()?.json().await?;
        made["id"].as_str().map(str::to_owned).context("it has an id")
    }

    pub fn stack(&self) -> anyhow::Result<Stack> {
        Ok(Stack::running(Some(&self.folder))?)
    }

    pub fn redis_socket(&self) -> anyhow::Result<String> {
        let url = self.stack()?.redis_url(0);
        let path = url.strip_prefix("redis+unix://").and_then(|rest| rest.split('?').next());
        path.map(str::to_owned).context("Redis has a socket")
    }

    pub async fn redis(&self) -> anyhow::Result<holdfast::stores::redis::Redis> {
        Ok(holdfast::stores::redis::Redis::connect(&self.stack()?.redis_url(0)).await?)
    }

    /// What the node has in memory, in bytes.
    pub fn memory(&self) -> u64 {
        resident(self.process.id())
    }
}

/// What a process has in memory, in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// `holdfast bench …` and its figures.
pub async fn bench(words: &[&str]) -> anyhow::Result<Value> {
    let file = std::env::temp_dir().join(format!("holdfast-figures-{}.json", uuid::Uuid::now_v7()));
    let connections = CROWD.to_string();
    let mut command = tokio::process::Command::new(program());
    command.arg("bench").args(words).arg("--json").arg(&file);
    if !words.contains(&"--connections") {
        command.args(["--connections", &connections]);
    }
    let ended = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().await?;
    if !ended.status.success() {
        bail!("holdfast bench {}: {}", words.join(" "), String::from_utf8_lossy(&ended.stderr));
    }
    let figures = serde_json::from_slice(&std::fs::read(&file)?)?;
    std::fs::remove_file(&file)?;
    Ok(figures)
}

/// How many of these outcomes there were a second.
pub fn rate_of(figures: &Value, outcomes: &[&str]) -> anyhow::Result<f64> {
    let all = figures["outcomes"].as_object().context("there are outcomes")?;
    if let Some((other, _)) = all.iter().find(|(name, _)| !outcomes.contains(&name.as_str())) {
        bail!("not all answers were {outcomes:?}: {other}, {figures}");
    }
    figures["per_second"].as_f64().context("there is a rate")
}

/// Has one connection do all of these statements, one after the other.
pub async fn say(pg: &sqlx::PgPool, statements: &str) -> anyhow::Result<()> {
    let mut session = pg.acquire().await?;
    for statement in statements.trim().trim_end_matches(';').split(';') {
        let said = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *session);
        said.await.with_context(|| statement.to_owned())?;
    }
    Ok(())
}

/// What a program printed.
pub async fn output(program: &str, args: &[String]) -> anyhow::Result<String> {
    let ended = tokio::process::Command::new(program).args(args).stdin(Stdio::null()).output().await;
    let ended = ended.with_context(|| format!("running {program}"))?;
    if !ended.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&ended.stderr));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// A folder for servers that a part starts itself, gone with it.
pub fn scratch(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("holdfast-performance-{name}-{}", std::process::id()));
    std::fs::create_dir_all(Path::new(&folder))?;
    Ok(folder)
}
