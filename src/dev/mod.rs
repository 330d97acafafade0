//! `holdfast dev`: the production code on an embedded stack, with something to sell and a way to pay.

mod post;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use holdfast::app::App;
use holdfast::config::Config;
use holdfast::local::{Secrets, Stack, StackSettings};
use holdfast::mailbox::Mailbox;
use holdfast::sandbox::{self, Sandbox, SandboxSettings, WebhookTarget};
use holdfast::stores::migrate;
use holdfast::{demo, node, telemetry};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::stop_requested;

/// The database inside the embedded Postgres.
const DATABASE: &str = "holdfast";

/// Settings of `dev`, beside those that production has too.
#[derive(Debug, Args)]
pub struct Dev {
    /// Empties the embedded stack first.
    #[arg(long)]
    fresh: bool,
    /// Where the embedded stack keeps its data.
    #[arg(long, env = "HOLDFAST_DATA")]
    data: Option<PathBuf>,
    /// Where the sandbox listens. Default: the port after LISTEN_ADDR's, or any free one.
    #[arg(long, env = "SANDBOX_ADDR")]
    sandbox_addr: Option<SocketAddr>,
    /// Where the mailbox can be read. Default: the second port after LISTEN_ADDR's, or any free one.
    #[arg(long, env = "MAILBOX_ADDR")]
    mailbox_addr: Option<SocketAddr>,
    #[command(flatten)]
    config: Config,
}

