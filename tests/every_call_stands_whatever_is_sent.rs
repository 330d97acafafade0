//! Every documented call, asked by nobody, customers, organisers and administrators, as documented and spoiled in many ways:
//! no answer is a mistake of ours, each is documented with its status and its code, and nobody sees or changes what is
//! somebody else's. `HOLDFAST_SEED` repeats what was chosen by chance; `HOLDFAST_FUZZ_SECONDS` lasts longer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::invention::Inventor;
use crate::support::PATIENCE;
use crate::surface::invent::{Maker, Request};
use crate::surface::judge::{Answered, faults};
use crate::surface::spoil::{cursors, spoil};
use crate::surface::world::{Who, World};
use crate::surface::{Operation, operations};

/// For everything that is asked by chance.
const SECONDS: u64 = 50;
/// More rounds for calls that chance has not brought to both ends yet.
const MORE_ROUNDS: usize = 150;

/// Calls that have nothing to refuse: no caller, no id, no parameter.
const NEVER_REFUSED: [&str; 4] = ["get /healthz", "get /metrics", "get /readyz", "get /v1/tickets/keys"];

/// Calls that make what other calls need.
const MAKING: [&str; 4] = [
    "post /v1/admin/events",
    "post /v1/admin/hooks",
    "post /v1/events/{id}/holds",
    "post /v1/admin/tickets/check-in",
];

/// How often each call was done and refused.
type Coverage = BTreeMap<String, (u32, u32)>;

struct Survey {
    world: World,
    operations: Vec<Operation>,
    chance: Inventor,
    coverage: Coverage,
    asked: usize,
    /// One request for each kind of fault, so that one run tells of all of them.
    found: BTreeMap<String, String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_breaks_sees_or_changes_what_is_somebody_elses() {
    let world = Box::pin(World::open()).await;
    let operations = operations(&world.document);
    let coverage = operations.iter().map(|operation| (operation.name(), (0, 0))).collect();
    let chance = Inventor::new("every_call");
    let mut survey = Survey { world, operations, chance, coverage, asked: 0, found: BTreeMap::new() };
    let seconds = std::env::var("HOLDFAST_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));

    let before = survey.world.what_ada_has().await;
    survey.ask_for_all_that_is_adas().await;
    survey.ask_for(Duration::from_secs(seconds / 2), &Who::OUTSIDERS).await;
    let after = survey.world.what_ada_has().await;
    println!("{} requests by those who have no part in it", survey.asked);
    assert_eq!(before, after, "HOLDFAST_SEED={}: somebody changed what is Ada's", survey.chance.seed());

    survey.turn_every_page().await;
    survey.ask_for(Duration::from_secs(seconds / 2), &Who::INSIDERS).await;
    survey.reach_what_was_not_reached().await;
    println!("{} requests", survey.asked);
    assert!(survey.found.is_empty(), "HOLDFAST_SEED={}: {:#?}", survey.chance.seed(), survey.found);
    for (name, (done, refused)) in &survey.coverage {
        println!("{name}: {done} done, {refused} refused");
    }
    let missed: Vec<_> = survey.coverage.iter().filter(|(name, seen)| is_missed(name, **seen)).collect();
    assert!(
        missed.is_empty(),
        "HOLDFAST_SEED={}: not seen done and refused: {missed:?}",
        survey.chance.seed()
    );
    survey.world.holdfast.every_invariant_holds().await;
}

fn is_missed(name: &str, (done, refused): (u32, u32)) -> bool {
    done == 0 || (refused == 0 && !NEVER_REFUSED.contains(&name))
}

impl Survey {
    /// Every call that names a thing, for each of Ada's things, by everybody who has no part in it.
    async fn ask_for_all_that_is_adas(&mut self) {
        let things: Vec<_> =
            self.world.things.iter().filter(|thing| thing.whose == Who::Ada).cloned().collect();
        for operation in self.operations.clone() {
            for thing in things.iter().filter(|thing| operation.kind() == Some(thing.kind)) {
                for who in Who::OUTSIDERS {
                    let mut request =
                        Maker { world: &self.world, chance: &mut self.chance }.request(&operation, who);
                    request.path = operation.path.replace("{id}", &thing.id);
                    request.names = Some((thing.kind, thing.whose));
                    self.look_at(&operation, &request).await;
                }
            }
        }
    }

    /// Every list, from every place that is none, by somebody who may see it.
    async fn turn_every_page(&mut self) {
        for operation in self.operations.clone() {
            if !operation.parameters("query").iter().any(|parameter| parameter["name"] == "cursor") {
                continue;
            }
            for cursor in cursors() {
                let mut request =
                    Maker { world: &self.world, chance: &mut self.chance }.request(&operation, Who::Admin);
                request.query = format!("cursor={cursor}");
                request.is_as_documented = false;
                self.look_at(&operation, &request).await;
            }
        }
    }

    /// Every call in turn, by one of these, until time is up.
    async fn ask_for(&mut self, time: Duration, people: &[Who]) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            for at in 0..self.operations.len() {
                let operation = self.operations[at].clone();
                let who = *self.chance.one_of(people);
                let is_spoiled = self.chance.once_in(2);
                self.ask(&operation, who, is_spoiled).await;
            }
        }
    }

