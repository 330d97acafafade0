//! Nodes work in Postgres as a role that reads and writes rows, adds to histories, and can do nothing else. Every other
//! test of this suite runs its nodes as that role, so what it may do is enough; this one looks at what it may not.

use std::collections::BTreeSet;

use holdfast::local::SERVICE_ROLE;
use holdfast::stores::service_role::{self, GrantError};
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::Holdfast;

const HISTORIES: [&str; 4] = ["order_log", "ticket_log", "trail", "waitlist_log"];

/// Whether Postgres refuses the statement because of who asks, rather than for any other reason.
async fn is_forbidden(pg: &PgPool, statement: &str) -> bool {
    let mut tx = pg.begin().await.expect("a transaction");
    let answer = sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await;
    tx.rollback().await.expect("undone");
    match answer {
        Err(sqlx::Error::Database(refused)) => refused.code().as_deref() == Some("42501"),
        _ => false,
    }
}

async fn tables(pg: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select relname::text from pg_class
          where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v') order by 1",
    )
    .fetch_all(pg)
    .await
    .expect("the catalogue")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_not_the_owner_of_its_database() {
    let holdfast = Holdfast::start().await;
    let who: (String, bool) =
        sqlx::query_as("select current_user::text, rolsuper from pg_roles where rolname = current_user")
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("an answer");
    assert_eq!(who, (SERVICE_ROLE.to_owned(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_has_a_line_that_says_what_a_node_may_do_with_it() {
    let holdfast = Holdfast::start().await;
    let listed: BTreeSet<_> = service_role::grants().iter().map(|(table, _)| (*table).to_owned()).collect();
    let there: BTreeSet<_> = tables(&holdfast.owner()).await.into_iter().collect();
    assert_eq!(there, listed, "tables that are there, and lines of src/stores/service_role.rs");
    for (table, may) in service_role::grants() {
        for power in may.split(", ") {
            assert!(
                ["select", "insert", "update", "delete"].contains(&power),
                "{power} on {table} changes no rows"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_happened_cannot_be_changed_or_removed_by_a_node() {
    let holdfast = Holdfast::start().await;
    let pg = &holdfast.app().pg;
    for table in HISTORIES {
        let (_, may) =
            service_role::grants().iter().find(|(name, _)| *name == table).expect("a line for each history");
        assert_eq!(*may, "select, insert", "{table}");
        for harm in [
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("update {table} set {} = null", if table == "trail" { "action" } else { "actor" }),
        ] {
            assert!(is_forbidden(pg, &harm).await, "{harm}");
        }
    }
    // Money and people are not forgotten, either.
    for table in ["accounts", "orders", "payments", "refunds", "tickets", "parked_payments", "stripe_events"]
    {
        assert!(is_forbidden(pg, &format!("delete from {table}")).await, "delete from {table}");
    }
    assert!(is_forbidden(pg, "update order_seats set price = 1").await, "what was priced stays as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_can_be_emptied_altered_or_made_by_a_node() {
    let holdfast = Holdfast::start().await;
    let (pg, owner) = (&holdfast.app().pg, holdfast.owner());
    // What is said of a whole database is not copied with it.
    service_role::grant(&owner, SERVICE_ROLE).await.expect("granted again");
    for table in tables(&owner).await {
        if table != "hook_listeners" {
            for harm in
                [format!("truncate {table} cascade"), format!("alter table {table} add column more text")]
            {
                assert!(is_forbidden(pg, &harm).await, "{harm}");
            }
        }
    }
    for harm in [
        "create table more (id integer)",
        "create temporary table more (id integer)",
        "create schema more",
        "create role more",
        "drop table orders cascade",
        "drop view hook_listeners",
        "alter table seat_claims drop constraint seat_claims_pkey",
        "drop index tickets_one_valid_per_seat",
        "alter table ticket_log disable trigger ticket_log_is_only_added_to",
        "set session_replication_role = replica",
        "create or replace function ticket_log_is_only_added_to() returns trigger language plpgsql as 'begin return new; end'",
        "update _sqlx_migrations set success = false",
        "set role postgres",
        "copy accounts to program 'cat'",
        "select pg_read_file('PG_VERSION')",
    ] {
        assert!(is_forbidden(pg, harm).await, "{harm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_sees_no_other_schema_and_no_other_tables() {
    let holdfast = Holdfast::start().await;
    let owner = holdfast.owner();
    for statement in [
        "create schema books",
        "create table books.ledger (id integer)",
        "create table visitors (id integer)",
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&owner).await.expect("made");
    }
    service_role::grant(&owner, SERVICE_ROLE).await.expect("granted again");
    for harm in ["select from books.ledger", "select from visitors", "insert into visitors values (1)"] {
        assert!(is_forbidden(&holdfast.app().pg, harm).await, "{harm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn granting_takes_back_what_was_granted_too_much_and_repeats() {
    let holdfast = Holdfast::start().await;
    let (pg, owner) = (&holdfast.app().pg, holdfast.owner());
    sqlx::query(AssertSqlSafe(format!("grant all on order_log to {SERVICE_ROLE}")))
        .execute(&owner)
        .await
        .expect("a mistake");
    assert!(!is_forbidden(pg, "delete from order_log").await, "the mistake was made");
    // Several at once, as when every node of a deployment migrates first.
    let grants = (0..8).map(|_| service_role::grant(&owner, SERVICE_ROLE));
    for granted in futures_util::future::join_all(grants).await {
        granted.expect("granted");
    }
    assert!(is_forbidden(pg, "delete from order_log").await);
    holdfast.anyone().get("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_could_do_more_all_the_same_is_refused_with_the_reason() {
    let holdfast = Holdfast::start().await;
    let owner = holdfast.owner();
    let say = async |statement: String| {
        sqlx::query(AssertSqlSafe(statement)).execute(&owner).await.expect("said");
    };
    // Roles are the whole server's, which other tests use at the same time.
    let name = format!("much_{}", uuid::Uuid::new_v4().simple());
    let refused = async || match service_role::grant(&owner, &name).await {
        Ok(()) => String::new(),
        Err(GrantError::NoSuchRole(_)) => "no such role".to_owned(),
        Err(GrantError::TooMighty(_, reasons)) => reasons.join(";"),
        Err(GrantError::Failed(error)) => panic!("{error}"),
    };
    assert_eq!(refused().await, "no such role");
    say(format!("create role {name} superuser")).await;
    assert!(refused().await.contains("superuser"));
    say(format!("alter role {name} nosuperuser createrole")).await;
    assert!(refused().await.contains("may make roles"));
    say(format!("alter role {name} nocreaterole")).await;
    assert_eq!(refused().await, "", "an ordinary role is all right");

    say("grant truncate on orders to public".to_owned()).await;
    assert_eq!(refused().await.trim(), "truncate on orders", "by what everybody may");
    say("revoke truncate on orders from public".to_owned()).await;
    say(format!("grant pg_write_all_data to {name}")).await;
    assert!(refused().await.contains("update on order_log"), "by what another role may");
    say(format!("revoke pg_write_all_data from {name}")).await;
    say("create schema theirs".to_owned()).await;
    assert_eq!(refused().await, "");
    say(format!("alter table trail owner to {name}")).await;
    assert!(refused().await.contains("owns tables"));
    say("alter table trail owner to postgres".to_owned()).await;
    say(format!("drop owned by {name}")).await;
    say(format!("drop role {name}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_grants_by_the_command_that_migrates_and_again_with_each_upgrade() {
    let holdfast = Holdfast::start().await;
    let name = format!("nodes_{}", uuid::Uuid::new_v4().simple());
    let database = format!("granted_{}", uuid::Uuid::new_v4().simple());
    holdfast.stack().create_database(&database, None).await.expect("an empty one");
    let migrates = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["migrate", "--grant-to", &name])
            .env("DATABASE_URL", holdfast.stack().database_url(&database))
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (is_done, said) = migrates();
    assert!(!is_done && said.contains(&format!("there is no role {name}")), "{said}");

    let owner =
        holdfast::stores::postgres::pool(&holdfast.stack().database_url(&database), 1).expect("an address");
    let say = async |statement: String| {
        sqlx::query(AssertSqlSafe(statement)).execute(&owner).await.expect("said");
    };
    say(format!("create role {name} login")).await;
    for _ in 0..2 {
        let (is_done, said) = migrates();
        assert!(is_done && said.contains("nothing else"), "{said}");
    }
    let url = holdfast.stack().service_url(&database).replace(SERVICE_ROLE, &name);
    let node = holdfast::stores::postgres::pool(&url, 1).expect("an address");
    sqlx::query("select from orders").execute(&node).await.expect("it may look");
    assert!(is_forbidden(&node, "delete from order_log").await);
    node.close().await;
    say(format!("drop owned by {name}")).await;
    say(format!("drop role {name}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_from_before_there_was_a_role_is_opened_as_ever() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let stack = holdfast.stack();
    stack.create_database("old", None).await.expect("a database");
    let old = holdfast::stores::postgres::pool(&stack.database_url("old"), 1).expect("an address");
    holdfast::stores::postgres::MIGRATIONS.run(&old).await.expect("as it was made then");
    sqlx::query(AssertSqlSafe(format!("alter role {SERVICE_ROLE} rename to forgotten")))
        .execute(&old)
        .await
        .expect("gone");
    for _ in 0..2 {
        stack.prepare_database("old").await.expect("it opens");
    }
    let node = holdfast::stores::postgres::pool(&stack.service_url("old"), 1).expect("an address");
    sqlx::query("select from orders").execute(&node).await.expect("nodes work in it");
    assert!(is_forbidden(&node, "truncate orders cascade").await);
}
