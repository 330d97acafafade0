//! How the mailbox treats letters: as a server should, or in one of the ways in which servers fail.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    #[default]
    Take,
    /// 550 to the recipient: never.
    Refuse,
    /// 451 to the recipient: another time.
    Later,
    /// 421 to whoever calls: it is away.
    Away,
    /// The letter is sent, and nothing is ever said of it; it is not kept.
    Hang,
    /// The letter is sent, and the line breaks; it is not kept.
    Drop,
    /// The letter is kept, and the line breaks before that is said.
    LoseAnswer,
}

impl How {
    /// Every way, with what people call it.
    pub const ALL: [(Self, &str); 7] = [
        (Self::Take, "Take letters"),
        (Self::Refuse, "Refuse the recipient (550)"),
        (Self::Later, "Put the recipient off (451)"),
        (Self::Away, "Be away (421)"),
        (Self::Hang, "Never answer"),
        (Self::Drop, "Lose the letter and the line"),
        (Self::LoseAnswer, "Keep the letter and lose the line"),
    ];

    /// As a form names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Refuse => "refuse",
            Self::Later => "later",
            Self::Away => "away",
            Self::Hang => "hang",
            Self::Drop => "drop",
            Self::LoseAnswer => "lose_answer",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().map(|(how, _)| *how).find(|how| how.name() == name)
    }
}

/// What is done with the next letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behaviour {
    pub how: How,
    /// Only for recipients that contain this.
    pub to: Option<String>,
    /// Only so often; then letters are taken again.
    pub times: Option<u32>,
}

impl Behaviour {
    #[must_use]
    pub fn of(how: How) -> Self {
        Self { how, ..Self::default() }
    }

    /// What is done now at a step that knows these recipients: the switch, if it is one of those that act here.
    pub(super) fn act(&mut self, here: &[How], recipients: &[String]) -> How {
        let is_meant = self
            .to
            .as_ref()
            .is_none_or(|part| recipients.iter().any(|recipient| recipient.contains(part.as_str())));
        if !is_meant || !here.contains(&self.how) {
            return How::Take;
        }
        let how = self.how;
        if let Some(times) = &mut self.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                *self = Self::default();
            }
        }
        how
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_acts_where_it_is_meant_and_as_often_as_it_should() {
        let (ada, ben) = (["ada@example.com".to_owned()], ["ben@example.com".to_owned()]);
        let mut now = Behaviour { how: How::Later, to: Some("ada@".to_owned()), times: Some(2) };
        assert_eq!(now.act(&[How::Later], &ben), How::Take);
        assert_eq!(now.act(&[How::Hang], &ada), How::Take, "it acts elsewhere");
        assert_eq!(now.act(&[How::Later], &ada), How::Later);
        assert_eq!(now.act(&[How::Later], &ada), How::Later);
        assert_eq!(now.act(&[How::Later], &ada), How::Take);
    }

    #[test]
    fn every_way_is_offered_and_found_by_its_name() {
        for (how, _) in How::ALL {
            assert_eq!(How::named(how.name()), Some(how));
        }
        assert_eq!(How::named("dance"), None);
    }
}
