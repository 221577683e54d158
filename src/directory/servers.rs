//! The servers of one directory, in the order in which they are tried: those that are named, or those that a service
//! record names now.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::timeout;

use super::connection::Endpoint;
use super::settings::{Protection, Settings, SettingsFault};
use super::srv::{Locator, Target, by_chance, ordered};
use super::tls::Tls;
use super::url::ServerUrl;

/// The servers of one directory. Each has a number that stays, whatever becomes of the order.
pub(super) struct Servers {
    list: ArcSwap<List>,
    locator: Option<Arc<Locator>>,
    tls: Option<Tls>,
    start_tls: bool,
}

#[derive(Default)]
struct List {
    /// Every server that was ever met, at the place of its number.
    known: Vec<Arc<Endpoint>>,
    /// The numbers of those in use, the preferred one first.
    order: Vec<usize>,
    /// What the order was made of.
    targets: Vec<Target>,
}

impl Servers {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsFault> {
        let unusable = |reason| SettingsFault::Tls { directory: settings.name.clone(), reason };
        let by_record = settings.srv.as_ref().map(|srv| srv.protection);
        let start_tls = settings.start_tls || by_record == Some(Protection::StartTls);
        let protected = start_tls || by_record == Some(Protection::Tls) || settings.urls.iter().any(ServerUrl::is_tls);
        let tls = protected.then(|| Tls::new(&settings.ca, settings.client.as_ref())).transpose().map_err(unusable)?;
        let locator = settings.srv.clone().map(|srv| Arc::new(Locator::new(srv)));
        let servers = Self { list: ArcSwap::default(), locator, tls, start_tls };
        let mut list = List::default();
        for url in &settings.urls {
            let number = servers.number(&mut list, url).map_err(unusable)?;
            list.order.push(number);
        }
        servers.list.store(Arc::new(list));
        Ok(servers)
    }

    /// Looks the service record up, if there is one; its answer is remembered for as long as it says. As long as it
    /// names the same servers the order stays. The error is for people; servers that are known stay in use.
    pub(super) async fn look_up(&self, settings: &Settings) -> Result<(), String> {
        let Some(locator) = &self.locator else { return Ok(()) };
        let found = timeout(settings.connect_timeout, locator.targets()).await;
        let targets = match found.unwrap_or_else(|_| Err(format!("no name server answers for {}", locator.name()))) {
            Ok(targets) => targets,
            Err(why) if self.list.load().order.is_empty() => return Err(why),
            Err(why) => {
                tracing::warn!(target: "scim2ldap::directory", directory = %settings.name, why, "going on with the servers that are known");
                return Ok(());
            }
        };
        let old = self.list.load();
        if old.targets == targets {
            return Ok(());
        }
        let mut list = List { known: old.known.clone(), order: Vec::new(), targets };
        for target in ordered(&list.targets, &mut by_chance) {
            let number = locator.url(&target).and_then(|url| self.number(&mut list, &url))?;
            if !list.order.contains(&number) {
                list.order.push(number);
            }
        }
        self.list.store(Arc::new(list));
        Ok(())
    }

    /// The number of the server at `url`.
    fn number(&self, list: &mut List, url: &ServerUrl) -> Result<usize, String> {
        if let Some(known) = list.known.iter().position(|endpoint| endpoint.url == *url) {
            return Ok(known);
        }
        let number = list.known.len();
        let locator = self.locator.clone();
        let endpoint = Endpoint::new(url.clone(), number, self.start_tls, self.tls.as_ref(), locator)?;
        list.known.push(Arc::new(endpoint));
        Ok(number)
    }

    /// The address of the server with this number; where none was met yet, what would be looked up.
    pub(super) fn address(&self, number: usize) -> String {
        let known = self.list.load().known.get(number).map(|endpoint| endpoint.url.to_string());
        known.or_else(|| self.locator.as_ref().map(|locator| locator.name().to_owned())).unwrap_or_default()
    }

    /// The preferred server.
    pub(super) fn home(&self) -> Option<Arc<Endpoint>> {
        let list = self.list.load();
        list.order.first().and_then(|number| list.known.get(*number)).cloned()
    }

    /// The number of the server that comes after this one; `None` when there is no other.
    pub(super) fn after(&self, number: usize) -> Option<usize> {
        let list = self.list.load();
        let at = list.order.iter().position(|other| *other == number);
        let next = at.map_or(0, |at| at + 1);
        let next = list.order.get(next).or_else(|| list.order.first()).copied();
        next.filter(|next| *next != number)
    }

    /// All servers, beginning with the one that has this number.
    pub(super) fn beginning_with(&self, number: usize) -> Vec<Arc<Endpoint>> {
        let list = self.list.load();
        let first = list.order.iter().position(|other| *other == number).unwrap_or(0);
        let numbers = list.order.iter().cycle().skip(first).take(list.order.len());
        numbers.filter_map(|number| list.known.get(*number).cloned()).collect()
    }
}
