//! The running daemon: what `serve` puts together, and how it lives with signals and the service manager.

pub mod build;
mod kept;
mod service_manager;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::rt::{self, System};
use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;
use tracing::{error, info, warn};

use build::Means;
use kept::Kept;

use crate::bridge::Backstage;
use crate::cli::{Exit, complain, keytab};
use crate::config::{Config, Listen, Log};
use crate::directory::work_beside;
use crate::http::site::Site;
use crate::http::tls::{self, Certificate};
use crate::http::{admin, listener};
use crate::store::{Store, StoreFault, StoreUrl};
use crate::tables::Warning;
use crate::telemetry;

/// How often the files of the certificate are looked at.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(5);

/// Runs the daemon that the configuration at `path` describes, until it is told to stop.
#[must_use]
pub fn run(path: &Path) -> Exit {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(mistakes) => {
            complain(mistakes.render());
            return Exit::BadConfiguration;
        }
    };
    if let Err(exit) = keytab::settle(&config) {
        return exit;
    }
    if let Err(fault) = telemetry::start(&config.log.level, config.log.format) {
        complain(fault);
        return Exit::BadConfiguration;
    }
    warn_of(&config);
    System::new().block_on(async {
        match Daemon::start(path, &config).await {
            Ok((daemon, server, signals)) => daemon.live(server, signals).await,
            Err((exit, fault)) => {
                error!(%fault, "scim2ldap can't start");
                exit
            }
        }
    })
}

/// What lives as long as the process.
struct Daemon {
    path: PathBuf,
    site: Arc<ArcSwap<Site>>,
    port: u16,
    certificate: Option<Arc<Certificate>>,
    kept: Kept,
    settled: Settled,
}

/// What a reload can't change.
#[derive(Debug, PartialEq, Eq)]
struct Settled {
    listen: Vec<Listen>,
    admin_listen: Option<SocketAddr>,
    workers: usize,
    tls: bool,
    log: Log,
    store: PathBuf,
}

impl Settled {
    fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            admin_listen: config.server.admin_listen,
            workers: config.server.workers,
            tls: config.server.tls.is_some(),
            log: config.log.clone(),
            store: match &config.store.settings.url {
                StoreUrl::Sqlite(path) => path.clone(),
                StoreUrl::Postgres(_) => PathBuf::new(),
            },
        }
    }
}

/// Why the daemon can't start, and the exit code that says so.
type StartFault = (Exit, Box<dyn std::error::Error>);

fn bad_configuration(fault: impl std::error::Error + 'static) -> StartFault {
    (Exit::BadConfiguration, Box::new(fault))
}

fn problem(fault: impl std::error::Error + 'static) -> StartFault {
    (Exit::Problems, Box::new(fault))
}

fn store_fault(fault: StoreFault) -> StartFault {
    (Exit::of_store(&fault), Box::new(fault))
}

impl Daemon {
    async fn start(path: &Path, config: &Config) -> Result<(Self, Server, Signals), StartFault> {
        // Before anybody can know that the daemon runs: a signal that nobody waits for ends the process.
        let signals = Signals::new().map_err(problem)?;
        let certificate = config.server.tls.clone().map(Certificate::load).transpose().map_err(bad_configuration)?;
        let tls = certificate.clone().map(tls::server_config).transpose().map_err(problem)?;
        let store = Store::open(&config.store.settings).await.map_err(store_fault)?;
        let keeper = tokens::Keeper::new(store.clone()).await.map_err(store_fault)?;
        let kept = Kept::new(store, Arc::clone(keeper.issued()));
        let ledgers = kept.ledgers(config).await.map_err(store_fault)?;
        let listeners = listener::bind(&config.server.listen).map_err(problem)?;
        let port = listeners.iter().find_map(|listener| listener.local_addr().ok()).map_or(0, |address| address.port());
        let means = Means { port, issued: &kept.issued, ledgers: &ledgers };
        let (site, backstages) = build::site(config, means).map_err(bad_configuration)?;
        for backstage in &backstages {
            backstage.prepare().await.map_err(store_fault)?;
        }
        let site = Arc::new(ArcSwap::from_pointee(site));
        let server = listener::serve(listeners, tls.as_ref(), config.server.workers, &site).map_err(problem)?;
        if let Some(address) = config.server.admin_listen {
            for listener in listener::bind(&[Listen::Address(address)]).map_err(problem)? {
                rt::spawn(admin::serve(listener, &site, &kept.store).map_err(problem)?);
            }
        }
        rt::spawn(keeper.follow());
        begin(backstages);
        let (path, settled) = (path.to_owned(), Settled::of(config));
        warn_of_closed_doors(&site.load());
        let daemon = Self { path, site, port, certificate, kept, settled };
        Ok((daemon, server, signals))
    }

