//! How much each class of calls may be made, as an operator writes it down.

use std::fmt;
use std::str::FromStr;

use super::quota::Quota;

/// Calls that share a limit. [`docs/limits.md`] has what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// What is on sale and which seats are taken: what everybody may see.
    Browse,
    /// Somebody's own: orders, holds, tickets.
    Read,
    /// Taking seats and letting go of them.
    Hold,
    /// Checking out and calling off.
    Order,
    /// Every other change.
    Change,
    Login,
    Register,
    Refresh,
    /// What organisers and administrators do.
    Admin,
}

/// Who counts, and what it costs the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// This node, for itself: readers of a seat map never reach Redis.
    Node,
    /// This node at once, and Redis behind the call's back: a hold waits for nothing more than it did.
    Behind,
    /// Redis, before the call goes on.
    Redis,
}

impl Class {
    pub const ALL: [Self; 9] = [
        Self::Browse,
        Self::Read,
        Self::Hold,
        Self::Order,
        Self::Change,
        Self::Login,
        Self::Register,
        Self::Refresh,
        Self::Admin,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Read => "read",
            Self::Hold => "hold",
            Self::Order => "order",
            Self::Change => "change",
            Self::Login => "login",
            Self::Register => "register",
            Self::Refresh => "refresh",
            Self::Admin => "admin",
        }
    }

    pub fn keeping(self) -> Keeping {
        match self {
            Self::Browse => Keeping::Node,
            Self::Hold => Keeping::Behind,
            Self::Read
            | Self::Order
            | Self::Change
            | Self::Login
            | Self::Register
            | Self::Refresh
            | Self::Admin => Keeping::Redis,
        }
    }

    /// Whether nobody is let through uncounted: without a limit passwords could be guessed, and accounts made, as
    /// fast as they can be hashed. A refresh token has 256 random bits and needs no such care.
    pub fn is_closed_without_redis(self) -> bool {
        matches!(self, Self::Login | Self::Register)
    }

    /// Whether only what fails counts: who knows the password is not counted with those who guess.
    pub fn counts_failures(self) -> bool {
        matches!(self, Self::Login)
    }
}

/// The limits of one class; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// Of one account; for `login`, of one e-mail address tried from one place.
    pub account: Option<Quota>,
    /// Of everybody at one address.
    pub address: Option<Quota>,
}

/// Every limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    limits: [Limit; Class::ALL.len()],
    /// For `login`: of one e-mail address tried from all places that it was not signed in from.
    pub anywhere: Option<Quota>,
}

/// Safe for a real sale: tens of thousands behind one address may look, sign in and hold at once, and one
/// account cannot do the work of a hundred.
const DEFAULT: &str = "browse.address=60000/10s,read=1200/1m,hold=100/10s,hold.address=60000/10s,order=120/1m,\
    order.address=60000/1m,change=600/1m,change.address=60000/1m,login=10/15m,login.address=600/10m,\
    login.anywhere=100/1h,register.address=6000/10m,refresh.address=60000/10m,admin=3000/1m";

/// What many services do: every class by address alone. Passwords keep their own.
const CLASSIC: &str = "browse.address=100/15m,read.address=100/15m,hold.address=100/15m,order.address=100/15m,\
    change.address=100/15m,login=10/15m,login.address=100/15m,login.anywhere=100/1h,register.address=100/15m,\
    refresh.address=100/15m,admin.address=100/15m";

impl Settings {
    pub fn of(&self, class: Class) -> Limit {
        self.limits[class as usize]
    }

    /// The longest time that any limit looks back.
    pub fn longest(&self) -> std::time::Duration {
        let quotas = self.limits.iter().flat_map(|limit| [limit.account, limit.address]);
        quotas.flatten().map(|quota| quota.span).max().unwrap_or_default()
    }

    fn none() -> Self {
        Self { limits: [Limit::default(); Class::ALL.len()], anywhere: None }
    }

    fn change(mut self, changes: &str) -> Result<Self, String> {
        for change in changes.split(',').map(str::trim) {
            let (name, quota) = change.split_once('=').ok_or_else(|| {
                format!("{change} is no limit: write class=calls/time, or begin with default, classic or off")
            })?;
            let quota = if quota.trim() == "off" { None } else { Some(quota.trim().parse()?) };
            *self.named(name.trim())? = quota;
        }
        Ok(self)
    }

