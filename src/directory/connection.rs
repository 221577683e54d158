//! One connection: opened, protected, bound, and shared by several operations at a time.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, StdStream};
use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::dn::Dn;
use super::explain;
use super::fault::{Fault, FaultKind, is_elsewhere};
use super::filter::Filter;
use super::kerberos;
use super::name::AttributeName;
use super::operation::{Answer, Broken, Operation, Scope, Search};
use super::server::{ROOT_ATTRIBUTES, ServerInfo};
use super::settings::{Bind, Settings};
use super::socket;
use super::srv::Locator;
use super::tls::Tls;
use super::url::{Address, HostPort, ServerUrl};

/// How many operations share a connection at a time.
pub(super) const IN_FLIGHT: usize = 32;

/// After an answer of more bytes than this, a connection is replaced.
const LARGE: usize = 4 << 20;

/// How long a connection that is no longer needed may take to say so to the server.
const GOODBYE: Duration = Duration::from_secs(1);

/// One server, with all that is needed to open a connection to it.
pub(super) struct Endpoint {
    pub url: ServerUrl,
    /// Its number among the servers of the directory.
    pub index: usize,
    /// Who knows its addresses, where that is not the system.
    locator: Option<Arc<Locator>>,
    pub config: Option<Arc<ClientConfig>>,
    pub start_tls: bool,
    /// How the wire library is told what to do with the socket.
    dialed: String,
}

/// One connection.
pub(super) struct Connection {
    ldap: Ldap,
    pub server: Arc<ServerInfo>,
    /// The number of its server among the servers of the directory.
    pub endpoint: usize,
    gate: Semaphore,
    driver: AbortHandle,
    /// Why the connection ended, once it did.
    ended: Arc<OnceLock<String>>,
    /// Something went wrong on it: operations under way may end, no new one starts.
    suspect: AtomicBool,
    opened: Instant,
    /// When it was last used, in milliseconds after it was opened.
    used: AtomicU64,
}

impl Endpoint {
    pub(super) fn new(
        url: ServerUrl,
        index: usize,
        start_tls: bool,
        tls: Option<&Tls>,
        locator: Option<Arc<Locator>>,
    ) -> Result<Self, String> {
        let Address::Tcp { tls: from_start, host, port } = url.address() else {
            return Ok(Self { url, index, locator, config: None, start_tls: false, dialed: "ldapi:///".to_owned() });
        };
        let start_tls = start_tls && !from_start;
        let config = if *from_start || start_tls { tls.map(|tls| tls.config(host)).transpose()? } else { None };
        let scheme = if *from_start { "ldaps" } else { "ldap" };
        let dialed = format!("{scheme}://{}", HostPort(shown(host), *port));
        Ok(Self { url, index, locator, config, start_tls, dialed })
    }

    /// The name of the server, as TLS is told it.
    pub(super) fn shown(&self) -> &str {
        shown(self.host())
    }

    /// The name of the server, as Kerberos knows it.
    fn host(&self) -> &str {
        match self.url.address() {
            Address::Tcp { host, .. } => host,
            Address::Unix(_) => "localhost",
        }
    }
}

