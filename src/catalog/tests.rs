//! What compiling promises: one ordinal a place, aisles between them, and a name for every fault.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Chart;
use super::compile::compile;
use super::document::Document;
use super::form::NewEvent;
use crate::ids::{EventId, Ordinal};

fn form(value: Value) -> NewEvent {
    serde_json::from_value(value).expect("it has the shape of a form")
}

fn event(parts: &Value) -> NewEvent {
    let mut whole = json!({ "title": "T", "starts_at": "2031-01-01T20:00:00Z", "categories": [
        { "key": "a", "price": 100 }, { "key": "b", "price": 200 }] });
    let extra = parts.as_object().expect("an object").clone();
    whole.as_object_mut().expect("an object").extend(extra);
    form(whole)
}

fn chart(parts: &Value) -> Chart {
    let document = compile(&event(parts)).expect("a good chart");
    Chart::new(EventId::new(), 7, "tag".to_owned(), document)
}

fn faults(parts: &Value) -> Vec<String> {
    compile(&event(parts)).expect_err("faults").into_iter().map(|fault| fault.field).collect()
}

fn bit(plane: &[u8], ordinal: Ordinal) -> bool {
    plane[ordinal as usize / 8] & (0x80 >> (ordinal % 8)) != 0
}

fn one_run(run: Range<Ordinal>) -> Vec<Range<Ordinal>> {
    std::iter::once(run).collect()
}

#[test]
fn rows_end_with_an_aisle_and_areas_come_last() {
    let chart = chart(&json!({
        "sections": [{ "key": "s", "category": "a", "rows": [
            { "name": "A", "seats": 3 }, { "name": "B", "seats": 4, "aisles_after": [2] }] }],
        "areas": [{ "key": "floor", "category": "b", "capacity": 2 }],
    }));
    // A A A | B B | B B | f f |
    assert_eq!((chart.size(), chart.seats()), (13, 9));
    let ordinals = ["s-A-1", "s-A-3", "s-B-1", "s-B-2", "s-B-3", "s-B-4", "floor-1", "floor-2"];
    assert_eq!(ordinals.map(|id| chart.ordinal(id)), [0, 2, 4, 5, 7, 8, 10, 11].map(Some));
    let aisles: Vec<_> = (0..16).filter(|&at| bit(&chart.aisle_plane(), at)).collect();
    assert_eq!(aisles, [3, 6, 9, 12, 13, 14, 15], "with the padding of the last byte");
    assert_eq!(chart.runs(None, None), Some(one_run(0..9)));
    assert_eq!(chart.runs(Some("s"), Some("b")), Some(Vec::new()));
    assert_eq!(chart.runs(Some("floor"), None), None);
    assert!(chart.is_standing(10) && !chart.is_standing(8));
    for nobody in ["s-A-4", "s-A-0", "floor-0", "floor-3", "floor-01", "floor-+1", "s-A", "", "-", "floor-"] {
        assert_eq!(chart.ordinal(nobody), None, "{nobody:?}");
    }
}

#[test]
fn seats_of_another_category_end_a_run_and_have_its_price() {
    let chart = chart(&json!({ "sections": [{ "key": "s", "category": "a", "rows": [
        { "name": "A", "seats": ["1", { "name": "2", "category": "b" }, "3"] }] }] }));
    assert_eq!(chart.runs(None, Some("a")), Some(vec![0..1, 2..3]));
    assert_eq!(chart.runs(None, Some("b")), Some(one_run(1..2)));
    assert_eq!(chart.seat(1).map(|seat| (seat.price, seat.category)), Some((200, "b")));
}

#[test]
fn two_ways_to_the_same_id_are_a_fault() {
    let rows = |name: &str| json!([{ "name": name, "seats": 1 }]);
    let named = faults(&json!({ "sections": [
        { "key": "a-b", "category": "a", "rows": rows("c") },
        { "key": "a", "category": "a", "rows": rows("b-c") }] }));
    assert_eq!(named, ["sections[1].rows[0].seats[0]"]);
    let named = faults(&json!({
        "sections": [{ "key": "x", "category": "a", "rows": rows("y") }],
        "areas": [{ "key": "x-y", "category": "a", "capacity": 5 }] }));
    assert_eq!(named, ["sections[0].rows[0].seats[0]"]);
}

