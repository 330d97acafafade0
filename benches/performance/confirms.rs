//! The confirm path: a thousand payments that land at once.

use anyhow::Context as _;

use crate::paired::TURNS;
use crate::report::Part;
use crate::stand::House;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "The confirm path",
        "`holdfast bench landing --orders 1000`: a thousand orders that wait for their money are all paid at the sandbox, over 50 \
         connections as fast as it takes them. Their webhooks come back, are signed, stored, answered, worked through and confirmed \
         in a Postgres that waits for its disk at each commit, and shown: the time is from the first payment to the moment the last \
         of a thousand seats was seen sold on a screen. The sandbox works on the same two cores.",
    );
    // Only so that a thousand orders are there in seconds: what is measured opens no payment.
    let house = House::with(&[("STRIPE_CREATES_PER_SECOND", "1000".to_owned())]).await?;
    let (mut all, mut paid) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let figures = house.bench(&["landing", "--orders", "1000", "--connections", "50"]).await?;
        let note = |name: &str| figures["notes"][name].as_f64().with_context(|| format!("{name} is noted"));
        all.push(note("seconds until the last was booked, and seen")?);
        paid.push(note("seconds until the last was paid")?);
    }
    part.at_most("1,000 payments that land at once are bookings within", 5.0, "s", &all);
    let paid: Vec<String> = paid.iter().map(|seconds| format!("{seconds:.1}")).collect();
    let paying = format!(" Of each, the paying itself took {} s.", paid.join(", "));
    part.how += &paying;
    Ok(part)
}
