//! The conversation with a server that misbehaves on purpose.

mod asked;
pub(crate) mod domain;
mod large;
pub(crate) mod peer;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use peer::{
    ABANDON, ADD, BIND, DELETE, MODIFY, Peer, Reply, Request, SEARCH, UNBIND, control, entry, page_control, result, tlv,
};

use super::operation::Operation;
use super::*;

fn name(text: &str) -> AttributeName {
    AttributeName::parse(text).unwrap()
}

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn people() -> Search {
    Search { base: dn("dc=x"), scope: Scope::Sub, filter: Filter::any(), attributes: vec![name("cn")], size_limit: 0 }
}

fn to(peers: &[&Peer]) -> Directory {
    Directory::new(Peer::settings(peers)).unwrap()
}

/// The same, with little patience.
fn hastily_to(peers: &[&Peer]) -> Directory {
    let (connect_timeout, operation_timeout) = (Duration::from_millis(700), Duration::from_millis(700));
    Directory::new(Settings { connect_timeout, operation_timeout, ..Peer::settings(peers) }).unwrap()
}

/// Neither the bind nor the reading of the root entry.
fn is_search(request: &Request) -> bool {
    request.tag == SEARCH && !request.says("supportedControl")
}

fn refused(tag: u8, code: u8, text: &str) -> Reply {
    Reply::Send(vec![(tag, result(code, text), vec![])])
}

#[tokio::test]
async fn a_search_is_repeated_once_when_the_connection_turns_out_to_be_dead() {
    let peer = Peer::start(|request| (is_search(request) && request.connection == 0).then_some(Reply::Close)).await;
    let found = to(&[&peer]).search(&people()).await.unwrap();
    assert_eq!(found[0].text(&name("CN")), Some("a"));
    assert_eq!(peer.seen(BIND).len(), 2);
}

