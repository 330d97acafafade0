//! The house that is measured: one that is named, or one of our own, opened for this and gone with it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use holdfast::demo;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::progress::Progress;
use super::wire::{Origin, Wire};

/// How long a house that is named may take to say that it is ready.
const TO_ANSWER: Duration = Duration::from_secs(5);
/// How long a house of our own may take to open.
const PATIENCE: Duration = Duration::from_mins(1);
const PASSWORD: &str = "four-quiet-words";
/// Every call is counted, as in a sale; only that all of them come from this machine, and those of thousands from a few
/// accounts, must not matter.
const LIMITS: &str = "default,browse.address=1000000/1s,hold=1000000/1s,hold.address=1000000/1s,order=1000000/1m,\
    order.address=1000000/1m,change=1000000/1m,change.address=1000000/1m,read=1000000/1m,register.address=1000000/10m";
/// Seats of a row, and rows of a section, of what is put on sale here.
const ROW: u32 = 100;
const SECTION: u32 = 50;

/// Where to ask, and as whom events are made there.
#[derive(Debug)]
pub struct House {
    pub origin: Origin,
    organiser: String,
    own: Option<Own>,
}

/// A house of our own: it ends with us.
#[derive(Debug)]
struct Own {
    process: Child,
    folder: PathBuf,
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(self.process.id()).unwrap_or(0)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = std::fs::remove_file(self.folder.with_extension("log"));
    }
}

impl House {
    /// The one at this address, or else one of our own.
    pub async fn open(url: Option<&str>, organiser: &str, password: &str) -> anyhow::Result<Self> {
        let (url, own) = if let Some(url) = url {
            (url.to_owned(), None)
        } else {
            let (url, own) = build()?;
            (url, Some(own))
        };
        let _progress = Progress::saying(|| "the house opens".to_owned());
        let origin = Origin::of(&url)?;
        is_ready(&origin, if own.is_some() { PATIENCE } else { TO_ANSWER })
            .await
            .with_context(|| format!("{url} is not ready"))?;
        let form = json!({ "email": organiser, "password": password });
        let signed_in = Wire::to(&origin)
            .insist("/v1/auth/login", &form)
            .await?
            .expect(200, "signing in as the organiser")?;
        let organiser = text(&signed_in, "access_token")?;
        Ok(Self { origin, organiser, own })
    }

    /// So many seats for anybody, without a limit, a rule about single seats, or a list.
    pub async fn event(&self, seats: u32, more: Value) -> anyhow::Result<Sale> {
        let sections: Vec<Value> = (0..seats.div_ceil(ROW * SECTION))
            .map(|section| {
                let left = seats - section * ROW * SECTION;
                let rows: Vec<Value> = (0..SECTION.min(left.div_ceil(ROW)))
                    .map(|row| json!({ "name": row.to_string(), "seats": ROW.min(left - row * ROW) }))
                    .collect();
                json!({ "key": format!("s{section}"), "category": "all", "rows": rows })
            })
            .collect();
        let mut form = json!({
            "title": "A measured evening", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
            "orphan_rule": false, "waitlist": false,
            "categories": [{ "key": "all", "name": "All seats", "price": 4800 }],
            "sections": sections,
        });
        if let (Some(form), Value::Object(more)) = (form.as_object_mut(), more) {
            form.extend(more);
        }
        let made =
            Wire::to_prepare(&self.origin).with(&self.organiser)?.insist("/v1/admin/events", &form).await?;
        let made = made.expect(201, "putting an event on sale")?;
        let sale = Sale { event: text(&made, "id")?, seats };
        // Every node has it when it has been asked for.
        Wire::to_prepare(&self.origin)
            .get(&format!("/v1/events/{}/availability", sale.event))
            .await?
            .expect(200, "its seats")?;
        Ok(sale)
    }

