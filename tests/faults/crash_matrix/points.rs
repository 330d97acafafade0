//! The table: which story reaches which step, and which row of the catalogue of faults each side of it is.

use holdfast::proof::{Side, Step};

use super::stories::Story;

/// A story in which a node stops at a step, the first time that it gets there once people have come so far.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub story: Story,
    /// What people must have come to before it counts; empty: it counts from the beginning.
    pub during: &'static str,
}

const fn first(story: Story) -> Plan {
    Plan { story, during: "" }
}

const fn at(story: Story, during: &'static str) -> Plan {
    Plan { story, during }
}

/// Every story that a step is stopped in. The first plays on every topology, the others on a Redis alone.
///
/// A step without a story does not compile.
#[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "a table: a line for each step")]
pub fn plans(step: Step) -> &'static [Plan] {
    use Story::{
        ABankTakesItsTime, BlocksASeat, BlocksASeatAndLeaves, BuysASeat, CallsItOff, CallsItOffAndLeaves,
        CallsOffUnpaid, DeclinesAnOffer, EndsUnheard, EndsWhileStripeThinks, GivesAPartBack, GivesSeats,
        HouseCancels, IsDeclined, IsGivenBackAtStripe, IsNobodysMoney, IsPassedOver, IsRefusedAtCheckout,
        LeavesAStrayDoor, LeavesWhileAsked, LetsAnOfferLapse, LetsTheLastOfferLapse, MovesATicket,
        MovesATicketAndLeaves, OpensASale, OpensASaleAndLeaves, PaysTooLate, PaysTooLateForAHeldSeat,
        RebuildsThePicture, WaitsForASeat, WaitsInVain, WalksAway,
    };
    match step {
        Step::Hold => const { &[at(BuysASeat, "holds"), first(WalksAway)] },
        Step::BeginOnce => const { &[at(BuysASeat, "checks out"), at(WalksAway, "checks out")] },
        Step::Claims => const { &[at(BuysASeat, "checks out"), first(WalksAway)] },
        Step::Pin => {
            const { &[at(BuysASeat, "checks out"), first(WalksAway), at(ABankTakesItsTime, "the bank thinks")] }
        }
        Step::OpenIntent => const { &[at(BuysASeat, "checks out"), first(WalksAway)] },
        Step::StoreIntent => const { &[at(BuysASeat, "checks out"), first(WalksAway)] },
        Step::KeepAnswer => {
            const { &[at(BuysASeat, "checks out"), at(BuysASeat, "holds"), at(WalksAway, "checks out")] }
        }
        Step::Inbox => const { &[first(BuysASeat), first(IsDeclined)] },
        Step::FetchIntent => const { &[first(BuysASeat), first(IsDeclined)] },
        Step::TakeAgain => const { &[first(PaysTooLate), first(PaysTooLateForAHeldSeat)] },
        Step::Decide => const { &[first(BuysASeat), first(PaysTooLate), first(PaysTooLateForAHeldSeat)] },
        Step::Show => {
            const { &[first(BuysASeat), first(WalksAway), first(CallsOffUnpaid), at(CallsItOff, "calls it off")] }
        }
        Step::CloseOutbox => const { &[first(BuysASeat), first(WalksAway)] },
        Step::CloseInbox => const { &[first(BuysASeat), first(IsDeclined)] },
        Step::BeginClosing => const { &[first(WalksAway), first(CallsOffUnpaid), first(IsDeclined)] },
        Step::CancelIntent => const { &[first(WalksAway), first(CallsOffUnpaid), first(IsDeclined)] },
        Step::FinishClosing => const { &[first(WalksAway), first(CallsOffUnpaid), first(IsDeclined)] },
        Step::CallOff => const { &[first(CallsItOff), first(CallsItOffAndLeaves), first(HouseCancels)] },
        Step::SendRefund => {
            const { &[first(CallsItOff), first(PaysTooLateForAHeldSeat), first(HouseCancels)] }
        }
        Step::RecordRefund => const { &[first(CallsItOff), first(PaysTooLateForAHeldSeat)] },
        // Before it, the party is asked in vain.
        Step::GrantOffer => {
            const { &[at(WaitsForASeat, "calls it off"), at(LetsAnOfferLapse, "nobody answers")] }
        }
        Step::NoteOffer => const { &[first(WaitsForASeat)] },
        // While somebody else waits, writing down what they are offered may end it, too.
        Step::LapseOffer => const { &[first(LetsTheLastOfferLapse)] },
        // First with somebody on the list, then with nobody left.
        Step::LetGo => {
            const { &[at(WaitsForASeat, "calls it off"), first(WaitsForASeat), first(LetsAnOfferLapse)] }
        }
        Step::RaiseEpoch => {
            const {
                &[
                    at(OpensASale, "opens"),
                    at(RebuildsThePicture, "the picture is lost"),
                    first(OpensASaleAndLeaves),
                ]
            }
        }
        // The hall of the rebuild has two parts: it stops with half of it there.
        Step::LoadPart => {
            const {
                &[
                    at(RebuildsThePicture, "the picture is lost"),
                    at(OpensASale, "opens"),
                    first(OpensASaleAndLeaves),
                ]
            }
        }
        Step::LoadMarker => {
            const {
                &[
                    at(RebuildsThePicture, "the picture is lost"),
                    at(OpensASale, "opens"),
                    first(OpensASaleAndLeaves),
                ]
            }
        }
        Step::KeepSeat => const { &[at(MovesATicket, "moves"), first(MovesATicketAndLeaves)] },
        Step::Move => const { &[at(MovesATicket, "moves"), first(MovesATicketAndLeaves)] },
        Step::SendLetter => const { &[first(BuysASeat)] },
        Step::MarkLetter => const { &[first(BuysASeat)] },
        Step::CollectNotes => const { &[first(BuysASeat)] },
        Step::Deliver => const { &[first(BuysASeat)] },
        Step::RecordTold => const { &[first(BuysASeat)] },
        Step::ShowBlocked => const { &[at(BlocksASeat, "blocks"), first(BlocksASeatAndLeaves)] },
        Step::Block => const { &[at(BlocksASeat, "blocks"), first(BlocksASeatAndLeaves)] },
        Step::Unblock => const { &[at(BlocksASeat, "puts it back"), first(BlocksASeatAndLeaves)] },
        Step::ShowUnblocked => const { &[at(BlocksASeat, "puts it back"), first(BlocksASeatAndLeaves)] },
        Step::Give => const { &[at(GivesSeats, "gives")] },
        Step::OwePart => const { &[at(GivesAPartBack, "gives a part back")] },
        Step::CancelEvent => const { &[at(HouseCancels, "the house cancels")] },
        Step::ApplyRules => const { &[at(HouseCancels, "the house cancels")] },
        // At the bank's first word, and when the order's time is over.
        Step::KeepProcessing => {
            const { &[at(ABankTakesItsTime, "the bank thinks"), at(ABankTakesItsTime, "its time is up")] }
        }
        Step::OpenToShut => const { &[at(EndsUnheard, "the order closes")] },
        Step::CancelUnwanted => const { &[at(EndsWhileStripeThinks, "checks out")] },
        Step::ShutStray => const { &[first(LeavesAStrayDoor)] },
        Step::AdoptIntent => const { &[first(IsGivenBackAtStripe)] },
        Step::AdoptRefund => const { &[first(IsGivenBackAtStripe)] },
        Step::Park => const { &[first(IsNobodysMoney)] },
        Step::GiveBack => const { &[at(IsRefusedAtCheckout, "checks out")] },
        Step::Join => const { &[at(WaitsForASeat, "joins the list")] },
        Step::BeginWaiting => const { &[at(WaitsForASeat, "joins the list")] },
        Step::Leave => const { &[at(DeclinesAnOffer, "declines"), at(WaitsForASeat, "the last one leaves")] },
        Step::ReleaseDeclined => const { &[at(DeclinesAnOffer, "declines")] },
        Step::TakeOfferBack => const { &[at(LeavesWhileAsked, "leaves")] },
        Step::PassOver => const { &[first(IsPassedOver)] },
        Step::AllServed => const { &[first(WaitsForASeat)] },
        Step::CloseList => const { &[at(WaitsInVain, "the house cancels")] },
        // `holdfast migrate` is a process of its own, and so are its cells.
        Step::Migrate => &[],
    }
}

