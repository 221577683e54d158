//! What the integration tests, the demo and the bench stand on: real servers on loopback, started in well under a
//! second, and gone without a trace when the process that asked for them ends, however it ends.
//!
//! | part | is |
//! |---|---|
//! | [`Server`], [`Kind`] | a throw-away directory server with its own certificates, and in what the kinds differ |
//! | [`Lease`] | a server with a clean part for one test |
//! | [`Slapd`] | an OpenLDAP, with what only slapd has |
//! | [`Raw`] | a plain LDAP client that reads back what the bridge really wrote |
//! | [`Config`], [`Daemon`] | the program under test, its configuration and its log |
//! | [`Scim`] | a SCIM client that checks the manners of every answer |
//! | [`Dns`] | a name server that knows what it is told |
//! | [`Proxy`] | the network between bridge and directory, with faults on command |
//!
//! Everything here panics with a message for the developer when the ground itself is missing (no `slapd` installed,
//! no free port): a test that can't start must not look like one that passed.

// The module is compiled into several programs, each of which uses a part of it.
#![allow(dead_code, unused_imports)]
// As in every test: a harness that can't go on says so and stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]
// What belongs to a server is asked of the server, also where all are alike.
#![allow(clippy::unused_self)]

mod config;
mod daemon;
mod dns;
mod ds389;
mod keeper;
mod kind;
mod lease;
mod ports;
mod proxy;
mod raw;
mod samba;
mod scim;
mod server;
mod slapd;
mod tls;

pub use config::{BASIC, BEARER, Config, HEADER, quoted, shipped};
pub use daemon::{Daemon, field};
pub use dns::{Dns, Service};
pub use keeper::{Keeper, process_exists};
pub use kind::{Facts, Kind};
pub use lease::Lease;
pub use ports::free as ports_free;
pub use proxy::Proxy;
pub use raw::{Attributes, Raw, Refusal};
pub use scim::{Answer, Credential, Scim};
pub use server::Server;
pub use slapd::{Options, SUFFIX, Slapd};
pub use tls::{Authority, client_config};

use std::time::{Duration, Instant};

/// Asks `question` every few milliseconds until it has an answer; gives up, loudly, after `patience`.
pub fn wait_until<T>(what: &str, patience: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(began.elapsed() < patience, "gave up after {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processor time that a process has used so far, by user and system, in steps of 10 ms.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let (_, fields) = stat.rsplit_once(") ").expect("the name in brackets");
    // utime and stime are the fields 14 and 15 of the line, the state is the third. Linux counts 100 ticks a second.
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}
