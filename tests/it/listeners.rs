//! The doors of the daemon: TLS, several listeners, certificates that change, reload, stop and crash.

use crate::harness::{
    Authority, BASIC, Config, Daemon, Proxy, Scim, Slapd, client_config, quoted, shipped, wait_until,
};
use crate::world::{BINARY, World, okta_user, patch};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const RELOADED: &str = "configuration, mapping tables and certificates are read again and in use";
const NOT_RELOADED: &str = "not reloaded: the configuration in use stays as it was";

/// The lines of `[server]` for a certificate and its key in `folder`.
fn tls_lines(folder: &Path) -> String {
    let file = |name: &str| quoted(&folder.join(name).to_string_lossy());
    format!(
        "listen = \"127.0.0.1:0\"\n[server.tls]\ncertificate = {}\nprivate_key = {}",
        file("server.pem"),
        file("server.key")
    )
}

/// A daemon that speaks TLS with a certificate that `authority` issued into `folder`.
async fn with_tls(name: &str, authority: &Authority, folder: &Path) -> Daemon {
    authority.issue(folder);
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix(name).await).server(&tls_lines(folder));
    Daemon::start(BINARY, &config)
}

fn connect(daemon: &Daemon) -> TcpStream {
    let address = daemon.base().split("//").nth(1).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

type TlsStream = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A TLS connection that offers these protocols.
fn handshake(daemon: &Daemon, ca: &Path, protocols: &[&str]) -> TlsStream {
    let mut config = client_config(ca).as_ref().clone();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, connect(daemon));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).expect("a TLS handshake");
    }
    stream
}

/// The certificate that is served now.
fn served(daemon: &Daemon, ca: &Path) -> Vec<u8> {
    handshake(daemon, ca, &[]).conn.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn https_is_spoken_with_the_configured_certificate_and_links_say_so() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let daemon = with_tls("tls-https", &authority, folder.path()).await;
    assert!(daemon.base().starts_with("https://"), "{}", daemon.base());
    let scim = Scim::new_tls(&daemon.scim_url(), BASIC, &folder.path().join("ca.pem"));
    let created = scim.post("/Users", &okta_user("ada", "Ada", "L")).await;
    created.expect(201);
    assert_eq!(created.header("location"), format!("{}/Users/{}", daemon.scim_url(), created.id()));
    assert_eq!(scim.get(created.header("location")).await.expect(200)["userName"], "ada");

    let mut plain = connect(&daemon);
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "plain HTTP was answered on a TLS port");
}

#[tokio::test]
async fn clients_choose_between_http_1_and_http_2_by_alpn() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let daemon = with_tls("tls-alpn", &authority, folder.path()).await;
    let ca = folder.path().join("ca.pem");
    let agreed = |offer: &[&str]| handshake(&daemon, &ca, offer).conn.alpn_protocol().map(<[u8]>::to_vec);
    assert_eq!(agreed(&["h2", "http/1.1"]).as_deref(), Some(&b"h2"[..]));
    assert_eq!(agreed(&["http/1.1"]).as_deref(), Some(&b"http/1.1"[..]));

    let mut stream = handshake(&daemon, &ca, &["h2"]);
    // RFC 9113: preface, an empty SETTINGS frame, and a HEADERS frame (END_STREAM, END_HEADERS) on stream 1.
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // RFC 7541: GET and https from the static table, :path and :authority as literals.
    let headers = b"\x82\x87\x04\x08/healthz\x01\x09localhost";
    request.extend([0, 0, u8::try_from(headers.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    request.extend(headers);
    stream.write_all(&request).unwrap();
    let answer = loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).expect("the rest of the frame");
        if head[3] == 1 {
            break payload;
        }
    };
    assert_eq!(answer[0], 0x88, ":status 200 of the static table");
}

