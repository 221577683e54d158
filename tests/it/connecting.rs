//! How the bridge finds its servers and who it is for them: service records, client certificates, sockets.

use crate::harness::{Authority, Config, Daemon, Dns, Options, SUFFIX, Service, Slapd, quoted};
use crate::world::{BINARY, World, okta_user, run};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SERVICE: &str = "_ldap._tcp.dc._msdcs.example.test";

fn looked_up(dns: &Dns, more: &str) -> String {
    format!("srv = \"{SERVICE}\"\nnameservers = [\"{}\"]\n{more}", dns.address())
}

/// Two servers, each with an authority of its own, and a file with both authorities.
struct Pair {
    one: Slapd,
    other: Slapd,
    authorities: PathBuf,
    _folder: TempDir,
}

impl Pair {
    fn start() -> Self {
        let (one, other) = (Slapd::own(), Slapd::own());
        let folder = tempfile::tempdir().unwrap();
        let authorities = folder.path().join("ca.pem");
        let text = [one.ca_file(), other.ca_file()].map(|file| std::fs::read_to_string(file).unwrap()).concat();
        std::fs::write(&authorities, text).unwrap();
        Self { one, other, authorities, _folder: folder }
    }

    /// Nothing is done in the background, nor later: what is asked is which server is used.
    fn config(&self, dns: &Dns, more: &str) -> Config {
        let refuse = "when_unreachable = \"refuse\"";
        Config::for_slapd(&self.one, SUFFIX).directory(refuse).srv(&looked_up(dns, more)).ca_file(&self.authorities)
    }
}

async fn has(slapd: &Slapd, uid: &str) -> bool {
    !slapd.raw().await.find(SUFFIX, &format!("(uid={uid})")).await.is_empty()
}

#[tokio::test]
async fn the_servers_of_a_service_record_are_tried_in_its_order_and_one_that_fails_is_left() {
    let mut pair = Pair::start();
    for (protection, port) in [("start_tls", 0), ("ldaps", 1)] {
        let dns = Dns::start(SERVICE);
        let port_of = |slapd: &Slapd| [slapd.port(), slapd.tls_port()][port];
        dns.tell(&[
            Service { priority: 20, weight: 9, port: port_of(&pair.other), host: "dc2.example.test" },
            Service { priority: 10, weight: 0, port: port_of(&pair.one), host: "dc1.example.test" },
        ]);
        let config = pair.config(&dns, &format!("srv_tls = \"{protection}\""));
        let daemon = Daemon::start(BINARY, &config);
        let scim = daemon.scim(crate::harness::BASIC);
        let (first, second) = (format!("first-{protection}"), format!("second-{protection}"));
        scim.post("/Users", &okta_user(&first, "A", "B")).await.expect(201);
        assert!(has(&pair.one, &first).await && !has(&pair.other, &first).await);
        pair.one.kill();
        scim.post("/Users", &okta_user(&second, "A", "B")).await.expect(201);
        assert!(has(&pair.other, &second).await);
        pair.one.start();
    }
}

#[tokio::test]
async fn a_record_that_changes_is_looked_up_again_when_a_server_is_needed() {
    let mut pair = Pair::start();
    let dns = Dns::start(SERVICE);
    let line = |slapd: &Slapd| Service { priority: 0, weight: 0, port: slapd.port(), host: "dc1.example.test" };
    dns.tell(&[line(&pair.one)]);
    let daemon = Daemon::start(BINARY, &pair.config(&dns, ""));
    let scim = daemon.scim(crate::harness::BASIC);
    scim.post("/Users", &okta_user("before", "A", "B")).await.expect(201);
    let asked = dns.asked();
    scim.post("/Users", &okta_user("beside", "A", "B")).await.expect(201);
    assert_eq!(dns.asked(), asked, "a connection that is there needs no look-up");

    pair.one.kill();
    dns.tell(&[line(&pair.other)]);
    scim.post("/Users", &okta_user("after", "A", "B")).await.expect(201);
    assert!(has(&pair.other, "after").await);

    // Name servers that know nothing any more do not take away the servers that are known.
    dns.tell(&[]);
    pair.other.stop();
    scim.get("/Users").await.expect(429);
    pair.other.start();
    let began = Instant::now();
    while scim.search("/Users", "userName eq \"after\"").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "the server that is known is not used again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_certificate_must_be_that_of_the_server_that_the_record_names() {
    let slapd = Slapd::shared();
    for (protection, port) in [("start_tls", slapd.port()), ("ldaps", slapd.tls_port())] {
        let dns = Dns::start(SERVICE);
        let config = Config::for_slapd(slapd, SUFFIX).srv(&looked_up(&dns, &format!("srv_tls = \"{protection}\"")));
        dns.tell(&[Service { priority: 0, weight: 0, port, host: "dc1.example.test" }]);
        let ran = run(&config, &["check"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        dns.tell(&[Service { priority: 0, weight: 0, port, host: "impostor.example.test" }]);
        let ran = run(&config, &["check"]);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("impostor.example.test") && ran.out.contains("another name"), "{}", ran.out);
    }
}

#[tokio::test]
async fn a_record_that_does_not_exist_is_named() {
    let dns = Dns::start(SERVICE);
    let ran = run(&Config::for_slapd(Slapd::shared(), SUFFIX).srv(&looked_up(&dns, "")), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let told = format!("the service record {SERVICE} can't be looked up: there is no such record");
    assert!(ran.out.contains(&told), "{}", ran.out);
}

fn certificate(files: &[PathBuf; 2]) -> String {
    let [certificate, key] = files.each_ref().map(|file| quoted(&file.to_string_lossy()));
    format!("bind = \"external\"\nclient_certificate = {certificate}\nclient_key = {key}")
}

#[tokio::test]
async fn a_client_certificate_is_the_account_of_the_bridge() {
    let slapd = Slapd::with(Options { certificates: true, ..Options::default() });
    let own = certificate(&slapd.client_files());
    for (uid, urls, more) in [("ldaps", slapd.tls_url(), ""), ("start-tls", slapd.url(), "\nstart_tls = true")] {
        let change = |config: Config| config.urls(&[&urls]).bind(&format!("{own}{more}"));
        let world = World::before(&slapd, SUFFIX.to_owned(), change).await;
        world.scim.post("/Users", &okta_user(uid, "A", "B")).await.expect(201);
        assert_eq!(world.user(uid).await["creatorsName"], [slapd.service_account().0]);
    }

    // A certificate of an authority that the server does not know.
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().issue_client("scim-bridge", folder.path());
    let stranger = certificate(&[files.certificate, files.key]);
    let ran = run(&Config::for_slapd(&slapd, SUFFIX).bind(&stranger), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let [certificate_file, _] = slapd.client_files();
    let mixed = certificate(&[certificate_file, folder.path().join("client.key")]);
    let ran = run(&Config::for_slapd(&slapd, SUFFIX).bind(&mixed), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("the key must be the certificate's"), "{}", ran.out);
}

#[tokio::test]
async fn the_user_that_the_bridge_runs_as_is_its_account_over_a_socket() {
    let slapd = Slapd::with(Options { certificates: true, ..Options::default() });
    let url = slapd.socket_url();
    let change = |config: Config| config.urls(&[&url]).bind("bind = \"external\"");
    let world = World::before(&slapd, SUFFIX.to_owned(), change).await;
    world.scim.post("/Users", &okta_user("ada", "A", "B")).await.expect(201);
    assert_eq!(world.user("ada").await["creatorsName"], [slapd.service_account().0]);
}
