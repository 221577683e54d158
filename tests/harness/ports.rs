//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range the kernel takes client ports from. A port of that range could be taken by any connection while
/// its server is down for a moment, and a client that knocks on it could even be connected to itself.
const FIRST: u16 = 15_000;
const COUNT: u16 = 16_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A TCP port of 127.0.0.1 that nobody listens on now. Another process may still be quicker: who starts a server on it
/// has to be ready to try again.
pub fn free() -> u16 {
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("below COUNT");
    for _ in 0..COUNT {
        // A large odd step keeps processes with neighbouring ids apart.
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(37) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 from {FIRST} on");
}
