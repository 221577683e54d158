//! A connection for answers of any size, one at a time.
//!
//! The library takes a message apart into values of its own and copies them on the way: of 20 MB about the members of a
//! group it holds 80 for a moment. Here a message is read into one buffer of its size, and is looked at where it lies.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ldap3::asn1::{ASNTag as _, write};
use ldap3::{LdapResult, StdStream, parse_filter};
use rustls_pki_types::ServerName;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ber::{self, Reader};
use super::connection::{Connection, Endpoint, dial, unreachable};
use super::decode;
use super::explain;
use super::fault::Fault;
use super::follow::{Follow, Followed};
use super::operation::{Answer, Broken, Scope, Search};
use super::server::DEREFERENCE;
use super::settings::{Bind, Settings};

/// Tags of operations (RFC 4511 section 4), as they stand on the wire.
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_RESULT_ENTRY: u8 = 0x64;
const SEARCH_RESULT_DONE: u8 = 0x65;
const SEARCH_RESULT_REFERENCE: u8 = 0x73;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;
/// Tag of the controls of a message, and of a password in a bind request.
const CONTROLS: u8 = 0xa0;
const PASSWORD: u8 = 0x80;
/// Tag of SASL credentials in a bind request.
const SASL: u8 = 0xa3;
/// Tag of the name of an extended request.
const REQUEST_NAME: u8 = 0x80;
/// OID of the operation that begins TLS (RFC 4511 section 4.14).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// No answer is as large as this, in bytes.
const TOO_LARGE: usize = 1 << 30;

/// What bytes come and go over.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A connection that is bound and carries one search at a time. Whoever gives up in the middle must not use it again.
pub(super) struct Wire {
    socket: BufReader<Box<dyn Socket>>,
    /// The number of its server among the servers of the directory.
    pub endpoint: usize,
    /// The number of the last request.
    last: i32,
}

/// A message: all of its bytes, from which everything else is cut.
struct Message {
    number: i32,
    tag: u8,
    operation: Bytes,
    controls: Bytes,
}

impl Wire {
    /// Opens a connection and binds, within the time that the settings allow for it; `None` where only the library
    /// can: with Kerberos.
    pub(super) async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Option<Self>, Fault> {
        if matches!(settings.bind, Bind::Gssapi { .. }) {
            return Ok(None);
        }
        let opened = timeout(settings.connect_timeout, Self::establish(endpoint, settings)).await;
        opened.unwrap_or_else(|_| Err(unreachable(endpoint, settings, "no answer in time"))).map(Some)
    }

