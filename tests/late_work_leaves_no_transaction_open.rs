//! Work in Postgres that takes too long is dropped where it stands. Whoever has its connection next must not write into
//! what it left behind: that would be acknowledged, and gone a little later.

use std::sync::Mutex;

use futures_util::FutureExt as _;
use holdfast::stores::postgres;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgPool};

use crate::support::Holdfast;

/// A pool of one connection, as nodes make it, and another to look from.
async fn pools() -> (Holdfast, PgPool, PgPool) {
    let url = Mutex::new(None);
    let holdfast = Holdfast::with(|config| {
        url.lock().expect("nobody panics with the lock").clone_from(&config.database_url);
    })
    .await;
    let url = url.into_inner().expect("nobody panics with the lock").expect("an address");
    let pool = || postgres::pool(url.expose_secret(), 1).expect("an address");
    let (one, other) = (pool(), pool());
    (holdfast, one, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_after_a_transaction_that_was_given_up_at_its_beginning_is_there_for_everybody() {
    let (_holdfast, node, others) = pools().await;
    let mut late = 0;
    // On a busy machine it may often be there in time.
    for seat in 0..500 {
        if late == 10 {
            return;
        }
        let mut connection = node.acquire().await.expect("a connection");
        // The word is out, the answer is not here: time is up.
        late += u32::from(connection.begin().now_or_never().is_none());
        drop(connection);

        let cursor = format!("seat {seat}");
        sqlx::query("insert into reconciler_cursors (name, position, updated_at) values ($1, '', now())")
            .bind(&cursor)
            .execute(&node)
            .await
            .expect("it is acknowledged");
        let (seen,): (i64,) = sqlx::query_as("select count(*) from reconciler_cursors where name = $1")
            .bind(&cursor)
            .fetch_one(&others)
            .await
            .expect("an answer");
        assert_eq!(seen, 1, "what was acknowledged is there");
    }
    panic!("Postgres is not always that quick: {late} of 500 were late");
}