/// The first bytes of what a server answers to a client that speaks no newer TLS than `version` (3, 2 is TLS 1.1).
fn answer_to_hello(daemon: &Daemon, version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session; ECDHE-ECDSA with AES-GCM for TLS 1.2 and with AES-CBC for TLS 1.1; no compression.
    hello.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0]);
    // Extensions: the group secp256r1, uncompressed points, and ECDSA with P-256 and SHA-256.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut stream = connect(daemon);
    stream.write_all(&record).unwrap();
    let mut answer = vec![0; 7];
    stream.read_exact(&mut answer).expect("an answer to the hello");
    answer
}

#[tokio::test]
async fn tls_1_1_is_refused_and_tls_1_2_is_not() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let daemon = with_tls("tls-old", &authority, folder.path()).await;
    assert_eq!(answer_to_hello(&daemon, [3, 3])[0], 0x16, "a handshake message");
    for old in [[3, 2], [3, 1]] {
        let alert = answer_to_hello(&daemon, old);
        assert_eq!((alert[0], alert[5], alert[6]), (0x15, 2, 70), "the fatal alert protocol_version, not {alert:?}");
    }
}

#[tokio::test]
async fn every_listener_is_served_and_the_first_one_stands_in_links() {
    let world = World::with("listen-many", |config| config.server("listen = [\"127.0.0.1:0\", \"localhost:0\"]")).await;
    let lines = world.daemon.log();
    let addresses: Vec<&str> = lines.iter().filter_map(|line| line["address"].as_str()).collect();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    let mut locations = Vec::new();
    for (address, name) in addresses.iter().zip(["ada", "bob"]) {
        let scim = Scim::new(&format!("{address}scim/v2"), BASIC);
        let created = scim.post("/Users", &okta_user(name, "A", "B")).await;
        created.expect(201);
        locations.push(created.header("location").to_owned());
    }
    assert!(locations.iter().all(|location| location.starts_with(addresses[0])), "{locations:?}");
}

#[tokio::test]
async fn a_certificate_that_changes_on_disk_is_served_and_a_broken_one_is_not() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let daemon = with_tls("tls-renewal", &authority, folder.path()).await;
    let ca = folder.path().join("ca.pem");
    let scim = Scim::new_tls(&daemon.scim_url(), BASIC, &ca);
    let first = served(&daemon, &ca);
    scim.get("/Users").await.expect(200);

    fs::write(folder.path().join("server.pem"), "no certificate").unwrap();
    let line = daemon.wait_for_log("the certificate has changed but can't be used; the old one stays in use");
    assert_eq!(line["level"], "ERROR");
    let fault = line["fault"].as_str().unwrap();
    assert!(fault.contains("server.pem does not hold a certificate in PEM form"), "{fault}");
    assert_eq!(served(&daemon, &ca), first);

    authority.issue(folder.path());
    daemon.wait_for_log("the certificate has changed; the new one is in use");
    assert_ne!(served(&daemon, &ca), first);
    scim.get("/Users").await.expect(200);
    let errors = daemon.log().iter().filter(|line| line["level"] == "ERROR").count();
    assert_eq!(errors, 1, "what can't be used is reported once");
}

#[tokio::test]
async fn a_reload_takes_a_new_certificate_at_once_and_refuses_a_broken_one_with_everything_else() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix("tls-reload").await);
    let other = folder.path().join("other");
    authority.issue(folder.path());
    authority.issue(&other);
    let daemon = Daemon::start(BINARY, &config.clone().server(&tls_lines(folder.path())));
    let ca = folder.path().join("ca.pem");
    let first = served(&daemon, &ca);

    fs::write(other.join("server.key"), "no key").unwrap();
    config.clone().server(&tls_lines(&other)).tenant("enabled = false").write(daemon.folder());
    daemon.reload();
    let fault = daemon.wait_for_log(NOT_RELOADED);
    assert!(fault["fault"].as_str().unwrap().contains("other/server.key does not hold a private key"), "{fault}");
    assert_eq!(served(&daemon, &ca), first);
    Scim::new_tls(&daemon.scim_url(), BASIC, &ca).get("/Users").await.expect(200);

    authority.issue(&other);
    daemon.reload();
    daemon.wait_for_log(RELOADED);
    assert_ne!(served(&daemon, &ca), first);
    Scim::new_tls(&daemon.scim_url(), BASIC, &ca).get("/Users").await.expect(403);
}

