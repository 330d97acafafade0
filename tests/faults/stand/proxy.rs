//! A wire in our hands: it can be cut, slow, silent, or lose the answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the wire is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// Connections end, and new ones are refused.
    pub cut: bool,
    /// Nothing arrives, nobody hangs up.
    pub silent: bool,
    /// Each piece waits this long on its way, in both directions.
    pub delay: Duration,
    /// No more than this goes through in a second, in each direction.
    pub bytes_per_second: Option<u32>,
    /// Questions arrive, answers do not: the connection ends instead.
    pub answers_lost: bool,
}

impl Weather {
    pub const FAIR: Self = Self {
        cut: false,
        silent: false,
        delay: Duration::ZERO,
        bytes_per_second: None,
        answers_lost: false,
    };
    pub const CUT: Self = Self { cut: true, ..Self::FAIR };
    pub const SILENT: Self = Self { silent: true, ..Self::FAIR };
    pub const NO_ANSWERS: Self = Self { answers_lost: true, ..Self::FAIR };

    pub fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::FAIR }
    }

    pub fn narrow(bytes_per_second: u32) -> Self {
        Self { bytes_per_second: Some(bytes_per_second), ..Self::FAIR }
    }
}

/// Listens at one address and passes on to others, each connection to the next that takes it.
#[derive(Debug)]
pub struct Proxy {
    pub addr: SocketAddr,
    wire: Arc<Wire>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Wire {
    targets: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    weather: watch::Sender<Weather>,
}

impl Proxy {
    pub async fn to(target: SocketAddr) -> Self {
        Self::between(vec![target]).await
    }

    pub async fn between(targets: Vec<SocketAddr>) -> Self {
        // From below the kernel's own range: a Redis that was told this address must find it again.
        let addr = SocketAddr::from(([127, 0, 0, 1], super::ports::free()));
        let listener = TcpListener::bind(addr).await.expect("a free port");
        let wire = Arc::new(Wire {
            targets: Mutex::new(targets),
            turn: AtomicUsize::new(0),
            weather: watch::Sender::new(Weather::FAIR),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&wire)));
        Self { addr, wire, listening }
    }

    pub fn weather(&self, weather: Weather) {
        self.wire.weather.send_replace(weather);
    }

    /// Ends every connection once; new ones are taken.
    pub async fn hang_up(&self) {
        let before = *self.wire.weather.borrow();
        self.weather(Weather::CUT);
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.weather(before);
    }

    /// From now on connections go there; those that are open end.
    pub async fn lead_to(&self, targets: Vec<SocketAddr>) {
        *self.wire.targets.lock().expect("nobody panics with the lock") = targets;
        self.hang_up().await;
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.wire.weather.send_replace(Weather::CUT);
    }
}

async fn listen(listener: TcpListener, wire: Arc<Wire>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let wire = Arc::clone(&wire);
        tokio::spawn(async move {
            if wire.weather.borrow().cut {
                slam(&client);
                return;
            }
            let Some(server) = wire.reach().await else {
                slam(&client);
                return;
            };
            carry(client, server, &wire).await;
        });
    }
}

impl Wire {
    async fn reach(&self) -> Option<TcpStream> {
        let targets = self.targets.lock().expect("nobody panics with the lock").clone();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for at in 0..targets.len() {
            if let Ok(stream) = TcpStream::connect(targets[(first + at) % targets.len()]).await {
                return Some(stream);
            }
        }
        None
    }
}

/// Ends a connection as a cut wire does: with a reset, not with a goodbye.
fn slam(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// The weather ended a connection.
struct Ended;

async fn carry(mut client: TcpStream, mut server: TcpStream, wire: &Wire) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let mut weather = wire.weather.subscribe();
    let cut = async {
        // The proxy that is gone has cut the wire, too.
        let _ = weather.wait_for(|weather| weather.cut).await;
    };
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = pump(from_client, to_server, wire.weather.subscribe(), false);
        let back = pump(from_server, to_client, wire.weather.subscribe(), true);
        tokio::select! {
            () = cut => Err(Ended),
            both = async { tokio::try_join!(there, back) } => both.map(drop),
        }
    };
    if ended.is_err() {
        slam(&client);
        slam(&server);
    }
}

/// Passes bytes on until one side has no more, or the weather ends it.
async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut weather: watch::Receiver<Weather>,
    answers: bool,
) -> Result<(), Ended> {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let now = match weather.wait_for(|weather| !weather.silent || weather.cut).await {
            Ok(now) => *now,
            Err(_) => return Err(Ended),
        };
        if now.cut || (answers && now.answers_lost) {
            return Err(Ended);
        }
        let narrow = now.bytes_per_second.map_or(Duration::ZERO, |most| {
            Duration::from_secs_f64(
                f64::from(u32::try_from(read).unwrap_or(u32::MAX)) / f64::from(most.max(1)),
            )
        });
        let wait = now.delay + narrow;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if to.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
    Ok(())
}
