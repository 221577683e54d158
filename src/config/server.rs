//! `[server]` and `[log]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use tracing_subscriber::EnvFilter;
use url::Url;

use crate::tables::readable::Bytes;
use crate::tables::{Located, TableReader};

/// What identity providers talk to.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen; never empty.
    pub listen: Vec<Listen>,
    /// Where those who look after the bridge find figures and health; `None`: nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// The address of the server as clients know it, without a slash at the end. A tenant's URL is this and its path.
    pub public_url: String,
    /// HTTPS; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// The largest body of a request, in bytes.
    pub max_body: usize,
    /// Threads that answer requests.
    pub workers: usize,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// On this address and port.
    Address(SocketAddr),
    /// On the sockets that systemd hands over.
    Systemd,
}

/// The server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub private_key: PathBuf,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A level, or levels of parts of the program, as `tracing_subscriber::EnvFilter` takes them.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines to read.
    Human,
    /// One JSON object a line.
    Json,
}

const DEFAULT_PORT: u16 = 8080;
const DEFAULT_MAX_BODY: usize = 8 * 1024 * 1024;

pub(super) fn server(root: &TableReader<'_>, folder: &Path) -> Option<Server> {
    let reader = root.section("server")?;
    let listen = listen(&reader);
    let admin_listen = reader.optional::<String>("admin_listen").and_then(|text| admin_on(&text, &listen, &reader));
    let tls = tls(&reader, folder);
    let public_url = public_url(&reader, &listen, reader.node("tls").is_some());
    let max_body = reader.optional::<Bytes>("max_body").map(|size| {
        if !(1024..=1024 * 1024 * 1024).contains(&size.value.0) {
            let help = "write a size from \"1 KiB\" to \"1 GiB\"".to_owned();
            reader.findings().report(&size.spot, "`max_body` is out of range", help);
        }
        usize::try_from(size.value.0).unwrap_or(DEFAULT_MAX_BODY)
    });
    let workers = reader.number("workers", 1..=1024).and_then(|it| usize::try_from(it.value).ok());
    let server = Server {
        listen,
        admin_listen,
        public_url: public_url.unwrap_or_default(),
        tls,
        max_body: max_body.unwrap_or(DEFAULT_MAX_BODY),
        workers: workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, NonZeroUsize::get)),
    };
    reader.finish();
    Some(server)
}

fn listen(reader: &TableReader<'_>) -> Vec<Listen> {
    let default = vec![Listen::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)))];
    let Some(texts) = reader.optional::<Vec<Located<String>>>("listen") else { return default };
    if texts.value.is_empty() {
        let help = "write `listen = \"127.0.0.1:8080\"`".to_owned();
        reader.findings().report(&texts.spot, "`listen` names no address", help);
    }
    texts.value.iter().filter_map(|text| listen_on(text, reader)).collect()
}

fn listen_on(text: &Located<String>, reader: &TableReader<'_>) -> Option<Listen> {
    if text.value == "systemd" {
        return Some(Listen::Systemd);
    }
    let numeric = text.replace("localhost:", "127.0.0.1:");
    if let Ok(address) = numeric.parse() {
        return Some(Listen::Address(address));
    }
    let help = match text.rsplit_once(':') {
        Some(("" | "*", port)) => {
            format!("for all addresses of this machine write \"0.0.0.0:{port}\" or \"[::]:{port}\"")
        }
        None if text.parse::<std::net::IpAddr>().is_ok() => format!("add a port: \"{}:{DEFAULT_PORT}\"", text.value),
        _ => "write an address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\", or \"systemd\"".to_owned(),
    };
    reader.findings().report(&text.spot, format!("can't listen on \"{}\"", text.value), help);
    None
}

/// An address of its own: what is told there is for nobody else.
fn admin_on(text: &Located<String>, taken: &[Listen], reader: &TableReader<'_>) -> Option<SocketAddr> {
    let address = text.replace("localhost:", "127.0.0.1:").parse().ok();
    let is_taken = |address: &SocketAddr| address.port() != 0 && taken.contains(&Listen::Address(*address));
    let message = match address {
        None => format!("can't listen on \"{}\"", text.value),
        Some(address) if is_taken(&address) => "`admin_listen` is an address of `listen`".to_owned(),
        Some(address) => return Some(address),
    };
    let help = "write an address and a port of its own, such as \"127.0.0.1:9090\"".to_owned();
    reader.findings().report(&text.spot, message, help);
    None
}

fn tls(reader: &TableReader<'_>, folder: &Path) -> Option<Tls> {
    let inner = reader.table("tls")?;
    let certificate = file(&inner, folder, "certificate", "\"tls/fullchain.pem\"");
    let private_key = file(&inner, folder, "private_key", "\"tls/privkey.pem\"");
    inner.finish();
    Some(Tls { certificate: certificate?, private_key: private_key? })
}

/// A file that must be there and readable.
fn file(reader: &TableReader<'_>, folder: &Path, key: &'static str, example: &str) -> Option<PathBuf> {
    let name = reader.required::<String>(key, example)?;
    let path = folder.join(&name.value);
    if let Err(error) = std::fs::File::open(&path) {
        let help = "write the name of a file that the user scim2ldap may read".to_owned();
        reader.findings().report(&name.spot, format!("can't read {}: {error}", path.display()), help);
    }
    Some(path)
}

fn public_url(reader: &TableReader<'_>, listen: &[Listen], tls: bool) -> Option<String> {
    if let Some(text) = reader.optional::<String>("public_url") {
        return match check_public_url(&text) {
            Ok(url) => Some(url),
            Err((message, help)) => {
                reader.findings().report(&text.spot, message, help);
                None
            }
        };
    }
    let scheme = if tls { "https" } else { "http" };
    let address = listen.iter().find_map(|listen| match listen {
        Listen::Address(address) => Some(format!("{scheme}://{address}")),
        Listen::Systemd => None,
    });
    if address.is_none() && !listen.is_empty() && reader.node("public_url").is_none() {
        reader.missing("public_url", "\"https://scim.example.com\"");
    }
    address
}

fn check_public_url(text: &str) -> Result<String, (String, String)> {
    let example = "write it like \"https://scim.example.com\"".to_owned();
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err(("`public_url` must be an absolute URL with http or https".to_owned(), example));
    };
    if url.host_str().is_some_and(|host| host.contains('_')) {
        let help = "use a host name without underscores; identity providers refuse others".to_owned();
        return Err(("the host name in `public_url` has an underscore".to_owned(), help));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(("`public_url` can have a host, a port and a path, and nothing else".to_owned(), example));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

pub(super) fn log(root: &TableReader<'_>) -> Option<Log> {
    let reader = root.section("log")?;
    let format = reader.choice("format", &[("human", LogFormat::Human), ("json", LogFormat::Json)]);
    let help = "write \"error\", \"warn\", \"info\", \"debug\" or \"trace\", or a list such as \
                \"info,scim2ldap::directory=debug\"";
    let level = reader.parsed("level", check_level, help);
    reader.finish();
    Some(Log {
        level: level.map_or_else(|| "info".to_owned(), |it| it.value),
        format: format.map_or(LogFormat::Human, |it| it.value),
    })
}

/// A lone word that is no level would be taken for the name of a part of the program, and nothing would be logged.
fn check_level(text: &str) -> Result<String, String> {
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    let lone_word = !text.contains(['=', ',', '[']);
    if lone_word && !words.iter().any(|word| text.trim().eq_ignore_ascii_case(word)) {
        return Err(format!("`level` can't be \"{text}\""));
    }
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|error| format!("`level` is wrong: {error}"))
}
