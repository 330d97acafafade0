//! Postgres goes back to a backup, with pg_basebackup and an archived log, or with pg_dump: what Stripe knows and the backup
//! does not is brought back, each captured payment ends in one of its three homes, and no picture shows the lost past.

use std::process::Command;
use std::time::Duration;

use holdfast::ids::EventId;
use holdfast::local::SERVICE_ROLE;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::backups::{Archive, Dump, now_in};
use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Client, Holdfast, eventually};

/// What people had done when the backup was taken, and did since.
struct Evening {
    event: EventId,
    /// Confirmed before: nothing happens to it.
    keeps: (Client, Value),
    /// Open before, paid since.
    pays: (Client, Value),
    /// Confirmed before, called off and refunded since.
    returns: (Client, Value),
    /// Open before, called off since.
    leaves: (Client, Value),
    /// Open before, paid and refunded since.
    regrets: (Client, Value),
    /// Holds a seat before, and has not come to checkout.
    looks: (Client, Value),
}

impl Evening {
    async fn begins(holdfast: &Holdfast) -> Self {
        let event = holdfast.theatre().await;
        let [ada, ben, cid, dora, eli, fay] =
            <[Client; 6]>::try_from(holdfast.crowd(6).await).expect("six people");
        let keeps = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
        let pays = ben.orders(event, &["stalls-A-3", "stalls-A-4"]).await;
        let returns = holdfast.sold(&cid, event, &["stalls-A-5", "stalls-A-6"]).await;
        let leaves = dora.orders(event, &["stalls-B-1", "stalls-B-2"]).await;
        let regrets = eli.orders(event, &["stalls-B-3", "stalls-B-4"]).await;
        let looks = fay.holds_seats(event, &["stalls-B-5"]).await.expect(201);
        Self {
            event,
            keeps: (ada, keeps),
            pays: (ben, pays),
            returns: (cid, returns),
            leaves: (dora, leaves),
            regrets: (eli, regrets),
            looks: (fay, looks),
        }
    }

    /// What the backup will not have. Answers the orders that it will not even know: one paid, one paid and refunded, one open.
    async fn goes_on(&self, holdfast: &Holdfast) -> [(Client, Value); 3] {
        let (ben, order) = &self.pays;
        holdfast.pay(order, GOOD_CARD).await.expect(200);
        ben.sees(order, "confirmed").await;
        let (eli, order) = &self.regrets;
        holdfast.pay(order, GOOD_CARD).await.expect(200);
        eli.sees(order, "confirmed").await;
        for (person, order, end) in [
            (&self.returns.0, &self.returns.1, "refunded"),
            (&self.leaves.0, &self.leaves.1, "cancelled"),
            (&self.regrets.0, &self.regrets.1, "refunded"),
        ] {
            person.cancels(order).await.expect(200);
            person.sees(order, end).await;
        }
        let [gil, ivy, hal] = <[Client; 3]>::try_from(holdfast.crowd(3).await).expect("three people");
        let paid = holdfast.sold(&gil, self.event, &["stalls-C-1", "stalls-C-2"]).await;
        let refunded = holdfast.sold(&ivy, self.event, &["stalls-C-3", "stalls-C-4"]).await;
        ivy.cancels(&refunded).await.expect(200);
        ivy.sees(&refunded, "refunded").await;
        let open = hal.orders(self.event, &["stalls-C-5", "stalls-C-6"]).await;
        [(gil, paid), (ivy, refunded), (hal, open)]
    }