#[test]
fn what_could_not_be_made_is_refused_without_being_tried() {
    let rows = json!([{ "name": "A", "seats": 4_000_000_000_u32 }]);
    assert!(!faults(&json!({ "sections": [{ "key": "s", "category": "a", "rows": rows }] })).is_empty());
    assert_eq!(faults(&json!({ "total_tickets": 4_000_000_000_u32, "categories": [] })), ["total_tickets"]);
    assert_eq!(faults(&json!({})), ["sections"]);
    let many: Vec<_> = (0..500).map(|_| json!({ "key": "", "price": -1 })).collect();
    assert!(faults(&json!({ "categories": many, "total_tickets": 1 })).len() <= 102, "named up to a bound");
}

fn rows() -> impl Strategy<Value = Vec<(usize, Vec<usize>)>> {
    prop::collection::vec((1..30_usize, prop::collection::vec(1..30_usize, 0..3)), 1..6)
}

proptest! {
    #[test]
    fn every_place_has_one_ordinal_and_every_other_bit_is_set(
        sections in prop::collection::vec(rows(), 0..4),
        areas in prop::collection::vec(1..40_u32, 0..3),
    ) {
        prop_assume!(!(sections.is_empty() && areas.is_empty()));
        let sections: Vec<_> = sections.iter().enumerate().map(|(s, rows)| json!({
            "key": format!("s{s}"), "category": if s % 2 == 0 { "a" } else { "b" },
            "rows": rows.iter().enumerate().map(|(r, (seats, aisles))| json!({
                "name": r, "seats": seats,
                "aisles_after": aisles.iter().filter(|after| *after <= seats).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })).collect();
        let areas: Vec<_> = areas.iter().enumerate().map(|(a, capacity)| json!({
            "key": format!("area{a}"), "category": "a", "capacity": capacity })).collect();
        let document = compile(&event(&json!({ "sections": sections, "areas": areas }))).expect("a good chart");
        let stored = Document::unpack(&document.pack().expect("packed")).expect("unpacked");
        prop_assert_eq!(&stored, &document);
        let chart = Chart::new(EventId::new(), 1, "tag".to_owned(), stored);

        let plane = chart.aisle_plane();
        let mut places = 0;
        for ordinal in 0..chart.size() {
            match chart.seat(ordinal) {
                Some(seat) => {
                    places += 1;
                    prop_assert_eq!(chart.ordinal(&seat.id), Some(ordinal));
                    prop_assert!(!bit(&plane, ordinal));
                }
                None => prop_assert!(bit(&plane, ordinal)),
            }
        }
        prop_assert_eq!(places, chart.seats());
        let (a, b) = (chart.runs(None, Some("a")), chart.runs(None, Some("b")));
        for ordinal in 0..chart.size() {
            let within = |runs: &Option<Vec<Range<Ordinal>>>| {
                runs.iter().flatten().any(|run| run.contains(&ordinal))
            };
            let seat = chart.seat(ordinal).filter(|_| !chart.is_standing(ordinal));
            if let Some(seat) = seat {
                prop_assert_eq!((within(&a), within(&b)), (seat.category == "a", seat.category == "b"));
            }
        }
    }

    #[test]
    fn no_form_makes_a_panic(text in "\\PC{0,200}", number in any::<i64>(), x in any::<f64>()) {
        let value = json!({
            "title": text, "starts_at": "2031-01-01T20:00:00Z", "currency": text, "hold_seconds": number,
            "categories": [{ "key": text, "price": number }],
            "sections": [{ "key": text, "category": text, "x": x, "rows": [
                { "name": text, "seats": number, "aisles_after": [number] },
                { "name": "z", "seats": [{ "name": text, "x": x, "y": x }] }] }],
            "areas": [{ "key": text, "category": text, "capacity": number }],
        });
        if let Ok(form) = serde_json::from_value::<NewEvent>(value) {
            let _ = compile(&form);
        }
    }
}

#[test]
fn a_chart_has_no_more_prices_than_it_can_count() {
    let with = |many: usize| {
        let categories: Vec<_> =
            (0..many).map(|at| json!({ "key": format!("c{at}"), "price": at })).collect();
        let last = format!("c{}", many - 1);
        json!({ "categories": categories, "areas": [{ "key": "floor", "category": last, "capacity": 1 }] })
    };
    let chart = chart(&with(1000));
    assert_eq!(chart.seat(0).expect("a place").price, 999);
    // In sixteen bits the last of so many is the first again: a place would be sold at another price.
    assert_eq!(faults(&with(65_537)), ["categories"]);
}
