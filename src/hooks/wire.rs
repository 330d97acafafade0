//! One try to tell another system: signed, bounded, to an address that is allowed, and nowhere else.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, Url, redirect};
use secrecy::SecretString;

use super::HooksError;
use super::address::{Allowed, Guard, NotAllowed, REFUSED, System, literal};
use super::payload::Envelope;
use super::secret;

/// Of an answer, only that it came matters. So much is read, so that the connection can be used again.
const LONGEST_ANSWER: usize = 4 << 10;
/// For a name to be found while somebody waits for the answer.
const LOOKUP: Duration = Duration::from_secs(1);
/// What is said of a name that leads nowhere.
const UNKNOWN: &str = "has a host that cannot be found";
/// The longest address.
const LONGEST_URL: usize = 2000;

/// What came of a try.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the other system answered, if it did.
    pub status: Option<u16>,
    /// Why it does not count; `None` when it does.
    pub error: Option<String>,
    pub took: Duration,
}

impl Outcome {
    /// Nothing was sent.
    pub(super) fn failed(error: String) -> Self {
        Self { status: None, error: Some(error), took: Duration::ZERO }
    }
}

/// The way out. Clones share connections.
#[derive(Clone)]
pub(super) struct Wire {
    http: Client,
    allowed: Arc<Allowed>,
    names: Guard,
    patience: Duration,
}

impl Wire {
    pub fn new(allowed: Allowed, patience: Duration) -> Result<Self, reqwest::Error> {
        Self::with_names(allowed, patience, Arc::new(System))
    }

