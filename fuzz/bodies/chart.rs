//! Forms of events: refused with their faults, or compiled to a chart in which every place is where and what the form says.

use std::collections::HashMap;

use holdfast::catalog::untrusted::Compiled;
use holdfast::catalog::{Chart, MOST_PLACES, NewEvent, SeatsForm};
use serde_json::Value;

/// So many places are looked at one by one; of larger charts some.
const LOOKED_AT: u32 = 4000;

pub fn body(input: &[u8]) {
    let Ok(form) = serde_json::from_slice::<NewEvent>(input) else { return };
    let compiled = match Compiled::of(&form) {
        Ok(compiled) => compiled,
        Err(faults) => {
            assert!((1..=101).contains(&faults.len()), "{} faults", faults.len());
            assert!(faults.iter().all(|fault| !fault.field.is_empty() && !fault.message.is_empty()));
            return;
        }
    };
    let stored = compiled.stored().expect("memory takes it");
    let read = Compiled::read(&stored).expect("its own form");
    assert!(read.is(&compiled), "stored and read, it is another chart");
    assert_eq!(read.stored().expect("memory takes it"), stored, "one chart has one name");
    is_drawn_whole(&compiled);
    let chart = read.chart();
    places_are_numbered_once(&chart);
    if chart.seats() <= LOOKED_AT {
        seats_cost_what_the_form_says(&form, &chart);
    }
    runs_stay_within_their_category(&chart);
}

fn is_drawn_whole(compiled: &Compiled) {
    let drawing: Value = serde_json::from_slice(&compiled.drawn()).expect("a drawing is JSON");
    let sections = drawing["sections"].as_array().into_iter().flatten();
    let rows = sections.flat_map(|section| section["rows"].as_array().into_iter().flatten());
    let seats: usize = rows.map(|row| row["seats"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(seats, compiled.categories_of_seats().len(), "seats that are drawn");
}

fn places_are_numbered_once(chart: &Chart) {
    assert!((1..=MOST_PLACES).contains(&chart.seats()), "{} places", chart.seats());
    assert!(chart.size() > chart.seats() && chart.size() < 1 << 24, "{} ordinals", chart.size());
    let aisles = chart.aisle_plane();
    let places: u32 = aisles.iter().map(|byte| byte.count_zeros()).sum();
    assert_eq!(places, chart.seats(), "bits that are free in an empty house");
    let step = (chart.size() / LOOKED_AT).max(1) as usize;
    for ordinal in (0..chart.size()).step_by(step) {
        let is_aisle = aisles[ordinal as usize / 8] & (0x80 >> (ordinal % 8)) != 0;
        match chart.seat(ordinal) {
            None => assert!(is_aisle, "{ordinal} can be held and is nobody's seat"),
            Some(seat) => {
                assert!(!is_aisle, "{} can never be held", seat.id);
                assert_eq!(chart.ordinal(&seat.id), Some(ordinal), "{} leads elsewhere", seat.id);
                assert!(!seat.id.contains(|letter: char| letter.is_whitespace() || "{}".contains(letter)));
                assert_eq!(chart.is_standing(ordinal), seat.row.is_none(), "{}", seat.id);
            }
        }
    }
    assert_eq!(chart.seat(chart.size()), None);
    assert_eq!(chart.seat(u32::MAX), None);
}

fn seats_cost_what_the_form_says(form: &NewEvent, chart: &Chart) {
    let prices: HashMap<&str, i64> =
        form.categories.iter().map(|category| (category.key.as_str(), category.price)).collect();
    let cost = |id: &str, category: &str| {
        let seat = chart.ordinal(id).and_then(|ordinal| chart.seat(ordinal));
        let seat = seat.unwrap_or_else(|| panic!("{id} is not there"));
        assert_eq!((seat.category, seat.price), (category, prices[category]), "{id}");
    };
    let mut found = 0;
    for section in &form.sections {
        for row in &section.rows {
            let mut one = |name: String, category: Option<&String>| {
                found += 1;
                cost(
                    &format!("{}-{}-{name}", section.key, row.name.0),
                    category.unwrap_or(&section.category),
                );
            };
            match (&row.seats, row.count) {
                (Some(SeatsForm::List(list)), _) => {
                    for (at, seat) in list.iter().filter(|seat| !seat.aisle).enumerate() {
                        one(
                            seat.name.clone().unwrap_or_else(|| (at + 1).to_string()),
                            seat.category.as_ref(),
                        );
                    }
                }
                (&Some(SeatsForm::Count(count)), _) | (None, Some(count)) => {
                    (1..=count).for_each(|number| one(number.to_string(), None));
                }
                (None, None) => {}
            }
        }
    }
    for area in &form.areas {
        for number in 1..=area.capacity {
            found += 1;
            cost(&format!("{}-{number}", area.key), &area.category);
        }
    }
    if form.total_tickets.is_none() {
        assert_eq!(found, chart.seats(), "places of the form");
    }
}

fn runs_stay_within_their_category(chart: &Chart) {
    for category in chart.categories().iter().take(20) {
        let runs = chart.runs(None, Some(&category.key)).expect("a category of the chart");
        let mut end = 0;
        for run in &runs {
            assert!(run.start >= end && run.start < run.end && run.end <= chart.size(), "{runs:?}");
            end = run.end;
            for ordinal in run.clone().take(LOOKED_AT as usize) {
                let others = chart.seat(ordinal).filter(|seat| seat.category != category.key);
                assert_eq!(others, None, "in a run of {}", category.key);
            }
        }
    }
    for section in chart.sections().take(20) {
        let runs = chart.runs(Some(section.key), None).expect("a section of the chart");
        let seats = runs.into_iter().flatten().filter_map(|ordinal| chart.seat(ordinal));
        let seats = seats.inspect(|seat| assert_eq!(seat.section, section.key, "{}", seat.id)).count();
        assert_eq!(seats, section.seats as usize, "seats of {}", section.key);
    }
}