/// Opens for business until told to stop.
pub async fn run(dev: Dev) -> anyhow::Result<ExitCode> {
    telemetry::start_logging(dev.config.log_format)?;
    let mut config = dev.config;
    let listener = TcpListener::bind(config.listen_addr)
        .await
        .with_context(|| format!("cannot listen on {}: choose another LISTEN_ADDR", config.listen_addr))?;
    config.listen_addr = listener.local_addr()?;

    let settings = StackSettings {
        dir: dev.data,
        fresh: dev.fresh,
        postgres: config.database_url.is_none(),
        redis: config.redis_url.is_none(),
        durable: true,
    };
    let stack = Stack::start(&settings).await?;
    if let Some(url) = &config.database_url {
        let patience = Duration::from_secs(30);
        migrate::migrate(url.expose_secret(), patience).await.context("bringing the database up to date")?;
    } else {
        stack.create_database(DATABASE, None).await.context("the database")?;
        stack.prepare_database(DATABASE).await.context("the database")?;
    }
    fill_in(&mut config, &stack)?;
    let sandbox = open_sandbox(&mut config, dev.sandbox_addr, &stack).await?;
    let mailbox = post::open_mailbox(&mut config, dev.mailbox_addr, &stack).await?;

    let app = App::start(config).await?;
    demo::open(&app).await.context("opening the demo")?;
    let greeting = greeting(&app, sandbox.as_ref(), mailbox.as_ref(), &stack);
    let stop = CancellationToken::new();
    let served = node::serve(app, listener, stop.clone());
    println!("{greeting}");

    stop_requested().await?;
    eprintln!("closing: what is in flight is finished");
    stop.cancel();
    served.await?;
    if let Some(sandbox) = sandbox {
        sandbox.stop().await;
    }
    if let Some(mailbox) = mailbox {
        mailbox.stop().await;
    }
    stack.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Everything that was not given comes from the embedded stack, whose secrets are kept with its data.
fn fill_in(config: &mut Config, stack: &Stack) -> anyhow::Result<()> {
    let Secrets { jwt, stripe_key, webhook } = stack.secrets()?;
    config.database_url.get_or_insert_with(|| SecretString::from(stack.service_url(DATABASE)));
    config.redis_url.get_or_insert_with(|| SecretString::from(stack.redis_url(0)));
    // Nobody stands before it who would have to hear first that it goes.
    config.drain_seconds = 0;
    // Whoever tries webhooks out has the other end on this machine, too.
    config.hooks_allow_private = true;
    config.jwt_secret.get_or_insert(jwt);
    config.stripe_secret_key.get_or_insert(stripe_key);
    config.stripe_webhook_secret.get_or_insert(webhook);
    config.stripe_publishable_key.get_or_insert_with(|| "pk_test_sandbox".to_owned());
    Ok(())
}

/// Starts the sandbox, unless Stripe's address was given.
async fn open_sandbox(
    config: &mut Config,
    address: Option<SocketAddr>,
    stack: &Stack,
) -> anyhow::Result<Option<Sandbox>> {
    if config.stripe_api_url.is_some() {
        return Ok(None);
    }
    let listener = port_beside(&config.listen_addr, 1, address).await.context("the sandbox")?;
    let secret = |value: &Option<SecretString>| value.clone().context("a secret is missing");
    let webhook_secret = secret(&config.stripe_webhook_secret)?;
    // While secrets rotate there are several; any one of them is accepted.
    let first = webhook_secret.expose_secret().split(',').next().unwrap_or_default().trim().to_owned();
    let settings = SandboxSettings {
        secret_key: secret(&config.stripe_secret_key)?,
        publishable_key: config.stripe_publishable_key.clone().unwrap_or_default(),
        webhook: Some(WebhookTarget {
            url: format!("http://{}/v1/webhooks/stripe", config.listen_addr),
            secret: SecretString::from(first),
        }),
        journal: Some(stack.dir().join("sandbox.journal")),
        public_url: None,
    };
    let sandbox = sandbox::start(settings, listener).await.context("the sandbox")?;
    config.stripe_api_url = Some(format!("http://{}", sandbox.addr()));
    config.pay_page_url.get_or_insert_with(|| format!("http://{}/pay", sandbox.addr()));
    Ok(Some(sandbox))
}

/// The address that was asked for, or else the port so far behind the shop's, or else any free one.
async fn port_beside(
    shop: &SocketAddr,
    distance: u16,
    asked: Option<SocketAddr>,
) -> anyhow::Result<TcpListener> {
    if let Some(address) = asked {
        return TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"));
    }
    let port = shop.port().checked_add(distance).unwrap_or(0);
    match TcpListener::bind((shop.ip(), port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(TcpListener::bind((shop.ip(), 0)).await?),
    }
}

fn greeting(app: &App, sandbox: Option<&Sandbox>, mailbox: Option<&Mailbox>, stack: &Stack) -> String {
    use std::fmt::Write as _;
    let url = app.config.public_url();
    let mut text =
        format!("\nHoldfast is open for business.\n\n  shop       {url}\n  API        {url}/docs\n");
    if let Some(sandbox) = sandbox {
        let _ = writeln!(
            text,
            "  sandbox    http://{}   (plays Stripe; its ledger is at /sandbox/ledger)",
            sandbox.addr()
        );
    }
    if let Some(mailbox) = mailbox {
        let _ = writeln!(text, "  mailbox    {}   (every letter that is sent lands here)", mailbox.url());
    }
    let _ = writeln!(text, "  data       {}", stack.dir().display());
    let _ = writeln!(text, "\nSign in with the password {}:\n", demo::PASSWORD);
    for email in demo::addresses() {
        let _ = writeln!(text, "  {email}");
    }
    text.push_str("\nCtrl-C closes it; everything is kept for the next time. --fresh starts over.\n");
    text
}

/// A node for one command: on the stores that were named, or on those of a `dev` that runs here.
pub async fn app_for_a_command(mut config: Config) -> anyhow::Result<App> {
    telemetry::start_logging(config.log_format)?;
    if config.database_url.is_none() || config.redis_url.is_none() {
        let dir = std::env::var_os("HOLDFAST_DATA").map(PathBuf::from);
        let running = Stack::running(dir.as_deref()).context(
            "set DATABASE_URL and REDIS_URL, or run `holdfast dev` in this folder and try again beside it",
        )?;
        config.database_url.get_or_insert_with(|| SecretString::from(running.service_url(DATABASE)));
        config.redis_url.get_or_insert_with(|| SecretString::from(running.redis_url(0)));
    }
    // Neither signs anything nor moves money; what production insists on is not needed here.
    config.jwt_secret.get_or_insert_with(|| SecretString::from("not used by this command"));
    config.stripe_secret_key.get_or_insert_with(|| SecretString::from("sk_test_not_used"));
    App::start(config).await
}
