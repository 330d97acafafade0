//! The command line.

mod bench;
mod dev;

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use holdfast::accounts::{NewAccount, Role};
use holdfast::app::App;
use holdfast::config::Config;
use holdfast::ids::AccountId;
use holdfast::stores::{migrate, postgres, service_role};
use holdfast::{node, sandbox, telemetry, workers};
use mimalloc::MiMalloc;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A request is many small pieces of memory, given by one thread and taken back by another: libc's allocator spent more time on
/// them, and kept several times as much (docs/performance.md).
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

/// Hold-and-confirm seat reservations: no seat is sold twice, no captured payment is left without its seats or
/// its money back.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Opens for business on this machine: its own Redis and Postgres, demo events, and a Stripe sandbox.
    Dev(dev::Dev),
    /// Runs a production node; refuses to start with a missing or weak secret.
    Serve(Config),
    /// Brings the database up to date.
    Migrate(Box<Migrate>),
    /// Runs the Stripe double alone.
    Sandbox(SandboxArgs),
    /// Manages accounts.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Asks every invariant how often it is broken; exits non-zero when one is.
    Audit(Config),
    /// After Postgres was restored or replaced: brings back what Stripe knows, builds every picture anew, and says what is left
    /// to a person; exits non-zero when something is.
    Recover(Recover),
    /// Measures a house: asks it as a crowd would, at a pace that its answers do not change.
    Bench(bench::Bench),
}

#[derive(Debug, Args)]
struct Recover {
    /// Asks Stripe about everything since then, 2026-11-21T10:00:00Z: at the latest the moment that was restored to. Default:
    /// an hour before the last walk over Stripe's list that the restored database knows of.
    #[arg(long)]
    since: Option<String>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Creates an account with a role; the password is read from standard input.
    Create(CreateAccount),
}

#[derive(Debug, Args)]
struct Migrate {
    /// Gives this role what `serve` needs of the database, and nothing else. It must be there, and not be the owner.
    #[arg(long, env = "GRANT_TO", value_name = "ROLE")]
    grant_to: Option<String>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Args)]
struct CreateAccount {
    #[arg(long)]
    email: String,
    #[arg(long)]
    name: String,
    #[arg(long, value_enum)]
    role: Role,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Args)]
struct SandboxArgs {
    /// Where the sandbox listens.
    #[arg(long, env = "SANDBOX_ADDR", default_value = "127.0.0.1:8081")]
    listen: std::net::SocketAddr,
    /// Where its webhooks go.
    #[arg(long, env = "SANDBOX_WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// Keeps the ledger in this file between runs.
    #[arg(long)]
    journal: Option<std::path::PathBuf>,
    #[arg(long, env = "STRIPE_SECRET_KEY", hide_env_values = true)]
    secret_key: SecretString,
    #[arg(long, env = "STRIPE_PUBLISHABLE_KEY", default_value = "pk_test_sandbox")]
    publishable_key: String,
    #[arg(long, env = "STRIPE_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: SecretString,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Every TLS connection uses this one provider; a second call would only say that it is installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Servers that we start die with the thread that starts them, so it is this one, which lives to the end.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("holdfast: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(cli.command));
    telemetry::finish_logging();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("holdfast: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(dev) => Box::pin(dev::run(dev)).await,
        Command::Serve(config) => serve(config).await,
        Command::Migrate(wish) => bring_up_to_date(&wish).await,
        Command::Sandbox(args) => run_sandbox(args).await,
        Command::Admin(AdminCommand::Create(create)) => Box::pin(create_account(create)).await,
        Command::Audit(config) => Box::pin(audit(config)).await,
        Command::Recover(command) => Box::pin(recover(command)).await,
        Command::Bench(bench) => Box::pin(bench::run(bench)).await,
    }
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    config.check_for_production()?;
    telemetry::start_logging(config.log_format)?;
    let listener = TcpListener::bind(config.listen_addr)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen_addr))?;
    tracing::info!(address = %listener.local_addr()?, "holdfast serves");
    let stop = CancellationToken::new();
    let served = node::serve(App::start(config).await?, listener, stop.clone());
    stop_requested().await?;
    tracing::info!("stopping: requests in flight are finished");
    stop.cancel();
    served.await?;
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or the polite signal of a supervisor.
async fn stop_requested() -> anyhow::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

/// How long a migration may wait for somebody's long transaction.
const MIGRATION_PATIENCE: Duration = Duration::from_mins(10);

async fn bring_up_to_date(wish: &Migrate) -> anyhow::Result<ExitCode> {
    telemetry::start_logging(wish.config.log_format)?;
    let url = wish.config.database_url.as_ref().context("DATABASE_URL is not set")?;
    migrate::migrate(url.expose_secret(), MIGRATION_PATIENCE).await?;
    println!("the database is up to date");
    if let Some(role) = &wish.grant_to {
        let pg = postgres::pool(url.expose_secret(), 1).context("DATABASE_URL cannot be read")?;
        service_role::grant(&pg, role).await.context("nothing was granted")?;
        println!("{role} may do what nodes need, and nothing else");
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_sandbox(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    telemetry::start_logging(holdfast::config::LogFormat::Text)?;
    let listener = TcpListener::bind(args.listen).await?;
    let settings = sandbox::SandboxSettings {
        secret_key: args.secret_key,
        publishable_key: args.publishable_key,
        webhook: args.webhook_url.map(|url| sandbox::WebhookTarget { url, secret: args.webhook_secret }),
        journal: args.journal,
        public_url: None,
    };
    let sandbox = sandbox::start(settings, listener).await?;
    println!("the sandbox listens on http://{}", sandbox.addr());
    stop_requested().await?;
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn create_account(create: CreateAccount) -> anyhow::Result<ExitCode> {
    let password = read_password()?;
    let app = dev::app_for_a_command(create.config).await?;
    let account = app
        .accounts
        .create(NewAccount {
            id: AccountId::new(),
            name: create.name,
            email: create.email,
            password,
            role: create.role,
        })
        .await?;
    println!("{} {} {}", account.id, account.role, account.email);
    Ok(ExitCode::SUCCESS)
}

/// One line from standard input, so that no password stands in a process list or a shell's history.
fn read_password() -> anyhow::Result<SecretString> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the password, then Enter and Ctrl-D:");
    }
    let mut text = String::new();
    std::io::stdin().lock().take(4096).read_to_string(&mut text)?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        bail!("no password on standard input");
    }
    Ok(SecretString::from(password))
}

async fn audit(config: Config) -> anyhow::Result<ExitCode> {
    let app = dev::app_for_a_command(config).await?;
    let report = workers::audit::run(&app).await?;
    print!("{report}");
    Ok(if report.breaches() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Orders are confirmed and tickets signed, so nothing may be missing that a node needs.
async fn recover(command: Recover) -> anyhow::Result<ExitCode> {
    let since = command
        .since
        .map(|text| {
            OffsetDateTime::parse(&text, &Rfc3339).context("--since is not like 2026-11-21T10:00:00Z")
        })
        .transpose()?;
    command.config.check_for_production()?;
    telemetry::start_logging(command.config.log_format)?;
    let app = App::start(command.config).await?;
    let recovery = workers::recover::run(&app, since).await?;
    print!("{recovery}");
    Ok(if recovery.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
