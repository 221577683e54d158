//! Sockets that notice when the other side is gone.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::timeout;

/// The first probe of a silent connection, soon enough for firewalls that forget idle connections after a minute.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_TRIES: u32 = 3;

/// A TCP connection to the first of `addresses` that answers. `limit` is for all of them together; what was sent and is not acknowledged within `unacknowledged` ends the connection.
pub(super) async fn tcp(
    addresses: &[SocketAddr],
    limit: Duration,
    unacknowledged: Duration,
) -> io::Result<std::net::TcpStream> {
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut fault = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(share, connect(*address, unacknowledged)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(refused)) => fault = refused,
            Err(_) => fault = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        }
    }
    Err(fault)
}

async fn connect(address: SocketAddr, unacknowledged: Duration) -> io::Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_TRIES))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(unacknowledged))?;
    #[cfg(not(target_os = "linux"))]
    let _ = unacknowledged;
    TcpSocket::from_std_stream(socket.into()).connect(address).await?.into_std()
}

/// A connection to the socket at `path`.
pub(super) async fn unix(path: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    UnixStream::connect(path).await?.into_std()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_carries_the_options_that_find_a_dead_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_secs(5);
        let stream = tcp(&[address], limit, Duration::from_secs(7)).await.unwrap();
        let socket = socket2::SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(7)));
    }

    #[tokio::test]
    async fn a_closed_port_is_a_fault_at_once() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let limit = Duration::from_secs(5);
        let fault = tcp(&[address], limit, limit).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::ConnectionRefused);
    }
}
