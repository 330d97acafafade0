//! Which promise is broken when a guard is taken away, and by which words one knows that it is this one.

use holdfast::proof::Bug;

/// A guard that a test build can do without.
pub struct Plant {
    /// What the code does.
    pub guard: &'static str,
    /// What it does without the guard.
    pub without: &'static str,
    /// The promises that fail then.
    pub caught_by: &'static [Catch],
}

/// A promise that fails, and some words of its complaint: another complaint would be about something else.
pub struct Catch {
    pub promise: &'static str,
    pub complaint: &'static str,
}

const fn by(promise: &'static str, complaint: &'static str) -> Catch {
    Catch { promise, complaint }
}

const NOBODY_ELSE: &str = "the_old_defects_are_not_here::a_customer_acts_for_nobody_else";
const LOADING: &str = "seats_stay_whose_they_are::nobody_gets_a_seat_of_a_hall_that_is_still_being_loaded";
const UNHEARD: &str = "an_odd_payment_harms_nobody::a_part_that_goes_back_unheard_goes_back_once";
const SECOND: &str =
    "an_odd_payment_harms_nobody::a_second_payment_of_an_order_goes_back_once_however_often_it_is_told";

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn plant(bug: Bug) -> Plant {
    let (guard, without, caught_by): (_, _, &'static [Catch]) = match bug {
        Bug::ReleaseWithoutOwner => (
            "a hold is given back by its owner only",
            "anybody gives anybody's hold back",
            const { &[by(NOBODY_ELSE, "it is still hers")] },
        ),
        Bug::ReplaceWithoutOwner => (
            "a hold is replaced by its owner only",
            "anybody's hold is swapped for seats of one's own",
            const { &[by(NOBODY_ELSE, "nor replaced")] },
        ),
        Bug::FreeWithoutOwner => (
            "an order gives back the seats that it has",
            "it gives back its former seats, too, whoever has them now",
            const {
                &[by(
                    "seats_stay_whose_they_are::an_order_gives_back_its_own_seats_and_nobody_elses",
                    "whose they are",
                )]
            },
        ),
        Bug::HoldSomeSeats => (
            "a hold takes all of its seats or none",
            "it takes those that are free",
            const {
                &[by(
                    "seats_are_held_all_or_nothing::of_two_hundred_who_want_overlapping_seats_one_gets_all_of_them",
                    "any two of the wishes share seat 2",
                )]
            },
        ),
        Bug::MarkerIgnored => (
            "a Redis without the readiness marker grants nothing",
            "an empty Redis is taken for an empty hall",
            const {
                &[
                    by(
                        "seats_scripts_keep_their_headers::without_a_marker_every_script_says_not_ready",
                        "call 0 was answered",
                    ),
                    by(LOADING, "nothing is known yet"),
                ]
            },
        ),
        Bug::MarkerFirst => (
            "a rebuild writes the marker last",
            "it writes it first, and sells what it has not loaded yet",
            const { &[by(LOADING, "seats are refused, not Ok(Held")] },
        ),
        Bug::SweepIgnoresFlags => (
            "a sweep frees only what has no flag any more",
            "it frees whatever is due",
            const {
                &[by(
                    "seats_stay_whose_they_are::a_hold_whose_flags_stand_is_not_swept_whatever_its_deadline_says",
                    "the flag decides, not the deadline",
                )]
            },
        ),
        Bug::KeptSeatToPublic => (
            "what comes free while people wait is kept for them",
            "the public may have it",
            const {
                &[by(
                    "seats_stay_whose_they_are::what_comes_free_while_people_wait_is_refused_to_the_public",
                    "seats are refused, not Ok(Held",
                )]
            },
        ),
        Bug::OfferIgnoresNews => (
            "an offer is made only while nothing has come free since the list was read",
            "it goes to whoever was asked last",
            const {
                &[by(
                    "seats_stay_whose_they_are::an_offer_on_old_news_is_not_made_because_somebody_in_front_may_fit_now",
                    "the list is asked from its beginning",
                )]
            },
        ),
        Bug::AdmissionNotChecked => (
            "behind a waiting room, a hold needs an admission",
            "everybody may hold",
            const {
                &[by(
                    "a_rush_goes_through_a_waiting_room::without_an_admission_of_ones_own_nobody_gets_a_seat",
                    "without a word",
                )]
            },
        ),
        Bug::HoldOfOthersCheckedOut => (
            "a hold is checked out by its owner only",
            "whoever knows its id buys it",
            const { &[by(NOBODY_ELSE, "a hold of somebody else's is not checked out")] },
        ),
        Bug::ClaimsNotCounted => (
            "a checkout gets a claim on every seat, or is rolled back",
            "it goes on with those that it got",
            const {
                &[
                    by(
                        "postgres_decides_finally::a_sold_seat_that_redis_forgot_is_refused_at_checkout_and_shown_as_sold_again",
                        "it was sold",
                    ),
                    by(
                        "postgres_decides_finally::a_seat_that_somebody_is_paying_for_is_refused_to_everybody_else",
                        "somebody is paying for it",
                    ),
                ]
            },
        ),
        Bug::OpenOrderTakenOver => (
            "a claim past its time is taken over only from an order that is closed",
            "it is taken from one that may still be paid",
            const {
                &[by(
                    "postgres_decides_finally::past_its_time_a_seat_is_nobody_elses_while_its_order_may_still_be_paid",
                    "it may still be paid",
                )]
            },
        ),
        Bug::ConfirmWithoutClaims => (
            "an order confirms with a claim on every seat",
            "it confirms with the claims that it has",
            const {
                &[by(
                    "an_odd_payment_harms_nobody::an_order_that_lost_a_claim_is_not_confirmed_until_it_has_every_seat",
                    "all of its seats or none, and not: confirmed",
                )]
            },
        ),
        Bug::AmountNotCompared => (
            "what was captured is compared with the order's amount",
            "any amount buys the seats",
            const {
                &[by(
                    "an_order_ends_as_its_payment_does::another_amount_than_the_orders_is_never_confirmed",
                    "too little was paid",
                )]
            },
        ),
        Bug::ForeignIntentTaken => (
            "an order is paid by its own PaymentIntent",
            "by any that names it",
            const { &[by(SECOND, "it is not the order's own money")] },
        ),
        Bug::PaymentWithoutKey => (
            "an attempt to pay has one key at Stripe",
            "each try opens another PaymentIntent",
            const { &[by("payments_are_made_once::opening_twice_is_one_payment", "one attempt, one payment")] },
        ),
        Bug::SeatsBeforeDoor => (
            "first the money door, then the seats",
            "seats are given up while the order can be paid",
            const {
                &[by(
                    "an_order_ends_as_its_payment_does::called_off_before_paying_is_cancelled_at_once",
                    "the money door is shut",
                )]
            },
        ),
        Bug::ProcessingTakenForShut => (
            "while a payment is under way its order keeps the seats",
            "it is taken for one that cannot come any more",
            const {
                &[by(
                    "an_odd_payment_harms_nobody::calling_off_does_not_overtake_a_payment_that_is_under_way",
                    "the bank has not decided yet",
                )]
            },
        ),
        Bug::LatePaymentKept => (
            "money that came too late for its seats goes back",
            "it is kept",
            const {
                &[by(
                    "an_order_ends_as_its_payment_does::paid_late_with_one_seat_resold_is_refunded_whole_and_once",
                    "nothing is kept",
                )]
            },
        ),
        Bug::RefundWithoutKey => (
            "a refund has one key at Stripe",
            "each try sends the money again",
            const {
                &[
                    by(
                        "payments_are_made_once::a_refund_is_made_once_and_never_exceeds_the_payment",
                        "greater than unrefunded amount",
                    ),
                    by(UNHEARD, "however often it was asked for"),
                ]
            },
        ),
        Bug::RefundEachTime => (
            "one cause makes one refund",
            "the same news make another",
            const { &[by(SECOND, "one cause, one refund")] },
        ),
        Bug::RefundBeyondCapture => (
            "a part to give back is less than what is left",
            "more goes back than was paid",
            const {
                &[by(
                    "an_order_ends_as_its_payment_does::an_organiser_gives_a_part_back_and_never_more_than_was_paid",
                    "no more than is left",
                )]
            },
        ),
        Bug::InboxNotDurable => (
            "a webhook is acknowledged when it is stored",
            "it is acknowledged, and lost with Postgres away",
            const {
                &[by(
                    "an_outage_is_told_quickly_and_ends_by_itself::without_postgres_checkouts_wait_and_webhooks_are_not_acknowledged",
                    "a webhook: {\"outcome\":\"accepted\"",
                )]
            },
        ),
        Bug::SignatureNotChecked => (
            "a webhook is believed when it is signed",
            "anybody may send one",
            const {
                &[by(
                    "bad_input_is_a_clear_problem::webhooks_that_are_unsigned_stale_or_changed_do_nothing",
                    "failed: no header",
                )]
            },
        ),
        Bug::StaleWebhookTaken => (
            "a signature is good for five minutes",
            "an old one may be sent again",
            const {
                &[by(
                    "payments_webhooks_are_believed_when_signed::the_past_is_bounded_and_the_future_is_not",
                    "right: Err(Stale)",
                )]
            },
        ),
        Bug::OtherBodyAnswered => (
            "a key that was used for another body is refused",
            "it answers for what was not asked",
            const {
                &[
                    by(
                        "the_same_key_gives_the_same_result::a_repeated_hold_is_the_same_hold_and_another_body_is_refused",
                        "a key is for one wish",
                    ),
                    by(
                        "the_same_key_gives_the_same_result::a_checkouts_key_does_not_answer_for_another_hold",
                        "a key is for one thing",
                    ),
                ]
            },
        ),
        Bug::RebuildForgetsCheckouts => (
            "a rebuilt picture shows what is at checkout",
            "it shows those seats free",
            const {
                &[by(
                    "an_outage_is_told_quickly_and_ends_by_itself::a_redis_that_comes_back_empty_sells_nothing_twice",
                    "what is at checkout is remembered",
                )]
            },
        ),
        Bug::OrdersOfOthers => (
            "an order is shown to its owner only",
            "to whoever knows its id",
            const { &[by(NOBODY_ELSE, "an order of somebody else's is not there")] },
        ),
        Bug::MoveWithoutLog => (
            "every move of an order leaves a row in its history",
            "it leaves none",
            const {
                &[by(
                    "an_order_ends_as_its_payment_does::paid_in_time_is_confirmed_with_tickets",
                    "every move leaves its row",
                )]
            },
        ),
        Bug::EffectNotOwed => (
            "what a decision owes is committed with it",
            "it is done if nothing comes between",
            const { &[by(UNHEARD, "it is owed until it is known to be done")] },
        ),
        Bug::DebtForgotten => (
            "what is owed stays so until it is done",
            "it is tried once",
            const { &[by(UNHEARD, "it is owed until it is known to be done")] },
        ),
        Bug::TicketLetsInTwice => (
            "a ticket lets one person in",
            "everybody who shows it",
            const {
                &[by(
                    "the_door_remembers::a_check_in_is_taken_back_with_a_reason_and_the_ticket_opens_the_door_again",
                    "one ticket, one person",
                )]
            },
        ),
        Bug::ForeignMoneyTaken => (
            "play money and real money are not taken for each other",
            "news of the other kind are believed",
            const {
                &[by(
                    "an_odd_payment_harms_nobody::real_money_is_no_news_to_a_house_that_plays",
                    "of the other kind of money",
                )]
            },
        ),
    };
    Plant { guard, without, caught_by }
}
