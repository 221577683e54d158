//! The harness itself, against a real slapd: a test can only be trusted as far as its ground.

use crate::harness::{Options, Proxy, Raw, Refusal, SUFFIX, Slapd, process_exists, wait_until};
use ldap3::Scope;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PERSON: (&str, &[&str]) = ("objectClass", &["inetOrgPerson"]);

#[tokio::test]
async fn a_fresh_server_has_the_base_entries_and_two_tests_do_not_see_each_other() {
    let slapd = Slapd::shared();
    let (one, other) = (slapd.suffix("harness-one").await, slapd.suffix("harness-other").await);
    let raw = slapd.raw().await;
    raw.add(&format!("uid=x,ou=people,{one}"), &[PERSON, ("uid", &["x"]), ("cn", &["X"]), ("sn", &["X"])]).await;

    assert_eq!(raw.find(&one, "(uid=x)").await.len(), 1);
    assert_eq!(raw.find(&other, "(uid=x)").await.len(), 0);
    assert!(raw.entry(&format!("ou=people,{SUFFIX}")).await.is_some());
    assert_eq!(raw.entry("ou=nowhere,dc=example,dc=test").await, None);
}

#[tokio::test]
async fn the_server_proves_itself_by_ldaps_and_by_starttls_to_those_who_know_its_authority() {
    let (slapd, stranger) = (Slapd::shared(), Slapd::own());
    let (dn, password) = slapd.service_account();
    for url in [slapd.tls_url(), slapd.url()] {
        let raw = Raw::bind_tls(&url, slapd.ca_file(), dn, password).await.unwrap();
        assert!(raw.entry(dn).await.is_some(), "{url}");
        assert!(Raw::bind_tls(&url, stranger.ca_file(), dn, password).await.is_err(), "{url} with a foreign authority");
    }
}

#[tokio::test]
async fn the_service_account_writes_but_reads_no_more_than_500_entries_at_a_time() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("harness-limit").await;
    let (dn, password) = slapd.service_account();
    let raw = Raw::bind(&slapd.url(), dn, password).await;
    for number in 0..501 {
        raw.add(&format!("ou={number},ou=people,{base}"), &[("objectClass", &["organizationalUnit"])]).await;
    }

    let everything = raw.try_search(&base, Scope::Subtree, "(ou=*)", &["ou"], 0).await;
    assert_eq!(everything.unwrap_err().code, 4);
    let root = slapd.raw().await.try_search(&base, Scope::Subtree, "(ou=*)", &["ou"], 0).await;
    assert_eq!(root.unwrap().len(), 504);
}

#[tokio::test]
async fn a_restart_keeps_the_data_and_the_ports() {
    let mut slapd = Slapd::own();
    let base = slapd.suffix("kept").await;
    let (port, before) = (slapd.port(), slapd.raw().await.entry_full(&base).await);

    slapd.stop();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    slapd.start();
    assert_eq!((slapd.port(), slapd.raw().await.entry_full(&base).await), (port, before.clone()));

    slapd.kill();
    slapd.start();
    assert_eq!(slapd.raw().await.entry_full(&base).await, before);
}

#[tokio::test]
async fn the_overlays_keep_memberships_uniqueness_and_passwords() {
    let slapd = Slapd::with(Options { unique: true, refint_nothing: true, fsync: true, certificates: true });
    let (raw, people) = (slapd.raw().await, format!("ou=people,{SUFFIX}"));
    let (ann, group) = (format!("uid=ann,{people}"), format!("cn=all,ou=groups,{SUFFIX}"));
    let person =
        [PERSON, ("uid", &["ann"] as &[&str]), ("cn", &["Ann"]), ("sn", &["Lee"]), ("userPassword", &["Secret-1"])];
    raw.add(&ann, &person).await;
    raw.add(&group, &[("objectClass", &["groupOfNames"]), ("member", &[&ann])]).await;

    let entry = raw.entry_full(&ann).await.unwrap();
    assert_eq!(entry["memberOf"], std::slice::from_ref(&group));
    assert!(entry["userPassword"][0].starts_with("{SSHA}"), "{:?}", entry["userPassword"]);

    let twin = format!("cn=Twin,{people}");
    let twin = raw.try_add(&twin, &[PERSON, ("uid", &["ANN"]), ("cn", &["Twin"]), ("sn", &["X"])]).await;
    assert_eq!(twin, Err(Refusal { code: 19, text: "non-unique attributes found with (|(uid=ANN))".into() }));

    raw.replace(&ann, "pwdAccountLockedTime", &["000001010000Z"]).await;
    assert_eq!(Raw::try_bind(&slapd.url(), &ann, "Secret-1").await.unwrap_err().code, 49);
    raw.replace(&ann, "pwdAccountLockedTime", &[]).await;
    assert_eq!(Raw::try_bind(&slapd.url(), &ann, "Secret-1").await, Ok(()));

    raw.delete(&ann).await;
    raw.wait_for(&group, |group| group["member"] == [slapd.admin().0]).await;
}

