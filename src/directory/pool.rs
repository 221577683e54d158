//! The connections to one directory: opened when needed, shared, replaced when lost, moved to another server when
//! theirs is away.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex as Turn, Semaphore, SemaphorePermit};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::connection::Connection;
use super::fault::{Fault, FaultKind};
use super::health::HealthBook;
use super::moves::Moves;
use super::server::ServerInfo;
use super::servers::Servers;
use super::settings::{Settings, SettingsFault};
use super::vacated::Vacated;
use super::wire::Wire;

/// Connections that wait for the next scan.
const IDLE_LEASES: usize = 4;
/// Scans at a time; more wait for their turn.
const LEASES: usize = 8;
/// Answers of any size that are taken in at a time; more wait for their turn.
const WIRES: usize = 4;
/// A thread keeps to its own connection until that carries this many operations.
const CROWDED: usize = 8;
/// After this long, let the runtime notice what happened to a connection before it is used.
const QUIET: Duration = Duration::from_secs(2);
/// After this long, make sure that a connection still leads somewhere before a write is sent over it.
const STALE: Duration = Duration::from_secs(15);
/// Servers that could not be reached within this time refused, or hung up; they are tried once more.
const AT_ONCE: Duration = Duration::from_millis(200);
/// How long a less preferred server is used before the preferred one is tried again.
const AWAY: Duration = Duration::from_mins(1);
/// After a refused bind, the account is left alone for this long, twice as long each time: it might be locked.
const FIRST_REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_mins(1);

thread_local! {
    static BESIDE: Cell<bool> = const { Cell::new(false) };
}

/// This thread works in the background, and gets a connection of its own: one that it opened for those who serve requests
/// would have them wait for this thread with every answer.
pub fn work_beside() {
    BESIDE.set(true);
}

/// The connections to one directory.
pub(super) struct Pool {
    pub settings: Settings,
    pub health: HealthBook,
    /// How long a less preferred server is used before the preferred one is tried again.
    pub away: Duration,
    servers: Servers,
    /// Those that are shared by all who serve requests, and behind them the one of who works in the background.
    slots: Vec<Slot>,
    idle: Mutex<Vec<Arc<Connection>>>,
    leases: Semaphore,
    /// Names that entries have left a moment ago.
    pub(super) vacated: Vacated,
    /// Who leaves a name while others are about to write it.
    pub(super) moves: Arc<Moves>,
    wires: Mutex<Vec<Wire>>,
    wire_turns: Semaphore,
    /// The number of the server in use; connections to another one are given up when they are next asked for.
    current: AtomicUsize,
    born: Instant,
    /// When the preferred server was last found away or tried, in milliseconds after `born`.
    home_tried: AtomicU64,
    rest: Mutex<Option<Rest>>,
    server: ArcSwapOption<ServerInfo>,
}

/// A place for one shared connection.
#[derive(Default)]
struct Slot {
    connection: Mutex<Option<Arc<Connection>>>,
    /// Whoever has the turn opens the connection, the others wait.
    turn: Turn<()>,
    /// How often opening failed, and how the last time.
    failed: Mutex<(u64, Option<Fault>)>,
}

/// The service account was refused.
struct Rest {
    fault: Fault,
    length: Duration,
    until: Instant,
}

