//! The protocol, looked at whole within small bounds: every order in which its steps can come, with every crash and loss
//! between any two of them.

use std::time::Instant;

use crate::protocol_model::Protocol;
use crate::protocol_model::bounds::Bounds;
use crate::protocol_model::search::{Seen, search};
use crate::protocol_model::state::Faults;

fn explored(bounds: Bounds) -> Seen {
    let begun = Instant::now();
    let seen = search(&Protocol(bounds)).unwrap_or_else(|found| panic!("{}: {found}", bounds.name));
    println!(
        "{:<44} {:>9} states {:>9} moves {:>4} deep {:>6} settled {:>6} ms",
        bounds.name,
        seen.states,
        seen.moves,
        seen.depth,
        seen.settled,
        begun.elapsed().as_millis()
    );
    seen
}

#[test]
fn trial() {
    let base = Bounds::named("one buyer");
    let pick = std::env::var("PICK").unwrap_or_default();
    let f = base.faults;
    let list = Bounds { webhooks: 0, compares: false, checks_out: [false; 3], ..base };
    let all = [
        Bounds { name: "L1 shopper + 2", wants: [1, 0, 0], waits: [0, 1, 1], ..list },
        Bounds { name: "L2 shopper + 1 leaves", wants: [1, 0, 0], waits: [0, 1, 0], cancels: [false, true, false], ..list },
        Bounds { name: "L3 2 leaves, death", wants: [0, 0, 0], waits: [0, 1, 1], cancels: [false, true, false], faults: Faults { deaths: 1, ..f }, ..list },
        Bounds { name: "L4 shopper + 1, loss", wants: [1, 0, 0], waits: [0, 1, 0], faults: Faults { redis_losses: 1, ..f }, ..list },
        Bounds { name: "L5 shopper + 1, failover", wants: [1, 0, 0], waits: [0, 1, 0], faults: Faults { failovers: 1, ..f }, ..list },
        Bounds { name: "L6 waiter checks out", wants: [0, 0, 0], waits: [0, 1, 0], checks_out: [false, true, false], cancels: [false, true, false], ..list },
        Bounds { name: "L7 2 rounds", rounds: 2, wants: [0, 0, 0], waits: [0, 1, 1], ..list },
        Bounds { name: "L8 quantity", house: 3, wants: [1, 0, 0], waits: [0, 2, 1], ..list },
        Bounds { name: "L9 death", wants: [1, 0, 0], waits: [0, 1, 0], faults: Faults { deaths: 1, ..f }, ..list },
        Bounds { one_call_each: true, name: "P1 two buyers noweb", webhooks: 0, wants: [1, 1, 0], ..base },
        Bounds { one_call_each: true, name: "P2 two buyers, two seats, nocompare noweb", compares: false, webhooks: 0, house: 3, wants: [3, 2, 0], ..base },
        Bounds { one_call_each: true, name: "P3 two buyers, loss, one pays", compares: false, webhooks: 0, wants: [1, 1, 0], checks_out: [true, true, false], faults: Faults { redis_losses: 1, ..f }, ..base },
        Bounds { name: "P4 cancels, death, nocompare", compares: false, webhooks: 0, cancels: [true, false, false], faults: Faults { deaths: 1, ..f }, ..base },
        Bounds { name: "P5 cancels, outage, nocompare", compares: false, webhooks: 0, cancels: [true, false, false], faults: Faults { outages: 1, ..f }, ..base },
        Bounds { name: "P6 rebuild twice", rounds: 2, wants: [1, 0, 0], webhooks: 0, faults: Faults { redis_losses: 1, locks: 1, ..f }, ..base },
        Bounds { name: "P7 three calls, delays", slots: 3, compares: false, delays: true, ..base },
        Bounds { name: "P8 repeats, death", repeats: true, compares: false, webhooks: 0, faults: Faults { deaths: 1, ..f }, ..base },
    ];
    for b in all {
        if b.name.contains(&pick) { explored(b); }
    }
}