    fn with_names(
        allowed: Allowed,
        patience: Duration,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, reqwest::Error> {
        let allowed = Arc::new(allowed);
        let names = Guard::new(Arc::clone(&allowed), names);
        let http = Client::builder()
            // A redirect, or a proxy, would lead to where nobody has looked.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(names.clone()))
            .timeout(patience)
            .user_agent(concat!("Holdfast/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, allowed, names, patience })
    }

    /// Reads an address that somebody wants to be told at, and looks where it leads.
    pub async fn check(&self, text: &str) -> Result<Url, HooksError> {
        let invalid = |message: &str| HooksError::invalid("url", message);
        if text.len() > LONGEST_URL {
            return Err(invalid("is too long"));
        }
        let url =
            Url::parse(text).map_err(|_| invalid("is not an address such as https://example.com/hooks"))?;
        if let Some(fault) = self.allowed.fault(&url) {
            return Err(invalid(fault));
        }
        let Some(host) = url.host_str().filter(|_| literal(&url).is_none()) else { return Ok(url) };
        let name = host.parse().map_err(|_| invalid("has a host that is no name"))?;
        match tokio::time::timeout(LOOKUP, self.names.resolve(name)).await {
            Ok(Ok(found)) => match found.count() {
                0 => Err(invalid(UNKNOWN)),
                _ => Ok(url),
            },
            Ok(Err(fault)) if fault.is::<NotAllowed>() => Err(invalid(REFUSED)),
            Ok(Err(_)) | Err(_) => Err(invalid(UNKNOWN)),
        }
    }

    /// Sends it once.
    pub async fn send(&self, url: &str, envelope: &Envelope, secrets: &[SecretString]) -> Outcome {
        let begun = Instant::now();
        let answered = self.attempt(url, envelope, secrets).await;
        let took = begun.elapsed();
        match answered {
            Ok(answer) => {
                let status = answer.status();
                drain(answer).await;
                let error = if status.is_success() {
                    None
                } else if status.is_redirection() {
                    Some(format!("answered {}: redirects are not followed", status.as_u16()))
                } else {
                    Some(format!("answered {}", status.as_u16()))
                };
                Outcome { status: Some(status.as_u16()), error, took }
            }
            Err(error) => Outcome { status: None, error: Some(error), took },
        }
    }

    async fn attempt(
        &self,
        url: &str,
        envelope: &Envelope,
        secrets: &[SecretString],
    ) -> Result<Response, String> {
        let url = Url::parse(url).map_err(|_| "the address cannot be read".to_owned())?;
        // What was allowed when the endpoint was added may be no longer; and no resolver is asked about a bare address.
        if let Some(fault) = self.allowed.fault(&url) {
            return Err(format!("the address {fault}"));
        }
        let body = serde_json::to_vec(envelope).map_err(|error| error.to_string())?;
        let signature =
            HeaderValue::from_str(&secret::sign(&body, secrets)).map_err(|error| error.to_string())?;
        let sent = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("Holdfast-Event-Id", envelope.id.to_string())
            .header("Holdfast-Signature", signature)
            .body(body)
            .send()
            .await;
        sent.map_err(|error| self.told(&error))
    }

    /// Why there was no answer, in words for whoever runs the endpoint. They say nothing of our side of the network.
    fn told(&self, error: &reqwest::Error) -> String {
        let mut cause = error.source();
        while let Some(fault) = cause {
            if fault.is::<NotAllowed>() {
                return format!("the address {REFUSED}");
            }
            cause = fault.source();
        }
        if error.is_timeout() {
            format!("no answer within {} seconds", self.patience.as_secs())
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the connection broke".to_owned()
        }
    }
}

/// The status has decided; whatever happens here changes nothing.
async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(part)) = answer.chunk().await {
        read += part.len();
        if read > LONGEST_ANSWER {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reqwest::dns::{Addrs, Name, Resolving};
    use serde_json::json;
    use time::OffsetDateTime;
    use tokio::net::TcpListener;

    use super::*;
    use crate::ids::HookEventId;

    /// A name that leads somewhere harmless when it is looked at, and to this machine ever after.
    struct Rebinding {
        asked: AtomicUsize,
    }

    impl Resolve for Rebinding {
        fn resolve(&self, _: Name) -> Resolving {
            let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
            let address: SocketAddr =
                if first { "93.184.216.34:0" } else { "127.0.0.1:0" }.parse().expect("one");
            Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
        }
    }

    fn wire(allowed: Allowed, names: Arc<dyn Resolve>) -> Wire {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Wire::with_names(allowed, Duration::from_secs(2), names).expect("a client")
    }

    fn ping() -> Envelope {
        Envelope::new(HookEventId::new(), "ping".to_owned(), OffsetDateTime::UNIX_EPOCH, false, &json!({}))
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_after_it_was_looked_at_leads_nowhere() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let wire = wire(Allowed::default(), Arc::new(Rebinding { asked: AtomicUsize::new(0) }));
        let url = format!("https://rebinds.example:{port}/");
        wire.check(&url).await.expect("at first it is harmless");
        let outcome = wire.send(&url, &ping(), &[]).await;
        assert_eq!(outcome.error.as_deref(), Some("the address leads to an address that is not allowed"));
        let nobody_came = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(nobody_came.is_err(), "it was connected to");
        assert!(wire.check(&url).await.is_err(), "and it is refused from then on");
    }

    #[tokio::test]
    async fn an_address_that_is_not_allowed_any_more_is_not_called() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}/", listener.local_addr().expect("an address"));
        let outcome = wire(Allowed::default(), Arc::new(System)).send(&url, &ping(), &[]).await;
        assert!(outcome.error.is_some_and(|error| error.contains("not allowed")));
        assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err());
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_unless_it_is_allowed() {
        let strict = wire(Allowed::default(), Arc::new(System));
        let refused = strict.check("https://localhost/").await.expect_err("it is ours");
        assert!(refused.to_string().contains("not allowed"), "{refused}");
        let open = wire(Allowed { private: true, ..Allowed::default() }, Arc::new(System));
        open.check("http://localhost:9/").await.expect("it is allowed");
        assert!(strict.check(&format!("https://example.com/{}", "x".repeat(2000))).await.is_err());
        assert!(strict.check("nonsense").await.is_err());
    }
}