    /// So many customers, by what shows who they are.
    pub async fn customers(&self, many: usize) -> anyhow::Result<Vec<String>> {
        let run = uuid::Uuid::now_v7().simple().to_string();
        let mut registering = JoinSet::new();
        let mut customers = Vec::with_capacity(many);
        let (_progress, made) = Progress::towards(many as u64, "customers have registered");
        for number in 0..many {
            // Passwords are checked a few at a time: more would only stand in line.
            if registering.len() >= 4
                && let Some(done) = registering.join_next().await
            {
                customers.push(done??);
                made.fetch_add(1, Ordering::Relaxed);
            }
            let email = format!("c{number}.{run}@example.com");
            let form = json!({ "name": format!("Customer {number}"), "email": email, "password": PASSWORD });
            let mut wire = Wire::to_prepare(&self.origin);
            registering.spawn(async move {
                let registered = wire.insist("/v1/auth/register", &form).await?;
                // Only we know this address: an earlier try came through, and the house was too busy to say so.
                let shown = if registered.status == 409 {
                    let known = json!({ "email": email, "password": PASSWORD });
                    wire.insist("/v1/auth/login", &known).await?.expect(200, "signing a customer in")?
                } else {
                    registered.expect(201, "registering a customer")?
                };
                text(&shown, "access_token")
            });
        }
        while let Some(done) = registering.join_next().await {
            customers.push(done??);
        }
        Ok(customers)
    }

    /// A connection for each, whose customers take turns.
    pub fn wires(&self, connections: usize, customers: &[String]) -> anyhow::Result<Vec<Wire>> {
        (0..connections).map(|at| Wire::to(&self.origin).with(&customers[at % customers.len()])).collect()
    }

    /// What a house of our own has in memory, in bytes: of others we do not know.
    pub fn memory(&self) -> Option<u64> {
        let own = self.own.as_ref()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", own.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

/// An event, and how many seats it has.
#[derive(Debug, Clone)]
pub struct Sale {
    pub event: String,
    pub seats: u32,
}

impl Sale {
    /// The id of the seat with this number; numbers go round.
    pub fn seat(&self, number: u64) -> String {
        let number = u32::try_from(number % u64::from(self.seats)).unwrap_or(0);
        let (section, rest) = (number / (ROW * SECTION), number % (ROW * SECTION));
        format!("s{section}-{}-{}", rest / ROW, rest % ROW + 1)
    }

    /// The number of the seat with this id.
    pub fn number(id: &str) -> Option<usize> {
        let mut parts = id.strip_prefix('s')?.splitn(3, '-').map(|part| part.parse::<usize>().ok());
        let (section, row, seat) = (parts.next()??, parts.next()??, parts.next()??);
        Some((section * SECTION as usize + row) * ROW as usize + seat.checked_sub(1)?)
    }

    pub fn holds(&self) -> String {
        format!("/v1/events/{}/holds", self.event)
    }
}

pub fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("the answer has no {name}"))
}

/// Our own program, in a folder of its own: every call is counted, and written to a log, as where it is served.
fn build() -> anyhow::Result<(String, Own)> {
    // Free a moment ago, which is as good as it gets before the house has it.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = std::env::temp_dir().join(format!("holdfast-bench-{}", std::process::id()));
    let process = Command::new(std::env::current_exe()?)
        .args(["dev", "--fresh", "--data"])
        .arg(&folder)
        .env("LISTEN_ADDR", free.to_string())
        .env("RATE_LIMITS", LIMITS)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.with_extension("log"))?)
        .spawn()
        .context("starting a house of our own")?;
    Ok((format!("http://{free}"), Own { process, folder }))
}

async fn is_ready(origin: &Origin, patience: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        match Wire::to(origin).get("/readyz").await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) if begun.elapsed() > patience => bail!("it answers {}", answer.status),
            Err(error) if begun.elapsed() > patience => return Err(error),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Who makes events where nobody else was named.
pub fn demo_organiser() -> &'static str {
    demo::addresses().find(|address| address.starts_with("organiser")).unwrap_or("organiser@holdfast.test")
}

#[cfg(test)]
mod tests {
    use super::Sale;

    #[test]
    fn every_seat_has_a_number_and_numbers_go_round() {
        let sale = Sale { event: String::new(), seats: 12_345 };
        for number in [0, 1, 99, 100, 4_999, 5_000, 12_344] {
            assert_eq!(Sale::number(&sale.seat(number)), usize::try_from(number).ok());
        }
        assert_eq!(sale.seat(12_345), sale.seat(0));
        assert_eq!((Sale::number("elsewhere-1-1"), Sale::number("s1-1")), (None, None));
    }
}
