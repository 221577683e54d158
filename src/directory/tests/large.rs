//! Answers of any size come over connections of their own.

use super::super::{DEREFERENCE, Follow, ber};
use super::*;

const MEMBER: AttributeName = AttributeName::literal("member");

/// The root entry of a server that follows names.
fn root(request: &Request) -> Option<Reply> {
    let root = || Reply::found(&[entry("", &[("supportedControl", &[DEREFERENCE.as_bytes()])])]);
    (request.tag == SEARCH && request.says("supportedControl")).then(root)
}

/// A group, and so many members behind the name in it.
fn group(members: usize) -> Reply {
    let name = tlv(ber::OCTETS, b"member");
    let one = |number: usize| {
        let dn = format!("cn={number:05},dc=x");
        tlv(ber::SEQUENCE, &[name.clone(), tlv(ber::OCTETS, dn.as_bytes())].concat())
    };
    let list: Vec<u8> = (0..members).flat_map(one).collect();
    let controls = control(DEREFERENCE, &tlv(ber::SEQUENCE, &list));
    Reply::Send(vec![
        (0x64, entry("cn=a,dc=x", &[("cn", &[b"a"])]), controls),
        // Active Directory's way to point elsewhere; nobody goes there.
        (0x73, tlv(ber::OCTETS, b"ldap://elsewhere"), vec![]),
        (0x65, result(0, ""), vec![]),
    ])
}

fn follow() -> Follow {
    Follow { attribute: MEMBER, read: vec![name("cn")] }
}

/// How many names were followed.
async fn followed(directory: &Directory) -> usize {
    let found = directory.search_and_follow(&people(), &follow()).await.unwrap().unwrap();
    let [(group, followed)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(group.text(&name("CN")), Some("a"));
    followed.names().unwrap().len()
}

/// The connections that searches for members came over.
fn connections(peer: &Peer) -> Vec<usize> {
    peer.seen(SEARCH).iter().filter(|request| request.says(DEREFERENCE)).map(|request| request.connection).collect()
}

#[tokio::test]
async fn members_come_over_a_connection_of_their_own_that_is_used_again() {
    let peer = Peer::start(|request| root(request).or_else(|| is_search(request).then(|| group(2000)))).await;
    let directory = to(&[&peer]);
    assert_eq!(followed(&directory).await, 2000);
    assert_eq!(followed(&directory).await, 2000);
    assert_eq!(connections(&peer), [1, 1]);
    assert_eq!(peer.seen(BIND).len(), 2, "the shared one, and theirs");
    assert!(peer.seen(BIND).iter().all(|request| request.says("cn=scim,dc=x") && request.says("hush")));
}

#[tokio::test]
async fn one_that_died_while_it_waited_is_replaced() {
    let script = |request: &Request| {
        let last = || match group(2) {
            Reply::Send(messages) if request.connection == 1 => Reply::Last(messages),
            reply => reply,
        };
        root(request).or_else(|| is_search(request).then(last))
    };
    let peer = Peer::start(script).await;
    let directory = to(&[&peer]);
    assert_eq!((followed(&directory).await, followed(&directory).await), (2, 2));
    assert_eq!(connections(&peer).last(), Some(&2));
}

#[tokio::test]
async fn where_it_can_not_be_had_the_shared_connections_do() {
    for (code, binds) in [(Some(49), 2), (None, 3)] {
        let script = move |request: &Request| {
            let fail = || code.map_or(Reply::Raw(b"\x04\x00".to_vec()), |code| refused(0x61, code, "no"));
            let other = request.tag == BIND && request.connection > 0;
            other.then(fail).or_else(|| root(request)).or_else(|| is_search(request).then(|| group(3)))
        };
        let peer = Peer::start(script).await;
        let directory = to(&[&peer]);
        assert_eq!((followed(&directory).await, followed(&directory).await), (3, 3));
        assert_eq!(connections(&peer), [0, 0]);
        assert_eq!(peer.seen(BIND).len(), binds, "an account that was refused is left alone: {code:?}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_or_is_cut_off_is_asked_for_in_the_usual_way() {
    let garbled = || Reply::Raw(b"\x30\x84\xff\xff\xff\xff".to_vec());
    let cut = || Reply::Raw(b"\x30\x82\x10\x00\x02\x01".to_vec());
    let stranger = || Reply::Raw(tlv(ber::SEQUENCE, &[tlv(ber::INTEGER, &[77]), tlv(0x65, &result(0, ""))].concat()));
    for (number, reply) in [garbled, || Reply::Close, cut, stranger].into_iter().enumerate() {
        let script = move |request: &Request| {
            let bad = is_search(request) && request.connection > 0;
            bad.then(reply).or_else(|| root(request)).or_else(|| is_search(request).then(|| group(3)))
        };
        let peer = Peer::start(script).await;
        if number == 2 {
            let directory = hastily_to(&[&peer]);
            let fault = directory.search_and_follow(&people(), &follow()).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::TimedOut, "the rest never came");
            continue;
        }
        assert_eq!(followed(&to(&[&peer])).await, 3, "{number}");
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_no_answer_and_what_it_can_not_do_now_is_a_fault() {
    for (code, transient) in [(53, false), (51, true)] {
        let peer =
            Peer::start(move |request| root(request).or_else(|| is_search(request).then(|| refused(0x65, code, "no"))))
                .await;
        let outcome = to(&[&peer]).search_and_follow(&people(), &follow()).await;
        assert_eq!(outcome.is_err(), transient, "{code}");
        assert!(outcome.is_err() || outcome.is_ok_and(|found| found.is_none()));
    }
}
