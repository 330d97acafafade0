//! The steps of the protocol, and where the code does each.
//!
//! A step is what happens in one store at one moment: one script, one transaction, one call to Stripe. Whatever lies
//! between two of them is a moment at which somebody else may act, or the node may die.

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident: $($place:literal),*;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Step {
            $($(#[$doc])* $name,)*
        }

        impl Step {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Where the code says `Model:` and this step's name, once in each file. Faults have no place in it.
            pub fn places(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($place,)*],)*
                }
            }
        }
    };
}

steps! {
    // Holds.
    /// All of the wish, or nothing.
    Hold: "lua/hold.lua", "lua/hold_best.lua";
    /// Time is over: Redis drops a hold's flags, all in one moment.
    FlagsLapse: "lua/shared/granting.lua";
    /// The hold whose flags are gone is consumed and its seats come free.
    Sweep: "lua/shared/expiry.lua";

    // Checkout.
    ReadHold: "src/orders/checkout.rs";
    /// One transaction: order, claims, owed payment; an offer is taken up.
    TakeClaims: "src/orders/checkout.rs";
    /// A seat was refused: the hold goes back, and the picture is repaired.
    GiveBack: "src/orders/checkout.rs";
    /// By whoever goes on with a checkout that was broken off.
    ReadPinned: "src/orders/checkout.rs";
    Pin: "src/orders/checkout.rs";
    /// The flags had gone before they were pinned.
    ClaimAgain: "src/orders/checkout.rs";
    ReadWanted: "src/orders/payment.rs";
    OpenIntent: "src/orders/payment.rs";
    StoreIntent: "src/orders/payment.rs";
    /// The order closed while Stripe was asked.
    CancelUnwanted: "src/orders/payment.rs";
    /// The customer learns the secret, and can pay from here on.
    Answer: "src/orders/payment.rs";

    // What happens at Stripe.
    Pay: "src/sandbox/intents.rs";
    Decline: "src/sandbox/intents.rs";
    /// A delayed method: the bank will say.
    Delay: "src/sandbox/intents.rs";
    BankPays: "src/sandbox/intents.rs";
    BankRefuses: "src/sandbox/intents.rs";

    // Settling.
    /// A webhook's id is stored. A repeat changes nothing, and none may come at all.
    NoteEvent: "src/orders/inbox.rs";
    FetchIntent: "src/orders/inbox.rs";
    EventDone: "src/orders/inbox.rs";
    /// No webhook has spoken for a while.
    AskStripe: "src/orders/attend.rs";
    /// The walk over Stripe's own list.
    WalkCaptures: "src/orders/captures.rs";
    LookAtOrder: "src/orders/settle.rs";
    /// A late payment asks Redis for its seats.
    TakeAgain: "src/orders/settle.rs";
    /// One transaction under the order's lock: confirm, confirm late, or give the money back.
    Decide: "src/orders/settle.rs";
    /// Captured money whose order is not known.
    Park: "src/orders/parked.rs";

    // Closing.
    BeginClosing: "src/orders/close.rs";
    ReadDoor: "src/orders/close.rs";
    /// The answer to its opening was lost: the same key finds what was made, or makes what is shut at once.
    OpenToShut: "src/orders/close.rs";
    StoreToShut: "src/orders/close.rs";
    ShutDoor: "src/orders/close.rs";
    FinishClosing: "src/orders/close.rs";
    KeepProcessing: "src/orders/close.rs";
    RenewFlags: "src/orders/close.rs";
    /// A confirmed order ends, and its money is owed back.
    CallOff: "src/orders/cancel.rs";

    // Effects.
    ReadSubject: "src/orders/effects.rs";
    Sell: "src/orders/effects.rs";
    Release: "src/orders/effects.rs";
    Free: "src/orders/effects.rs";
    /// Another decision may have been committed while Redis was told of this one.
    ReadSubjectAgain: "src/orders/effects.rs";
    DebtPaid: "src/orders/effects.rs";
    ReadRefund: "src/orders/money_back.rs";
    SendRefund: "src/orders/money_back.rs";
    RecordRefund: "src/orders/money_back.rs";
    /// A webhook about the refund is quicker than the answer to it.
    AdoptRefund: "src/orders/inbox.rs";

    // The picture.
    FindSuspects: "src/orders/picture.rs";
    ReadFlags: "src/orders/picture.rs";
    ReadTruth: "src/orders/picture.rs";
    Repair: "src/orders/picture.rs";
    LockRebuild: "src/orders/rebuild.rs";
    ReadEpoch: "src/orders/rebuild.rs";
    RaiseEpoch: "src/orders/rebuild.rs";
    ReadClaims: "src/orders/rebuild.rs";
    LoadBegin: "lua/load.lua";
    LoadPart: "lua/load.lua";
    LoadFinish: "lua/load.lua";

    // The waiting list.
    Join: "src/waitlist/join.rs";
    BeginWaiting: "src/waitlist/join.rs";
    /// Whether anybody waits is known twice, and either may have been lost.
    ReadWaits: "src/workers/pictures.rs";
    ReadWaiting: "src/workers/pictures.rs";
    BeginAgain: "src/waitlist/agree.rs";
    AskAgain: "src/waitlist/agree.rs";
    ReadNews: "src/waitlist/serve.rs";
    ReadList: "src/waitlist/serve.rs";
    /// The next party's turn, in one script.
    Offer: "lua/offer.lua";
    WriteDown: "src/waitlist/offers.rs";
    /// The party had gone when its offer was to be written down.
    TakeOfferBack: "src/waitlist/offers.rs";
    /// An offer's time ran out before anybody wrote it down.
    NameAnother: "src/waitlist/serve.rs";
    /// What nobody on the list can use is everybody's.
    LetGo: "lua/wait.lua";
    AllServed: "src/waitlist/serve.rs";
    LookAtOffer: "src/waitlist/offers.rs";
    LapseOffer: "src/waitlist/offers.rs";
    Leave: "src/waitlist/leave.rs";
    ReleaseDeclined: "src/waitlist/leave.rs";

    // Faults.
    /// What one call had in flight is gone, or its answer is lost: to whoever goes on, that is the same.
    CallDies: ;
    /// Everything in flight is gone.
    EveryNodeDies: ;
    RedisForgets: ;
    /// From here on the replica hears nothing more.
    ReplicaFallsBehind: ;
    Failover: ;
    /// A rebuild's connection to Postgres is cut, and the rebuild does not know.
    LockLost: ;
    /// Money comes for an order that is closed, although Stripe had said that none could.
    PaidLate: ;
    /// An order's rows are gone, as after a restored backup.
    PostgresForgets: ;
}

impl Step {
    pub fn is_fault(self) -> bool {
        self.places().is_empty()
    }
}
