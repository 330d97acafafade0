//! Mail in `dev`: the mailbox that everybody's letters land in.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use holdfast::config::Config;
use holdfast::local::Stack;
use holdfast::mailbox::{self, Mailbox};
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::port_beside;

/// Starts the mailbox, unless a mail server was given.
pub async fn open_mailbox(
    config: &mut Config,
    address: Option<SocketAddr>,
    stack: &Stack,
) -> anyhow::Result<Option<Mailbox>> {
    config.mail_from.get_or_insert_with(|| "Holdfast <no-reply@holdfast.test>".to_owned());
    if config.smtp_url.is_some() {
        return Ok(None);
    }
    let web = port_beside(&config.listen_addr, 2, address).await.context("the mailbox")?;
    // Only this process writes to it, wherever the shop listens.
    let smtp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("the mailbox")?;
    let journal = Some(stack.dir().join("mailbox.journal"));
    let mailbox = mailbox::start(smtp, web, journal).await.context("the mailbox")?;
    config.smtp_url = Some(SecretString::from(mailbox.smtp_url()));
    Ok(Some(mailbox))
}
