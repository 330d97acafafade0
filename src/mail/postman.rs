//! Hands letters to an SMTP server, and knows what an answer means for the letter.
//!
//! A server that cannot be reached, does not let us in or takes nothing from us is away: that says nothing about the
//! letter, which waits. Only what is said of the recipient or of the letter itself counts against it.

use std::fmt;
use std::time::Duration;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use reqwest::Url;

use crate::mail::envelope::Envelope;

/// How long a server that has taken a letter may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(2);

/// How the way to the server is kept private.
#[derive(Clone)]
enum Privacy {
    None,
    /// If the server offers it: no help against somebody in between.
    IfOffered(TlsParameters),
    StartTls(TlsParameters),
    FromTheStart(TlsParameters),
}

/// Where letters go.
#[derive(Clone)]
struct Server {
    host: String,
    port: u16,
    privacy: Privacy,
    credentials: Option<Credentials>,
    /// What we call ourselves there, if not after the sender.
    hello: Option<String>,
}

/// Hands letters over. Cheap to clone.
#[derive(Clone)]
pub struct Postman {
    server: Server,
    from: Mailbox,
    hello: ClientId,
    patience: Duration,
}

/// The address holds a password.
impl fmt::Debug for Postman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { host, port, .. } = &self.server;
        f.debug_struct("Postman").field("host", host).field("port", port).finish_non_exhaustive()
    }
}

/// A setting that names no server or no sender. It does not repeat what was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("SMTP_URL: is no smtp://[user:secret@]host[:port][?tls=required] or smtps://…")]
    Server,
    #[error("MAIL_FROM: is no sender like Tickets <no-reply@tickets.example>")]
    Sender,
}

/// Why a letter was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The server cannot be used at all: every letter waits.
    Away(String),
    /// This letter may go later.
    Later(String),
    /// This letter will never go.
    Never(String),
}

