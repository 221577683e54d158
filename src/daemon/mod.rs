//! The running daemon: what `serve` puts together, and how it lives with signals and the service manager.

pub mod build;
mod service_manager;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::rt::System;
use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;
use tracing::{error, info, warn};

use crate::cli::{Exit, complain, keytab};
use crate::config::{Config, Listen, Log, WhenUnreachable};
use crate::http::listener;
use crate::http::site::Site;
use crate::http::tls::{self, Certificate};
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
        match Daemon::start(path, &config) {
            Ok((daemon, server)) => daemon.live(server).await,
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
    settled: Settled,
}

/// What a reload can't change.
#[derive(Debug, PartialEq, Eq)]
struct Settled {
    listen: Vec<Listen>,
    workers: usize,
    tls: bool,
    log: Log,
}

impl Settled {
    fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            workers: config.server.workers,
            tls: config.server.tls.is_some(),
            log: config.log.clone(),
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

impl Daemon {
    fn start(path: &Path, config: &Config) -> Result<(Self, Server), StartFault> {
        let certificate = config.server.tls.clone().map(Certificate::load).transpose().map_err(bad_configuration)?;
        let tls = certificate.clone().map(tls::server_config).transpose().map_err(problem)?;
        let listeners = listener::bind(&config.server.listen).map_err(problem)?;
        let port = listeners.iter().find_map(|listener| listener.local_addr().ok()).map_or(0, |address| address.port());
        let site = Arc::new(ArcSwap::from_pointee(build::site(config, port).map_err(bad_configuration)?));
        let server = listener::serve(listeners, tls.as_ref(), config.server.workers, &site).map_err(problem)?;
        let daemon = Self { path: path.to_owned(), site, port, certificate, settled: Settled::of(config) };
        Ok((daemon, server))
    }

    /// Lives until a signal says stop, or the server ends by itself.
    async fn live(&self, server: Server) -> Exit {
        let Signals { mut terminate, mut interrupt, mut hang_up } = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                error!(%error, "signals can't be received");
                return Exit::Problems;
            }
        };
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
                _ = hang_up.recv() => self.reload(),
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
        info!("stopped");
        Exit::Good
    }

    /// Reads configuration, mapping tables and certificates again. Whatever is wrong with one of them, all the old
    /// ones stay.
    fn reload(&self) {
        service_manager::reloading();
        match self.try_reload() {
            Ok(()) => info!("configuration, mapping tables and certificates are read again and in use"),
            Err(fault) => error!(%fault, "not reloaded: the configuration in use stays as it was"),
        }
        service_manager::ready();
    }

    fn try_reload(&self) -> Result<(), Box<dyn std::error::Error>> {
        let config = Config::load(&self.path)?;
        let site = build::site(&config, self.port)?;
        if let (Some(certificate), Some(files)) = (&self.certificate, config.server.tls.clone()) {
            certificate.replace(files)?;
        }
        self.site.store(Arc::new(site));
        warn_of(&config);
        if Settled::of(&config) != self.settled {
            warn!("a change of listen, workers or [log], or of TLS being on or off, needs a restart to take effect");
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

/// Says what in the configuration works but is not as it should be.
fn warn_of(config: &Config) {
    for Warning { place, message, help } in &config.warnings {
        warn!(%place, help, "{message}");
    }
    for directory in config.directories.iter().filter(|it| it.when_unreachable == WhenUnreachable::Accept) {
        let directory = directory.settings.name.as_str();
        warn!(directory, "while this directory is away requests are answered with 429: nothing is kept for later yet");
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