#[tokio::test]
async fn a_paused_server_is_silent_and_goes_on_where_it_was() {
    let slapd = Slapd::own();
    let (raw, base) = (slapd.raw().await, format!("ou=people,{SUFFIX}"));
    slapd.pause();
    let asked = tokio::time::timeout(Duration::from_millis(200), raw.entry(&base)).await;
    slapd.resume();

    assert!(asked.is_err(), "a paused server answered");
    assert!(raw.entry(&base).await.is_some());
}

#[test]
fn a_server_that_is_dropped_is_gone_with_its_files() {
    let slapd = Slapd::own();
    let (pid, files) = (slapd.pid(), slapd.ca_file().parent().unwrap().parent().unwrap().to_owned());
    assert!(process_exists(pid) && files.is_dir());
    drop(slapd);
    assert!(!process_exists(pid) && !files.exists());
}

/// Not a test: the process that the next test kills. It starts a server, says which, and never ends.
#[test]
#[ignore = "the victim of the watchdog's test"]
fn victim_of_the_watchdog() {
    let slapd = Slapd::own();
    let files = slapd.ca_file().parent().unwrap().parent().unwrap();
    println!("\nvictim {} {}", slapd.pid(), files.display());
    std::thread::sleep(Duration::from_mins(10));
}

#[test]
fn a_killed_test_process_leaves_neither_a_server_nor_its_files() {
    use std::io::{BufRead, BufReader};
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "harness_slapd::victim_of_the_watchdog"])
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
    wait_until("slapd survived its harness", Duration::from_secs(10), || (!process_exists(pid)).then_some(()));
    wait_until("slapd's files were left behind", Duration::from_secs(10), || (!files.exists()).then_some(()));
}

#[tokio::test]
async fn the_proxy_cuts_refuses_stalls_and_loses_answers() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("harness-proxy").await;
    let (dn, password) = slapd.admin();
    let proxy = Proxy::before(slapd.port());
    let raw = Raw::bind(&proxy.url(), dn, password).await;
    assert!(raw.entry(&base).await.is_some());
    let brief = Duration::from_millis(200);

    proxy.stall();
    assert!(tokio::time::timeout(brief, raw.entry(&base)).await.is_err(), "a stalled connection delivered an answer");
    proxy.resume();
    assert!(raw.entry(&base).await.is_some());

    proxy.half_open();
    let lost = format!("ou=lost,{base}");
    let adding = raw.try_add(&lost, &[("objectClass", &["organizationalUnit"])]);
    assert!(tokio::time::timeout(brief, adding).await.is_err(), "a half-open connection delivered an answer");
    assert!(slapd.raw().await.entry(&lost).await.is_some(), "the request did not arrive");

    proxy.refuse();
    assert!(std::net::TcpStream::connect(("127.0.0.1", proxy.port())).is_err());
    proxy.resume();
    let raw = Raw::bind(&proxy.url(), dn, password).await;

    proxy.cut_before_next_answer();
    let ambushed = tokio::spawn(async move {
        raw.try_add(&format!("ou=ambushed,{base}"), &[("objectClass", &["organizationalUnit"])]).await
    });
    assert!(ambushed.await.is_err(), "the answer arrived");
    assert_eq!(slapd.raw().await.find("ou=harness-proxy,dc=example,dc=test", "(ou=ambushed)").await.len(), 1);

    let raw = Raw::bind(&proxy.url(), dn, password).await;
    proxy.cut();
    assert_eq!(proxy.connections(), 0);
    assert!(tokio::spawn(async move { raw.entry(SUFFIX).await }).await.is_err(), "a cut connection answered");
}