    /// Everything that was known before is where Stripe's truth puts it, and each seat is its order's or free.
    async fn is_as_stripe_knows(&self) {
        for ((person, order), end) in [
            (&self.keeps, "confirmed"),
            (&self.pays, "confirmed"),
            (&self.returns, "refunded"),
            (&self.leaves, "cancelled"),
            (&self.regrets, "refunded"),
        ] {
            person.sees(order, end).await;
        }
        let regretted = self.regrets.0.order(&self.regrets.1).await;
        let moves: Vec<_> = regretted["history"]
            .as_array()
            .expect("a history")
            .iter()
            .map(|step| step["to"].clone())
            .collect();
        assert!(!moves.contains(&"confirmed".into()), "money that is back buys nothing: {moves:?}");
        let anyone = &self.keeps.0;
        for (seat, state) in [
            ("A-1", "sold"),
            ("A-3", "sold"),
            ("A-5", "free"),
            ("B-1", "free"),
            ("B-3", "free"),
            ("C-1", "free"),
            ("C-3", "free"),
            ("C-5", "free"),
        ] {
            anyone.sees_seat(self.event, &format!("stalls-{seat}"), state).await;
        }
    }
}

/// Of the picture that is there, or of the next: one that is doubted is taken away first.
async fn epoch(holdfast: &Holdfast, event: EventId) -> i32 {
    let engine = &holdfast.app().engine;
    eventually("there is a picture", async || engine.epoch(event).await.expect("Redis answers")).await
}