    /// Lives until a signal says stop, or the server ends by itself.
    async fn live(&self, server: Server, signals: Signals) -> Exit {
        let Signals { mut terminate, mut interrupt, mut hang_up } = signals;
        let handle = server.handle();
        let mut server = pin!(server);
        let mut keep_alive = pin!(service_manager::keep_alive());
        let mut look_at_certificate = interval(CERTIFICATE_PERIOD);
        service_manager::ready();
        info!(version = env!("CARGO_PKG_VERSION"), "ready");
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload().await,
                _ = look_at_certificate.tick() => self.refresh_certificate(),
                () = &mut keep_alive => {}
                ended = &mut server => return ended_early(ended),
            }
        }
        info!("stopping; requests in flight are finished first");
        service_manager::stopping();
        let mut stopped = pin!(async { tokio::join!(handle.stop(true), server) });
        tokio::select! {
            _ = &mut stopped => {}
            () = keep_alive => {}
        }
        if let Err(fault) = tokens::note_used(&self.kept.store, &self.kept.issued).await {
            warn!(%fault, "when tokens were last used is not noted");
        }
        if let Err(fault) = self.kept.note_stopped().await {
            warn!(%fault, "that the daemon ends is not noted");
        }
        info!("stopped");
        Exit::Good
    }

    /// Reads configuration, mapping tables and certificates again. Whatever is wrong with one of them, all the old
    /// ones stay.
    async fn reload(&self) {
        service_manager::reloading();
        match self.try_reload().await {
            Ok(()) => info!("configuration, mapping tables and certificates are read again and in use"),
            Err(fault) => error!(%fault, "not reloaded: the configuration in use stays as it was"),
        }
        service_manager::ready();
    }

    async fn try_reload(&self) -> Result<(), Box<dyn std::error::Error>> {
        let config = Config::load(&self.path)?;
        let ledgers = self.kept.ledgers(&config).await?;
        let means = Means { port: self.port, issued: &self.kept.issued, ledgers: &ledgers };
        let (site, backstages) = build::site(&config, means)?;
        for backstage in &backstages {
            backstage.prepare().await?;
        }
        if let (Some(certificate), Some(files)) = (&self.certificate, config.server.tls.clone()) {
            certificate.replace(files)?;
        }
        self.site.store(Arc::new(site));
        begin(backstages);
        warn_of(&config);
        warn_of_closed_doors(&self.site.load());
        if Settled::of(&config) != self.settled {
            warn!(
                "a change of listen, admin_listen, workers, [store] or [log], or of TLS being on or off, needs a restart to take effect"
            );
        }
        Ok(())
    }

    fn refresh_certificate(&self) {
        let Some(certificate) = &self.certificate else { return };
        match certificate.refresh() {
            Ok(false) => {}
            Ok(true) => info!("the certificate has changed; the new one is in use"),
            Err(fault) => error!(%fault, "the certificate has changed but can't be used; the old one stays in use"),
        }
    }
}

/// Has those begin who work in the background.
fn begin(backstages: Vec<Backstage>) {
    work_beside();
    for backstage in backstages {
        rt::spawn(backstage.run());
    }
}

/// Says what in the configuration works but is not as it should be.
fn warn_of(config: &Config) {
    for Warning { place, message, help } in &config.warnings {
        warn!(%place, help, "{message}");
    }
}

/// Says which tenants nobody can use.
fn warn_of_closed_doors(site: &Site) {
    for tenant in site.without_credentials() {
        warn!(tenant, "nobody can use this tenant: it has no credential; make one with `scim2ldap token create`");
    }
}

fn ended_early(ended: io::Result<()>) -> Exit {
    let error = ended.err().map(tracing::field::display);
    error!(error, "the server ended by itself");
    Exit::Problems
}

/// The signals that the daemon listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}
