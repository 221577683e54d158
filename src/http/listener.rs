//! The sockets that requests arrive at, and the server behind them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use arc_swap::ArcSwap;
use listenfd::ListenFd;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::info;

use super::handler;
use super::site::Site;
use crate::config::Listen;

const BACKLOG: i32 = 1024;
/// Longer than the minute for which load balancers keep idle connections.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const REQUEST_HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a client may go on sending a body that nobody reads before the connection is cut.
const LINGER: Duration = Duration::from_secs(5);
/// How long requests in flight have to finish on a shutdown, in seconds.
const SHUTDOWN_SECONDS: u64 = 30;

/// Why nothing can be listened at.
#[derive(Debug, thiserror::Error)]
pub enum ListenFault {
    /// An address can't be bound.
    #[error("can't listen at {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A socket that systemd handed over can't be listened at.
    #[error("systemd handed a socket over that can't be used: {0}")]
    Inherited(io::Error),
    /// `systemd` is configured, but it handed no socket over.
    #[error(
        "the configuration says listen = \"systemd\", but systemd handed no socket over: is the socket unit started?"
    )]
    NothingInherited,
    /// The server can't be set up.
    #[error("the server can't be set up: {0}")]
    Setup(io::Error),
}

/// Opens a socket for each address; `systemd` stands for those that systemd handed over.
pub fn bind(addresses: &[Listen]) -> Result<Vec<TcpListener>, ListenFault> {
    let mut listeners = Vec::new();
    for address in addresses {
        match address {
            Listen::Address(address) => {
                let fault = |error| ListenFault::Bind { address: *address, error };
                listeners.push(open(*address).map_err(fault)?);
            }
            Listen::Systemd => {
                let inherited = inherited().map_err(ListenFault::Inherited)?;
                if inherited.is_empty() {
                    return Err(ListenFault::NothingInherited);
                }
                listeners.extend(inherited);
            }
        }
    }
    Ok(listeners)
}

/// The sockets that systemd handed over.
fn inherited() -> io::Result<Vec<TcpListener>> {
    let mut handed_over = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed_over.len() {
        listeners.extend(handed_over.take_tcp_listener(index)?);
    }
    Ok(listeners)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The server that answers what arrives at `listeners` for the tenants of `site`, with TLS if it is given, by as many
/// threads as `workers`.
/// One line of the log names the address of each listener.
pub fn serve(
    listeners: Vec<TcpListener>,
    tls: Option<&ServerConfig>,
    workers: usize,
    site: &Arc<ArcSwap<Site>>,
) -> Result<Server, ListenFault> {
    let site = Data::from(Arc::clone(site));
    let mut server =
        HttpServer::new(move || App::new().app_data(site.clone()).default_service(web::to(handler::answer)))
            .workers(workers)
            .disable_signals()
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .tcp_nodelay(true)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(REQUEST_HEAD_TIME)
            .client_disconnect_timeout(LINGER);
    for listener in listeners {
        let address = listener.local_addr().map_err(ListenFault::Setup)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        server = match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls.clone()),
            None => server.listen(listener),
        }
        .map_err(ListenFault::Setup)?;
        info!(address = format!("{scheme}://{address}/"), "listening");
    }
    Ok(server.run())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_port() -> Listen {
        Listen::Address(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    #[test]
    fn port_0_stands_for_a_port_that_is_free() {
        let listeners = bind(&[any_port(), any_port()]).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(ports[0] != 0 && ports[1] != 0 && ports[0] != ports[1]);
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = bind(&[any_port()]).unwrap();
        let address = taken[0].local_addr().unwrap();
        let fault = bind(&[Listen::Address(address)]).unwrap_err().to_string();
        assert!(fault.contains(&address.to_string()), "{fault}");
    }
}
