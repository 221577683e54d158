//! A client for HTTP/1.1 that costs less than what it measures: one connection, kept alive, one write a request, and
//! of the answer only what has to be known to find its end.

use crate::workload::Outcome;
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for the largest answer of the bench, so that the buffer never has to grow.
const ROOM: usize = 16 * 1024;

/// One connection, for one worker.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub async fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(ROOM) })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Outcome<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            self.read_more().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
        };
        let end = head.size + head.content_length;
        while self.buffer.len() < end {
            self.read_more().await?;
        }
        let body = self.buffer.get(head.size..).filter(|body| body.len() == head.content_length);
        Ok(Answer { status: head.status, body: body.ok_or("the answer is longer than its Content-Length")? })
    }

    async fn read_more(&mut self) -> Outcome<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the bridge closed the connection in the middle of an answer".into()),
            _ => Ok(()),
        }
    }
}

struct Head {
    /// With the empty line.
    size: usize,
    status: u16,
    content_length: usize,
}

impl Head {
    /// None while the head is not complete.
    fn parse(bytes: &[u8]) -> Outcome<Option<Self>> {
        let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let head = bytes.get(..end).unwrap_or_default();
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let status = lines.next().and_then(|line| line.strip_prefix(b"HTTP/1.1 ")).and_then(|line| line.get(..3));
        let status: u16 = status.and_then(number).ok_or("no HTTP/1.1 answer")?;
        let length = lines.find_map(|line| header(line, b"content-length"));
        let content_length = match (length, status) {
            (Some(value), _) => number(value).ok_or("a Content-Length that is no number")?,
            (None, 204 | 304) => 0,
            (None, _) => return Err("an answer without a Content-Length".into()),
        };
        Ok(Some(Self { size: end + 4, status, content_length }))
    }
}

fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (key, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    key.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where `needle` begins in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// What all requests to one tenant have in common. Requests are made before the clock starts.
pub struct Tenant {
    /// `HOST:PORT`
    pub address: String,
    authorization: String,
}

const PATH: &str = "/scim/v2";

impl Tenant {
    /// The tenant at `http://HOST:PORT/scim/v2`, with a Basic credential.
    pub fn new(base: &str, username: &str, password: &str) -> Self {
        let address = base.trim_start_matches("http://").to_owned();
        Self { address, authorization: STANDARD.encode(format!("{username}:{password}")) }
    }

    /// A request without a body. `target` begins with a slash and is percent-encoded where it has to be.
    pub fn get(&self, target: &str) -> Vec<u8> {
        format!("{}\r\n", self.head("GET", target)).into_bytes()
    }

    /// A request with a body of JSON.
    pub fn send(&self, method: &str, target: &str, body: &serde_json::Value) -> Vec<u8> {
        let body = body.to_string();
        let head = self.head(method, target);
        let kind = "Content-Type: application/scim+json; charset=utf-8";
        format!("{head}{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    fn head(&self, method: &str, target: &str) -> String {
        format!(
            "{method} {PATH}{target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Okta SCIM Client 1.0.0\r\n\
             Accept: application/scim+json\r\nAuthorization: Basic {}\r\n",
            self.address, self.authorization
        )
    }
}