    fn named(&mut self, name: &str) -> Result<&mut Option<Quota>, String> {
        let (class, by) = name.split_once('.').map_or((name, None), |(class, by)| (class, Some(by)));
        let found = Class::ALL.into_iter().find(|known| known.as_str() == class);
        match (found, by) {
            (Some(Class::Login), Some("anywhere")) => Ok(&mut self.anywhere),
            (Some(class), Some("address")) => Ok(&mut self.limits[class as usize].address),
            // Nobody has an account yet.
            (Some(Class::Register | Class::Refresh), None) => {
                Err(format!("{class} is limited by address alone: write {class}.address"))
            }
            (Some(class), None) => Ok(&mut self.limits[class as usize].account),
            _ => {
                let classes = Class::ALL.map(Class::as_str).join(", ");
                Err(format!(
                    "{name} names no limit: there are {classes}, each also with .address, and login.anywhere"
                ))
            }
        }
    }
}

impl FromStr for Settings {
    type Err = String;

    /// `default`, `classic` or `off`, and then what is to be otherwise: `default,hold=40/10s,login.address=off`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (first, rest) = text.split_once(',').map_or((text, ""), |(first, rest)| (first, rest));
        let (base, changes) = match first.trim() {
            "default" => (Self::none().change(DEFAULT)?, rest),
            "classic" => (Self::none().change(CLASSIC)?, rest),
            "off" => (Self::none(), rest),
            _ => (Self::none().change(DEFAULT)?, text),
        };
        if changes.is_empty() { Ok(base) } else { base.change(changes) }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        text.parse().expect(text)
    }

    fn quota(text: &str) -> Quota {
        text.parse().expect(text)
    }

    #[test]
    fn a_word_stands_for_all_limits_and_what_follows_changes_some() {
        let usual = settings("default");
        assert_eq!(usual.of(Class::Hold).account, Some(quota("100/10s")));
        let changed = settings("default, hold=40/10s, login.address = off");
        assert_eq!(changed.of(Class::Hold).account, Some(quota("40/10s")));
        assert_eq!(changed.of(Class::Hold).address, usual.of(Class::Hold).address);
        assert_eq!(changed.of(Class::Login).address, None);
        assert_eq!(settings("hold=40/10s,login.address=off"), changed, "default may be left out");
        assert_eq!(settings(""), usual);
        assert_eq!(settings("off,read=1/1s").of(Class::Read).account, Some(quota("1/1s")));
        assert_eq!(settings("off,read=1/1s").of(Class::Hold), Limit::default());
        assert_eq!(settings("login.anywhere=7/1h").anywhere, Some(quota("7/1h")));
    }

    #[test]
    fn classic_is_a_hundred_in_a_quarter_of_an_hour_for_every_class_by_address() {
        let classic = settings("classic");
        for class in Class::ALL {
            assert_eq!(classic.of(class).address, Some(quota("100/15m")), "{class}");
            let guesses = (class == Class::Login).then(|| quota("10/15m"));
            assert_eq!(classic.of(class).account, guesses, "{class}");
        }
    }

    #[test]
    fn off_limits_nothing() {
        let off = settings("off");
        assert!(Class::ALL.iter().all(|&class| off.of(class) == Limit::default()) && off.anywhere.is_none());
    }

    #[test]
    fn a_mistake_is_named_with_what_would_be_right() {
        for (bad, why) in [
            ("none", "begin with default, classic or off"),
            ("hold", "class=calls/time"),
            ("hold=20", "such as 20/10s"),
            ("holds=20/10s", "browse, read, hold"),
            ("hold.anywhere=20/10s", "login.anywhere"),
            ("register=20/10s", "register.address"),
            ("hold=20/10s,,", "class=calls/time"),
        ] {
            let told = bad.parse::<Settings>().expect_err(bad);
            assert!(told.contains(why), "{bad:?}: {told}");
        }
    }

    #[test]
    fn a_crowd_behind_one_address_is_not_one_customer() {
        let usual = settings("default");
        for class in [Class::Browse, Class::Hold, Class::Order, Class::Refresh] {
            let quota = usual.of(class).address.expect("a limit");
            assert!(quota.calls >= 60_000, "{class}: {quota}");
        }
        assert!(usual.of(Class::Hold).account.is_some_and(|quota| quota.calls <= 30));
    }
}
