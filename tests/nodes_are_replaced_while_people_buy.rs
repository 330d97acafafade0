//! A rolling restart: two processes as production runs them are told to go, one after the other and again, while a hundred
//! people buy. Whoever asks again has everything; readiness says no before the door is shut.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::rush::Rush;
use crate::support::{Answer, Client, Holdfast, PATIENCE, eventually, eventually_within};

const ROWS: [u32; 6] = [30; 6];

/// `holdfast serve`, as an operator starts it.
struct Process {
    child: Child,
    listen: String,
}

impl Process {
    fn start(holdfast: &Holdfast, listen: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .arg("serve")
            .envs(holdfast.environment())
            .env("LISTEN_ADDR", listen)
            .env("STRIPE_CREATES_PER_SECOND", "1000")
            .env("DRAIN_SECONDS", "2")
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "error".to_owned()))
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        Self { child, listen: listen.to_owned() }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    async fn is_ready(&self) {
        let url = format!("{}/readyz", self.url());
        // Two builds without optimisation that start under load take their time on a busy machine.
        eventually_within(4 * PATIENCE, "it is ready", async || {
            // Over a connection of its own, as whoever stands before it would ask.
            let answer = reqwest::Client::new().get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Told to go. Answers what its door said from then on until it was shut.
    async fn goes(mut self) -> Vec<Answer> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let mut said = Vec::new();
        let begun = Instant::now();
        loop {
            let asked = reqwest::Client::new().get(format!("{}/readyz", self.url())).send().await;
            match asked {
                Ok(answer) => said.extend(Answer::whole(answer).await),
                Err(error) if error.is_connect() => break,
                Err(_) => {}
            }
            assert!(begun.elapsed() < PATIENCE, "it does not go");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let status = tokio::task::spawn_blocking(move || self.child.wait().expect("it ends")).await;
        assert!(status.expect("no panic").success());
        said
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_again_notices_nothing_of_a_rolling_restart() {
    let holdfast = Arc::new(Holdfast::with(|config| config.reconcile_seconds = 5).await);
    let event = holdfast.small_hall(4800, &ROWS).await;
    let addresses = [free_address(), free_address()];
    let mut nodes: Vec<Option<Process>> =
        addresses.iter().map(|address| Some(Process::start(&holdfast, address))).collect();
    for node in nodes.iter().flatten() {
        node.is_ready().await;
    }
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let rush = Rush::starts(&holdfast, event, &ROWS, holdfast.crowd(100).await, &urls);
    for round in 0..3 {
        for (node, address) in nodes.iter_mut().zip(&addresses) {
            let said = node.take().expect("it runs").goes().await;
            let (no, yes): (Vec<_>, Vec<_>) = said.iter().partition(|answer| answer.status == 503);
            // On a busy machine few fit into the time, but what was answered was a no over an open door.
            assert!(!no.is_empty(), "round {round}: there was time to notice");
            assert_eq!(no[0].body["detail"], "This node is going down.", "{}", no[0].body);
            assert!(yes.len() <= 1, "it says so at once");
            let next = Process::start(&holdfast, address);
            next.is_ready().await;
            *node = Some(next);
        }
    }
    let ended = rush.ends().await;
    let sold = ended.iter().filter(|order| order.paid && !order.called_off).count();
    assert!(ended.len() > 40 && sold > 10, "people bought all the while: {} and {sold}", ended.len());
    drop(nodes);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_go_serves_until_whoever_stands_before_it_has_noticed() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let going = Process::start(&holdfast, &free_address());
    going.is_ready().await;
    let url = going.url();
    let ada = holdfast.customer().await.at_url(&url);
    let leaving = tokio::spawn(going.goes());
    eventually("readiness says no", async || {
        (Client::new(&url, None).get("/readyz").await.status == 503).then_some(())
    })
    .await;
    // Sent there in that moment, by somebody who had not heard yet.
    ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    leaving.await.expect("it goes");
}