    async fn establish(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Fault> {
        let failed = |fault: std::io::Error| unreachable(endpoint, settings, &explain::socket(&fault));
        let senseless = |_| unreachable(endpoint, settings, "the server's answer makes no sense");
        let socket = plain(dial(endpoint, settings).await.map_err(failed)?).map_err(failed)?;
        let mut wire = Self { socket: BufReader::new(socket), endpoint: endpoint.index, last: 0 };
        if endpoint.start_tls {
            let mut request = Vec::new();
            ber::push(REQUEST_NAME, START_TLS, &mut request);
            let result = wire.ask(EXTENDED_REQUEST, &request, EXTENDED_RESPONSE).await.map_err(senseless)?;
            Connection::admit(endpoint, settings, "anybody by StartTLS", &result)?;
        }
        if let Some(config) = &endpoint.config {
            let name = ServerName::try_from(endpoint.shown().to_owned());
            let name = name.map_err(|fault| unreachable(endpoint, settings, &fault.to_string()))?;
            // What came before TLS was agreed on counts for nothing, so what is left in the buffer is dropped.
            let plain = wire.socket.into_inner();
            let secured = TlsConnector::from(config.clone()).connect(name, plain).await.map_err(failed)?;
            wire.socket = BufReader::new(Box::new(secured));
        }
        if let Some((who, request)) = bind_request(&settings.bind) {
            let result = wire.ask(BIND_REQUEST, &request, BIND_RESPONSE).await.map_err(senseless)?;
            Connection::admit(endpoint, settings, who, &result)?;
        }
        Ok(wire)
    }

    /// Carries a search out that follows names, and waits for the answer up to `limit`.
    pub(super) async fn search(&mut self, search: &Search, follow: &Follow, limit: Duration) -> Result<Answer, Broken> {
        let request = search_request(search, limit).ok_or_else(|| Broken::Unwritable("the filter".to_owned()))?;
        timeout(limit, self.gather(search, &request, &controls(follow))).await.unwrap_or(Err(Broken::TimedOut))
    }

    async fn gather(&mut self, search: &Search, request: &[u8], controls: &[u8]) -> Result<Answer, Broken> {
        self.send(SEARCH_REQUEST, request, controls).await?;
        let (mut entries, mut followed) = (Vec::new(), Vec::new());
        loop {
            let message = self.receive().await?;
            match message.tag {
                SEARCH_RESULT_ENTRY => {
                    let mut parts = Reader(&message.operation);
                    entries.push(decode::entry_parts(&mut parts, &search.attributes).ok_or(Broken::Garbled)?);
                    followed.push(Followed::among(&message.controls));
                }
                SEARCH_RESULT_REFERENCE | INTERMEDIATE_RESPONSE => {}
                SEARCH_RESULT_DONE => {
                    let result = result(&message.operation).ok_or(Broken::Garbled)?;
                    return Ok(Answer { result, entries, followed });
                }
                _ => return Err(Broken::Garbled),
            }
        }
    }

    /// Sends a request that has one answer, which must have this tag.
    async fn ask(&mut self, tag: u8, request: &[u8], answer: u8) -> Result<LdapResult, Broken> {
        self.send(tag, request, &[]).await?;
        let message = self.receive().await?;
        if message.tag == answer { result(&message.operation).ok_or(Broken::Garbled) } else { Err(Broken::Garbled) }
    }

    async fn send(&mut self, tag: u8, request: &[u8], controls: &[u8]) -> Result<(), Broken> {
        self.last = self.last.checked_add(1).unwrap_or(1);
        let (mut content, mut message) = (Vec::new(), Vec::new());
        ber::push(ber::INTEGER, &self.last.to_be_bytes(), &mut content);
        ber::push(tag, request, &mut content);
        if !controls.is_empty() {
            ber::push(CONTROLS, controls, &mut content);
        }
        ber::push(ber::SEQUENCE, &content, &mut message);
        self.socket.write_all(&message).await.map_err(|_| Broken::NotSent)?;
        self.socket.flush().await.map_err(|_| Broken::NotSent)
    }

    /// The next message, which must be about the last request.
    async fn receive(&mut self) -> Result<Message, Broken> {
        let message = Bytes::from(self.read().await?);
        let message = Message::parse(&message).ok_or(Broken::Garbled)?;
        if message.number == self.last { Ok(message) } else { Err(Broken::Lost) }
    }

    /// The content of the next message, in a buffer of its size.
    async fn read(&mut self) -> Result<Vec<u8>, Broken> {
        let lost = |_| Broken::Lost;
        if self.socket.read_u8().await.map_err(lost)? != ber::SEQUENCE {
            return Err(Broken::Garbled);
        }
        let mut length = usize::from(self.socket.read_u8().await.map_err(lost)?);
        if length >= 0x80 {
            let mut digits = [0; 4];
            let digits = digits.get_mut(..length & 0x7f).filter(|digits| !digits.is_empty()).ok_or(Broken::Garbled)?;
            self.socket.read_exact(digits).await.map_err(lost)?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        }
        let mut content = Vec::new();
        if length >= TOO_LARGE || content.try_reserve_exact(length).is_err() {
            return Err(Broken::Garbled);
        }
        let mut rest = (&mut self.socket).take(u64::try_from(length).unwrap_or(u64::MAX));
        while content.len() < length {
            if rest.read_buf(&mut content).await.map_err(lost)? == 0 {
                return Err(Broken::Lost);
            }
        }
        Ok(content)
    }
}

impl Message {
    fn parse(content: &Bytes) -> Option<Self> {
        let mut parts = Reader(content);
        let number = parts.take(&[ber::INTEGER])?;
        let number = number.iter().fold(0, |number: i32, byte| number << 8 | i32::from(*byte));
        let tag = parts.tag()?;
        let operation = content.slice_ref(parts.take(&[tag])?);
        let controls = if parts.is_done() { Bytes::new() } else { content.slice_ref(parts.take(&[CONTROLS])?) };
        Some(Self { number, tag, operation, controls })
    }
}

fn plain(stream: StdStream) -> std::io::Result<Box<dyn Socket>> {
    Ok(match stream {
        StdStream::Tcp(stream) => {
            stream.set_nonblocking(true)?;
            Box::new(TcpStream::from_std(stream)?)
        }
        StdStream::Unix(stream) => {
            stream.set_nonblocking(true)?;
            Box::new(UnixStream::from_std(stream)?)
        }
        StdStream::Invalid => return Err(std::io::ErrorKind::Unsupported.into()),
    })
}

/// Who binds, and the request (RFC 4511 section 4.2); none for nobody.
fn bind_request(bind: &Bind) -> Option<(&str, Vec<u8>)> {
    let mut request = vec![ber::INTEGER, 1, 3];
    match bind {
        Bind::Anonymous | Bind::Gssapi { .. } => None,
        Bind::Simple { dn, password } => {
            ber::push(ber::OCTETS, dn.as_bytes(), &mut request);
            ber::push(PASSWORD, password.expose_secret().as_bytes(), &mut request);
            Some((dn, request))
        }
        Bind::External => {
            let mut credentials = Vec::new();
            ber::push(ber::OCTETS, b"EXTERNAL", &mut credentials);
            ber::push(ber::OCTETS, b"", &mut credentials);
            ber::push(ber::OCTETS, b"", &mut request);
            ber::push(SASL, &credentials, &mut request);
            Some(("who the connection says it is", request))
        }
    }
}

/// A search without limits but that of time (RFC 4511 section 4.5.1); none when the filter can't be written.
fn search_request(search: &Search, limit: Duration) -> Option<Vec<u8>> {
    let seconds = i32::try_from(limit.as_secs().max(1)).unwrap_or(i32::MAX);
    let size_limit = i32::try_from(search.size_limit).unwrap_or(i32::MAX);
    let scope = match search.scope {
        Scope::Base => 0,
        Scope::One => 1,
        Scope::Sub => 2,
    };
    let mut filter = BytesMut::new();
    write::encode_into(&mut filter, parse_filter(search.filter.to_string()).ok()?.into_structure()).ok()?;
    let mut request = Vec::new();
    ber::push(ber::OCTETS, search.base.as_str().as_bytes(), &mut request);
    ber::push(ber::ENUMERATED, &[scope], &mut request);
    // Aliases are not followed.
    ber::push(ber::ENUMERATED, &[0], &mut request);
    for number in [size_limit, seconds] {
        ber::push(ber::INTEGER, &number.to_be_bytes(), &mut request);
    }
    // With values.
    ber::push(ber::BOOLEAN, &[0], &mut request);
    request.extend_from_slice(&filter);
    let names = search.attributes.iter().map(|name| name.as_str().as_bytes());
    request.extend(ber::sequence_of_octets(names));
    Some(request)
}

/// The control that follows names, as it stands in a message.
fn controls(follow: &Follow) -> Vec<u8> {
    let (mut control, mut controls) = (Vec::new(), Vec::new());
    ber::push(ber::OCTETS, DEREFERENCE.as_bytes(), &mut control);
    ber::push(ber::OCTETS, &follow.to_control().val.unwrap_or_default(), &mut control);
    ber::push(ber::SEQUENCE, &control, &mut controls);
    controls
}

/// Code and texts of a result (RFC 4511 section 4.1.9), without what may follow.
fn result(operation: &[u8]) -> Option<LdapResult> {
    let mut parts = Reader(operation);
    let code = parts.take(&[ber::ENUMERATED])?;
    let rc = code.iter().fold(0, |code: u32, byte| code << 8 | u32::from(*byte));
    let [matched, text] = [parts.take(&[ber::OCTETS])?, parts.take(&[ber::OCTETS])?];
    let [matched, text] = [matched, text].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Some(LdapResult { rc, matched, text, refs: Vec::new(), ctrls: Vec::new() })
}
