//! Hundreds of events are live at once, and none of them pays for the others: what a node knows of them it knows from one
//! reading, and what it has to look at again and again it looks at together.

use std::time::Duration;

use holdfast::catalog::{Catalog, NewEvent};
use holdfast::ids::{AccountId, EventId};
use holdfast::seats::{Pictures, Rules};
use holdfast::telemetry::Metrics;
use serde_json::json;

use crate::seats_support::{House, ask, open_rules};
use crate::support::{Holdfast, eventually};

/// More than twice as many as a node once had room for.
const EVENTS: usize = 300;

fn small_room(number: usize) -> NewEvent {
    let form = json!({
        "title": format!("Evening {number}"), "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
        "categories": [{ "key": "all", "name": "All seats", "price": 4800 }],
        "sections": [{ "key": "stalls", "category": "all", "rows": [{ "name": "A", "seats": 10 }] }],
    });
    serde_json::from_value(form).expect("a form")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_three_hundred_events_again_and_again_has_each_read_once() {
    let holdfast = Holdfast::start().await;
    let app = holdfast.app();
    let mut events = Vec::new();
    for number in 0..EVENTS {
        let made = app.catalog.create(EventId::new(), holdfast.organiser_id(), small_room(number)).await;
        events.push(made.expect("it is on sale").id);
    }

    // A node that has just come, and is asked by nobody else.
    let metrics = Metrics::new();
    let catalog = Catalog::new(app.pg.clone(), metrics.clone());
    for (round, wanted) in [("first", EVENTS as u64), ("second", EVENTS as u64), ("third", EVENTS as u64)] {
        for &event in &events {
            let chart = catalog.chart(event).await.expect("there is a chart");
            assert_eq!((chart.event_id(), chart.seats()), (event, 10));
            assert!(!chart.drawing().in_coding(holdfast::packing::Coding::Gzip).is_empty());
        }
        assert_eq!(metrics.charts_read.get(), wanted, "in the {round} round");
    }
    // A hold's id names its event by number, which is known from the same reading.
    let number = catalog.chart(events[7]).await.expect("there is a chart").event_number();
    assert_eq!(catalog.chart_by_number(number).await.expect("it is known").event_id(), events[7]);
    assert_eq!(metrics.charts_read.get(), EVENTS as u64);
    let on_sale = catalog.on_sale().await.expect("Postgres answers");
    assert!(events.iter().all(|event| on_sale.iter().any(|known| known.id == *event)));
}

async fn markers_of_many(house: House) {
    let mut events = Vec::new();
    for number in 0..150 {
        // Some have no picture, and keep nobody from hearing of the others.
        events.push(if number % 10 == 3 { EventId::new() } else { house.event(&[4], &open_rules()).await });
    }
    house.engine.begin_waiting(events[1]).await.expect("Redis answers");
    let markers = house.engine.markers(&events).await;
    assert_eq!(markers.len(), events.len());
    for (number, marker) in markers.into_iter().enumerate() {
        let marker = marker.expect("Redis answers");
        assert_eq!(marker.epoch.is_none(), number % 10 == 3, "{number}");
        assert_eq!(marker.keeps, number == 1, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_markers_are_read_together_and_each_is_its_events() {
    markers_of_many(House::single().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_where_they_lie_on_many_nodes_of_a_cluster() {
    markers_of_many(House::cluster().await).await;
}

#[tokio::test]
async fn what_its_watcher_sweeps_is_left_to_it_and_swept_by_others_when_it_has_gone() {
    let house = House::single().await;
    let (watched, other) = (house.event(&[4], &open_rules()).await, house.event(&[4], &open_rules()).await);
    let both = || vec![watched, other];
    let engine = &house.engine;
    assert_eq!(engine.unattended(both()), both(), "nobody has swept anything");

    let pictures = Pictures::with_idle(engine.clone(), Duration::from_secs(3));
    pictures.view(watched).await.expect("there is a picture");
    eventually("its watcher has swept", async || (engine.unattended(both()) == [other]).then_some(())).await;
    eventually("its watcher has gone", async || (pictures.watched() == 0).then_some(())).await;
    eventually("nobody attends to it", async || (engine.unattended(both()) == both()).then_some(())).await;
}

#[tokio::test]
async fn an_event_rests_until_a_hold_is_over_and_never_for_longer_than_a_second() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let long = Duration::from_millis(700)..=Duration::from_secs(1);
    let rest = async |event| house.engine.attend(event).await.expect("Redis answers");
    assert!(long.contains(&rest(event).await), "nobody holds anything");
    house.engine.hold(&ask(event, AccountId::new(), &[3])).await.expect("it is free");
    assert!(long.contains(&rest(event).await), "it is held for minutes");

    let quick = house.event(&[4], &Rules { hold_ms: Some(300), ..open_rules() }).await;
    house.engine.hold(&ask(quick, AccountId::new(), &[3])).await.expect("it is free");
    assert!(rest(quick).await <= Duration::from_millis(300), "it is soon over");
    eventually("nobody holds it", async || long.contains(&rest(quick).await).then_some(())).await;
    house.engine.sweep_unattended(quick).await.expect("Redis answers");
    assert!(house.engine.unattended(vec![quick]).is_empty(), "it rests for others, too");
}
