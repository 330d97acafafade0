//! What a test build can do to itself: stop dead at a named step, or run without one of its guards.
//!
//! Every step between Redis, Postgres, Stripe and the mail server has a name here. A test ends or freezes a node
//! right before or right after it, and asks afterwards whether anything was lost; or it takes a guard away, and the
//! other tests have to notice. None of this is in an ordinary build: without the feature `proof`, a step is what
//! it wraps and a guard is always there.

/// A change that one side is asked to make: where a node may die before it, or after it without having heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "proof", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Step {
    /// Redis: the seats are taken.
    Hold,
    /// Postgres: the idempotency record of a call, with the id of what it will make.
    BeginOnce,
    /// Postgres: the order and its claims.
    Claims,
    /// Redis: the flags live as long as the claims.
    Pin,
    /// Stripe: a PaymentIntent.
    OpenIntent,
    /// Postgres: which PaymentIntent.
    StoreIntent,
    /// Postgres: the answer of a call, for its repeat.
    KeepAnswer,
    /// Postgres: a webhook in the inbox.
    Inbox,
    /// Stripe: the PaymentIntent as it is now.
    FetchIntent,
    /// Redis: a late payment's seats are taken again.
    TakeAgain,
    /// Postgres: what a payment means for its order.
    Decide,
    /// Redis: an order's seats look like what Postgres says.
    Show,
    /// Postgres: the outbox' row is done.
    CloseOutbox,
    /// Postgres: the webhook is worked through.
    CloseInbox,
    /// Postgres: an order is about to be closed.
    BeginClosing,
    /// Stripe: the money door is shut.
    CancelIntent,
    /// Postgres: the order is closed, its claims are gone.
    FinishClosing,
    /// Postgres: a confirmed order is called off, its refund owed.
    CallOff,
    /// Stripe: a refund.
    SendRefund,
    /// Postgres: what Stripe said of the refund.
    RecordRefund,
    /// Redis: seats are offered to a waiting party.
    GrantOffer,
    /// Postgres: the offer is written down.
    NoteOffer,
    /// Postgres: an offer that nobody took up is over.
    LapseOffer,
    /// Redis: seats that no waiting party can use go to the public.
    LetGo,
    /// Postgres: an event's picture gets a new epoch.
    RaiseEpoch,
    /// Redis: a part of a new picture.
    LoadPart,
    /// Redis: the marker of a new picture.
    LoadMarker,
    /// Redis: the seat that a ticket moves to is kept.
    KeepSeat,
    /// Postgres: a ticket moves.
    Move,
    /// The mail server: a letter.
    SendLetter,
    /// Postgres: the letter is marked.
    MarkLetter,
    /// Postgres: notes for other systems are in the log.
    CollectNotes,
    /// Another system: it is told.
    Deliver,
    /// Postgres: what another system answered.
    RecordTold,
    /// Redis: seats are taken out of the sale.
    ShowBlocked,
    /// Postgres: the claims of seats that are out of the sale.
    Block,
    /// Postgres: those claims are gone.
    Unblock,
    /// Redis: those seats are free.
    ShowUnblocked,
    /// Postgres: a guest's order, confirmed at once.
    Give,
    /// Postgres: a part of an order's money is owed.
    OwePart,
    /// Postgres: an event is cancelled.
    CancelEvent,
    /// Redis: an event's rules.
    ApplyRules,
    /// Postgres: an order waits for a slow bank.
    KeepProcessing,
    /// Stripe: a PaymentIntent that nobody has heard of is asked for, to be cancelled.
    OpenToShut,
    /// Stripe: a PaymentIntent is cancelled whose order ended while it was opened.
    CancelUnwanted,
    /// Stripe: a PaymentIntent is cancelled that another one has taken the place of.
    ShutStray,
    /// Postgres: a payment that was found at Stripe is the order's own.
    AdoptIntent,
    /// Postgres: a refund that was made at Stripe is one of ours.
    AdoptRefund,
    /// Postgres: money of no order waits for a person.
    Park,
    /// Redis: a hold that was refused at checkout is gone.
    GiveBack,
    /// Postgres: a party waits.
    Join,
    /// Redis: whatever comes free is kept for those who wait.
    BeginWaiting,
    /// Postgres: a party waits no longer, or has declined.
    Leave,
    /// Redis: what was declined is gone.
    ReleaseDeclined,
    /// Redis: what was granted to a party that has left is gone.
    TakeOfferBack,
    /// Postgres: why a party is passed over.
    PassOver,
    /// Postgres: nobody waits.
    AllServed,
    /// Postgres: all waiting for an event ends.
    CloseList,
    /// Postgres: the next migration.
    Migrate,
}

