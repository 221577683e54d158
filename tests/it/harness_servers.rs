//! The harness's directory servers of every kind: a test can only be trusted as far as its ground.

use crate::harness::{Kind, Lease, Options, Raw, Server, process_exists, wait_until};
use ldap3::Scope;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

on_every_directory! {
    an_account_of_the_server_binds_writes_and_reads_back,
    the_server_proves_itself_to_those_who_know_its_authority,
    the_bridges_account_writes_people_and_groups,
    a_restart_keeps_the_data_and_the_ports,
    a_server_that_is_dropped_is_gone_with_its_files,
    a_killed_test_process_leaves_neither_a_server_nor_its_files,
    two_tests_do_not_see_each_other,
}

/// A user that somebody else made, with this password.
async fn person(raw: &Raw, server: &Server, base: &str, name: &str) -> String {
    let facts = server.facts();
    let dn = format!("{}={name},{},{base}", facts.rdn, facts.people);
    let mut attributes: Vec<(&str, &[&str])> = vec![("objectClass", facts.person)];
    let name: &[&str] = &[name];
    if server.kind() == Kind::ActiveDirectory {
        attributes.extend([("sAMAccountName", name), ("userAccountControl", facts.unlocked)]);
    } else {
        attributes.extend([("uid", name), ("cn", name), ("sn", name)]);
    }
    raw.add(&dn, &attributes).await;
    dn
}

async fn an_account_of_the_server_binds_writes_and_reads_back(kind: Kind) {
    let server = Server::own(kind);
    let base = server.suffix("own").await;
    let raw = server.raw().await;
    let ada = person(&raw, &server, &base, "ada").await;
    raw.replace(&ada, "title", &["Countess"]).await;
    let entry = raw.entry_full(&ada).await.unwrap();
    assert_eq!(entry["title"], ["Countess"]);
    let id = kind.scim_id(&entry);
    assert!(id.len() >= 35 && id.matches('-').count() >= 3, "{id}");
    assert_eq!(raw.find(&base, "(title=countess)").await.len(), 1);
    raw.delete(&ada).await;
    assert_eq!(raw.entry(&ada).await, None);
}

async fn the_server_proves_itself_to_those_who_know_its_authority(kind: Kind) {
    let (server, stranger) = (Lease::of(kind).await, Server::own(Kind::OpenLdap));
    let (dn, password) = server.service_account();
    for url in [server.tls_url(), server.url()] {
        let raw = Raw::bind_tls(&url, server.ca_file(), dn, password).await.unwrap();
        assert!(raw.entry(dn).await.is_some(), "{url}");
        assert!(Raw::bind_tls(&url, stranger.ca_file(), dn, password).await.is_err(), "{url} with a foreign authority");
    }
    let plain = Raw::try_bind(&server.url(), dn, password).await;
    assert_eq!(plain.is_err(), server.facts().needs_tls, "a bind without TLS: {plain:?}");
    assert_eq!(server.try_bind(dn, "wrong").await.unwrap_err().code, 49);
}

async fn the_bridges_account_writes_people_and_groups(kind: Kind) {
    let server = Lease::of(kind).await;
    let base = server.suffix("harness-service").await;
    let ((dn, password), facts) = (server.service_account(), server.facts());
    let raw = Raw::bind_tls(&server.tls_url(), server.ca_file(), dn, password).await.unwrap();
    let ada = person(&raw, &server, &base, "ada").await;
    let group = format!("{}=staff,{},{base}", facts.group_rdn, facts.groups);
    raw.add(&group, &[("objectClass", &["top", facts.group_class]), ("member", &[&ada])]).await;
    raw.replace(&ada, facts.lock, &[facts.locked]).await;
    let entry = raw.wait_for(&ada, |entry| entry.contains_key("memberOf")).await;
    assert_eq!((&entry["memberOf"][0], &entry[facts.lock][0]), (&group, &facts.locked.to_owned()));
    assert!(entry.contains_key(facts.id), "{entry:#?}");
    let renamed = format!("{}=countess", facts.rdn);
    raw.rename(&ada, &renamed, None).await;
    let ada = format!("{renamed},{},{base}", facts.people);
    raw.wait_for(&group, |group| group["member"] == [ada.as_str()]).await;
    raw.delete(&group).await;
    raw.delete(&ada).await;
    let elsewhere = format!("{}=elsewhere,{}", facts.part, facts.suffix);
    let refused = raw.try_add(&elsewhere, &[("objectClass", &["organizationalUnit"])]).await;
    assert_eq!(refused.is_err(), kind == Kind::ActiveDirectory, "more rights than were delegated");
    if refused.is_ok() {
        raw.delete(&elsewhere).await;
    }
}

