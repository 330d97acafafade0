//! What a script does not do: free a seat that somebody has, give away what is kept, speak for a picture that is not
//! whole, act on what was true a moment ago.

use std::time::Duration;

use holdfast::ids::{AccountId, EventId, HoldId};
use holdfast::seats::{
    Asker, ClaimKind, Held, HoldRefusal, LoadedClaim, OfferAsk, Offered, Places, Reason, Released, Rules,
    SeatsError,
};
use uuid::Uuid;

use crate::seats_support::{House, ask, open_rules, order, plan};

const MINUTE: Duration = Duration::from_mins(1);

/// Which seats are refused, and why.
fn seats_refused(answer: Result<Held, SeatsError>) -> Vec<(u32, Reason)> {
    match answer {
        Err(SeatsError::Refused(HoldRefusal::Seats(seats))) => seats,
        other => panic!("seats are refused, not {other:?}"),
    }
}

#[tokio::test]
async fn a_hold_whose_flags_stand_is_not_swept_whatever_its_deadline_says() {
    let house = House::single().await;
    let event = house.event(&[4], &Rules { max_per_customer: Some(2), ..open_rules() }).await;
    let ada = AccountId::new();
    let held = house.engine.hold(&ask(event, ada, &[0, 1])).await.unwrap();
    house.make_due(event, held.hold).await;

    assert!(house.engine.sweep(event).await.unwrap().freed.is_empty(), "the flag decides, not the deadline");
    house.make_due(event, held.hold).await;
    let why = seats_refused(house.engine.hold(&ask(event, AccountId::new(), &[1])).await);
    assert_eq!(why, [(1, Reason::Held)], "nor does somebody else's wish sweep it");
    assert!(house.engine.hold_of(event, held.hold).await.unwrap().unwrap().live);
    let released = house.engine.release(event, held.hold, Asker::Owner(ada)).await.unwrap();
    assert_eq!(released, Released::Seats(2));
}

#[tokio::test]
async fn an_order_gives_back_its_own_seats_and_nobody_elses() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let (ada, ben, eve) = (AccountId::new(), AccountId::new(), AccountId::new());
    let (first, second) = (order(), order());
    let fresh = || HoldId(Uuid::new_v4());
    house.engine.sell(event, (first, 1), fresh(), ada, &[0, 1, 2]).await.unwrap();
    // Two of its three seats are somebody else's by the time that it is told to give them back, once more.
    house.engine.free(event, (first, 2), ada, &[1, 2]).await.unwrap();
    house.engine.sell(event, (second, 1), fresh(), ben, &[1]).await.unwrap();
    let held = house.engine.hold(&ask(event, eve, &[2])).await.unwrap();

    house.engine.free(event, (first, 2), ada, &[0, 1, 2]).await.unwrap();
    let flags = house.engine.flags(event, &[0, 1, 2]).await.unwrap();
    assert_eq!(flags, [None, Some(format!("sold:{second}")), Some(held.hold.to_string())], "whose they are");
    let why = seats_refused(house.engine.hold(&ask(event, ada, &[0, 1, 2])).await);
    assert_eq!(why, [(1, Reason::Sold), (2, Reason::Held)]);
}

