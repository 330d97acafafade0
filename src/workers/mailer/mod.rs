//! Sends the letters that are owed: at least once each, and in practice not twice.
//!
//! A letter is leased, read as things stand, handed to the server, and marked as soon as the server has said that it has
//! it. Only a node that dies between these last two sends twice, under the same Message-ID.

mod reading;

use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::reading::{Reading, read};
use super::{IDLE, wait};
use crate::app::App;
use crate::mail::{self, Due, Postman, Undelivered};
use crate::proof;
use crate::stores::postgres::Outage;
use crate::telemetry::{Label, Metrics};

/// Letters under way at a time from one node: enough for a sale, few enough for a server that counts connections.
const SIDE_BY_SIDE: i64 = 8;

/// How often a letter is tried that the server wants later, before it is parked: some three hours, in which a full
/// mailbox is emptied and an hourly limit has passed.
const TRIES: i32 = 48;

/// How long a letter waits that found the server away, in seconds. The server is asked by one letter at a time.
const OUTAGE_SECONDS: f64 = 5.0;

/// The longest pause between two questions to a server that is away: its return is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long is tried to mark a letter that the server has, when Postgres is away just then.
const REMEMBER: Duration = Duration::from_secs(40);

/// What is left of a lease for reading what is to be said.
const READING: Duration = Duration::from_secs(20);

/// Sends until stopped; without a server, marks what is owed as skipped.
pub async fn run(app: App, stop: CancellationToken) {
    if app.postman.is_none() {
        tracing::warn!("mail is off: SMTP_URL is not set, so no letter is sent");
    }
    let (mut pause, mut is_away) = (IDLE, false);
    while !stop.is_cancelled() {
        let done = match app.postman.clone() {
            Some(postman) => send_some(&app, &postman, if is_away { 1 } else { SIDE_BY_SIDE }).await,
            None => skip_some(&app).await,
        };
        match done {
            Ok(Step::Nothing) => pause = IDLE,
            Ok(Step::Some) => {
                (pause, is_away) = (IDLE, false);
                continue;
            }
            Ok(Step::Away) => {
                is_away = true;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::debug!(%error, "letters wait for Postgres");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, None, &stop).await;
    }
}

/// What came of one look at the letters.
enum Step {
    Nothing,
    Some,
    /// The server is away: there is no point in hurrying.
    Away,
}

async fn skip_some(app: &App) -> Result<Step, Outage> {
    let skipped = mail::skip_all(&app.pg, "mail is off").await?;
    app.metrics.letters.get_or_create(&Label { label: "skipped" }).inc_by(skipped);
    Ok(if skipped == 0 { Step::Nothing } else { Step::Some })
}

async fn send_some(app: &App, postman: &Postman, most: i64) -> Result<Step, Outage> {
    let lease = postman.longest_delivery() + READING + REMEMBER;
    let letters = mail::take(&app.pg, most, lease.as_secs_f64()).await?;
    if letters.is_empty() {
        return Ok(Step::Nothing);
    }
    let mut sending = JoinSet::new();
    for letter in letters {
        let (app, postman) = (app.clone(), postman.clone());
        sending.spawn(async move { send(&app, &postman, &letter).await });
    }
    let mut step = Step::Some;
    while let Some(sent) = sending.join_next().await {
        match sent {
            Ok(Err(Undelivered::Away(_))) => step = Step::Away,
            Ok(_) => {}
            Err(panic) => tracing::error!(%panic, "a letter's sending panicked; its lease ends by itself"),
        }
    }
    Ok(step)
}

async fn send(app: &App, postman: &Postman, letter: &Due) -> Result<(), Undelivered> {
    let outcome = match read(app, letter).await {
        Ok(Reading::Tell(envelope)) => proof::step(proof::Step::SendLetter, postman.deliver(&envelope)).await,
        Ok(Reading::Untrue(why)) => {
            Metrics::count(&app.metrics.letters, "skipped");
            tracing::info!(letter.id = %letter.id, occasion = letter.name, "not sent: {why}");
            keep(mail::skip(&app.pg, letter, why).await);
            return Ok(());
        }
        Err(trouble) => Err(trouble),
    };
    let label = match &outcome {
        Ok(()) => {
            proof::step(proof::Step::MarkLetter, remember_sent(&app.pg, letter)).await;
            "sent"
        }
        Err(Undelivered::Away(why)) => {
            tracing::warn!(letter.id = %letter.id, occasion = letter.name, why, "letters wait for the server");
            keep(mail::wait_for_the_server(&app.pg, letter, why, OUTAGE_SECONDS).await);
            "outage"
        }
        Err(Undelivered::Later(why)) if letter.attempts < TRIES => {
            tracing::warn!(letter.id = %letter.id, occasion = letter.name, why, "a letter is tried again");
            keep(mail::postpone(&app.pg, letter, why, pause(letter.attempts)).await);
            "later"
        }
        Err(Undelivered::Later(why) | Undelivered::Never(why)) => {
            tracing::error!(letter.id = %letter.id, occasion = letter.name, why, "a letter is parked for a person");
            keep(mail::park(&app.pg, letter, why).await);
            "refused"
        }
    };
    Metrics::count(&app.metrics.letters, label);
    outcome
}

/// The server has it: until that is written down, nothing else matters.
async fn remember_sent(pg: &PgPool, letter: &Due) {
    let remember = async {
        while let Err(error) = mail::sent(pg, letter).await {
            tracing::warn!(%error, letter.id = %letter.id, "a sent letter is not yet marked");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    if tokio::time::timeout(REMEMBER, remember).await.is_err() {
        tracing::error!(letter.id = %letter.id, "a sent letter could not be marked: it will be sent twice");
    }
}

/// What cannot be written down now is found again when the lease ends.
fn keep(kept: Result<(), Outage>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "a letter waits for its lease to end");
    }
}

/// A second, doubling to five minutes.
fn pause(attempts: i32) -> f64 {
    2_f64.powi(attempts.clamp(1, 10) - 1).min(300.0)
}
