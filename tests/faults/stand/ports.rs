//! Ports that stay ours: below those that the kernel gives to outgoing connections, so that a server that was killed
//! finds its own port free when it comes back.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Mutex;

pub fn free() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().expect("nobody panics with the lock");
    loop {
        let port = rand::random_range(15_000..32_000);
        // A Cluster's bus is asked for by its own port, so any two ports may be given together.
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
}
