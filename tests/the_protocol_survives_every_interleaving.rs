//! The protocol, looked at whole within small bounds: every order in which its steps can come, with crashes and losses
//! between any two of them. docs/model.md says what is looked at and what is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::protocol_model::Protocol;
use crate::protocol_model::bounds::{Bounds, Guard};
use crate::protocol_model::search::{Seen, search};
use crate::protocol_model::state::Faults;
use crate::protocol_model::step::Step;

const ONE_BUYER: Bounds = Bounds::named("a buyer pays once; a webhook comes or not");
const NO_FAULT: Faults = ONE_BUYER.faults;
/// Without webhooks Stripe is asked all the same, and a single customer is what others have shown.
const QUIET: Bounds = Bounds { webhooks: 0, compares: false, ..ONE_BUYER };
/// Two customers, each with one call of their own in flight; what one customer's calls do to each other is looked at
/// with one.
const TWO_BUYERS: Bounds = Bounds {
    name: "two buyers want the same seat",
    wants: [0b01, 0b01, 0],
    one_call_each: true,
    webhooks: 0,
    ..ONE_BUYER
};
/// Somebody holds the seat and lets the time run out, or nobody does; others wait for it.
const LIST: Bounds =
    Bounds { name: "two parties wait behind a hold", checks_out: [false; 3], waits: [0, 1, 1], ..QUIET };

const EVERY_WORLD: &[Bounds] = &[
    ONE_BUYER,
    Bounds {
        name: "a bank takes its time, or refuses; two webhooks",
        delays: true,
        declines: true,
        webhooks: 2,
        compares: false,
        ..ONE_BUYER
    },
    Bounds {
        name: "the same where declined orders stay open",
        delays: true,
        declines: true,
        release_on_failure: false,
        webhooks: 2,
        compares: false,
        ..ONE_BUYER
    },
    Bounds { name: "three calls at a time", slots: 3, compares: false, ..ONE_BUYER },
    Bounds {
        name: "a buyer calls off, and a call dies",
        cancels: [true, false, false],
        faults: Faults { deaths: 1, ..NO_FAULT },
        ..QUIET
    },
    Bounds {
        name: "a buyer calls off, and every node dies",
        cancels: [true, false, false],
        faults: Faults { outages: 1, ..NO_FAULT },
        ..QUIET
    },
    Bounds {
        name: "a checkout is sent twice, and a call dies",
        repeats: true,
        faults: Faults { deaths: 1, ..NO_FAULT },
        ..QUIET
    },
    Bounds {
        name: "Redis forgets, and a call dies",
        holds: 2,
        faults: Faults { redis_losses: 1, deaths: 1, ..NO_FAULT },
        ..QUIET
    },
    Bounds {
        name: "Redis forgets, and a rebuild loses its lock",
        rounds: 2,
        faults: Faults { redis_losses: 1, locks: 1, ..NO_FAULT },
        ..QUIET
    },
    Bounds { name: "a failover", holds: 2, faults: Faults { failovers: 1, ..NO_FAULT }, ..QUIET },
    Bounds { name: "Postgres forgets an order", faults: Faults { restores: 1, ..NO_FAULT }, ..ONE_BUYER },
    TWO_BUYERS,
    Bounds {
        name: "two buyers, two seats, one in common",
        house: 0b11,
        wants: [0b11, 0b10, 0],
        compares: false,
        ..TWO_BUYERS
    },
    Bounds {
        name: "two buyers, and Redis forgets",
        compares: false,
        faults: Faults { redis_losses: 1, ..NO_FAULT },
        ..TWO_BUYERS
    },
    Bounds {
        name: "two buyers, and a failover",
        compares: false,
        slots: 1,
        faults: Faults { failovers: 1, ..NO_FAULT },
        ..TWO_BUYERS
    },
    Bounds {
        name: "a closed order is paid, whoever has its seat",
        compares: false,
        slots: 1,
        faults: Faults { late_payments: 1, ..NO_FAULT },
        ..TWO_BUYERS
    },
    Bounds {
        name: "a closed order is paid while somebody holds its seat",
        checks_out: [true, false, false],
        compares: false,
        faults: Faults { late_payments: 1, ..NO_FAULT },
        ..TWO_BUYERS
    },
    Bounds {
        name: "an order that was called off is paid",
        cancels: [true, false, false],
        faults: Faults { late_payments: 1, ..NO_FAULT },
        ..QUIET
    },
    Bounds { wants: [0b01, 0, 0], ..LIST },
    Bounds {
        name: "a party of two waits before a party of one",
        house: 0b11,
        wants: [0b01, 0, 0],
        waits: [0, 2, 1],
        ..LIST
    },
    Bounds { name: "two rounds through the list at a time", rounds: 2, wants: [0; 3], ..LIST },
    Bounds {
        name: "a party leaves, and a call dies",
        wants: [0; 3],
        cancels: [false, true, false],
        faults: Faults { deaths: 1, ..NO_FAULT },
        ..LIST
    },
    Bounds {
        name: "a party waits, and Redis forgets",
        wants: [0b01, 0, 0],
        waits: [0, 1, 0],
        faults: Faults { redis_losses: 1, ..NO_FAULT },
        ..LIST
    },
    Bounds {
        name: "a party waits, and a failover",
        wants: [0b01, 0, 0],
        waits: [0, 1, 0],
        faults: Faults { failovers: 1, ..NO_FAULT },
        ..LIST
    },
    Bounds {
        name: "a party takes its offer up, or not",
        wants: [0; 3],
        waits: [0, 1, 0],
        checks_out: [false, true, false],
        cancels: [false, true, false],
        ..LIST
    },
];

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/model.md");
    fs::read_to_string(page).expect("docs/model.md")
}

