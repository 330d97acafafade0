//! The picture as bits: any bits can be read, and changes make of a good picture what a list of seats would say.

use holdfast::seats::untrusted::{planes, put, view};
use holdfast::seats::{Counts, FeedId, SeatState};

const STATES: [SeatState; 4] = [SeatState::Free, SeatState::Held, SeatState::Sold, SeatState::Blocked];

pub fn body(input: &[u8]) {
    any_bits_are_read(input);
    let Some((&size, rest)) = input.split_first() else { return };
    // A row of so many seats, closed by its aisle; the rest of the last byte is nobody's.
    let seats = u32::from(size);
    let length = (seats as usize + 1).div_ceil(8);
    let mut aisles = vec![0_u8; length];
    for bit in seats as usize..length * 8 {
        aisles[bit / 8] |= 0x80 >> (bit % 8);
    }
    let mut picture = planes(1, FeedId::default(), seats, [aisles.clone(), aisles, Vec::new()]);
    let mut model = vec![SeatState::Free; seats as usize];
    for change in rest.chunks_exact(2) {
        // Beyond the planes, too; the scripts never name an aisle.
        let ordinal = u32::from(change[0]) + if change[1] & 0x80 == 0 { 0 } else { 1 << 20 };
        let state = STATES[usize::from(change[1] & 3)];
        if (seats..u32::try_from(length * 8).expect("few")).contains(&ordinal) {
            continue;
        }
        put(&mut picture, ordinal, state);
        if let Some(seat) = model.get_mut(ordinal as usize) {
            *seat = state;
        }
    }
    let view = view(&picture);
    for (ordinal, &state) in (0_u32..).zip(&model) {
        assert_eq!(picture.state(ordinal), state, "seat {ordinal}");
        assert_eq!(view.state(ordinal), state, "seat {ordinal} as it is served");
    }
    let count = |state| u32::try_from(model.iter().filter(|seat| **seat == state).count()).expect("few");
    let [free, held, sold, blocked] = STATES.map(count);
    assert_eq!(view.counts, Counts { free, held, sold, blocked });
    assert_eq!(view.counts.total(), seats);
    assert_eq!(view.state(seats), SeatState::Sold, "the aisle");
}

/// Three planes of any bits and any lengths, as a broken store might answer.
fn any_bits_are_read(input: &[u8]) {
    let third = input.len() / 3;
    let (taken, rest) = input.split_at(third);
    let (sold, blocked) = rest.split_at(third.min(rest.len()));
    let places = u32::try_from(input.len()).unwrap_or(u32::MAX).wrapping_mul(0x9e37_79b9);
    let mut picture =
        planes(-1, FeedId::default(), places, [taken.to_vec(), sold.to_vec(), blocked.to_vec()]);
    assert!(picture.taken.len() == picture.sold.len() && picture.sold.len() == picture.blocked.len());
    let total = view(&picture).counts.total();
    assert!(total >= view(&picture).counts.free, "{total} seats");
    put(&mut picture, places, SeatState::Blocked);
    for ordinal in [0, places, u32::MAX] {
        let _ = picture.state(ordinal);
    }
}