#[tokio::test]
async fn a_search_is_not_repeated_for_ever() {
    let peer = Peer::start(|request| is_search(request).then_some(Reply::Close)).await;
    let directory = to(&[&peer]);
    let fault = directory.search(&people()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(fault.message.contains("(objectClass=*)") && fault.message.contains("closed"), "{fault}");
    assert_eq!(peer.seen(BIND).len(), 2);
    assert_eq!(directory.health().reachable, Some(false));
}

#[tokio::test]
async fn a_write_that_was_sent_is_never_repeated() {
    let peer = Peer::start(|request| (request.tag == DELETE).then_some(Reply::Close)).await;
    let fault = to(&[&peer]).delete(&dn("cn=a,dc=x")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::UnknownOutcome);
    assert!(fault.is_transient());
    assert_eq!(peer.seen(DELETE).len(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_replaced_before_a_write() {
    let end = || Reply::Last(vec![(0x65, result(0, ""), vec![])]);
    let peer = Peer::start(move |request| (is_search(request) && request.connection == 0).then(end)).await;
    let directory = to(&[&peer]);
    directory.search(&people()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    directory.delete(&dn("cn=a,dc=x")).await.unwrap();
    assert_eq!(peer.seen(DELETE)[0].connection, 1);
}

#[tokio::test]
async fn a_silent_server_ends_in_a_time_out_and_its_connection_is_not_used_again() {
    let peer = Peer::start(|request| (is_search(request) && request.connection == 0).then_some(Reply::Silence)).await;
    let directory = hastily_to(&[&peer]);
    let started = Instant::now();
    assert_eq!(directory.search(&people()).await.unwrap_err().kind, FaultKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(5));
    directory.search(&people()).await.unwrap();
    assert_eq!(peer.seen(SEARCH).last().unwrap().connection, 1);
}

#[tokio::test]
async fn a_write_that_is_not_answered_in_time_has_an_unknown_outcome() {
    let peer = Peer::start(|request| (request.tag == ADD).then_some(Reply::Silence)).await;
    let attributes = [(name("cn"), vec![b"a".to_vec()])];
    let fault = hastily_to(&[&peer]).add(&dn("cn=a,dc=x"), &attributes, &[]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::UnknownOutcome);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_faults_and_not_the_end() {
    let malformed = tlv(0x30, &[tlv(0x02, &[3]), tlv(0x65, b"")].concat());
    for bytes in [b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![0x30, 0x00], malformed, vec![0xff; 64]] {
        let reply = bytes.clone();
        let peer = Peer::start(move |request| is_search(request).then(|| Reply::Raw(reply.clone()))).await;
        let fault = hastily_to(&[&peer]).search(&people()).await.unwrap_err();
        assert!(matches!(fault.kind, FaultKind::Unreachable | FaultKind::TimedOut), "{bytes:?}: {fault:?}");
    }
    let peer = Peer::start(|request| is_search(request).then(|| Reply::found(&[entry("no name", &[])]))).await;
    assert_eq!(hastily_to(&[&peer]).search(&people()).await.unwrap_err().kind, FaultKind::Other);
    let peer = Peer::start(|request| (request.tag == DELETE).then(|| Reply::Send(vec![(0x6b, vec![], vec![])]))).await;
    assert_eq!(hastily_to(&[&peer]).delete(&dn("cn=a")).await.unwrap_err().kind, FaultKind::UnknownOutcome);
}

#[tokio::test]
async fn a_busy_server_is_left_for_the_next_one_with_writes_too() {
    let busy = Peer::start(|request| (request.tag == DELETE).then(|| refused(0x6b, 51, "busy"))).await;
    let other = Peer::start(|_| None).await;
    let directory = to(&[&busy, &other]);
    directory.search(&people()).await.unwrap();
    directory.delete(&dn("cn=a,dc=x")).await.unwrap();
    assert_eq!((busy.seen(DELETE).len(), other.seen(DELETE).len()), (1, 1));
    directory.search(&people()).await.unwrap();
    assert!(other.seen(SEARCH).iter().any(is_search), "all operations go to the same server");
    assert_eq!(directory.health().url, other.url);
    let fault = to(&[&busy]).delete(&dn("cn=a,dc=x")).await.unwrap_err();
    assert_eq!((fault.kind, fault.code), (FaultKind::Busy, Some(51)));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_is_unavailable_is_left_for_the_next_one() {
    let away = Peer::start(|request| (request.tag == BIND).then(|| refused(0x61, 52, "shutting down"))).await;
    let silent = Peer::start(|_| Some(Reply::Silence)).await;
    let there = Peer::start(|_| None).await;
    hastily_to(&[&away, &silent, &there]).ping().await.unwrap();
    let fault = hastily_to(&[&away, &silent]).ping().await.unwrap_err();
    assert!(fault.message.contains(&away.url) && fault.message.contains(&silent.url), "{fault}");
}

#[tokio::test]
async fn the_preferred_server_is_used_again_once_it_is_back() {
    static BACK: AtomicBool = AtomicBool::new(false);
    let away = |request: &Request| request.tag == BIND && !BACK.load(Ordering::Relaxed);
    let home = Peer::start(move |request| away(request).then_some(Reply::Close)).await;
    let other = Peer::start(|_| None).await;
    let mut pool = pool::Pool::new(Peer::settings(&[&home, &other])).unwrap();
    pool.away = Duration::ZERO;
    let directory = Directory { pool: std::sync::Arc::new(pool) };
    directory.search(&people()).await.unwrap();
    assert_eq!(directory.health().url, other.url);
    BACK.store(true, Ordering::Relaxed);
    for _ in 0..100 {
        directory.search(&people()).await.unwrap();
        if home.seen(SEARCH).iter().any(is_search) {
            return assert_eq!(directory.health().url, home.url);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was asked of the preferred server");
}

#[tokio::test]
async fn a_refused_account_is_not_tried_elsewhere_and_is_left_alone_for_a_while() {
    let wrong = Peer::start(|request| (request.tag == BIND).then(|| refused(0x61, 49, "data 52e"))).await;
    let other = Peer::start(|_| None).await;
    let directory = to(&[&wrong, &other]);
    for _ in 0..3 {
        let fault = directory.ping().await.unwrap_err();
        assert_eq!((fault.kind, fault.code), (FaultKind::BindFailed, Some(49)));
        assert!(fault.is_transient() && !fault.message.contains("hush"), "{fault}");
    }
    assert_eq!((wrong.seen(BIND).len(), other.seen(BIND).len()), (1, 0));
}

#[tokio::test]
async fn operations_side_by_side_share_one_connection_and_no_more_than_its_places() {
    let peer = Peer::start(|request| (request.tag == DELETE).then_some(Reply::Silence)).await;
    let directory = hastily_to(&[&peer]);
    directory.ping().await.unwrap();
    let waiting = (0..40).map(|_| {
        let directory = directory.clone();
        tokio::spawn(async move { directory.delete(&dn("cn=a,dc=x")).await.unwrap_err().kind })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(peer.seen(DELETE).len(), connection::IN_FLIGHT);
    let mut kinds = Vec::new();
    for each in waiting {
        kinds.push(each.await.unwrap());
    }
    // Those that had no place were not sent over the lost connection, but over the next one.
    assert_eq!(peer.seen(DELETE).iter().filter(|request| request.connection == 1).count(), 40 - connection::IN_FLIGHT);
    assert!(kinds.iter().all(|kind| *kind == FaultKind::UnknownOutcome));
}

#[tokio::test]
async fn a_search_nobody_waits_for_any_longer_is_abandoned() {
    let peer = Peer::start(|request| is_search(request).then_some(Reply::Silence)).await;
    let directory = to(&[&peer]);
    directory.server().await.unwrap();
    let search = people();
    let given_up = tokio::time::timeout(Duration::from_millis(50), directory.search(&search)).await;
    assert!(given_up.is_err());
    for _ in 0..100 {
        if !peer.seen(ABANDON).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no Abandon came");
}

#[tokio::test]
async fn the_last_handle_says_goodbye() {
    let peer = Peer::start(|_| None).await;
    to(&[&peer]).ping().await.unwrap();
    for _ in 0..100 {
        if !peer.seen(UNBIND).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no Unbind came");
}

/// Three pages of one entry each.
fn page(request: &Request) -> Option<Reply> {
    let (cn, cookie) = match request {
        request if !is_search(request) => return None,
        request if request.says("cookie-1") => ("b", "cookie-2"),
        request if request.says("cookie-2") => ("c", ""),
        _ => ("a", "cookie-1"),
    };
    let found = entry(&format!("cn={cn},dc=x"), &[("cn", &[cn.as_bytes()])]);
    Some(Reply::Send(vec![(0x64, found, vec![]), (0x65, result(0, ""), page_control(cookie.as_bytes()))]))
}

#[tokio::test]
async fn a_scan_goes_through_all_pages_on_a_connection_of_its_own() {
    let peer = Peer::start(page).await;
    let directory = to(&[&peer]);
    directory.ping().await.unwrap();
    for _ in 0..2 {
        let mut seen = String::new();
        let mut each = |entry: Entry| {
            seen.push_str(entry.text(&name("cn")).unwrap());
            ControlFlow::Continue(())
        };
        directory.scan(&people(), &mut each).await.unwrap();
        assert_eq!(seen, "abc");
    }
    let scans: Vec<usize> =
        peer.seen(SEARCH).iter().filter(|request| request.says("cn")).map(|request| request.connection).collect();
    assert_eq!(scans, [1; 6], "the second scan used the connection of the first");
}

#[tokio::test]
async fn a_scan_ends_when_enough_was_seen() {
    let peer = Peer::start(page).await;
    let mut count = 0;
    let mut each = |_| {
        count += 1;
        if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    to(&[&peer]).scan(&people(), &mut each).await.unwrap();
    assert_eq!(count, 2);
    assert!(!peer.seen(SEARCH).iter().any(|request| request.says("cookie-2")));
}

#[tokio::test]
async fn a_scan_that_breaks_in_the_middle_is_a_fault_and_one_that_breaks_at_once_is_repeated() {
    let cut = Peer::start(|request| if request.says("cookie-1") { Some(Reply::Close) } else { page(request) }).await;
    let mut count = 0;
    let mut each = |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    let fault = to(&[&cut]).scan(&people(), &mut each).await.unwrap_err();
    assert_eq!((fault.kind, count), (FaultKind::Unreachable, 1));
    let once = AtomicBool::new(true);
    let peer = Peer::start(move |request| {
        if is_search(request) && once.swap(false, Ordering::Relaxed) { Some(Reply::Close) } else { page(request) }
    })
    .await;
    to(&[&peer]).scan(&people(), &mut |_| ControlFlow::Continue(())).await.unwrap();
}

#[tokio::test]
async fn values_that_come_in_pieces_are_put_together() {
    let peer = Peer::start(|request| {
        let (range, values): (&str, &[&[u8]]) = match request {
            request if !is_search(request) => return None,
            request if request.says("member;range=2-*") => ("member;range=2-3", &[b"c", b"d"]),
            request if request.says("member;range=4-*") => ("member;range=4-*", &[b"e"]),
            _ => ("member;range=0-1", &[b"a", b"b"]),
        };
        Some(Reply::found(&[entry("cn=g,dc=x", &[("cn", &[b"g"]), ("member", &[]), (range, values)])]))
    })
    .await;
    let directory = Directory::new(Settings { kind: Kind::ActiveDirectory, ..Peer::settings(&[&peer]) }).unwrap();
    let search = Search { attributes: vec![name("cn"), name("member")], ..people() };
    let found = directory.search(&search).await.unwrap();
    assert_eq!(found[0].values(&name("member")).concat(), b"abcde");
    assert_eq!(found[0].attributes().count(), 2);
    let mut scanned = Vec::new();
    let mut each = |entry: Entry| {
        scanned.push(entry);
        ControlFlow::Continue(())
    };
    directory.scan(&search, &mut each).await.unwrap();
    assert_eq!(scanned, found);
}

#[tokio::test]
async fn values_that_become_fewer_while_they_are_read_are_read_anew() {
    let peer = Peer::start(|request| {
        let (range, values): (&str, &[&[u8]]) = match request {
            request if !is_search(request) => return None,
            // Active Directory: there is no value with this number any more.
            request if request.says("member;range=2-*") => return Some(refused(0x65, 1, "00000057: LdapErr: DSID-0")),
            request if request.says("member;range=0-*") => ("member;range=0-*", &[b"b"]),
            _ => ("member;range=0-1", &[b"a", b"b"]),
        };
        Some(Reply::found(&[entry("cn=g,dc=x", &[("member", &[]), (range, values)])]))
    })
    .await;
    let directory = Directory::new(Settings { kind: Kind::ActiveDirectory, ..Peer::settings(&[&peer]) }).unwrap();
    let search = Search { attributes: vec![name("member")], ..people() };
    let found = directory.search(&search).await.unwrap();
    assert_eq!(found[0].values(&name("member")).concat(), b"b");
}

#[tokio::test]
async fn a_server_that_never_has_the_values_it_speaks_of_is_a_fault() {
    let peer = Peer::start(|request| match request {
        request if !is_search(request) => None,
        request if request.says("member;range=0-*") || !request.says("range=") => {
            Some(Reply::found(&[entry("cn=g,dc=x", &[("member;range=0-1", &[b"a", b"b"])])]))
        }
        _ => Some(refused(0x65, 1, "")),
    })
    .await;
    let directory = Directory::new(Settings { kind: Kind::ActiveDirectory, ..Peer::settings(&[&peer]) }).unwrap();
    let search = Search { attributes: vec![name("member")], ..people() };
    assert_eq!(directory.search(&search).await.unwrap_err().code, Some(1));
}

#[tokio::test]
async fn what_is_read_back_comes_with_the_answer_to_the_write() {
    let peer = Peer::start(|request| {
        let read = tlv(0x64, &entry("cn=a,dc=x", &[("objectGUID", &[&[0xff, 0x00]])]));
        (request.tag == MODIFY).then(|| Reply::Send(vec![(0x67, result(0, ""), control(POST_READ, &read))]))
    })
    .await;
    let options = ModifyOptions { read_back: vec![name("objectGUID")], ..ModifyOptions::default() };
    let step = [Modification::new(name("mail"), Change::Replace(vec![]))];
    let entry = to(&[&peer]).modify(&dn("cn=a,dc=x"), &step, &options).await.unwrap().unwrap();
    assert_eq!(entry.values(&name("objectguid")), [vec![0xff, 0x00]]);
    assert!(peer.seen(MODIFY)[0].says(POST_READ));
    let plain = ModifyOptions { permissive: true, ..ModifyOptions::default() };
    to(&[&peer]).modify(&dn("cn=a,dc=x"), &step, &plain).await.unwrap();
    assert!(!peer.seen(MODIFY)[1].says(POST_READ) && peer.seen(MODIFY)[1].says(PERMISSIVE_MODIFY));
}

#[test]
fn a_refusal_says_whether_the_request_set_a_password() {
    let dialect = Kind::ActiveDirectory.dialect();
    let dn = Dn::parse("cn=a,dc=x").unwrap();
    let text = "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0".to_owned();
    let result = ldap3::LdapResult { rc: 53, matched: String::new(), text, refs: vec![], ctrls: vec![] };
    let names = [AttributeName::literal("userAccountControl"), dialect.password_attribute.clone()];
    let attributes = names.clone().map(|name| (name, vec![b"x".to_vec()]));
    let modifications = names.map(|name| Modification::new(name, Change::Replace(vec![])));
    let options = ModifyOptions::default();
    for (count, expected) in [(1, false), (2, true)] {
        let add = Operation::Add { dn: &dn, attributes: &attributes[..count], read_back: &[] };
        let modifications = &modifications[..count];
        let modify = Operation::Modify { dn: &dn, modifications, options: &options, permissive: false };
        for operation in [add, modify] {
            let fault = operation.refused(&result, dialect);
            assert_eq!((fault.with_password, fault.is_password_policy()), (expected, true), "{fault}");
        }
    }
}
