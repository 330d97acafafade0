//! One cell: a story, a node that stops at a point of it, what is done then, and the whole audit afterwards.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use holdfast::proof::{ARMED_BY, Fate, STOP_AT, Side, Step, Stop};

use super::afterwards::all_is_as_promised;
use super::points::Plan;
use super::stage::{Stage, Stand};
use crate::stand::Node;

/// How long a worker may still take to get to its step when the story has been told: it may have lost its Postgres to a
/// neighbour's crash with a letter in its hands, and waits for the lease of a minute then.
const STRAGGLERS: Duration = Duration::from_secs(100);
/// How long it may take to a second step, which need not be on the way back at all.
const STRAGGLERS_AGAIN: Duration = Duration::from_secs(40);
/// How long a node may take to end after it was asked to: as long as its settings allow, and a busy machine's share.
const POLITENESS: Duration = Duration::from_secs(25);

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disaster {
    /// The node dies as by `kill -9`, and another one starts.
    Dies,
    /// So does the one that comes after it, at another point or the same, and a third one starts.
    DiesAgain(Stop),
    /// The node sleeps while another one goes on, and wakes up when everything has been decided without it.
    Sleeps,
    /// A supervisor asks the node to end, and starts another.
    IsAskedToEnd,
    /// Redis ends, and comes back empty; the node has only waited.
    RedisIsLost,
    /// Postgres crashes, and comes back; the node has only waited.
    PostgresCrashes,
}

#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub step: Step,
    pub side: Side,
    pub plan: Plan,
    pub disaster: Disaster,
}

/// What came of a cell that went well.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the people of the story were about to do when it happened.
    pub during: &'static str,
    /// Whether the second death came, too.
    pub again: bool,
}

impl Cell {
    pub fn stop(&self) -> Stop {
        let fate = match self.disaster {
            Disaster::Dies | Disaster::DiesAgain(_) => Fate::Die,
            Disaster::Sleeps | Disaster::IsAskedToEnd | Disaster::RedisIsLost | Disaster::PostgresCrashes => {
                Fate::Freeze
            }
        };
        Stop { step: self.step, side: self.side, fate, nth: 1 }
    }

    pub fn name(&self) -> String {
        let then = match self.disaster {
            Disaster::Dies => String::new(),
            Disaster::DiesAgain(stop) => format!(" and again at {stop}"),
            Disaster::Sleeps => " and wakes up late".to_owned(),
            Disaster::IsAskedToEnd => " and is asked to end".to_owned(),
            Disaster::RedisIsLost => " while Redis is lost".to_owned(),
            Disaster::PostgresCrashes => " while Postgres crashes".to_owned(),
        };
        let since = match self.plan.during {
            "" => String::new(),
            act => format!(" once somebody {act}"),
        };
        format!("{} {}{since}{then}", self.stop(), self.plan.story.name())
    }

    /// Plays it, and has nothing to say where the story passed its point by. `logs` is set as soon as there is something to read
    /// should it go wrong.
    pub async fn play(self, stand: Arc<Stand>, number: u32, logs: Arc<OnceLock<PathBuf>>) -> Option<Outcome> {
        let forgets = self.disaster == Disaster::RedisIsLost;
        let story = self.plan.story;
        let name = format!("house_{number}");
        let stage = Stage::open(&stand, &name, number, (forgets, self.plan.during), |settings| {
            story.settings(settings)
        })
        .await;
        let _ = logs.set(stage.logs());
        let mut victim = armed(&stage, "victim", Some(self.stop()));
        if !self.plan.during.is_empty() {
            victim.settings = victim.settings.with(ARMED_BY, stage.arm().display());
        }
        victim.start().await;
        stage.house.is_served_by(&[&victim]).await;

        let told = AtomicBool::new(false);
        let telling = async {
            let ending = story.play(&stage).await;
            told.store(true, Ordering::SeqCst);
            ending
        };
        // Whichever goes wrong first is what went wrong.
        let (ending, (outcome, mut nodes)) = tokio::join!(telling, self.strike(&stage, victim, &told));
        if self.disaster == Disaster::Sleeps && outcome.is_some() {
            // Everything was decided without it. Now it goes on where it was.
            nodes[0].thaw();
            stage.house.is_served_by(&nodes.iter().collect::<Vec<_>>()).await;
        }
        all_is_as_promised(&stage, &ending).await;
        for node in &mut nodes {
            assert!(node.runs(), "{} has ended by itself:\n{}", node.name, node.last_words());
            node.kill();
        }
        outcome
    }

