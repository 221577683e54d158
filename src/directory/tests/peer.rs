//! A server that does what a test tells it to, on a loopback port.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::ber::{self, Reader};
use super::super::{Bind, Kind, PAGED_RESULTS, POST_READ, Settings};

pub(crate) const BIND: u8 = 0x60;
pub(crate) const UNBIND: u8 = 0x42;
pub(crate) const SEARCH: u8 = 0x63;
pub(crate) const MODIFY: u8 = 0x66;
pub(crate) const ADD: u8 = 0x68;
pub(crate) const DELETE: u8 = 0x4a;
pub(crate) const ABANDON: u8 = 0x50;

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The number of the connection, from 0.
    pub connection: usize,
    pub tag: u8,
    /// What the operation consists of, and the controls behind it.
    pub content: Vec<u8>,
    id: Vec<u8>,
}

/// What the server does about it.
pub(crate) enum Reply {
    /// It sends these, each the tag and content of an operation and the controls behind it.
    Send(Vec<(u8, Vec<u8>, Vec<u8>)>),
    /// It sends these and closes the connection.
    Last(Vec<(u8, Vec<u8>, Vec<u8>)>),
    /// It sends these bytes as they are.
    Raw(Vec<u8>),
    /// It does nothing.
    Silence,
    /// It closes the connection.
    Close,
}

pub(crate) struct Peer {
    pub url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

type Script = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

impl Peer {
    /// Starts a server. What `script` gives no reply to succeeds; the root entry lists paging and post-read.
    pub(crate) async fn start(script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, connection, Arc::clone(&log), Arc::clone(&script)));
                connection += 1;
            }
        });
        Self { url, seen }
    }

    /// The operations with this tag that came in.
    pub(crate) fn seen(&self, tag: u8) -> Vec<Request> {
        self.seen.lock().unwrap().iter().filter(|request| request.tag == tag).cloned().collect()
    }

    /// Settings for a directory of these servers.
    pub(crate) fn settings(peers: &[&Self]) -> Settings {
        let urls = peers.iter().map(|peer| peer.url.parse().unwrap()).collect();
        Settings {
            bind: Bind::Simple { dn: "cn=scim,dc=x".to_owned(), password: "hush".into() },
            allow_plaintext: true,
            connections: 1,
            page_size: 2,
            ..Settings::new("corp", Kind::OpenLdap, urls)
        }
    }
}

impl Request {
    /// Whether `text` stands anywhere in it.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.content.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Reply {
    /// The success of a search that found these.
    pub(crate) fn found(entries: &[Vec<u8>]) -> Self {
        let mut messages: Vec<_> = entries.iter().map(|entry| (0x64, entry.clone(), vec![])).collect();
        messages.push((0x65, result(0, ""), vec![]));
        Self::Send(messages)
    }
}

/// The content of a result (RFC 4511 section 4.1.9).
pub(crate) fn result(code: u8, text: &str) -> Vec<u8> {
    [tlv(0x0a, &[code]), tlv(ber::OCTETS, b""), tlv(ber::OCTETS, text.as_bytes())].concat()
}

/// The content of an entry.
pub(crate) fn entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let one = |(name, values): &(&str, &[&[u8]])| {
        let values: Vec<u8> = values.iter().flat_map(|value| tlv(ber::OCTETS, value)).collect();
        tlv(ber::SEQUENCE, &[tlv(ber::OCTETS, name.as_bytes()), tlv(ber::SET, &values)].concat())
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(one).collect();
    [tlv(ber::OCTETS, dn.as_bytes()), tlv(ber::SEQUENCE, &attributes)].concat()
}

/// The controls of a message that consist of this one.
pub(crate) fn control(oid: &str, value: &[u8]) -> Vec<u8> {
    let control = [tlv(ber::OCTETS, oid.as_bytes()), tlv(ber::OCTETS, value)].concat();
    tlv(0xa0, &tlv(ber::SEQUENCE, &control))
}

/// The control that says where the next page begins.
pub(crate) fn page_control(cookie: &[u8]) -> Vec<u8> {
    let value = [tlv(ber::INTEGER, &[0]), tlv(ber::OCTETS, cookie)].concat();
    control(PAGED_RESULTS, &tlv(ber::SEQUENCE, &value))
}

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}

async fn serve(mut stream: TcpStream, connection: usize, seen: Arc<Mutex<Vec<Request>>>, script: Arc<Script>) {
    let mut buffer = Vec::new();
    loop {
        while let Some(request) = cut(&mut buffer, connection) {
            seen.lock().unwrap().push(request.clone());
            let reply = script(&request).unwrap_or_else(|| usual(&request));
            match reply {
                Reply::Silence => {}
                Reply::Close => return,
                Reply::Raw(bytes) => drop(stream.write_all(&bytes).await),
                Reply::Send(messages) => drop(stream.write_all(&written(&request, messages)).await),
                Reply::Last(messages) => {
                    drop(stream.write_all(&written(&request, messages)).await);
                    return;
                }
            }
        }
        if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}

/// The messages that answer `request`.
fn written(request: &Request, messages: Vec<(u8, Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    let one = |(tag, content, controls): (u8, Vec<u8>, Vec<u8>)| {
        tlv(ber::SEQUENCE, &[tlv(ber::INTEGER, &request.id), tlv(tag, &content), controls].concat())
    };
    messages.into_iter().flat_map(one).collect()
}

/// Takes a whole message off the buffer.
fn cut(buffer: &mut Vec<u8>, connection: usize) -> Option<Request> {
    let mut reader = Reader(buffer);
    let mut message = Reader(reader.take(&[ber::SEQUENCE])?);
    let id = message.take(&[ber::INTEGER])?.to_vec();
    let request = Request { connection, tag: *message.0.first()?, content: message.0.to_vec(), id };
    let rest = reader.0.to_vec();
    *buffer = rest;
    Some(request)
}

fn usual(request: &Request) -> Reply {
    match request.tag {
        BIND => Reply::Send(vec![(0x61, result(0, ""), vec![])]),
        SEARCH if request.says("supportedControl") => {
            let controls = [PAGED_RESULTS.as_bytes(), POST_READ.as_bytes()];
            Reply::found(&[entry("", &[("supportedControl", &controls)])])
        }
        SEARCH => Reply::found(&[entry("cn=a,dc=x", &[("cn", &[b"a"])])]),
        ABANDON | UNBIND => Reply::Silence,
        DELETE => Reply::Send(vec![(0x6b, result(0, ""), vec![])]),
        tag => Reply::Send(vec![(tag + 1, result(0, ""), vec![])]),
    }
}
