//! Servers that are found by a service record (RFC 2782), as Active Directory publishes them.

use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::OnceCell;

use super::settings::{Protection, Srv};
use super::url::ServerUrl;

/// Looks servers up. What was found is remembered for as long as the record says.
pub(super) struct Locator {
    srv: Srv,
    resolver: OnceCell<TokioResolver>,
}

/// One line of a service record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub priority: u16,
    pub weight: u16,
    pub host: String,
    pub port: u16,
}

impl Locator {
    pub(super) fn new(srv: Srv) -> Self {
        Self { srv, resolver: OnceCell::new() }
    }

    /// The name that is looked up.
    pub(super) fn name(&self) -> &str {
        &self.srv.name
    }

    /// The targets of the record, sorted; the error is for people.
    pub(super) async fn targets(&self) -> Result<Vec<Target>, String> {
        let name = &self.srv.name;
        let failed = |why: &dyn std::fmt::Display| {
            format!("the service record {name} can't be looked up: {why}; check the key srv and the name servers")
        };
        let resolver = self.resolver().await.map_err(|why| failed(&why))?;
        let found = resolver.srv_lookup(absolute(name)).await.map_err(|fault| match fault {
            fault if fault.is_no_records_found() => failed(&"there is no such record"),
            fault => failed(&fault),
        })?;
        let mut targets: Vec<Target> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                // A single dot says that there is no such service.
                RData::SRV(srv) if !srv.target.is_root() => Some(Target {
                    priority: srv.priority,
                    weight: srv.weight,
                    host: srv.target.to_ascii().trim_end_matches('.').to_lowercase(),
                    port: srv.port,
                }),
                _ => None,
            })
            .collect();
        targets.sort();
        targets.dedup();
        if targets.is_empty() { Err(failed(&"it names no server")) } else { Ok(targets) }
    }

    /// The addresses of a server, where name servers of our own are to be asked; `None`: the system knows.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Option<Result<Vec<SocketAddr>, String>> {
        if self.srv.nameservers.is_empty() {
            return None;
        }
        let look_up = async {
            let found = self.resolver().await?.lookup_ip(absolute(host)).await.map_err(|fault| fault.to_string())?;
            Ok(found.iter().map(|address| SocketAddr::new(address, port)).collect())
        };
        Some(look_up.await)
    }

    /// The address of a target, as it is to be connected to.
    pub(super) fn url(&self, target: &Target) -> Result<ServerUrl, String> {
        let tls = self.srv.protection == Protection::Tls;
        // The record of Active Directory has the plain port; beside it stands the one with TLS.
        let port = match (tls, target.port) {
            (true, 389) => 636,
            (true, 3268) => 3269,
            (_, port) => port,
        };
        ServerUrl::tcp(tls, &target.host, port).map_err(|reason| format!("{}: {reason}", target.host))
    }

    async fn resolver(&self) -> Result<&TokioResolver, String> {
        let build = || async {
            let builder = if self.srv.nameservers.is_empty() {
                TokioResolver::builder_tokio().map_err(|fault| fault.to_string())?
            } else {
                let servers = self.srv.nameservers.iter().map(|address| name_server(*address)).collect();
                let config = ResolverConfig::from_name_servers(servers);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            };
            builder.build().map_err(|fault| fault.to_string())
        };
        self.resolver.get_or_try_init(build).await
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
}

/// A name that no search domain is put behind.
fn absolute(name: &str) -> String {
    [name.trim_end_matches('.'), "."].concat()
}

/// The order in which targets are tried (RFC 2782): by priority, and among equals by chance, the heavier the sooner.
/// `below` draws a number from 0 up to and including its argument.
pub(super) fn ordered(targets: &[Target], below: &mut dyn FnMut(u32) -> u32) -> Vec<Target> {
    let mut open = targets.to_vec();
    // Those without weight come first, so that they have a chance at all.
    open.sort_by_key(|target| (target.priority, target.weight > 0));
    let mut order = Vec::with_capacity(open.len());
    while let Some(priority) = open.first().map(|target| target.priority) {
        let equals = open.iter().take_while(|target| target.priority == priority);
        let weights: Vec<u32> = equals.map(|target| u32::from(target.weight)).collect();
        let draw = below(weights.iter().sum());
        let mut sum = 0;
        let reached = |weight: &u32| {
            sum += weight;
            sum >= draw
        };
        let chosen = weights.iter().position(reached).unwrap_or(0);
        order.push(open.remove(chosen));
    }
    order
}

/// A number from 0 to `most`, by chance.
pub(super) fn by_chance(most: u32) -> u32 {
    let mut bytes = [0; 4];
    // Without chance the first one is taken, which is an order as well.
    let _ = SystemRandom::new().fill(&mut bytes);
    let range = u64::from(most) + 1;
    u32::try_from(u64::from(u32::from_be_bytes(bytes)) % range).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, weight: u16, host: &str) -> Target {
        Target { priority, weight, host: host.to_owned(), port: 389 }
    }

    fn hosts(order: &[Target]) -> String {
        order.iter().map(|target| target.host.as_str()).collect()
    }

    #[test]
    fn a_lower_priority_goes_first_whatever_the_weight() {
        let targets = [target(20, 100, "c"), target(10, 0, "a"), target(15, 1, "b")];
        assert_eq!(hosts(&ordered(&targets, &mut |_| 0)), "abc");
        assert_eq!(hosts(&ordered(&targets, &mut |most| most)), "abc");
    }

    #[test]
    fn among_equals_the_heavier_ones_go_first_more_often() {
        let targets = [target(0, 30, "a"), target(0, 10, "b"), target(0, 0, "z")];
        let firsts: String = (0..=40).map(|draw| hosts(&ordered(&targets, &mut |_| draw)).remove(0)).collect();
        let count = |host: char| firsts.chars().filter(|first| *first == host).count();
        assert_eq!((count('a'), count('b'), count('z')), (30, 10, 1));
    }

    #[test]
    fn every_target_is_in_the_order_once() {
        let targets = [target(0, 30, "a"), target(0, 10, "b"), target(0, 0, "c"), target(1, 5, "d")];
        for _ in 0..50 {
            let mut order = ordered(&targets, &mut by_chance);
            assert_eq!(order.last().map(|target| target.host.as_str()), Some("d"));
            order.sort();
            let mut all = targets.to_vec();
            all.sort();
            assert_eq!(order, all);
        }
    }

    #[test]
    fn chance_stays_within_its_bounds_and_reaches_them() {
        let drawn: Vec<u32> = (0..200).map(|_| by_chance(2)).collect();
        assert!((0..=2).all(|number| drawn.contains(&number)) && drawn.iter().all(|number| *number <= 2));
    }

    #[test]
    fn tls_from_the_start_has_its_own_port_beside_the_usual_ones() {
        let url = |protection, port| {
            let srv = Srv { name: "_ldap._tcp.example.com".into(), protection, nameservers: Vec::new() };
            Locator::new(srv).url(&Target { port, ..target(0, 0, "dc1.example.com") }).unwrap().to_string()
        };
        assert_eq!(url(Protection::Tls, 389), "ldaps://dc1.example.com:636");
        assert_eq!(url(Protection::Tls, 1636), "ldaps://dc1.example.com:1636");
        assert_eq!(url(Protection::StartTls, 389), "ldap://dc1.example.com:389");
    }
}