/// A connection for one scan alone; goes back to the idle ones with [`Lease::give_back`].
pub(super) struct Lease<'a> {
    pub connection: Arc<Connection>,
    pool: &'a Pool,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Result<Self, SettingsFault> {
        settings.check()?;
        let servers = Servers::new(&settings)?;
        Ok(Self {
            health: HealthBook::new(&settings.name),
            away: AWAY,
            slots: std::iter::repeat_with(Slot::default).take(settings.connections.max(1) + 1).collect(),
            idle: Mutex::default(),
            leases: Semaphore::new(LEASES),
            vacated: Vacated::default(),
            moves: Arc::default(),
            wires: Mutex::default(),
            wire_turns: Semaphore::new(WIRES),
            current: AtomicUsize::new(0),
            born: Instant::now(),
            home_tried: AtomicU64::new(0),
            rest: Mutex::new(None),
            server: ArcSwapOption::empty(),
            servers,
            settings,
        })
    }

    /// A shared connection, opened if need be.
    pub(super) async fn connection(self: &Arc<Self>, for_write: bool) -> Result<Arc<Connection>, Fault> {
        self.go_home_now_and_then();
        let Some(slot) = self.slot() else { return Err(no_server()) };
        if let Some(connection) = self.ready(slot)
            && self.still_there(&connection, for_write).await
        {
            return Ok(connection);
        }
        self.open_in(slot).await
    }

    /// Opens the connection of `slot`, unless somebody else just did or tried to.
    async fn open_in(&self, slot: &Slot) -> Result<Arc<Connection>, Fault> {
        let failures = lock(&slot.failed).0;
        let _turn = slot.turn.lock().await;
        if let Some(connection) = self.ready(slot) {
            return Ok(connection);
        }
        // Who had the turn before failed a moment ago; the next would fail as well, after another time limit.
        if let (times, Some(fault)) = &*lock(&slot.failed)
            && *times != failures
        {
            return Err(fault.clone());
        }
        match self.open().await {
            Ok(connection) => {
                *lock(&slot.connection) = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(fault) => {
                let mut failed = lock(&slot.failed);
                *failed = (failed.0 + 1, Some(fault.clone()));
                Err(fault)
            }
        }
    }

    /// A connection for one scan alone.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Fault> {
        let turn = timeout(self.settings.operation_timeout, self.leases.acquire()).await.ok().and_then(Result::ok);
        let Some(turn) = turn else {
            let message = format!("directory {}: too many scans at a time", self.settings.name);
            return Err(Fault::new(FaultKind::Busy, message));
        };
        let current = self.current.load(Ordering::Relaxed);
        while let Some(connection) = { lock(&self.idle).pop() } {
            if connection.endpoint == current && self.still_there(&connection, false).await {
                return Ok(Lease { connection, pool: self, _turn: turn });
            }
        }
        Ok(Lease { connection: self.open().await?, pool: self, _turn: turn })
    }

    /// A connection for one scan alone, opened anew: those that waited turned out to be dead.
    pub(super) async fn fresh_lease(&self) -> Result<Lease<'_>, Fault> {
        lock(&self.idle).clear();
        self.lease().await
    }

    /// A turn to take in an answer of any size.
    pub(super) async fn wire_turn(&self) -> Option<SemaphorePermit<'_>> {
        timeout(self.settings.operation_timeout, self.wire_turns.acquire()).await.ok().and_then(Result::ok)
    }

    /// A connection for answers of any size to the server in use that waited for the next one.
    pub(super) fn idle_wire(&self) -> Option<Wire> {
        let current = self.current.load(Ordering::Relaxed);
        let mut wires = lock(&self.wires);
        wires.retain(|wire| wire.endpoint == current);
        wires.pop()
    }

    /// The same, opened anew; `None` where it can't be had. Then the library must do.
    pub(super) async fn new_wire(&self) -> Option<Wire> {
        if lock(&self.rest).as_ref().is_some_and(|rest| Instant::now() < rest.until) {
            return None;
        }
        let endpoint = self.servers.beginning_with(self.current.load(Ordering::Relaxed)).into_iter().next()?;
        let opened = Wire::open(&endpoint, &self.settings).await;
        opened
            .inspect_err(|fault| {
                tracing::debug!(target: "scim2ldap::directory", url = %endpoint.url, %fault, "no connection for large answers");
                self.rest_after(fault);
            })
            .ok()?
    }

    /// Keeps a connection that has its whole answer for the next one.
    pub(super) fn keep_wire(&self, wire: Wire) {
        lock(&self.wires).push(wire);
    }

    /// The server of `connection` asked to be left alone. Returns whether there is another one.
    pub(super) fn leave(&self, connection: &Connection) -> bool {
        let from = connection.endpoint;
        let Some(next) = self.servers.after(from) else { return false };
        if self.current.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.home_tried.store(self.now(), Ordering::Relaxed);
        }
        true
    }

    /// The address of the server in use.
    pub(super) fn url(&self) -> String {
        self.servers.address(self.current.load(Ordering::Relaxed))
    }

    /// What the server said about itself when a connection was last opened.
    pub(super) fn server(&self) -> Option<Arc<ServerInfo>> {
        self.server.load_full()
    }

    /// Opens a connection to the server in use or, when that is away, to the next one.
    async fn open(&self) -> Result<Arc<Connection>, Fault> {
        if let Some(rest) = &*lock(&self.rest)
            && Instant::now() < rest.until
        {
            return Err(rest.fault.clone());
        }
        let started = Instant::now();
        let mut outcome = self.try_all().await;
        // A connection that is reset while it opens says little of the next one; a second look costs next to nothing.
        if matches!(&outcome, Err(fault) if fault.kind == FaultKind::Unreachable) && started.elapsed() < AT_ONCE {
            outcome = self.try_all().await;
        }
        outcome.inspect_err(|fault| {
            self.health.note_fault(fault);
            self.rest_after(fault);
        })
    }

    /// Tries each server once, beginning with the one in use.
    async fn try_all(&self) -> Result<Arc<Connection>, Fault> {
        let mut all = no_server();
        if let Err(why) = self.servers.look_up(&self.settings).await {
            return Err(Fault::new(FaultKind::Unreachable, format!("directory {}: {why}", self.settings.name)));
        }
        let candidates = self.servers.beginning_with(self.current.load(Ordering::Relaxed));
        for (tried, endpoint) in candidates.iter().enumerate() {
            match Connection::open(endpoint, &self.settings).await {
                Ok(connection) => return Ok(self.welcome(connection)),
                Err(fault) => {
                    tracing::debug!(target: "scim2ldap::directory", url = %endpoint.url, fault = %fault, "no connection");
                    let before = if tried == 0 { String::new() } else { all.message + "; " };
                    all = Fault { message: before + &fault.message, ..fault };
                    // Every server would refuse the account, and count the attempt.
                    if all.kind == FaultKind::BindFailed {
                        break;
                    }
                }
            }
        }
        Err(all)
    }

    fn welcome(&self, connection: Connection) -> Arc<Connection> {
        if self.current.swap(connection.endpoint, Ordering::Relaxed) != connection.endpoint {
            self.home_tried.store(self.now(), Ordering::Relaxed);
        }
        tracing::debug!(target: "scim2ldap::directory", directory = %self.settings.name, url = %self.url(), "connected");
        self.health.note_success();
        *lock(&self.rest) = None;
        self.server.store(Some(Arc::clone(&connection.server)));
        Arc::new(connection)
    }

    fn rest_after(&self, fault: &Fault) {
        let mut rest = lock(&self.rest);
        *rest = (fault.kind == FaultKind::BindFailed).then(|| {
            let length = rest.as_ref().map_or(FIRST_REST, |before| (before.length * 2).min(LONGEST_REST));
            Rest { fault: fault.clone(), length, until: Instant::now() + length }
        });
    }

    /// The slot for this thread: its own one, so that no other thread has to wake up for an answer, or the least
    /// used one when that has enough to do.
    fn slot(&self) -> Option<&Slot> {
        static SEATS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static SEAT: usize = SEATS.fetch_add(1, Ordering::Relaxed);
        }
        let (beside, shared) = self.slots.split_last()?;
        if BESIDE.get() && beside.load() < CROWDED {
            return Some(beside);
        }
        let own = shared.get(SEAT.with(|seat| *seat) % shared.len())?;
        if own.load() < CROWDED { Some(own) } else { shared.iter().min_by_key(|slot| slot.load()) }
    }

    fn ready(&self, slot: &Slot) -> Option<Arc<Connection>> {
        let connection = lock(&slot.connection);
        let usable = |connection: &&Arc<Connection>| {
            connection.endpoint == self.current.load(Ordering::Relaxed) && connection.is_usable()
        };
        connection.as_ref().filter(usable).cloned()
    }

    /// Whether a connection that was not used for a while can be; costs nothing when it was.
    async fn still_there(&self, connection: &Connection, for_write: bool) -> bool {
        let idle = connection.idle();
        if idle > QUIET {
            yield_now().await;
        }
        if for_write && idle > STALE && connection.is_usable() {
            // A search is repeated when the connection turns out to be dead; a write could not be.
            connection.probe(self.settings.connect_timeout).await;
        }
        connection.is_usable()
    }

    /// While a less preferred server is in use, looks from time to time whether the preferred one is back, beside
    /// the operations. When it is, all connections move there.
    fn go_home_now_and_then(self: &Arc<Self>) {
        let Some(home) = self.servers.home().filter(|home| home.index != self.current.load(Ordering::Relaxed)) else {
            return;
        };
        let (now, tried) = (self.now(), self.home_tried.load(Ordering::Relaxed));
        let due = u128::from(now.saturating_sub(tried)) >= self.away.as_millis();
        if !due || self.home_tried.compare_exchange(tried, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(connection) = Connection::open(&home, &pool.settings).await {
                let connection = pool.welcome(connection);
                pool.keep(connection);
            }
        });
    }

    fn keep(&self, connection: Arc<Connection>) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_LEASES && connection.is_usable() {
            idle.push(connection);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Slot {
    fn load(&self) -> usize {
        lock(&self.connection).as_ref().map_or(0, |connection| connection.load())
    }
}

impl Lease<'_> {
    /// Keeps the connection for the next scan.
    pub(super) fn give_back(self) {
        self.pool.keep(self.connection);
    }
}

fn no_server() -> Fault {
    Fault::new(FaultKind::Unreachable, "no server is named for the directory")
}

/// What is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Kind;

    #[test]
    fn who_works_in_the_background_leaves_the_connections_of_the_others_alone() {
        let url = "ldap://127.0.0.1:1".parse().unwrap();
        let settings = Settings { connections: 1, ..Settings::new("corp", Kind::OpenLdap, vec![url]) };
        let pool = Pool::new(settings).unwrap();
        let place = || pool.slot().map(std::ptr::from_ref::<Slot>).unwrap() as usize;
        let serving = place();
        let beside = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                work_beside();
                place()
            });
            thread.join().unwrap()
        });
        assert_ne!(serving, beside);
        assert_eq!(std::thread::scope(|scope| scope.spawn(place).join().unwrap()), serving, "all others share");
    }
}