#[test]
fn every_promise_holds_in_every_state_and_every_run_can_end_well() {
    let (mut fired, mut rows, mut states) = (vec![0; Step::ALL.len()], Vec::new(), 0);
    let begun = Instant::now();
    for bounds in EVERY_WORLD {
        let seen = search(&Protocol(*bounds)).unwrap_or_else(|found| panic!("{}: {found}", bounds.name));
        let Seen { moves, depth, settled, .. } = seen;
        rows.push(format!("| {} | {} | {moves} | {depth} | {settled} |", bounds.name, seen.states));
        println!("{}", rows[rows.len() - 1]);
        states += seen.states;
        for (all, here) in fired.iter_mut().zip(seen.fired) {
            *all += here;
        }
    }
    println!("{states} states in {:?}", begun.elapsed());
    // A step that never happens proves nothing.
    let never: Vec<_> = Step::ALL.iter().filter(|step| fired[**step as usize] == 0).collect();
    assert!(never.is_empty(), "steps that are taken nowhere in these worlds: {never:?}");
    let page = page();
    let strange: Vec<_> = rows.into_iter().filter(|row| !page.lines().any(|line| line == row)).collect();
    assert!(strange.is_empty(), "docs/model.md does not say:\n{}", strange.join("\n"));
}

/// Each guard, a world in which it is missed, the last step on the shortest way to the harm, and the harm.
const EVERY_GUARD: &[(Guard, Bounds, Step, &str)] = &[
    (
        Guard::RespectsClaims,
        Bounds { faults: Faults { redis_losses: 1, ..NO_FAULT }, ..TWO_BUYERS },
        Step::TakeClaims,
        "an open order does not have its seats, or a closed one has",
    ),
    (Guard::ShutsTheDoorFirst, QUIET, Step::FinishClosing, "a closed order can still be paid"),
    (
        Guard::WaitsForTheBank,
        Bounds { delays: true, ..QUIET },
        Step::FinishClosing,
        "a closed order can still be paid",
    ),
    (
        Guard::ReadsTheMarker,
        Bounds { faults: Faults { redis_losses: 1, ..NO_FAULT }, ..QUIET },
        Step::Hold,
        "a Redis without the marker was written to",
    ),
    (Guard::KeysIntents, QUIET, Step::OpenToShut, "an order has two payable PaymentIntents"),
    (
        Guard::KeysRefunds,
        Bounds { cancels: [true, false, false], ..QUIET },
        Step::SendRefund,
        "more went back than was captured, or twice for one cause",
    ),
    (
        Guard::OwesRefunds,
        Bounds { cancels: [true, false, false], ..QUIET },
        Step::CallOff,
        "the healthy steps alone never lead to where all is done and done well",
    ),
    (Guard::ComparesFlags, TWO_BUYERS, Step::GiveBack, "somebody's seat was taken from them by another"),
    (
        Guard::ReadsNewsBeforeOffers,
        Bounds { wants: [0b01, 0, 0], ..LIST },
        Step::Offer,
        "a party was served out of its turn",
    ),
    (
        Guard::ReadsNewsBeforeLettingGo,
        Bounds { wants: [0b01, 0, 0], ..LIST },
        Step::LetGo,
        "what a party waits for was let go",
    ),
    (
        Guard::ComparesLists,
        Bounds { waits: [0, 1, 0], ..LIST },
        Step::LetGo,
        "the healthy steps alone never lead to where all is done and done well",
    ),
];

#[test]
fn a_protocol_without_any_one_of_its_guards_is_caught() {
    for (guard, bounds, last, promise) in EVERY_GUARD {
        let world = Protocol(Bounds { without: Some(*guard), ..*bounds });
        let Err(found) = search(&world) else { panic!("nobody misses the guard {guard:?}") };
        println!("without {guard:?}: {found}");
        assert!(page().contains(&format!("| `{guard:?}` |")), "docs/model.md does not name {guard:?}");
        assert_eq!(found.promise, *promise, "{guard:?}: {found}");
        assert_eq!(found.steps.last().map(|(step, _)| *step), Some(*last), "{guard:?}: {found}");
    }
}

/// Where each file of the service says `Model: <step>`.
fn named_in_the_code() -> BTreeMap<(String, String), usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut named) = (vec![root.join("src"), root.join("lua")], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            let file = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
            for line in text.lines() {
                let Some((_, step)) = line.split_once("Model: ") else { continue };
                *named.entry((file.clone(), step.to_owned())).or_default() += 1;
            }
        }
    }
    named
}

#[test]
fn the_code_names_every_step_of_the_model_where_it_takes_it_and_no_other() {
    let mut expected = BTreeMap::new();
    for step in Step::ALL {
        for place in step.places() {
            expected.insert(((*place).to_owned(), format!("{step:?}")), 1);
        }
    }
    let named = named_in_the_code();
    let missing: Vec<_> = expected.iter().filter(|(at, _)| !named.contains_key(*at)).collect();
    let strange: Vec<_> = named.iter().filter(|(at, times)| expected.get(*at) != Some(*times)).collect();
    assert!(missing.is_empty(), "the code does not name: {missing:#?}");
    assert!(strange.is_empty(), "the code names what the model does not have there: {strange:#?}");
}