#[tokio::test]
async fn what_was_said_of_an_order_before_its_last_move_changes_nothing_after_it() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let (ada, eve, paid) = (AccountId::new(), AccountId::new(), order());
    let fresh = || HoldId(Uuid::new_v4());
    // It was sold and given back; Redis, which was slow, hears of the second first, and somebody else holds its seats.
    assert_eq!(house.engine.free(event, (paid, 3), ada, &[0, 1]).await.unwrap(), 0);
    let held = house.engine.hold(&ask(event, eve, &[0, 1])).await.unwrap();
    assert_eq!(house.engine.sell(event, (paid, 2), fresh(), ada, &[0, 1]).await.unwrap(), 0, "that is over");
    assert!(
        house.engine.hold_of(event, held.hold).await.unwrap().unwrap().live,
        "and takes nothing from anybody"
    );
    // Another one ran out, and was paid for after all.
    let late = order();
    assert_eq!(house.engine.sell(event, (late, 4), fresh(), ada, &[2, 3]).await.unwrap(), 2);
    assert_eq!(
        house.engine.free(event, (late, 3), ada, &[2, 3]).await.unwrap(),
        0,
        "it had not been paid for then"
    );
    let why = seats_refused(house.engine.hold(&ask(event, eve, &[2, 3])).await);
    assert_eq!(why, [(2, Reason::Sold), (3, Reason::Sold)]);
    // The same turn again is a repeat, and the next one is news.
    assert_eq!(house.engine.sell(event, (late, 4), fresh(), ada, &[2, 3]).await.unwrap(), 0);
    assert_eq!(house.engine.free(event, (late, 5), ada, &[2, 3]).await.unwrap(), 2);
}

#[tokio::test]
async fn what_comes_free_while_people_wait_is_refused_to_the_public() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let (ada, ben) = (AccountId::new(), AccountId::new());
    let given_back = house.engine.hold(&ask(event, ada, &[0])).await.unwrap();
    let lapsed = house.engine.hold(&ask(event, ada, &[2])).await.unwrap();
    house.engine.begin_waiting(event).await.unwrap();
    house.engine.release(event, given_back.hold, Asker::Owner(ada)).await.unwrap();
    house.lapse(event, lapsed.hold).await;

    let why = seats_refused(house.engine.hold(&ask(event, ben, &[0, 2])).await);
    assert_eq!(why, [(0, Reason::Held), (2, Reason::Held)], "the list is asked first");
    let news = house.engine.news(event).await.unwrap();
    house.engine.end_waiting(event, news).await.unwrap();
    assert_eq!(house.engine.hold(&ask(event, ben, &[0, 2])).await.unwrap().ordinals, [0, 2]);
}

#[tokio::test]
async fn an_offer_on_old_news_is_not_made_because_somebody_in_front_may_fit_now() {
    let house = House::single().await;
    let event = house.event(&[4, 2], &open_rules()).await;
    let ada = AccountId::new();
    let held = house.engine.hold(&ask(event, ada, &[0, 1])).await.unwrap();
    house.engine.begin_waiting(event).await.unwrap();
    let before = house.engine.news(event).await.unwrap();
    // A party of three was passed over; now there are four seats side by side.
    house.engine.release(event, held.hold, Asker::Owner(ada)).await.unwrap();
    let turn = |news| OfferAsk {
        hold: HoldId::of(1, Uuid::new_v4()),
        event,
        owner: AccountId::new(),
        quantity: 2,
        places: Places::Seats(vec![0..4, 5..7]),
        news,
        lasts: MINUTE,
    };

    let early = house.engine.offer(&turn(before)).await.unwrap();
    assert_eq!(early, Offered::Changed, "the list is asked from its beginning");
    let now = house.engine.news(event).await.unwrap();
    assert!(matches!(house.engine.offer(&turn(now)).await.unwrap(), Offered::Held(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_seat_of_a_hall_that_is_still_being_loaded() {
    let house = House::single().await;
    let event = EventId::new();
    let last = 101_998;
    let wish = move || ask(event, AccountId::new(), &[last]);
    let early = house.engine.hold(&wish()).await;
    assert!(matches!(early, Err(SeatsError::NotReady(_))), "nothing is known yet: {early:?}");

    let engine = house.engine.clone();
    let first_answer = tokio::spawn(async move {
        loop {
            match engine.hold(&wish()).await {
                Err(SeatsError::NotReady(_)) => {}
                answer => return answer,
            }
        }
    });
    let sold =
        LoadedClaim { ordinal: last, kind: ClaimKind::Sold { order: order(), owner: AccountId::new() } };
    house.engine.load(&plan(event, 1, &[50; 2000], &open_rules(), vec![sold])).await.unwrap();
    assert_eq!(seats_refused(first_answer.await.unwrap()), [(last, Reason::Sold)]);
}