fn went_back(holdfast: &Holdfast, store: &'static str) -> u64 {
    holdfast.app().metrics.went_back.get_or_create(&holdfast::telemetry::Label { label: store }).get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_in_time_recovery_loses_no_money_and_shows_no_lost_past() {
    let mut holdfast = Holdfast::with_its_own_stack_and(|config| config.reconcile_seconds = 1).await;
    let archive = Archive::begin(holdfast.stack()).await;
    let evening = Evening::begins(&holdfast).await;
    // The witness is told a number that the backup has, and others that it has not.
    let told = async |holdfast: &Holdfast| {
        holdfast.app().engine.witness(evening.event).await.expect("Redis answers").unwrap_or(0)
    };
    eventually("the witness spoke", async || (told(&holdfast).await > 0).then_some(())).await;
    let (moment, number) = (now_in(&holdfast.app().pg).await, told(&holdfast).await);
    let before = epoch(&holdfast, evening.event).await;
    eventually("the witness spoke again", async || (told(&holdfast).await > number + 1).then_some(())).await;
    let [(gil, paid), (_, refunded), (_, open)] = evening.goes_on(&holdfast).await;
    // Redis saw an epoch that the backup does not know, either.
    holdfast.app().desk.doubt(&[evening.event]).await.expect("doubted");
    eventually("it is rebuilt", async || (epoch(&holdfast, evening.event).await > before).then_some(()))
        .await;
    let lost = epoch(&holdfast, evening.event).await;

    archive.is_complete(holdfast.stack()).await;
    // Stripe has told all that and will not tell it again.
    holdfast.webhooks_are_lost().await;
    holdfast.while_it_is_down(async |stack| archive.is_restored(stack, &moment).await).await;

    evening.is_as_stripe_knows().await;
    assert!(epoch(&holdfast, evening.event).await > lost, "readers are told that it is another picture");
    eventually("the alarm is raised", async || (went_back(&holdfast, "postgres") > 0).then_some(())).await;
    let (fay, hold) = &evening.looks;
    let gone = fay.post("/v1/orders", serde_json::json!({ "hold_id": id(hold) })).await;
    assert_eq!((gone.status, gone.code()), (410, "hold_expired"), "it had not come to checkout");
    fay.sees_seat(evening.event, "stalls-B-5", "free").await;
    assert_eq!(
        gil.get(&format!("/v1/orders/{}", id(&paid))).await.status,
        404,
        "the backup has no such order"
    );

    // The money door of an order that is lost stood open.
    holdfast.pay(&open, GOOD_CARD).await.expect(200);
    let parked = eventually("what nobody knows is parked", async || {
        let parked = holdfast.app().desk.parked_payments().await.expect("Postgres answers");
        (parked.len() == 2).then_some(parked)
    })
    .await;
    let orders: Vec<_> = parked.iter().filter_map(|one| one.order_id).map(|id| id.to_string()).collect();
    assert!(orders.contains(&id(&paid).to_owned()) && orders.contains(&id(&open).to_owned()), "{orders:?}");
    assert!(!orders.contains(&id(&refunded).to_owned()), "it went back before");
    assert!(parked.iter().all(|one| one.event_title.as_deref() == Some("The Tempest")));

    // Somebody whose account is lost still has a token for a while, and is told so.
    let strange = gil.holds_seats(evening.event, &["stalls-D-1"]).await;
    let checkout = gil.post("/v1/orders", serde_json::json!({ "hold_id": id(&strange.expect(201)) })).await;
    assert_eq!((checkout.status, checkout.code()), (401, "not_authenticated"), "{}", checkout.body);

    // The seats are on sale, to anybody, and the person who was parked is given the money back by hand.
    let late = holdfast.customer().await;
    holdfast.stripe_recovers().await;
    holdfast.sold(&late, evening.event, &["stalls-C-1", "stalls-C-2"]).await;
    for order in [&paid, &open] {
        holdfast.gives_back_at_stripe(order).await;
    }
    eventually("nothing waits for a person", async || {
        holdfast.app().desk.parked_payments().await.expect("Postgres answers").is_empty().then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_is_recovered_by_one_command_that_says_what_is_left() {
    let mut holdfast = Holdfast::with_its_own_stack_and(|config| config.reconcile_seconds = 1).await;
    let evening = Evening::begins(&holdfast).await;
    let (dump, since) = (Dump::of(&holdfast), OffsetDateTime::now_utc());
    tokio::time::timeout(Duration::from_mins(1), evening.goes_on(&holdfast)).await.expect("in time");
    let lost = epoch(&holdfast, evening.event).await;
    holdfast.webhooks_are_lost().await;

    let since = since.format(&Rfc3339).expect("a moment");
    // These do what no node may: they give rights, and set the number that the next event gets.
    let [mut migrate, mut recover, mut again] =
        [&["migrate", "--grant-to", SERVICE_ROLE][..], &["recover", "--since", &since], &["recover"]].map(
            |words| {
                let mut command = command(&holdfast, words);
                command.env("DATABASE_URL", holdfast.owner_url());
                command
            },
        );
    let recovered = std::cell::OnceCell::new();
    holdfast
        .while_it_is_down(async |stack| {
            dump.is_restored(stack).await;
            let done = tokio::task::spawn_blocking(move || {
                assert!(migrate.status().expect("it runs").success(), "nodes may do their work");
                let done = recover.output().expect("it runs");
                let again = again.output().expect("it runs");
                assert!(
                    !again.status.success(),
                    "what is left to a person stays so however often it is asked"
                );
                done
            })
            .await;
            recovered.set(done.expect("no panic")).expect("once");
        })
        .await;
    let recovered = recovered.into_inner().expect("it ran");
    let said = [recovered.stdout.as_slice(), &recovered.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!recovered.status.success(), "something is left to a person:\n{said}");
    let line = |words: &str| {
        let line =
            said.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}:\n{said}"));
        line.split_whitespace().next().expect("a number").parse::<u32>().expect("a number")
    };
    assert_eq!(line("captured payments wait for a person"), 1, "{said}");
    assert_eq!(line("pictures were built anew"), 1);
    assert_eq!(line("breaches in all"), 0, "{said}");
    assert!(said.contains("The Tempest  its order is not known"), "{said}");

    evening.is_as_stripe_knows().await;
    assert!(epoch(&holdfast, evening.event).await > lost);
    // No event is ever mistaken for one that was lost.
    let another = holdfast.app().catalog.event(holdfast.theatre().await).await.expect("an event");
    assert!(another.number > 1000, "{}", another.number);
    holdfast.stripe_recovers().await;
    holdfast.every_invariant_holds().await;
}

/// The binary with this house's settings.
fn command(holdfast: &Holdfast, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(arguments).envs(holdfast.environment()).env("RUST_LOG", "warn");
    command
}
