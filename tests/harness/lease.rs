//! A clean part of a directory for one test.

use super::{Kind, Options, Server};
use std::ops::Deref;
use std::sync::{Mutex, OnceLock};

/// A server that is used by one test at a time, or by all of them where they can't get into each other's way.
///
/// On Active Directory the names of users and groups are unique in the whole domain, so two tests with an `ada` can't
/// share a domain at the same time: a test has one to itself, and the next one finds it clean.
#[derive(Debug)]
pub struct Lease(Held);

#[derive(Debug)]
enum Held {
    Shared(&'static Server),
    Alone { server: Option<Server>, options: Options },
}

/// Servers that nobody uses at the moment.
static IDLE: Mutex<Vec<(Options, Server)>> = Mutex::new(Vec::new());

impl Lease {
    /// A server of this kind, with nothing in it that the test could stumble over.
    pub async fn of(kind: Kind) -> Self {
        Self::with(kind, Options::default()).await
    }

    /// The same; the options have to do with how the server is reached, not with what tests see of one another.
    pub async fn with(kind: Kind, options: Options) -> Self {
        match kind {
            Kind::OpenLdap => Self(Held::Shared(super::Slapd::shared())),
            Kind::Ds389 => Self(Held::Shared(shared_389())),
            Kind::ActiveDirectory => Self::alone(options).await,
        }
    }

    async fn alone(options: Options) -> Self {
        let idle = {
            let mut idle = IDLE.lock().unwrap();
            idle.iter().position(|(of, _)| *of == options).map(|at| idle.swap_remove(at).1)
        };
        let server = match idle {
            Some(server) if clean(&server).await => server,
            _ => Server::with(Kind::ActiveDirectory, options),
        };
        Self(Held::Alone { server: Some(server), options })
    }
}

fn shared_389() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::own(Kind::Ds389))
}

/// Entries that are quicker removed than a new domain is started. It takes Samba ten times as long to remove three times
/// as many members of a group.
const FEW: usize = 150;

/// Removes the parts that earlier tests made; false when there is too much in them.
async fn clean(server: &Server) -> bool {
    let raw = server.raw().await;
    let parts = raw.children(server.facts().suffix, "(objectClass=organizationalUnit)").await;
    for part in parts.iter().filter(|dn| !dn.starts_with("OU=Domain Controllers,")) {
        if raw.find(part, "(objectClass=*)").await.len() > FEW {
            return false;
        }
        raw.delete_tree(part).await;
    }
    true
}

impl Deref for Lease {
    type Target = Server;

    fn deref(&self) -> &Server {
        match &self.0 {
            Held::Shared(server) => server,
            Held::Alone { server, .. } => server.as_ref().expect("kept until the end"),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Held::Alone { server, options } = &mut self.0
            && let (Some(server), Ok(mut idle)) = (server.take(), IDLE.lock())
        {
            idle.push((*options, server));
        }
    }
}
