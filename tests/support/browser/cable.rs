//! The cable between a person's browser and everything else, which a test can pull.
//!
//! Chromium's own "offline" only refuses new requests: an open stream of events goes on. So each person's traffic runs
//! through a small SOCKS proxy here. It also lets nothing through that is not for this machine.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const CONNECTED: u8 = 0;
const NOT_ALLOWED: u8 = 2;
const REFUSED: u8 = 5;

pub struct Cable {
    pub port: u16,
    connected: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Cable {
    pub async fn lay() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (connected, watcher) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            while let Ok((browser, _)) = listener.accept().await {
                tokio::spawn(carry_until_cut(browser, watcher.clone()));
            }
        });
        Self { port, connected, accepting }
    }

    /// Ends what is open, and lets nothing new through.
    pub fn cut(&self) {
        self.connected.send_replace(false);
    }

    pub fn mend(&self) {
        self.connected.send_replace(true);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry_until_cut(browser: TcpStream, mut connected: watch::Receiver<bool>) {
    tokio::select! {
        // Either side may end whenever it likes; that the cable itself goes is an end as well.
        _ = connected.wait_for(|connected| !connected) => {}
        _ = carry(browser) => {}
    }
}

/// SOCKS 5 (RFC 1928) without authentication, and with names only: so Chromium sends addresses, too.
async fn carry(mut browser: TcpStream) -> io::Result<()> {
    let mut greeting = [0; 2];
    browser.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    browser.read_exact(&mut methods).await?;
    browser.write_all(&[5, 0]).await?;

    let mut request = [0; 5];
    browser.read_exact(&mut request).await?;
    let mut name = vec![0; usize::from(request[4])];
    browser.read_exact(&mut name).await?;
    let port = browser.read_u16().await?;
    let address = String::from_utf8(name).ok().and_then(|name| name.parse::<Ipv4Addr>().ok());
    let is_name = request[3] == 3;
    let Some(address) = address.filter(|address| is_name && address.is_loopback()) else {
        return browser.write_all(&reply(NOT_ALLOWED)).await;
    };
    let Ok(mut server) = TcpStream::connect((address, port)).await else {
        return browser.write_all(&reply(REFUSED)).await;
    };
    server.set_nodelay(true)?;
    browser.set_nodelay(true)?;
    browser.write_all(&reply(CONNECTED)).await?;
    tokio::io::copy_bidirectional(&mut browser, &mut server).await?;
    Ok(())
}

/// An answer to a request, with an address that nobody reads.
fn reply(code: u8) -> [u8; 10] {
    [5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}