/// The shipped table with the title going to another attribute.
fn title_to(attribute: &str) -> String {
    let text = fs::read_to_string(shipped("mapping/openldap.toml")).unwrap();
    let row = "{ scim = \"title\", ldap = \"title\" }";
    assert!(text.contains(row));
    text.replace(row, &format!("{{ scim = \"title\", ldap = \"{attribute}\" }}"))
}

#[tokio::test]
async fn a_reload_takes_up_the_mapping_and_the_configuration_and_a_bad_one_leaves_all_as_it_was() {
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix("reload").await).mapping_text(&title_to("title"));
    let daemon = Daemon::start(BINARY, &config);
    let (scim, raw) = (daemon.scim(BASIC), slapd.raw().await);
    let id = scim.post("/Users", &okta_user("ada", "Ada", "L")).await.id();
    let set_title = async |title: &str| {
        let change = patch(&json!([{"op": "replace", "path": "title", "value": title}]));
        scim.patch(&format!("/Users/{id}"), &change).await.status
    };
    let entry = async || raw.find_one(&format!("ou=reload,{}", crate::harness::SUFFIX), "(uid=ada)").await.1;
    assert_eq!(set_title("One").await, 200);
    assert_eq!(entry().await["title"], ["One"]);

    let mistake = title_to("title").replace("ldap = \"displayName\"", "ldpa = \"displayName\"");
    config.clone().mapping_text(&mistake).tenant("enabled = \"yes\"").write(daemon.folder());
    daemon.reload();
    let line = daemon.wait_for_log(NOT_RELOADED);
    let fault = line["fault"].as_str().unwrap();
    let at = mistake.lines().position(|line| line.contains("ldpa")).unwrap() + 1;
    assert!(fault.contains(&format!("mapping.toml:{at}:")) && fault.contains("did you mean `ldap`?"), "{fault}");
    assert!(fault.contains("scim2ldap.toml:") && fault.contains("`enabled` must be true or false"), "{fault}");
    assert_eq!(set_title("Two").await, 200);
    assert_eq!(entry().await["title"], ["Two"], "the old table is still in use");

    config
        .clone()
        .mapping_text(&title_to("description"))
        .tenant("patch_response = { user = \"no_content\" }")
        .write(daemon.folder());
    daemon.reload();
    daemon.wait_for_log(RELOADED);
    assert_eq!(set_title("Three").await, 204, "the new configuration is in use");
    assert_eq!(entry().await["description"], ["Three"], "the new table is in use");
    assert_eq!(entry().await["title"], ["Two"], "what no row names any more is left alone");
}

#[tokio::test]
async fn what_a_reload_can_not_change_is_named() {
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix("reload-listen").await);
    let daemon = Daemon::start(BINARY, &config);
    config.server("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]").write(daemon.folder());
    daemon.reload();
    let line = daemon.wait_for_log(
        "a change of listen, admin_listen, workers, [store] or [log], or of TLS being on or off, needs a restart to take effect",
    );
    assert_eq!(line["level"], "WARN");
    daemon.scim(BASIC).get("/Users").await.expect(200);
}