    /// Waits for the point, does what is to be done there, and answers with the nodes that are left.
    async fn strike(
        &self,
        stage: &Stage,
        mut victim: Node,
        told: &AtomicBool,
    ) -> (Option<Outcome>, Vec<Node>) {
        let mut watch = Watch { told, since: None, patience: STRAGGLERS };
        let dies = matches!(self.disaster, Disaster::Dies | Disaster::DiesAgain(_));
        while if dies { victim.runs() } else { !victim.is_frozen() } {
            assert!(victim.runs(), "{} has ended by itself:\n{}", victim.name, victim.last_words());
            if !watch.goes_on() {
                return (None, vec![victim]);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut outcome = Outcome { during: stage.now(), again: false };
        let nodes = match self.disaster {
            Disaster::Dies => {
                died_there(&mut victim);
                vec![relieved_by(stage, "rescuer", None).await]
            }
            Disaster::DiesAgain(second) => {
                died_there(&mut victim);
                let mut rescuer = armed(stage, "rescuer", Some(second));
                let arm = stage.house.folder.path("rescuer-is-armed");
                std::fs::write(&arm, []).expect("a file");
                rescuer.settings = rescuer.settings.with(ARMED_BY, arm.display());
                // It may be gone before it has told anybody that it is there.
                rescuer.launch();
                stage.house.is_served_by(&[&rescuer]).await;
                let mut watch = Watch { told, since: None, patience: STRAGGLERS_AGAIN };
                while rescuer.runs() && watch.goes_on() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                // Nobody stands by for a death that comes any later, when the lease of a letter is over.
                std::fs::remove_file(&arm).expect("it is there");
                tokio::time::sleep(Duration::from_millis(200)).await;
                if rescuer.runs() {
                    // What the first had done was enough: the second point is not on the way back.
                    vec![rescuer]
                } else {
                    died_there(&mut rescuer);
                    outcome.again = true;
                    vec![relieved_by(stage, "second-rescuer", None).await]
                }
            }
            Disaster::Sleeps => vec![victim, relieved_by(stage, "rescuer", None).await],
            Disaster::IsAskedToEnd => {
                victim.is_asked_to_end();
                victim.thaw();
                let rescuer = relieved_by(stage, "rescuer", None).await;
                let asked = Instant::now();
                while victim.runs() {
                    assert!(asked.elapsed() < POLITENESS, "it does not end:\n{}", victim.last_words());
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let end = victim.ended().expect("it has ended");
                assert!(end.success(), "a polite end is a good one, not {end}:\n{}", victim.last_words());
                vec![rescuer]
            }
            Disaster::RedisIsLost => {
                let mut memory = stage.stand.memory.write().await;
                memory.instances[0].kill();
                memory.instances[0].start().await;
                victim.thaw();
                vec![victim]
            }
            Disaster::PostgresCrashes => {
                stage.stand.database.write().await.crash_and_restart().await;
                victim.thaw();
                vec![victim]
            }
        };
        (Some(outcome), nodes)
    }
}

/// Says whether there is any sense in waiting on.
struct Watch<'a> {
    told: &'a AtomicBool,
    since: Option<Instant>,
    patience: Duration,
}

impl Watch<'_> {
    fn goes_on(&mut self) -> bool {
        if self.told.load(Ordering::SeqCst) {
            self.since.get_or_insert_with(Instant::now);
        }
        self.since.is_none_or(|told| told.elapsed() < self.patience)
    }
}

fn armed(stage: &Stage, name: &str, stop: Option<Stop>) -> Node {
    let settings = stage.house.settings.clone();
    let settings = match stop {
        Some(stop) => settings.with(STOP_AT, stop),
        None => settings,
    };
    Node::new(&stage.house.folder, name, settings)
}

/// A node that starts where another one is gone or sleeps: people and Stripe know it from now on.
async fn relieved_by(stage: &Stage, name: &str, stop: Option<Stop>) -> Node {
    let mut node = armed(stage, name, stop);
    node.start().await;
    stage.house.is_served_by(&[&node]).await;
    node
}

/// It died by its own hand at the point, and not of something else.
fn died_there(node: &mut Node) {
    use std::os::unix::process::ExitStatusExt as _;
    let end = node.ended();
    let signal = end.and_then(|end| end.signal());
    assert_eq!(signal, Some(9), "{} ended otherwise: {end:?}\n{}", node.name, node.last_words());
}

impl Cell {
    /// Roughly how many seconds it has to wait: for the lease of a letter or of news, for the key of a call, for any
    /// other lease.
    pub fn wait(&self) -> u32 {
        match self.step {
            // Stripe's word of an order that nobody has is tried again and again.
            Step::Park => 180,
            Step::SendLetter
            | Step::MarkLetter
            | Step::KeepSeat
            | Step::LoadPart
            | Step::Deliver
            | Step::SendRefund
            | Step::RecordRefund
            | Step::GrantOffer
            | Step::NoteOffer
            | Step::Leave
            | Step::ReleaseDeclined
            | Step::TakeOfferBack
            | Step::PassOver
            | Step::CloseList => 62,
            Step::Hold
            | Step::BeginOnce
            | Step::Claims
            | Step::Pin
            | Step::OpenIntent
            | Step::StoreIntent
            | Step::KeepAnswer
            | Step::CallOff
            | Step::Move
            | Step::RaiseEpoch
            | Step::LoadMarker
            | Step::Give
            | Step::OwePart
            | Step::CancelUnwanted
            | Step::GiveBack
            | Step::Join
            | Step::BeginWaiting => 30,
            Step::Inbox
            | Step::FetchIntent
            | Step::TakeAgain
            | Step::Decide
            | Step::Show
            | Step::CloseOutbox
            | Step::CloseInbox
            | Step::BeginClosing
            | Step::CancelIntent
            | Step::FinishClosing
            | Step::LapseOffer
            | Step::LetGo
            | Step::CollectNotes
            | Step::Migrate
            | Step::RecordTold
            | Step::ShowBlocked
            | Step::Block
            | Step::Unblock
            | Step::ShowUnblocked
            | Step::CancelEvent
            | Step::ApplyRules
            | Step::KeepProcessing
            | Step::OpenToShut
            | Step::ShutStray
            | Step::AdoptIntent
            | Step::AdoptRefund
            | Step::AllServed => 15,
        }
    }
}