impl Connection {
    /// Opens a connection and binds, within the time that the settings allow for it.
    pub(super) async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Fault> {
        let opening = AssertUnwindSafe(Self::establish(endpoint, settings)).catch_unwind();
        match timeout(settings.connect_timeout, opening).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(unreachable(endpoint, settings, "the server's answer makes no sense")),
            Err(_) => {
                let limit = settings.connect_timeout.as_secs_f32();
                Err(unreachable(
                    endpoint,
                    settings,
                    &format!("no answer within {limit} s; does a firewall let it through?"),
                ))
            }
        }
    }

    async fn establish(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Fault> {
        let failed = |fault: &LdapError| unreachable(endpoint, settings, &explain::connect(fault));
        let stream = dial(endpoint, settings).await.map_err(|fault| failed(&LdapError::from(fault)))?;
        let mut options = LdapConnSettings::new().set_std_stream(stream).set_starttls(endpoint.start_tls);
        if let Some(config) = &endpoint.config {
            options = options.set_config(Arc::clone(config));
        }
        let opened = LdapConnAsync::with_settings(options, &endpoint.dialed).await;
        let (connection, ldap) = opened.map_err(|fault| failed(&fault))?;
        let ended = Arc::new(OnceLock::new());
        let driver = tokio::spawn(drive(connection, Arc::clone(&ended))).abort_handle();
        let mut connection = Self {
            ldap,
            server: Arc::default(),
            endpoint: endpoint.index,
            gate: Semaphore::new(IN_FLIGHT),
            driver,
            ended,
            // Until it is ready: whoever gives up waiting for that drops a connection that nobody may use.
            suspect: AtomicBool::new(true),
            opened: Instant::now(),
            used: AtomicU64::new(0),
        };
        connection.bind(endpoint, settings).await?;
        connection.server = Arc::new(connection.read_root(endpoint, settings).await?);
        connection.suspect.store(false, Ordering::Relaxed);
        Ok(connection)
    }

    async fn bind(&self, endpoint: &Endpoint, settings: &Settings) -> Result<(), Fault> {
        let mut ldap = self.ldap.clone();
        let (who, bound) = match &settings.bind {
            Bind::Anonymous => return Ok(()),
            Bind::Simple { dn, password } => (dn.as_str(), ldap.simple_bind(dn, password.expose_secret()).await),
            Bind::External => ("who the connection says it is", ldap.sasl_external_bind().await),
            Bind::Gssapi { principal } => {
                let bound = kerberos::bind(ldap, principal.clone(), endpoint.host()).await;
                let who = principal.as_deref().unwrap_or("the account that Kerberos knows");
                return Self::admit(
                    endpoint,
                    settings,
                    who,
                    &bound.map_err(|why| unreachable(endpoint, settings, &why))?,
                );
            }
        };
        let result = bound.map_err(|fault| unreachable(endpoint, settings, &self.why(&fault.into())))?;
        Self::admit(endpoint, settings, who, &result)
    }

    /// Whether the server took the account.
    pub(super) fn admit(endpoint: &Endpoint, settings: &Settings, who: &str, result: &LdapResult) -> Result<(), Fault> {
        if result.rc == 0 {
            return Ok(());
        }
        let task = format!("directory {}: {} does not let {who} in", settings.name, endpoint.url);
        let mut fault = Fault::refused(&task, result, None);
        if !is_elsewhere(result.rc) {
            fault.kind = FaultKind::BindFailed;
            fault.message = format!("{task}: {}", explain::bind(result));
        }
        Err(fault)
    }

    /// A server that keeps its root entry to itself is taken for one without any control.
    async fn read_root(&self, endpoint: &Endpoint, settings: &Settings) -> Result<ServerInfo, Fault> {
        let root = root_search(ROOT_ATTRIBUTES.to_vec());
        let operation = search(&root, settings.connect_timeout);
        let answer = operation.send(self.ldap.clone(), &self.server).await;
        let answer = answer.map_err(|broken| unreachable(endpoint, settings, &self.why(&broken)))?;
        Ok(answer.entries.first().map(ServerInfo::from_root).unwrap_or_default())
    }

    /// Carries `operation` out, waiting for a free place and for the answer up to `limit` each.
    pub(super) async fn perform(&self, operation: &Operation<'_>, limit: Duration) -> Result<Answer, Broken> {
        let _place = match self.gate.try_acquire() {
            Ok(place) => place,
            Err(_) => self.wait_for_place(limit).await?,
        };
        // The library panics on answers that are not in the form of RFC 4511.
        let sending = AssertUnwindSafe(operation.send(self.ldap.clone(), &self.server)).catch_unwind();
        let outcome = match timeout(limit, sending).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(Broken::Lost),
            Err(_) => Err(Broken::TimedOut),
        };
        self.touch();
        // The buffer keeps the size of the largest answer for as long as the connection lives.
        let outgrown = outcome.as_ref().is_ok_and(|answer| answer.followed_bytes() > LARGE);
        if outgrown || matches!(outcome, Err(Broken::NotSent | Broken::Lost | Broken::TimedOut | Broken::Garbled)) {
            self.suspect.store(true, Ordering::Relaxed);
        }
        outcome
    }

    async fn wait_for_place(&self, limit: Duration) -> Result<SemaphorePermit<'_>, Broken> {
        let place = timeout(limit, self.gate.acquire()).await.ok().and_then(Result::ok).ok_or(Broken::Crowded)?;
        // Places become free all at once when the connection is lost.
        if self.is_usable() { Ok(place) } else { Err(Broken::NotSent) }
    }

    /// Asks for nothing, to see whether the other side is still there.
    pub(super) async fn probe(&self, limit: Duration) -> bool {
        let root = root_search(vec![AttributeName::NONE]);
        self.perform(&search(&root, limit), limit).await.is_ok()
    }

    /// Whether a new operation may start on it.
    pub(super) fn is_usable(&self) -> bool {
        !self.suspect.load(Ordering::Relaxed) && !self.driver.is_finished()
    }

    /// For how long nobody used it.
    pub(super) fn idle(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)))
    }

    /// How many operations are under way.
    pub(super) fn load(&self) -> usize {
        IN_FLIGHT.saturating_sub(self.gate.available_permits())
    }

    /// Why there was no answer.
    pub(super) fn why(&self, broken: &Broken) -> String {
        match broken {
            Broken::NotSent | Broken::Lost => match self.ended.get() {
                Some(reason) => format!("the connection was lost: {reason}"),
                None => "the connection was lost".to_owned(),
            },
            Broken::TimedOut => "no answer in time".to_owned(),
            Broken::Crowded => "too many operations wait for the directory".to_owned(),
            Broken::Garbled => "the server's answer makes no sense".to_owned(),
            Broken::Unwritable(reason) => reason.clone(),
        }
    }

    fn touch(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(now, Ordering::Relaxed);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (mut ldap, driver) = (self.ldap.clone(), self.driver.clone());
        match Handle::try_current() {
            Ok(runtime) if self.is_usable() => drop(runtime.spawn(async move {
                // The driver ends with the last handle, even before it has sent what that handed over.
                let _ = timeout(GOODBYE, ldap.unbind()).await;
                driver.abort();
            })),
            // It may hang in a write to a server that does not read.
            _ => driver.abort(),
        }
    }
}

