//! `holdfast migrate` dies half way (C21): what it had done stays done, whoever runs it again does the rest, and the
//! house that comes out of it sells.

use std::process::Command;

use holdfast::proof::{Fate, STOP_AT, Side, Step, Stop};
use holdfast::stores::postgres::MIGRATIONS;

use super::SIDES;
use crate::stand::{Database, NodeSettings};

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_dies_half_way_is_finished_by_the_next() {
    let database = Database::start().await;
    // The oldest and the newest schema that this version can be asked to go on from, and one in between.
    let last = u32::try_from(MIGRATIONS.iter().count()).expect("few");
    for (number, nth) in [1, last / 2, last].into_iter().enumerate() {
        for side in SIDES {
            let name = format!("migrated_{number}_{side:?}").to_lowercase();
            database.create(&name, None).await;
            let url = database.direct_url(&name);
            let stop = Stop { step: Step::Migrate, side, fate: Fate::Die, nth };
            let settings = NodeSettings::default().with("DATABASE_URL", &url);
            assert_eq!(signal_of(settings.clone().with(STOP_AT, stop)).await, Some(9), "{stop}");

            let pg = database.look_on(&name, 1);
            let done = if side == Side::Before { nth - 1 } else { nth };
            assert_eq!(applied(&pg).await, i64::from(done), "{stop}: whole migrations only");
            // Two that begin together wait for each other.
            let (one, other) = tokio::join!(signal_of(settings.clone()), signal_of(settings));
            assert_eq!((one, other), (None, None), "{stop}: the rest is done");
            assert_eq!(applied(&pg).await, i64::from(last), "{stop}");
        }
    }
}

/// Runs `holdfast migrate` to its end; the signal that ended it, if one did. Anything else must be a good end.
async fn signal_of(settings: NodeSettings) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut command: Command = settings.command(&["migrate"]);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("holdfast runs");
    let signal = done.status.signal();
    assert!(signal.is_some() || done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    signal
}

async fn applied(pg: &sqlx::PgPool) -> i64 {
    let table: (bool,) = sqlx::query_as("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(pg)
        .await
        .expect("Postgres answers");
    if !table.0 {
        return 0;
    }
    let (count,) = sqlx::query_as("select count(*) from _sqlx_migrations where success")
        .fetch_one(pg)
        .await
        .expect("Postgres answers");
    count
}
