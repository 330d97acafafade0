//! The post from a test's side: a house whose letters land in a mailbox, and what people find there.

use std::sync::Arc;

use holdfast::config::Config;
use holdfast::mailbox::{self, Letter, Mailbox};
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::{Client, Holdfast, eventually};

impl Holdfast {
    /// An open house that writes letters, and the mailbox in which all of them land.
    pub async fn with_mail() -> (Self, Mailbox) {
        Self::with_mail_and(|_| {}).await
    }

    pub async fn with_mail_and(change: impl FnOnce(&mut Config)) -> (Self, Mailbox) {
        let post = a_mailbox(a_port().await).await;
        let holdfast = Self::with(|config| {
            writes_to(config, &post.smtp_url());
            change(config);
        })
        .await;
        (holdfast, post)
    }

    /// What became of each letter of this occasion, in its row's words.
    pub async fn letters_ended(&self, occasion: &str) -> Vec<(String, Option<String>)> {
        sqlx::query_as(
            "select case when sent_at is not null then 'sent' when skipped_at is not null then 'skipped'
                         when parked_at is not null then 'parked' else 'owed' end, last_error
               from letters where occasion = $1 order by id",
        )
        .bind(occasion)
        .fetch_all(&self.app().pg)
        .await
        .expect("a query")
    }

    /// Until every letter of this occasion has ended so.
    pub async fn letters_are(&self, occasion: &str, end: &str) -> Vec<Option<String>> {
        eventually(&format!("letters of {occasion} are {end}"), async || {
            let ended = self.letters_ended(occasion).await;
            let all = !ended.is_empty() && ended.iter().all(|(state, _)| state == end);
            all.then(|| ended.into_iter().map(|(_, why)| why).collect())
        })
        .await
    }

    /// Until no letter is owed: whatever was going to be sent has been.
    pub async fn no_letter_is_owed(&self) {
        eventually("no letter is owed", async || {
            let (owed,): (i64,) = sqlx::query_as(
                "select count(*) from letters where sent_at is null and skipped_at is null and parked_at is null",
            )
            .fetch_one(&self.app().pg)
            .await
            .expect("a query");
            (owed == 0).then_some(())
        })
        .await;
    }

    /// Until these lines stand in the metrics.
    pub async fn metrics_say(&self, lines: &[&str]) {
        eventually(&format!("the metrics say {lines:?}"), async || {
            let page = self.anyone().get_text("/metrics").await;
            lines.iter().all(|line| page.lines().any(|it| it == *line)).then_some(())
        })
        .await;
    }

    /// As if every lease and every pause had passed.
    pub async fn letters_are_due_now(&self) {
        sqlx::query("update letters set due_at = now() where sent_at is null")
            .execute(&self.app().pg)
            .await
            .expect("a change");
    }
}

/// Lets a house write letters to a server, which may be away.
pub fn writes_to(config: &mut Config, smtp_url: &str) {
    config.smtp_url = Some(SecretString::from(smtp_url));
    config.mail_from = Some("Holdfast <no-reply@holdfast.test>".to_owned());
    config.public_url = Some(format!("http://{}", config.listen_addr));
}

pub async fn a_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

pub async fn a_mailbox(smtp: TcpListener) -> Mailbox {
    mailbox::start(smtp, a_port().await, None).await.expect("a mailbox")
}

impl Client {
    /// The address that letters to this person go to.
    pub async fn address(&self) -> String {
        let me = self.get("/v1/me").await.expect(200);
        me["email"].as_str().expect("an address").to_owned()
    }

    /// Until a letter whose subject begins so has come, and says it in both its forms.
    pub async fn gets(&self, post: &Mailbox, subject: &str) -> Arc<Letter> {
        let address = self.address().await;
        let letter = eventually(&format!("{address} gets {subject:?}"), async || {
            let letters = post.shelf().letters_to(&address);
            letters.into_iter().find(|letter| letter.read.subject.starts_with(subject))
        })
        .await;
        assert!(letter.read.text.is_some() && letter.read.html.is_some(), "it has both forms");
        letter
    }

    /// The subjects of what has come, oldest first.
    pub async fn subjects(&self, post: &Mailbox) -> Vec<String> {
        let letters = post.shelf().letters_to(&self.address().await);
        letters.iter().rev().map(|letter| letter.read.subject.clone()).collect()
    }
}

/// Each of these stands in the plain form, and in the HTML form once its markup is read.
#[track_caller]
pub fn says(letter: &Letter, texts: &[&str]) {
    let plain = letter.read.text.as_deref().expect("a plain form");
    let html = letter.read.html.as_deref().expect("an HTML form");
    let html = html
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    for text in texts {
        assert!(plain.contains(text), "{text:?} is not in\n{plain}");
        assert!(html.contains(text), "{text:?} is not in\n{html}");
    }
}

#[track_caller]
pub fn says_not(letter: &Letter, text: &str) {
    let (plain, html) = (letter.read.text.as_deref(), letter.read.html.as_deref());
    assert!(
        !plain.unwrap_or_default().contains(text) && !html.unwrap_or_default().contains(text),
        "{text:?} is said"
    );
}