    /// Chance may have missed something, which says nothing about the service.
    async fn reach_what_was_not_reached(&mut self) {
        for round in 0..MORE_ROUNDS {
            let missed: Vec<_> = (self.operations.iter())
                .filter(|operation| is_missed(&operation.name(), self.coverage[&operation.name()]))
                .cloned()
                .collect();
            if missed.is_empty() {
                return;
            }
            // What is needed for some of them may be used up by now.
            if round % 10 == 0 {
                self.world.restock().await;
            }
            for name in MAKING {
                let making = self.operations.iter().find(|operation| operation.is(name)).cloned();
                self.ask(&making.expect("it is documented"), Who::Organiser, false).await;
            }
            for operation in missed {
                for who in Who::OUTSIDERS.into_iter().chain(Who::INSIDERS) {
                    self.ask(&operation, who, self.asked.is_multiple_of(4)).await;
                }
            }
        }
    }

    async fn ask(&mut self, operation: &Operation, who: Who, is_spoiled: bool) {
        let mut request = Maker { world: &self.world, chance: &mut self.chance }.request(operation, who);
        if is_spoiled {
            spoil(&mut self.chance, operation, &mut request);
        }
        self.look_at(operation, &request).await;
    }

    async fn look_at(&mut self, operation: &Operation, request: &Request) {
        self.asked += 1;
        let answer = self.send(request).await;
        let faults = faults(&self.world, operation, request, &answer);
        for fault in faults {
            let shown = String::from_utf8_lossy(&answer.bytes[..answer.bytes.len().min(2000)]);
            let told = format!("{request}\nanswers {}: {shown}", answer.status);
            self.found.entry(format!("{}: {fault}", operation.name())).or_insert(told);
        }
        let seen = self.coverage.get_mut(&operation.name()).expect("counted");
        if answer.status < 400 {
            seen.0 += 1;
            if operation.method == "post" {
                self.world.learn(request.who, &request.path, &answer.json().unwrap_or(Value::Null));
            }
        } else {
            seen.1 += 1;
        }
    }

    /// Who is told to come back comes back: a busy machine may be late, but nothing that was asked may keep it away. So does
    /// who is hung up on, once: a connection that was kept may end in the moment in which it is used.
    async fn send(&self, request: &Request) -> Answered {
        let until = Instant::now() + PATIENCE;
        let mut hung_up = 0;
        loop {
            match self.send_once(request).await {
                Ok(answer) if answer.status != 503 || Instant::now() > until => return answer,
                Ok(_) => {}
                Err(why) if hung_up > 0 => {
                    panic!("HOLDFAST_SEED={}: no answer at all: {why:?}\n{request}", self.chance.seed())
                }
                Err(_) => hung_up += 1,
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn send_once(&self, request: &Request) -> reqwest::Result<Answered> {
        let mark = if request.query.is_empty() { "" } else { "?" };
        let path = format!("{}{mark}{}", request.path, request.query);
        let method = request.method.to_uppercase().parse().expect("a method");
        let mut sent = self.world.person(request.who).request(method, &path);
        for (name, value) in &request.headers {
            let name: HeaderName = name.parse().expect("a header");
            sent = sent.header(name, HeaderValue::from_bytes(value).expect("what a header can hold"));
        }
        let mut answer = sent.body(request.body.clone()).send().await?;
        let kind =
            answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().to_owned();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        // A stream has no end; its beginning is all that there is to see.
        let is_stream = kind == "text/event-stream";
        let bytes =
            if is_stream { answer.chunk().await?.unwrap_or_default() } else { answer.bytes().await? };
        Ok(Answered { status, kind, headers, bytes: bytes.to_vec() })
    }
}
