//! The binary itself: `dev` on an empty folder, `serve` with bad secrets, `admin create`, `audit`, and what is left
//! behind when it is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, eventually};

/// A running `holdfast dev`.
struct Dev {
    child: Child,
    url: String,
    mailbox: String,
    dir: PathBuf,
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.env_remove("DATABASE_URL").env_remove("REDIS_URL").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn folder() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("holdfast-dev-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&dir).expect("a folder");
    dir
}

impl Dev {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_as(binary(), dir, arguments)
    }

    fn start_as(mut command: Command, dir: &Path, arguments: &[&str]) -> Self {
        let mut child = command
            .args(["dev", "--listen-addr", "127.0.0.1:0", "--data"])
            .arg(dir)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let mut url = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mailbox = loop {
            let Some(Ok(line)) = lines.next() else {
                let mut errors = String::new();
                std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut errors).ok();
                panic!("it ended before it opened:\n{said}\n{errors}");
            };
            said.push_str(&line);
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("shop"), Some(address)) => address.clone_into(&mut url),
                (Some("mailbox"), Some(address)) => break address.to_owned(),
                _ => {}
            }
        };
        // What is said later must not fill the pipes and block it.
        std::thread::spawn(move || lines.for_each(drop));
        let errors = child.stderr.take().expect("a pipe");
        std::thread::spawn(move || BufReader::new(errors).lines().for_each(drop));
        Self { child, url, mailbox, dir: dir.to_owned() }
    }

    fn anyone(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// The subjects of the letters to somebody, newest first.
    async fn letters_to(&self, address: &str) -> Vec<String> {
        let list =
            Client::new(&self.mailbox, None).get(&format!("/mailbox.json?to={address}")).await.expect(200);
        let letters = list["letters"].as_array().expect("letters");
        letters.iter().map(|letter| letter["subject"].as_str().expect("a subject").to_owned()).collect()
    }

    async fn signs_in(&self, email: &str) -> Client {
        let form = json!({ "email": email, "password": "holdfast-demo-1" });
        let tokens = self.anyone().post("/v1/auth/login", form).await.expect(200);
        Client::new(&self.url, tokens["access_token"].as_str().map(str::to_owned))
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that work in this folder, which is what its servers do. Those that are dead work nowhere.
fn processes_of(dir: &Path) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").expect("proc");
    processes
        .filter_map(Result::ok)
        .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
        .filter(|folder| folder.starts_with(dir))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_has_something_to_sell_and_keeps_it_until_told_to_start_over() {
    let dir = folder();
    let dev = Dev::start(&dir, &[]);
    let events = dev.anyone().get("/v1/events").await.expect(200);
    let seats: Vec<_> =
        events["items"].as_array().expect("events").iter().map(|event| event["seats"].clone()).collect();
    assert_eq!(seats.len(), 4);
    assert!(seats.contains(&json!(20_000)), "an arena");
    for (email, role) in [
        ("admin@holdfast.test", "admin"),
        ("organiser@holdfast.test", "organiser"),
        ("customer@holdfast.test", "customer"),
    ] {
        let me = dev.signs_in(email).await.get("/v1/me").await.expect(200);
        assert_eq!(me["role"], role);
    }
    let customer = dev.signs_in("customer@holdfast.test").await;
    let free =
        events["items"].as_array().expect("events").iter().find(|event| event["seats"] == 60).expect("it");
    let path = format!("/v1/events/{}/holds", free["id"].as_str().expect("an id"));
    let hold = customer.post(&path, json!({ "areas": { "general": 2 } })).await.expect(201);
    let order = customer.post("/v1/orders", json!({ "hold_id": hold["id"] })).await.expect(201);
    assert_eq!(order["status"], "confirmed");
    let tickets = eventually("the tickets are in the mailbox", async || {
        dev.letters_to("customer@holdfast.test").await.pop()
    })
    .await;
    assert!(tickets.starts_with("Your tickets: An Evening of Short Stories"), "{tickets}");

    let beside =
        binary().args(["dev", "--listen-addr", "127.0.0.1:0", "--data"]).arg(&dir).output().expect("it runs");
    assert!(!beside.status.success());
    assert!(String::from_utf8_lossy(&beside.stderr).contains("another holdfast runs on"), "{beside:?}");
    let audit = binary().env("HOLDFAST_DATA", &dir).arg("audit").output().expect("it runs");
    assert!(audit.status.success(), "{audit:?}");
    assert!(String::from_utf8_lossy(&audit.stdout).contains("seat_sold_once"));
    dev.stop();
    assert_eq!(processes_of(&dir), Vec::<PathBuf>::new(), "the servers are stopped");

    let again = Dev::start(&dir, &[]);
    let customer = again.signs_in("customer@holdfast.test").await;
    let kept = customer.get("/v1/orders").await.expect(200);
    assert_eq!(kept["items"][0]["id"], order["id"], "data is kept");
    assert_eq!(again.letters_to("customer@holdfast.test").await, [tickets], "and letters are");
    again.stop();

    let fresh = Dev::start(&dir, &["--fresh"]);
    let customer = fresh.signs_in("customer@holdfast.test").await;
    let orders = customer.get("/v1/orders").await.expect(200);
    assert!(orders["items"].as_array().expect("a page").is_empty(), "it started over");
    assert!(fresh.letters_to("").await.is_empty());
    fresh.stop();
    std::fs::remove_dir_all(dir).expect("tidied up");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_live_side_by_side_and_a_killed_one_leaves_nobody_behind() {
    let (one, two) = (folder(), folder());
    let (mut killed, other) = (Dev::start(&one, &[]), Dev::start(&two, &[]));
    assert!(processes_of(&one).len() >= 2, "Redis and Postgres run");
    killed.child.kill().expect("it runs");
    killed.child.wait().expect("it ends");
    eventually("both servers are gone", async || processes_of(&killed.dir).is_empty().then_some(())).await;
    other.anyone().get("/readyz").await.expect(200);

    // What was killed opens again on its data.
    let again = Dev::start(&one, &[]);
    again.anyone().get("/readyz").await.expect(200);
    again.stop();
    other.stop();
    for dir in [one, two] {
        std::fs::remove_dir_all(dir).expect("tidied up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn root_and_anybody_else_can_open() {
    let dir = folder();
    let mut command = binary();
    if rustix::process::geteuid().is_root() {
        // As root the other tests have shown it; here it is nobody, who can reach neither our folder nor our home.
        const NOBODY: u32 = 65534;
        let program = dir.join("holdfast");
        std::fs::copy(env!("CARGO_BIN_EXE_holdfast"), &program).expect("a copy that nobody can reach");
        std::os::unix::fs::chown(&dir, Some(NOBODY), Some(NOBODY)).expect("the folder is nobody's");
        command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command.current_dir(&dir).uid(NOBODY).gid(NOBODY);
    }
    let dev = Dev::start_as(command, &dir.join("data"), &[]);
    dev.anyone().get("/readyz").await.expect(200);
    dev.stop();
    std::fs::remove_dir_all(dir).expect("tidied up");
}

#[test]
fn with_nothing_installed_the_message_says_what_to_type() {
    let dir = folder();
    let output = binary()
        .env("PATH", "")
        .args(["dev", "--listen-addr", "127.0.0.1:0", "--data"])
        .arg(&dir)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("apt-get install redis-server postgresql") && said.contains("DATABASE_URL"),
        "{said}"
    );
    std::fs::remove_dir_all(dir).expect("tidied up");
}

#[test]
fn a_folder_with_somebody_elses_things_is_not_touched() {
    let dir = folder();
    std::fs::write(dir.join("thesis.txt"), "ten years of work").expect("written");
    let output = binary()
        .args(["dev", "--fresh", "--listen-addr", "127.0.0.1:0", "--data"])
        .arg(&dir)
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is not touched"));
    assert!(dir.join("thesis.txt").exists());
    std::fs::remove_dir_all(dir).expect("tidied up");
}

#[test]
fn serve_refuses_missing_and_weak_secrets_and_names_each() {
    let output = binary().arg("serve").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for name in ["DATABASE_URL", "REDIS_URL", "JWT_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] {
        assert!(said.contains(name), "{name} is not named in {said}");
    }
    let output = binary()
        .arg("serve")
        .envs([
            ("DATABASE_URL", "postgres://localhost/x"),
            ("REDIS_URL", "redis://localhost"),
            ("JWT_SECRET", "secretsecretsecretsecretsecretsecret"),
            ("STRIPE_SECRET_KEY", "password"),
            ("STRIPE_WEBHOOK_SECRET", "short"),
            ("HOLD_SECONDS", "0"),
            ("SMTP_URL", "mail.example:secretsecret"),
        ])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    for name in
        ["JWT_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "HOLD_SECONDS", "SMTP_URL", "MAIL_FROM"]
    {
        assert!(said.contains(name), "{name} is not named in {said}");
    }
    assert!(!said.contains("secretsecret") && !said.contains("password"), "no secret is repeated: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_is_created_on_the_command_line() {
    let holdfast = crate::support::Holdfast::start().await;
    let (database, redis) = holdfast.addresses();
    let create = || {
        let mut child = binary()
            .args(["admin", "create", "--email", "root@example.com", "--name", "Root", "--role", "admin"])
            .env("DATABASE_URL", &database)
            .env("REDIS_URL", &redis)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("a pipe").write_all(b"a-password-from-stdin\n").expect("written");
        child.wait_with_output().expect("it ends")
    };
    let begun = Instant::now();
    let output = create();
    assert!(output.status.success(), "{output:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let form = json!({ "email": "root@example.com", "password": "a-password-from-stdin" });
    let tokens = holdfast.anyone().post("/v1/auth/login", form).await.expect(200);
    assert_eq!(tokens["account"]["role"], "admin");
    assert!(String::from_utf8_lossy(&create().stderr).contains("this address has an account"));
}
