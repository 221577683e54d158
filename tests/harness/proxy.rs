//! A stretch of network that fails on command.

use super::{Server, ports};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How the network behaves at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// Everything passes.
    Fine,
    /// Connections are refused, as by a host without the service.
    Refusing,
    /// Connections are accepted and stay open, but no byte gets through either way.
    Stalled,
    /// What the client says arrives, what the server answers is lost: the client can't know what became of it.
    Deaf,
}

#[derive(Clone, Copy, Debug)]
struct State {
    weather: Weather,
    /// Connections opened before this count went up are reset.
    cuts: u64,
    /// The next answer cuts its connection instead of arriving.
    ambush: bool,
    /// The next request of this kind starts a stall instead of arriving.
    hold: Option<u8>,
    /// The next request of this kind arrives, and from then on no answer.
    deafen: Option<u8>,
}

/// A TCP proxy on 127.0.0.1, in a thread of its own so that a busy test does not slow it.
#[derive(Debug)]
pub struct Proxy {
    runtime: Option<Runtime>,
    port: u16,
    tls: bool,
    state: watch::Sender<State>,
    open: Open,
}

/// The tags of requests (RFC 4511 section 4.2).
const MODIFY: u8 = 0x66;
const ADD: u8 = 0x68;
const DELETE: u8 = 0x4a;
const RENAME: u8 = 0x6c;
const EXTENDED: u8 = 0x77;

/// For each open connection how many cuts there had been when it was accepted.
type Open = Arc<Mutex<Vec<u64>>>;

impl Proxy {
    /// A proxy before `127.0.0.1:target`, in fine weather.
    pub fn before(target: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (state, _) =
            watch::channel(State { weather: Weather::Fine, cuts: 0, ambush: false, hold: None, deafen: None });
        let port = ports::free();
        let open = Open::default();
        runtime.spawn(listen(port, target, state.clone(), Arc::clone(&open)));
        let proxy = Self { runtime: Some(runtime), port, tls: false, state, open };
        proxy.await_listener(true);
        proxy
    }

