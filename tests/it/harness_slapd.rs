//! What only OpenLDAP has in the harness, and the proxy. The servers of every kind are tried in `harness_servers`.

use crate::harness::{Options, Proxy, Raw, Refusal, SUFFIX, Slapd};
use ldap3::Scope;
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
async fn the_overlays_keep_memberships_uniqueness_and_passwords() {
    let slapd = Slapd::with(Options { unique: true, refint_nothing: true, fsync: true, ..Options::default() });
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