/// A guard that can be taken away, to see which test notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "proof", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Bug {
    /// `release` gives anybody's hold back.
    ReleaseWithoutOwner,
    /// A hold may be replaced by anybody.
    ReplaceWithoutOwner,
    /// `free` frees a seat whoever has it.
    FreeWithoutOwner,
    /// `hold` takes what is free of a choice, instead of all or nothing.
    HoldSomeSeats,
    /// `hold` does not look for the readiness marker.
    MarkerIgnored,
    /// A rebuild writes its marker first.
    MarkerFirst,
    /// The sweep frees seats whose flag is still there.
    SweepIgnoresFlags,
    /// `hold` gives the public what is kept for the waiting list.
    KeptSeatToPublic,
    /// `offer` does not look whether something came free meanwhile.
    OfferIgnoresNews,
    /// `hold` lets in whoever has not come through the waiting room.
    AdmissionNotChecked,
    /// Anybody's hold can be checked out.
    HoldOfOthersCheckedOut,
    /// A checkout does not count the claims that it got.
    ClaimsNotCounted,
    /// A claim past its time is taken over, whatever its order is.
    OpenOrderTakenOver,
    /// An order confirms without looking at its claims.
    ConfirmWithoutClaims,
    /// The captured amount is not compared with the order's.
    AmountNotCompared,
    /// Any PaymentIntent that names the order is taken for its own.
    ForeignIntentTaken,
    /// Each try to open an order's payment opens another.
    PaymentWithoutKey,
    /// Seats are given up before Stripe has shut the money door.
    SeatsBeforeDoor,
    /// A payment that is under way is taken for none.
    ProcessingTakenForShut,
    /// A payment that comes too late is kept.
    LatePaymentKept,
    /// A refund is sent under a new key each time.
    RefundWithoutKey,
    /// A refund that is asked for again is owed again.
    RefundEachTime,
    /// A part to give back is not compared with what is left.
    RefundBeyondCapture,
    /// A webhook is acknowledged before it is stored.
    InboxNotDurable,
    /// A webhook's signature is not checked.
    SignatureNotChecked,
    /// A webhook's age is not checked.
    StaleWebhookTaken,
    /// The same idempotency key answers for another body.
    OtherBodyAnswered,
    /// Whoever rebuilds or compares a picture does not see what is at checkout.
    RebuildForgetsCheckouts,
    /// Orders are found without asking whose they are.
    OrdersOfOthers,
    /// A state moves without a row in the history.
    MoveWithoutLog,
    /// What is owed to Redis and Stripe is not committed with the decision.
    EffectNotOwed,
    /// What is owed is forgotten when it fails.
    DebtForgotten,
    /// A door does not look whether a ticket has let somebody in.
    TicketLetsInTwice,
    /// Play money is taken for real, and the other way round.
    ForeignMoneyTaken,
}

