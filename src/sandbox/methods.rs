//! Stripe's test payment methods, by the names and card numbers that its documentation gives them.

use super::objects::{Decline, Outcome};

/// A payment method as somebody chose it.
#[derive(Debug, Clone)]
pub struct Method {
    /// What the objects show: `pm_card_visa`, never a card number.
    pub name: String,
    pub behaviour: Behaviour,
}

#[derive(Debug, Clone)]
pub enum Behaviour {
    Pays,
    Declines(Decline),
    /// Wants its owner's approval on a page first.
    AsksOwner,
    /// Says later; by itself when the outcome is known.
    Delays(Option<Outcome>),
}

/// Name after `pm_card_`, number, code, decline code, message.
type Declining = (&'static str, &'static str, &'static str, Option<&'static str>, &'static str);

const DECLINING: &[Declining] = &[
    (
        "chargeDeclined",
        "4000000000000002",
        "card_declined",
        Some("generic_decline"),
        "Your card was declined.",
    ),
    (
        "chargeDeclinedInsufficientFunds",
        "4000000000009995",
        "card_declined",
        Some("insufficient_funds"),
        "Your card has insufficient funds.",
    ),
    (
        "chargeDeclinedLostCard",
        "4000000000009987",
        "card_declined",
        Some("lost_card"),
        "Your card was declined.",
    ),
    (
        "chargeDeclinedStolenCard",
        "4000000000009979",
        "card_declined",
        Some("stolen_card"),
        "Your card was declined.",
    ),
    ("chargeDeclinedExpiredCard", "4000000000000069", "expired_card", None, "Your card has expired."),
    (
        "chargeDeclinedIncorrectCvc",
        "4000000000000127",
        "incorrect_cvc",
        None,
        "Your card's security code is incorrect.",
    ),
    (
        "chargeDeclinedProcessingError",
        "4000000000000119",
        "processing_error",
        None,
        "An error occurred while processing your card. Try again in a little bit.",
    ),
];

/// Name, number.
const PAYING: &[(&str, &str)] = &[
    ("pm_card_visa", "4242424242424242"),
    ("pm_card_visa_debit", "4000056655665556"),
    ("pm_card_mastercard", "5555555555554444"),
    ("pm_card_mastercard_debit", "5200828282828210"),
    ("pm_card_amex", "378282246310005"),
    ("pm_card_discover", "6011111111111117"),
    ("pm_card_diners", "3056930009020004"),
    ("pm_card_jcb", "3566002020360505"),
    ("pm_card_unionpay", "6200000000000005"),
];

const ASKING: &[(&str, &str)] = &[
    ("pm_card_authenticationRequired", "4000002760003184"),
    ("pm_card_threeDSecure2Required", "4000000000003220"),
    ("pm_card_authenticationRequiredOnSetup", "4000002500003155"),
];

/// Ours may be paid with these although they ask for cards only: the sandbox stands in for every method that
/// takes its time, and the state is the same.
const DELAYING: &[(&str, Option<Outcome>)] = &[
    ("pm_usBankAccount", None),
    ("pm_usBankAccount_processing", None),
    ("pm_usBankAccount_success", Some(Outcome::Succeeded)),
    ("pm_usBankAccount_insufficientFunds", Some(Outcome::Failed)),
    ("pm_usBankAccount_accountClosed", Some(Outcome::Failed)),
    ("pm_usBankAccount_noAccount", Some(Outcome::Failed)),
    ("pm_usBankAccount_debitNotAuthorized", Some(Outcome::Failed)),
    ("pm_sepaDebit", None),
];

impl Method {
    /// By Stripe's name for it; `None` when Stripe has no such test method.
    pub fn named(name: &str) -> Option<Self> {
        let behaviour = if PAYING.iter().any(|(known, _)| *known == name) {
            Behaviour::Pays
        } else if ASKING.iter().any(|(known, _)| *known == name) {
            Behaviour::AsksOwner
        } else if let Some((_, outcome)) = DELAYING.iter().find(|(known, _)| *known == name) {
            Behaviour::Delays(*outcome)
        } else {
            let card = name.strip_prefix("pm_card_")?;
            let tail = card.strip_prefix("visa_").unwrap_or(card);
            Behaviour::Declines(decline_of(DECLINING.iter().find(|known| known.0 == tail)?))
        };
        Some(Self { name: name.to_owned(), behaviour })
    }

    /// By a card number as typed. A number that is no test card is declined, as Stripe does.
    pub fn numbered(typed: &str) -> Self {
        let number: String = typed.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
        let by_number = |known: &&(&'static str, &'static str)| known.1 == number;
        if let Some((name, _)) = PAYING.iter().chain(ASKING).find(by_number)
            && let Some(method) = Self::named(name)
        {
            return method;
        }
        let decline = DECLINING.iter().find(|known| known.1 == number).map_or_else(
            || Decline {
                code: "incorrect_number".to_owned(),
                decline_code: None,
                message: "Your card number is incorrect. Use one of the test cards.".to_owned(),
            },
            decline_of,
        );
        Self { name: "pm_card_visa".to_owned(), behaviour: Behaviour::Declines(decline) }
    }
}

/// A payment that was under way and then did not arrive.
pub fn came_back() -> Decline {
    Decline {
        code: "payment_intent_payment_attempt_failed".to_owned(),
        decline_code: None,
        message: "The payment failed at the customer's bank.".to_owned(),
    }
}

/// The owner of the card did not approve.
pub fn not_approved() -> Decline {
    Decline {
        code: "payment_intent_authentication_failure".to_owned(),
        decline_code: None,
        message: "The payment was not approved by the owner of the card.".to_owned(),
    }
}

fn decline_of(known: &Declining) -> Decline {
    Decline {
        code: known.2.to_owned(),
        decline_code: known.3.map(str::to_owned),
        message: known.4.to_owned(),
    }
}