async fn a_restart_keeps_the_data_and_the_ports(kind: Kind) {
    let mut server = Server::own(kind);
    let base = server.suffix("kept").await;
    let (port, before) = (server.port(), server.raw().await.entry_full(&base).await);
    server.stop();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    server.start();
    assert_eq!((server.port(), server.raw().await.entry_full(&base).await), (port, before.clone()));
    server.kill();
    server.start();
    assert_eq!(server.raw().await.entry_full(&base).await, before);
}

async fn a_server_that_is_dropped_is_gone_with_its_files(kind: Kind) {
    let server = Server::own(kind);
    let (pid, files) = (server.pid(), server.folder().to_owned());
    assert!(process_exists(pid) && files.is_dir());
    drop(server);
    assert!(!process_exists(pid) && !files.exists());
}

/// Not a test: the process that the next test kills. It starts a server, says which, and never ends.
#[test]
#[ignore = "the victim of the watchdog's test"]
fn victim_of_the_watchdog() {
    let kind = std::env::var("VICTIM").ok().and_then(|text| Kind::named(&text)).expect("a kind of server");
    let server = Server::own(kind);
    println!("\nvictim {} {}", server.pid(), server.folder().display());
    std::thread::sleep(Duration::from_mins(10));
}

async fn a_killed_test_process_leaves_neither_a_server_nor_its_files(kind: Kind) {
    use std::io::{BufRead, BufReader};
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "harness_servers::victim_of_the_watchdog"])
        .env("VICTIM", kind.facts().text)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("victim ")).expect("the victim's server");
    let mut words = line.split(' ').skip(1);
    let (pid, files) = (words.next().unwrap().parse().unwrap(), Path::new(words.next().unwrap()).to_owned());
    assert!(process_exists(pid) && files.is_dir());

    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until("the server survived its harness", Duration::from_secs(10), || (!process_exists(pid)).then_some(()));
    wait_until("the server's files were left behind", Duration::from_secs(10), || (!files.exists()).then_some(()));
}

async fn two_tests_do_not_see_each_other(kind: Kind) {
    let (one, other) = (Lease::of(kind).await, Lease::of(kind).await);
    let (here, there) = (one.suffix("harness-here").await, other.suffix("harness-there").await);
    person(&one.raw().await, &one, &here, "ada").await;
    let raw = other.raw().await;
    person(&raw, &other, &there, "ada").await;
    assert_eq!(raw.find(&there, &format!("(objectClass={})", other.facts().person_class)).await.len(), 1);
}

#[tokio::test]
async fn a_used_domain_is_clean_again_when_the_next_test_gets_it() {
    let lease = Lease::of(Kind::ActiveDirectory).await;
    let base = lease.suffix("harness-used").await;
    person(&lease.raw().await, &lease, &base, "ada").await;
    let port = lease.port();
    drop(lease);
    // Another test may have been quicker to take it.
    for _ in 0..3 {
        let lease = Lease::of(Kind::ActiveDirectory).await;
        let found = lease.raw().await.find("DC=example,DC=test", "(sAMAccountName=ada)").await;
        assert!(found.is_empty(), "{found:#?}");
        if lease.port() == port {
            break;
        }
    }
}

#[tokio::test]
async fn a_plain_search_of_the_bridges_account_is_limited_to_500_entries() {
    let server = Lease::of(Kind::Ds389).await;
    let base = server.suffix("harness-limit").await;
    let (raw, (dn, password)) = (server.raw().await, server.service_account());
    for number in 0..501 {
        raw.add(&format!("ou={number},ou=people,{base}"), &[("objectClass", &["organizationalUnit"])]).await;
    }
    let service = Raw::bind(&server.url(), dn, password).await;
    let everything = service.try_search(&base, Scope::Subtree, "(ou=*)", &["ou"], 0).await;
    assert_eq!(everything.unwrap_err().code, 4);
}

#[tokio::test]
async fn where_a_test_needs_it_samba_takes_a_bind_without_tls() {
    let server = Lease::with(Kind::ActiveDirectory, Options { plaintext: true, ..Options::default() }).await;
    let (dn, password) = server.service_account();
    assert_eq!(Raw::try_bind(&server.url(), dn, password).await, Ok(()));
}