#[tokio::test]
async fn requests_under_way_during_a_reload_are_answered() {
    let proxy = Proxy::before(Slapd::shared().port());
    let world =
        World::with("reload-busy", |config| config.urls(&[&proxy.url()]).directory("allow_plaintext = true")).await;
    world.scim.get("/Users").await.expect(200);
    proxy.stall();
    let scim = world.scim.clone();
    let post = tokio::spawn(async move { scim.post("/Users", &okta_user("ada", "Ada", "L")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.daemon.reload();
    world.daemon.wait_for_log(RELOADED);
    assert!(!post.is_finished());
    proxy.resume();
    post.await.unwrap().expect(201);
}

#[tokio::test]
async fn a_stop_lets_the_request_under_way_finish_and_takes_no_new_one() {
    let proxy = Proxy::before(Slapd::shared().port());
    let World { mut daemon, scim, raw, base, .. } =
        World::with("stop", |config| config.urls(&[&proxy.url()]).directory("allow_plaintext = true")).await;
    scim.get("/Users").await.expect(200);
    proxy.stall();
    let post = tokio::spawn(async move { scim.post("/Users", &okta_user("ada", "Ada", "L")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;

    let address = daemon.base().strip_prefix("http://").unwrap().to_owned();
    TcpStream::connect(&address).expect("it listens until it is told to stop");
    let stop = tokio::task::spawn_blocking(move || (daemon.stop(), daemon));
    wait_until("the daemon still takes connections", Duration::from_secs(5), || {
        TcpStream::connect(&address).is_err().then_some(())
    });
    assert!(!post.is_finished() && !stop.is_finished(), "it waits for the request");
    proxy.resume();
    post.await.unwrap().expect(201);
    let (status, daemon) = stop.await.unwrap();
    assert_eq!(status, Some(0));
    let messages: Vec<Value> = daemon.log().into_iter().map(|line| line["message"].clone()).collect();
    let place = |message: &str| messages.iter().position(|it| it == message).unwrap_or_else(|| panic!("no {message}"));
    assert!(place("stopping; requests in flight are finished first") < place("created"));
    assert!(place("created") < place("stopped"));
    raw.find_one(&base, "(uid=ada)").await;
}

#[tokio::test]
async fn after_a_crash_the_daemon_starts_again_and_knows_everybody() {
    let mut world = World::new("crash").await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await.id();
    world.daemon.kill();
    assert!(!world.daemon.running());
    world.daemon.restart();
    let scim = world.daemon.scim(BASIC);
    assert_eq!(scim.get(&format!("/Users/{id}")).await.expect(200)["userName"], "ada");
    scim.post("/Users", &okta_user("ada", "Ada", "L")).await.expect_error(409, "uniqueness");
    assert_eq!(world.daemon.stop(), Some(0));
}

#[tokio::test]
async fn health_and_readiness_need_no_credential_and_tell_no_secret() {
    let mapping = quoted(&shipped("mapping/openldap.toml").to_string_lossy());
    let nobody = format!(
        "[tenant.off]\npath = \"/off\"\ndirectory = \"away\"\nmapping = {mapping}\nenabled = false\n\
         [directory.away]\nkind = \"openldap\"\nurls = [\"ldaps://localhost:{}\"]\nbase_dn = \"dc=x\"\n",
        crate::harness::ports_free()
    );
    let world = World::with("health", |config| config.further(&nobody)).await;
    let ask = async |method: Method, path: &str| {
        let url = format!("{}{path}", world.daemon.base());
        let response = reqwest::Client::new().request(method, url).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap_or_default())
    };
    assert_eq!(ask(Method::GET, "/healthz").await, (200, json!({"status": "ok"})));
    assert_eq!(ask(Method::HEAD, "/healthz").await, (200, Value::Null));
    let (status, report) = ask(Method::GET, "/readyz").await;
    assert_eq!(status, 200, "a tenant that is switched off is not asked for: {report}");
    let since = report["tenants"][0]["since"].as_str().unwrap();
    assert!(since.ends_with('Z'), "{since}");
    let expected = json!({"tenant": "okta", "directory": "corp", "ready": true, "reachable": true, "since": since});
    assert_eq!(report, json!({"ready": true, "tenants": [expected]}));
    for path in ["/healthz", "/readyz"] {
        let (status, answer) = ask(Method::POST, path).await;
        assert_eq!((status, &answer["status"]), (405, &json!("405")));
    }
}
