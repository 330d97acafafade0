//! The bare handler, a process of its own: started with an answer of the house's, which it gives to everybody.

use std::fmt::Write as _;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::stand::program;

/// Serves this answer, headers and all, for as long as it is kept.
pub struct Bare {
    pub url: String,
    _process: Child,
}

impl Bare {
    /// The same answer as that of another address.
    pub async fn like(client: &reqwest::Client, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Self> {
        let asked = headers.iter().fold(client.get(url), |ask, (name, value)| ask.header(*name, *value));
        let answer = asked.send().await?.error_for_status()?;
        let mut told = String::new();
        for (name, value) in answer.headers() {
            // The server writes these itself.
            if !["content-length", "date", "transfer-encoding", "connection"].contains(&name.as_str()) {
                writeln!(told, "{name}: {}", value.to_str()?)?;
            }
        }
        told.push('\n');
        let body = answer.bytes().await?;

        // `script/bench` builds it with the house, beside it.
        let mut process = Command::new(program().with_file_name("bare-handler"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the bare handler: script/bench builds it first")?;
        let mut ear = process.stdin.take().context("it listens")?;
        ear.write_all(told.as_bytes()).await?;
        ear.write_all(&body).await?;
        drop(ear);
        let mouth = process.stdout.take().context("it speaks")?;
        let place = BufReader::new(mouth).lines().next_line().await?.context("it says where it is")?;
        Ok(Self { url: format!("http://{place}"), _process: process })
    }
}