    /// A proxy before a server; before its port with TLS, where the server demands that.
    pub fn to(server: &Server) -> Self {
        let tls = server.facts().needs_tls;
        let mut proxy = Self::before(if tls { server.tls_port() } else { server.port() });
        proxy.tls = tls;
        proxy
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `ldap://127.0.0.1:PORT` of the proxy, or `ldaps://localhost:PORT` before a server that demands TLS.
    pub fn url(&self) -> String {
        if self.tls { format!("ldaps://localhost:{}", self.port) } else { format!("ldap://127.0.0.1:{}", self.port) }
    }

    /// How many connections are open through the proxy.
    pub fn connections(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    /// Resets every open connection; new ones are served.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
        self.await_cut();
    }

    /// Resets every open connection and refuses new ones.
    pub fn refuse(&self) {
        self.state.send_modify(|state| (state.weather, state.cuts) = (Weather::Refusing, state.cuts + 1));
        self.await_listener(false);
        self.await_cut();
    }

    /// Connections stay open and new ones are accepted, but nothing moves any more.
    pub fn stall(&self) {
        self.set(Weather::Stalled);
    }

    /// Requests arrive, answers are lost, connections stay open.
    pub fn half_open(&self) {
        self.set(Weather::Deaf);
    }

    /// The next answer of the server is not delivered: its connection is reset instead. What was asked was done.
    /// The first answer on a connection, to its bind or of its TLS handshake, is spared.
    pub fn cut_before_next_answer(&self) {
        self.state.send_modify(|state| state.ambush = true);
    }

    /// The next modify request is held back, and everything behind it, until [`Self::resume`]. For connections without
    /// TLS.
    pub fn hold_next_modify(&self) {
        self.state.send_modify(|state| state.hold = Some(MODIFY));
    }

    /// The same for the next add request.
    pub fn hold_next_add(&self) {
        self.state.send_modify(|state| state.hold = Some(ADD));
    }

    /// The same for the next extended operation, such as the one that sets a password.
    pub fn hold_next_extended(&self) {
        self.state.send_modify(|state| state.hold = Some(EXTENDED));
    }

    /// The next rename arrives, and nothing that the server answers from then on, as with [`Self::half_open`].
    pub fn half_open_at_next_rename(&self) {
        self.state.send_modify(|state| state.deafen = Some(RENAME));
    }

    /// The same at the next deletion.
    pub fn half_open_at_next_delete(&self) {
        self.state.send_modify(|state| state.deafen = Some(DELETE));
    }

    /// Waits until a request is held back.
    pub async fn await_held(&self) {
        let held = self.state.subscribe();
        let held = async { held.clone().wait_for(|state| state.weather == Weather::Stalled).await.map(|_| ()) };
        tokio::time::timeout(Duration::from_secs(20), held).await.expect("a request to hold back").unwrap();
    }

    /// Fine weather again. Answers lost while half-open stay lost; bytes held back by a stall are delivered.
    pub fn resume(&self) {
        self.set(Weather::Fine);
        self.await_listener(true);
    }

    fn set(&self, weather: Weather) {
        self.state.send_modify(|state| state.weather = weather);
    }

    fn await_cut(&self) {
        let cuts = self.state.borrow().cuts;
        super::wait_until("connections did not end", Duration::from_secs(5), || {
            self.open.lock().unwrap().iter().all(|opened| *opened == cuts).then_some(())
        });
    }

    fn await_listener(&self, listening: bool) {
        super::wait_until("the proxy's listener", Duration::from_secs(5), || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            let connected = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
            (connected == listening).then_some(())
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(port: u16, target: u16, state: watch::Sender<State>, open: Open) {
    let mut weather = state.subscribe();
    loop {
        let _ = weather.wait_for(|state| state.weather != Weather::Refusing).await;
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        loop {
            tokio::select! {
                _ = weather.wait_for(|state| state.weather == Weather::Refusing) => break,
                accepted = listener.accept() => if let Ok((client, _)) = accepted {
                    let (state, open) = (state.clone(), Arc::clone(&open));
                    tokio::spawn(async move {
                        let cuts = state.borrow().cuts;
                        open.lock().unwrap().push(cuts);
                        carry(client, target, &state, cuts).await;
                        let mut open = open.lock().unwrap();
                        if let Some(place) = open.iter().position(|opened| *opened == cuts) {
                            open.swap_remove(place);
                        }
                    });
                }
            }
        }
    }
}

/// Carries one connection until either side ends it or the proxy cuts it.
async fn carry(client: TcpStream, target: u16, state: &watch::Sender<State>, cuts: u64) {
    let mut weather = state.subscribe();
    // Dropping a socket with a zero linger time resets the connection: no polite farewell.
    let _ = client.set_zero_linger();
    let _ = client.set_nodelay(true);
    let transport = async {
        let _ = state.subscribe().wait_for(|state| state.weather != Weather::Stalled).await;
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
        let _ = server.set_nodelay(true);
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = forward(from_client, to_server, state, false) => {}
            () = forward(from_server, to_client, state, true) => {}
        }
    };
    tokio::select! {
        () = transport => {}
        _ = weather.wait_for(|state| state.cuts != cuts) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &watch::Sender<State>, answers: bool) {
    let mut weather = state.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    let mut first = true;
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        if !answers && let Some(kind) = request(&buffer[..length]) {
            state.send_if_modified(|state| {
                let (hold, deafen) = (state.hold == Some(kind), state.deafen == Some(kind));
                if hold {
                    (state.hold, state.weather) = (None, Weather::Stalled);
                } else if deafen {
                    (state.deafen, state.weather) = (None, Weather::Deaf);
                }
                hold || deafen
            });
        }
        let Ok(now) = weather.wait_for(|state| state.weather != Weather::Stalled).await.map(|state| *state) else {
            return;
        };
        if answers {
            if !first && state.send_if_modified(|state| std::mem::take(&mut state.ambush)) {
                return;
            }
            first = false;
            if now.weather == Weather::Deaf {
                continue;
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// The tag of the operation in an LDAP message, which is a sequence of its number and the operation.
fn request(message: &[u8]) -> Option<u8> {
    let header = |bytes: &[u8]| match bytes.get(1) {
        Some(long) if *long > 0x80 => 2 + usize::from(*long & 0x7f),
        _ => 2,
    };
    let body = message.get(header(message)..).unwrap_or_default();
    let number = usize::from(body.get(1).copied().unwrap_or_default());
    body.get(2 + number).copied()
}
