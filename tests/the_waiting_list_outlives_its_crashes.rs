//! Postgres knows who waits, Redis keeps what comes free for them. Whichever of the two has missed the other's word, they
//! agree again by themselves: nobody is passed over, and nothing is kept for nobody.

use holdfast::ids::{EntryId, EventId};
use holdfast::seats::keys::Keys;
use holdfast::waitlist::Join;

use crate::support::journeys::id;
use crate::support::{Client, Holdfast, eventually};

async fn redis_keeps(holdfast: &Holdfast, event: EventId) -> bool {
    let waiting: Option<String> =
        holdfast.ask_redis(redis::cmd("HGET").arg(Keys::of(event).meta()).arg("waiting")).await;
    waiting.as_deref() == Some("1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_redis_was_not_told_of_is_asked_before_the_public() {
    let holdfast = Holdfast::start().await;
    let (event, owner, order) = holdfast.sold_out(4800).await;
    let ada = holdfast.customer().await;
    let entry = ada.waits_for(event, 4).await;
    // As when the node died right after the party was written down, or a failover lost the last writes.
    let meta = Keys::of(event).meta();
    let _: i64 = holdfast.ask_redis(redis::cmd("HSET").arg(meta).arg("waiting").arg(0)).await;

    eventually("Redis keeps what comes free", async || redis_keeps(&holdfast, event).await.then_some(()))
        .await;
    let before = holdfast.feed_end(event).await;
    owner.cancels(&order).await.expect(200);
    ada.is(&entry, "offered").await;
    assert_eq!(
        holdfast.seen_free_since(event, &before).await.len(),
        0,
        "the public saw what was Ada's first"
    );
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joining_that_is_repeated_after_its_party_has_gone_keeps_nothing_from_anybody() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.small_hall(4800, &[4]).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let entry = ada.waits_for(event, 4).await;
    ada.is(&entry, "offered").await;
    ada.leaves(&entry).await.expect(204);
    holdfast.the_list_is_empty(event).await;

    // Its first answer was lost, or its word to Redis was late: by now nobody waits.
    let again = Join {
        id: id(&entry).parse::<uuid::Uuid>().map(EntryId).expect("an id"),
        event,
        customer: account_of(&ada).await,
        quantity: 4,
        section: None,
        category: None,
        max_price: None,
    };
    holdfast.app().waitlist.join(&again).await.expect("the same entry");

    let hold = ben.holds_seats(event, &["hall-A-1"]).await.expect(201);
    ben.delete(&format!("/v1/holds/{}", id(&hold))).await.expect(204);
    ada.sees_seat(event, "hall-A-1", "free").await;
    holdfast.the_list_is_empty(event).await;
    holdfast.every_invariant_holds().await;
}

async fn account_of(person: &Client) -> holdfast::ids::AccountId {
    let me = person.get("/v1/me").await.expect(200);
    id(&me).parse::<uuid::Uuid>().map(holdfast::ids::AccountId).expect("an account")
}
