//! A name server on loopback that knows what it is told, and can be told something else at any time.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A line of a service record.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub host: &'a str,
}

/// A running name server. Every host is at 127.0.0.1; other names than `service` do not exist. Nothing it says may be
/// remembered.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    service: String,
    lines: Vec<SRV>,
    asked: usize,
    gone: bool,
}

impl Dns {
    /// Starts it.
    pub fn start(service: &str) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time limit");
        let address = socket.local_addr().expect("an address");
        let known = Arc::new(Mutex::new(Known { service: service.to_owned(), ..Known::default() }));
        let shared = Arc::clone(&known);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                if shared.lock().expect("the lock").gone {
                    return;
                }
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let answer = answer(&buffer[..length], &mut shared.lock().expect("the lock"));
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, known }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the service record says from now on; nothing: it does not exist.
    pub fn tell(&self, lines: &[Service<'_>]) {
        let line = |line: &Service<'_>| SRV::new(line.priority, line.weight, line.port, name(line.host));
        self.known.lock().expect("the lock").lines = lines.iter().map(line).collect();
    }

    /// How often the service record was asked for.
    pub fn asked(&self) -> usize {
        self.known.lock().expect("the lock").asked
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.known.lock().expect("the lock").gone = true;
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).expect("a name");
    name.set_fqdn(true);
    name
}

fn answer(question: &[u8], known: &mut Known) -> Vec<u8> {
    let mut message = Message::from_vec(question).expect("a question").into_response();
    let query = message.queries.first().expect("a question").clone();
    let is_service = query.name() == &name(&known.service);
    match query.query_type() {
        RecordType::SRV if is_service => {
            known.asked += 1;
            for line in &known.lines {
                message.add_answer(Record::from_rdata(query.name().clone(), 0, RData::SRV(line.clone())));
            }
        }
        RecordType::A if !is_service => {
            let here = RData::A(A(Ipv4Addr::LOCALHOST));
            message.add_answer(Record::from_rdata(query.name().clone(), 0, here));
        }
        _ => {}
    }
    if is_service && known.lines.is_empty() {
        message.metadata.response_code = ResponseCode::NXDomain;
    }
    message.to_vec().expect("an answer")
}