/// The name that TLS is told: an IPv6 address can't be passed through the library; what is verified then is in the
/// configuration.
fn shown(host: &str) -> &str {
    if host.contains(':') { "address.invalid" } else { host }
}

pub(super) async fn dial(endpoint: &Endpoint, settings: &Settings) -> std::io::Result<StdStream> {
    Ok(match endpoint.url.address() {
        Address::Tcp { host, port, .. } => {
            let known = match &endpoint.locator {
                None => None,
                Some(locator) => locator.addresses(host, *port).await,
            };
            let addresses = match known {
                Some(addresses) => addresses.map_err(std::io::Error::other)?,
                None => tokio::net::lookup_host((host.as_str(), *port)).await?.collect(),
            };
            StdStream::Tcp(socket::tcp(&addresses, settings.connect_timeout, settings.operation_timeout).await?)
        }
        Address::Unix(path) => StdStream::Unix(socket::unix(path).await?),
    })
}

async fn drive(connection: LdapConnAsync, ended: Arc<OnceLock<String>>) {
    let reason = match connection.drive().await {
        Ok(()) => "the server closed it".to_owned(),
        Err(fault) => explain::connect(&fault),
    };
    let _ = ended.set(reason);
}

fn root_search(attributes: Vec<AttributeName>) -> Search {
    Search { base: Dn::root(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 }
}

/// `search` as an operation that the server gives up after `limit`.
pub(super) fn search(search: &Search, limit: Duration) -> Operation<'_> {
    let seconds = i32::try_from(limit.as_secs().max(1)).unwrap_or(i32::MAX);
    Operation::Search { search, filter: search.filter.to_string(), seconds, page: None, follow: None }
}

pub(super) fn unreachable(endpoint: &Endpoint, settings: &Settings, why: &str) -> Fault {
    let message = format!("directory {}: cannot connect to {}: {why}", settings.name, endpoint.url);
    Fault::new(FaultKind::Unreachable, message)
}