/// Whether a step is beside the way from a seat to its money: what organisers do, the waiting list, and payments that go
/// wrong in ways of their own.
pub fn is_beside(step: Step) -> bool {
    let at = |one: Step| Step::ALL.iter().position(|other| *other == one);
    at(step) >= at(Step::RecordTold) && step != Step::Migrate
}

/// The rows of the catalogue that this point is, by their numbers there.
pub fn rows(step: Step, side: Side) -> &'static [u8] {
    use Side::{After, Before};
    match (step, side) {
        (Step::Hold | Step::BeginOnce, Before) => &[1],
        (Step::Hold, After) => &[2],
        (Step::Claims, After) | (Step::Pin, Before) => &[3],
        (Step::OpenIntent, After) => &[4],
        (Step::StoreIntent, Before) => &[4, 5],
        (Step::StoreIntent, After) | (Step::KeepAnswer, Before) => &[6],
        (Step::Inbox, Before) => &[7],
        (Step::Inbox, After) | (Step::FetchIntent, Before) => &[8],
        (Step::Decide, Before) => &[9],
        (Step::Decide, After) => &[10, 12],
        (Step::Show, After) | (Step::CloseOutbox, Before) => &[11],
        (Step::SendRefund, Before) => &[12],
        (Step::SendRefund, After) => &[13],
        (Step::RecordRefund, Before) => &[13, 14],
        (Step::CancelIntent, After) | (Step::FinishClosing, Before) => &[15],
        (Step::FinishClosing, After) | (Step::Show, Before) => &[16],
        (Step::NoteOffer, After) => &[17],
        (Step::CallOff, After) => &[18],
        (Step::SendLetter, After) | (Step::MarkLetter, Before) => &[19],
        (Step::LoadPart, After) | (Step::LoadMarker, Before) => &[20],
        (Step::Migrate, Before | After) => &[21],
        // Named later than the catalogue was written.
        (
            Step::BeginOnce
            | Step::Pin
            | Step::KeepAnswer
            | Step::FetchIntent
            | Step::CloseOutbox
            | Step::RecordRefund
            | Step::MarkLetter
            | Step::LoadMarker,
            After,
        )
        | (
            Step::Claims
            | Step::OpenIntent
            | Step::CancelIntent
            | Step::NoteOffer
            | Step::CallOff
            | Step::SendLetter
            | Step::LoadPart,
            Before,
        )
        | (
            Step::TakeAgain
            | Step::CloseInbox
            | Step::BeginClosing
            | Step::GrantOffer
            | Step::LapseOffer
            | Step::LetGo
            | Step::RaiseEpoch
            | Step::KeepSeat
            | Step::Move
            | Step::CollectNotes
            | Step::Deliver
            | Step::RecordTold
            | Step::ShowBlocked
            | Step::Block
            | Step::Unblock
            | Step::ShowUnblocked
            | Step::Give
            | Step::OwePart
            | Step::CancelEvent
            | Step::ApplyRules
            | Step::KeepProcessing
            | Step::OpenToShut
            | Step::CancelUnwanted
            | Step::ShutStray
            | Step::AdoptIntent
            | Step::AdoptRefund
            | Step::Park
            | Step::GiveBack
            | Step::Join
            | Step::BeginWaiting
            | Step::Leave
            | Step::ReleaseDeclined
            | Step::TakeOfferBack
            | Step::PassOver
            | Step::AllServed
            | Step::CloseList,
            Before | After,
        ) => &[],
    }
}

/// Row 22, a graceful stop, is not a point but all of them: each is stopped at politely, too.
pub const GRACEFUL_STOP: u8 = 22;