impl Step {
    pub const ALL: [Self; 59] = [
        Self::Hold,
        Self::BeginOnce,
        Self::Claims,
        Self::Pin,
        Self::OpenIntent,
        Self::StoreIntent,
        Self::KeepAnswer,
        Self::Inbox,
        Self::FetchIntent,
        Self::TakeAgain,
        Self::Decide,
        Self::Show,
        Self::CloseOutbox,
        Self::CloseInbox,
        Self::BeginClosing,
        Self::CancelIntent,
        Self::FinishClosing,
        Self::CallOff,
        Self::SendRefund,
        Self::RecordRefund,
        Self::GrantOffer,
        Self::NoteOffer,
        Self::LapseOffer,
        Self::LetGo,
        Self::RaiseEpoch,
        Self::LoadPart,
        Self::LoadMarker,
        Self::KeepSeat,
        Self::Move,
        Self::SendLetter,
        Self::MarkLetter,
        Self::CollectNotes,
        Self::Deliver,
        Self::RecordTold,
        Self::ShowBlocked,
        Self::Block,
        Self::Unblock,
        Self::ShowUnblocked,
        Self::Give,
        Self::OwePart,
        Self::CancelEvent,
        Self::ApplyRules,
        Self::KeepProcessing,
        Self::OpenToShut,
        Self::CancelUnwanted,
        Self::ShutStray,
        Self::AdoptIntent,
        Self::AdoptRefund,
        Self::Park,
        Self::GiveBack,
        Self::Join,
        Self::BeginWaiting,
        Self::Leave,
        Self::ReleaseDeclined,
        Self::TakeOfferBack,
        Self::PassOver,
        Self::AllServed,
        Self::CloseList,
        Self::Migrate,
    ];
}

impl Bug {
    pub const ALL: [Self; 34] = [
        Self::ReleaseWithoutOwner,
        Self::ReplaceWithoutOwner,
        Self::FreeWithoutOwner,
        Self::HoldSomeSeats,
        Self::MarkerIgnored,
        Self::MarkerFirst,
        Self::SweepIgnoresFlags,
        Self::KeptSeatToPublic,
        Self::OfferIgnoresNews,
        Self::AdmissionNotChecked,
        Self::HoldOfOthersCheckedOut,
        Self::ClaimsNotCounted,
        Self::OpenOrderTakenOver,
        Self::ConfirmWithoutClaims,
        Self::AmountNotCompared,
        Self::ForeignIntentTaken,
        Self::PaymentWithoutKey,
        Self::SeatsBeforeDoor,
        Self::ProcessingTakenForShut,
        Self::LatePaymentKept,
        Self::RefundWithoutKey,
        Self::RefundEachTime,
        Self::RefundBeyondCapture,
        Self::InboxNotDurable,
        Self::SignatureNotChecked,
        Self::StaleWebhookTaken,
        Self::OtherBodyAnswered,
        Self::RebuildForgetsCheckouts,
        Self::OrdersOfOthers,
        Self::MoveWithoutLog,
        Self::EffectNotOwed,
        Self::DebtForgotten,
        Self::TicketLetsInTwice,
        Self::ForeignMoneyTaken,
    ];
}

/// Does a step. In a test build, the node may end right before it or right after.
#[inline]
pub fn step<F: Future>(step: Step, doing: F) -> impl Future<Output = F::Output> {
    inside::step(step, doing)
}

/// Whether a guard was taken away. Never, but in a test build that was told so.
#[inline]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    inside::planted(bug)
}

/// A script as it is, or without the guard that was taken away.
pub(crate) fn script(text: &'static str) -> &'static str {
    inside::script(text)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "proof", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Side {
    Before,
    /// It happened, and nobody here has heard of it.
    After,
}

#[cfg(feature = "proof")]
pub use self::inside::{ARMED_BY, BUG, Fate, STOP_AT, Stop};

#[cfg(not(feature = "proof"))]
mod inside {
    use super::{Bug, Step};

    #[inline]
    pub fn step<F: Future>(_: Step, doing: F) -> F {
        doing
    }

    #[inline]
    pub fn planted(_: Bug) -> bool {
        false
    }

    pub fn script(text: &'static str) -> &'static str {
        text
    }
}

#[cfg(feature = "proof")]
mod inside;
#[cfg(feature = "proof")]
mod scripts;