impl Server {
    fn read(url: &str) -> Result<Self, BadAddress> {
        let url = Url::parse(url).map_err(|_| BadAddress::Server)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadAddress::Server)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = || TlsParameters::new(host.clone()).map_err(|_| BadAddress::Server);
        let wish = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value.into_owned());
        let (privacy, port) = match (url.scheme(), wish.as_deref()) {
            ("smtp", None) => (Privacy::None, 25),
            ("smtp", Some("opportunistic")) => (Privacy::IfOffered(tls()?), 587),
            ("smtp", Some("required")) => (Privacy::StartTls(tls()?), 587),
            ("smtps", None) => (Privacy::FromTheStart(tls()?), 465),
            _ => return Err(BadAddress::Server),
        };
        let decoded = |text: &str| {
            let text = percent_encoding::percent_decode_str(text).decode_utf8();
            text.map(std::borrow::Cow::into_owned).map_err(|_| BadAddress::Server)
        };
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None if url.username().is_empty() => None,
            None => return Err(BadAddress::Server),
        };
        let hello = Some(url.path().trim_matches('/').to_owned()).filter(|name| !name.is_empty());
        Ok(Self { port: url.port().unwrap_or(port), host, privacy, credentials, hello })
    }

    fn is_near(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Postman {
    /// Reads the settings, and names each that cannot be used. `patience` bounds the way to the server, and then again
    /// the handing over.
    pub fn new(server: &str, from: &str, patience: Duration) -> Result<Self, Vec<BadAddress>> {
        let from = from.parse::<Mailbox>().map_err(|_| BadAddress::Sender);
        match (Server::read(server), from) {
            (Ok(server), Ok(from)) => {
                let hello = server.hello.clone().unwrap_or_else(|| from.email.domain().to_owned());
                Ok(Self { server, from, hello: ClientId::Domain(hello), patience })
            }
            (server, from) => Err([server.err(), from.err()].into_iter().flatten().collect()),
        }
    }

    /// Whether a password would cross the network for everybody to read.
    #[must_use]
    pub fn tells_its_password(&self) -> bool {
        let Server { credentials, privacy, .. } = &self.server;
        let is_open = matches!(privacy, Privacy::None | Privacy::IfOffered(_));
        credentials.is_some() && is_open && !self.server.is_near()
    }

    /// The longest that a delivery takes.
    #[must_use]
    pub fn longest_delivery(&self) -> Duration {
        self.patience * 2
    }

    /// Delivers a letter. `Ok` means that the server has it, and has said so.
    pub async fn deliver(&self, envelope: &Envelope) -> Result<(), Undelivered> {
        let message = envelope.message(&self.from).map_err(Undelivered::Never)?;
        let late = || format!("the server took longer than {:?}", self.patience);
        let line = tokio::time::timeout(self.patience, self.approach(&message))
            .await
            .map_err(|_| Undelivered::Away(late()))??;
        let line = tokio::time::timeout(self.patience, hand_over(line, &message))
            .await
            .map_err(|_| Undelivered::Later(late()))??;
        // It is delivered, whatever is said from here on, and nobody waits for that.
        tokio::spawn(async move {
            let mut line = line;
            let _ = tokio::time::timeout(GOODBYE, line.quit()).await;
        });
        Ok(())
    }

    /// As far as it is the same for every letter: the server is there, lets us in, and takes letters from our sender.
    async fn approach(&self, message: &Message) -> Result<AsyncSmtpConnection, Undelivered> {
        let away = |error: Error| Undelivered::Away(error.to_string());
        let mut line = self.connect().await.map_err(away)?;
        let envelope = message.envelope();
        let mut parameters = Vec::new();
        let addresses = || envelope.to().iter().chain(envelope.from());
        if !addresses().all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !line.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Undelivered::Never(
                    "the server takes plain letters in addresses alone".to_owned(),
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        line.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(away)?;
        Ok(line)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let Server { host, port, privacy, credentials, .. } = &self.server;
        let from_the_start = match privacy {
            Privacy::FromTheStart(tls) => Some(tls.clone()),
            Privacy::None | Privacy::IfOffered(_) | Privacy::StartTls(_) => None,
        };
        let (server, patience) = ((host.as_str(), *port), Some(self.patience));
        let mut line =
            AsyncSmtpConnection::connect_tokio1(server, patience, &self.hello, from_the_start, None).await?;
        match privacy {
            Privacy::StartTls(tls) => line.starttls(tls.clone(), &self.hello).await?,
            Privacy::IfOffered(tls) if line.can_starttls() => line.starttls(tls.clone(), &self.hello).await?,
            Privacy::IfOffered(_) | Privacy::None | Privacy::FromTheStart(_) => {}
        }
        if let Some(credentials) = credentials {
            line.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(line)
    }
}

/// From here on it is about this recipient and this letter.
async fn hand_over(
    mut line: AsyncSmtpConnection,
    message: &Message,
) -> Result<AsyncSmtpConnection, Undelivered> {
    for recipient in message.envelope().to() {
        line.command(Rcpt::new(recipient.clone(), Vec::new())).await.map_err(|error| verdict(&error))?;
    }
    line.command(Data).await.map_err(|error| verdict(&error))?;
    line.message(&message.formatted()).await.map_err(|error| verdict(&error))?;
    Ok(line)
}

/// What an answer to the recipient or to the letter means.
fn verdict(error: &Error) -> Undelivered {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    match code.as_str() {
        // It closes, or wants to know us better: said to us, and not of the letter.
        "421" | "454" | "530" | "534" | "535" | "538" => Undelivered::Away(error.to_string()),
        _ if error.is_permanent() => Undelivered::Never(error.to_string()),
        // Also when the line broke. Whether the letter was taken is not known then: it is sent again, under the same
        // Message-ID.
        _ => Undelivered::Later(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postman(server: &str) -> Result<Postman, Vec<BadAddress>> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Postman::new(server, "Tickets <no-reply@tickets.example>", Duration::from_secs(1))
    }

    #[test]
    fn a_server_is_read_whole_or_refused() {
        let at = |url: &str| {
            let Server { host, port, .. } = postman(url).expect("an address").server;
            (host, port)
        };
        assert_eq!(at("smtps://me%40x:a%2Fb@mail.example"), ("mail.example".to_owned(), 465));
        assert_eq!(at("smtp://mail.example").1, 25);
        assert_eq!(at("smtp://mail.example?tls=required").1, 587);
        assert_eq!(at("smtp://[::1]:2525"), ("::1".to_owned(), 2525));
        for bad in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://mail.example?tls=perhaps",
            "smtp://user@mail.example",
            "smtps://mail.example:port",
        ] {
            assert_eq!(postman(bad).err(), Some(vec![BadAddress::Server]), "{bad}");
        }
    }

    #[test]
    fn a_password_is_neither_shown_nor_told_in_the_open_unnoticed() {
        let private = postman("smtps://me:a%2Fb@mail.example").expect("an address");
        assert!(!private.tells_its_password());
        assert!(!format!("{private:?}").contains("a/b"));
        assert!(postman("smtp://a:b@mail.example").expect("an address").tells_its_password());
        assert!(!postman("smtp://a:b@127.0.0.1:25").expect("an address").tells_its_password());
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let with = |from: &str| Postman::new("smtp://localhost", from, Duration::from_secs(1)).map(|_| ());
        for good in ["no-reply@tickets.example", "Tickets <no-reply@tickets.example>"] {
            assert_eq!(with(good), Ok(()), "{good}");
        }
        for bad in ["", "Tickets", "a@b <c", "Tickets <a@b>\r\nBcc: eve@example.com"] {
            assert_eq!(with(bad), Err(vec![BadAddress::Sender]), "{bad}");
        }
    }
}
