//! Accounts in a domain of Active Directory, where it is stricter than Samba: it enables none without a password, and
//! may not take one in an add.

use std::sync::Arc;

use serde_json::{Value, json};

mod pages;

use super::*;
use crate::directory::tests::domain::Domain;
use crate::directory::{Dialect, Dn, Kind};
use crate::mapping::IdAttribute;
use crate::tables::Source;

const TOGETHER: bool = true;
const APART: bool = false;
const NAME: &str = "cn=ada@x.test";

/// A carrier of the shipped table, with some of its text exchanged.
async fn carrier(domain: &Domain, password_sync: bool, change: (&str, &str)) -> Carrier {
    let peer = domain.serve().await;
    carrier_to(Domain::directory(&peer), password_sync, change)
}

fn carrier_to(directory: Directory, password_sync: bool, change: (&str, &str)) -> Carrier {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/mapping/active-directory.toml");
    let text = std::fs::read_to_string(file).unwrap().replace(change.0, change.1);
    let dialect: &Dialect = Kind::ActiveDirectory.dialect();
    let source = Source { name: "table".to_owned(), text };
    let mapping = Mapping::parse(source, &Dn::parse("DC=x,DC=test").unwrap(), &IdAttribute::from(dialect)).unwrap();
    let base_url = "https://x.test/scim".to_owned();
    let policy = Policy {
        base_url,
        groups: true,
        password_sync,
        max_results: 100,
        retry_after: 7,
        hands_over: false,
        protect: Arc::default(),
    };
    let live = Live::new(directory, &mapping, Arc::default());
    Carrier::new(Arc::new(mapping), Target::Live(live), policy, snapshot::Snapshots::default())
}

/// What nobody knows the outcome of is left to the queue.
async fn carrier_handing_over(domain: &Domain) -> Carrier {
    let carrier = plain(domain, true).await;
    let inner = &carrier.inner;
    let policy = Policy { hands_over: true, ..inner.policy.clone() };
    Carrier::new(Arc::clone(&inner.mapping), inner.target.clone(), policy, inner.snapshots.clone())
}

async fn plain(domain: &Domain, password_sync: bool) -> Carrier {
    carrier(domain, password_sync, ("", "")).await
}

fn ada(password: &str, active: bool) -> Value {
    json!({"userName": "ada@x.test", "password": password, "active": active, "externalId": "7"})
}

fn resource(carrier: &Carrier, body: Value) -> Resource {
    Resource::from_client(body, &carrier.mapping(ResourceKind::User).unwrap().schema).unwrap()
}

async fn create(carrier: &Carrier, body: Value, resume: bool) -> Result<Resource, Fault> {
    let earlier = Earlier { started: resume, ..Earlier::default() };
    let action = Action::Create(resource(carrier, body));
    let intent = Intent { kind: ResourceKind::User, action, if_match: None, answer: true, origin: Origin::default() };
    match carrier.apply(intent, &earlier).await? {
        Receipt::Created(resource) => Ok(resource),
        other => panic!("{other:?}"),
    }
}

async fn replace(carrier: &Carrier, id: &str, body: Value) -> Result<Resource, Fault> {
    let action = Action::Replace { id: id.to_owned(), resource: resource(carrier, body) };
    let intent = Intent { kind: ResourceKind::User, action, if_match: None, answer: true, origin: Origin::default() };
    match carrier.apply(intent, &Earlier::default()).await? {
        Receipt::Updated(resource) => Ok(resource),
        other => panic!("{other:?}"),
    }
}

fn is_active(resource: &Resource) -> bool {
    resource.as_map()["active"] == true
}

fn id_of(resource: &Resource) -> String {
    resource.as_map()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_account_with_its_password_is_one_add_where_the_server_takes_it() {
    let domain = Domain::new(TOGETHER);
    let carrier = plain(&domain, false).await;
    assert!(is_active(&create(&carrier, ada("", true), false).await.unwrap()));
    assert_eq!(domain.log(), ["add 512 with password"]);
}

#[tokio::test]
async fn elsewhere_the_account_is_made_disabled_gets_its_password_and_is_enabled_last() {
    let domain = Domain::new(APART);
    let carrier = plain(&domain, false).await;
    assert!(is_active(&create(&carrier, ada("", true), false).await.unwrap()));
    let steps = ["add 514", "modify unicodepwd", "modify useraccountcontrol"];
    assert_eq!(domain.log(), ["add 512 with password", steps[0], steps[1], steps[2]]);
    // What the server does not take is not tried again.
    create(&carrier, json!({"userName": "eve@x.test"}), false).await.unwrap();
    assert_eq!(domain.log(), steps);
}

#[tokio::test]
async fn a_password_that_is_refused_leaves_no_account_behind() {
    for way in [TOGETHER, APART] {
        let domain = Domain::new(way);
        let carrier = plain(&domain, true).await;
        let fault = create(&carrier, ada("short", true), false).await.unwrap_err();
        let Fault::Request(fault) = fault else { panic!("{fault}") };
        assert_eq!(fault.kind, crate::scim::FaultKind::InvalidValue);
        assert!(fault.detail.contains("does not meet the domain's policy"), "{}", fault.detail);
        assert!(!fault.detail.contains("short"));
        assert_eq!(domain.names(), [""; 0]);
        assert!(is_active(&create(&carrier, ada("long enough", true), false).await.unwrap()));
    }
}

#[tokio::test]
async fn an_account_that_is_made_disabled_has_its_password_when_it_is_enabled_later() {
    for way in [TOGETHER, APART] {
        let domain = Domain::new(way);
        let carrier = plain(&domain, true).await;
        let made = create(&carrier, ada("long enough", false), false).await.unwrap();
        assert!(!is_active(&made));
        let password = domain.value(NAME, "unicodePwd");
        assert!(password.is_some(), "{way}");
        let enabled = json!({"userName": "ada@x.test", "active": true, "externalId": "7"});
        assert!(is_active(&replace(&carrier, &id_of(&made), enabled).await.unwrap()));
        assert_eq!(domain.value(NAME, "unicodePwd"), password, "{way}");
    }
}

#[tokio::test]
async fn an_entry_that_is_there_is_known_to_be_made_also_when_the_rest_of_its_account_fails() {
    for (lost, made) in [(2, false), (3, true), (4, true)] {
        let domain = Domain::new(APART);
        let carrier = carrier_handing_over(&domain).await;
        domain.lose(lost);
        let earlier = Earlier::default();
        let action = Action::Create(resource(&carrier, ada("long enough", true)));
        let kind = ResourceKind::User;
        let intent = Intent { kind, action, if_match: None, answer: true, origin: Origin::default() };
        carrier.apply(intent, &earlier).await.unwrap_err();
        assert_eq!(earlier.progress.made.get().is_some(), made, "{lost}");
    }
}

#[tokio::test]
async fn whatever_answer_is_lost_the_repeated_request_finishes_the_account() {
    for (way, writes) in [(TOGETHER, 1), (APART, 4)] {
        for lost in 1..=writes {
            let domain = Domain::new(way);
            let carrier = plain(&domain, true).await;
            domain.lose(lost);
            let first = create(&carrier, ada("long enough", true), false).await;
            let made = match first {
                Ok(made) => made,
                Err(fault) => {
                    assert!(matches!(fault, Fault::Unavailable { .. }), "{way} {lost}: {fault}");
                    create(&carrier, ada("long enough", true), false).await.unwrap()
                }
            };
            assert!(is_active(&made), "{way} {lost}");
            assert_eq!(domain.names().len(), 1);
            assert_eq!(domain.value(NAME, "userAccountControl").as_deref(), Some("512"), "{way} {lost}");
            assert!(domain.value(NAME, "unicodePwd").is_some(), "{way} {lost}");
            // Finished is finished: the next one of the same name is somebody else.
            let again = create(&carrier, ada("long enough", true), false).await;
            assert!(matches!(again, Err(Fault::Request(_))), "{way} {lost}: {again:?}");
        }
    }
}

#[tokio::test]
async fn a_create_that_is_resumed_after_a_crash_finishes_what_it_began() {
    for lost in 2..=4 {
        let domain = Domain::new(APART);
        domain.lose(lost);
        let _ = create(&plain(&domain, true).await, ada("long enough", true), false).await;
        // Another process: it remembers nothing, and is told that this was begun before.
        let carrier = plain(&domain, true).await;
        let made = create(&carrier, ada("long enough", true), true).await.unwrap();
        assert!(is_active(&made), "{lost}");
        assert_eq!(domain.names().len(), 1);
        assert!(domain.value(NAME, "unicodePwd").is_some(), "{lost}");
    }
}

#[tokio::test]
async fn resuming_makes_the_name_anew_that_had_to_be_numbered() {
    let domain = Domain::new(APART);
    domain.put("cn=elsewhere,DC=x,DC=test", &[("sAMAccountName", "ADA")]);
    // Refused with the password, refused for its name, added as ada2; then the connection breaks.
    domain.lose(2);
    let _ = create(&plain(&domain, true).await, ada("long enough", true), false).await;
    let carrier = plain(&domain, true).await;
    create(&carrier, ada("long enough", true), true).await.unwrap();
    assert_eq!(domain.value(NAME, "sAMAccountName").as_deref(), Some("ada2"));
    assert_eq!(domain.names().len(), 2);
}

#[tokio::test]
async fn a_strangers_account_is_never_taken_for_ones_own() {
    let stranger = [("cn", "ada@x.test"), ("userPrincipalName", "ada@x.test"), ("userAccountControl", "514")];
    let whole = [&stranger[..], &[("objectClass", "user"), ("employeeNumber", "8")]].concat();
    for (entry, resume) in [(&stranger[..], true), (&whole, true), (&whole, false)] {
        let domain = Domain::new(APART);
        domain.put("cn=ada@x.test,CN=Users,DC=x,DC=test", entry);
        let carrier = plain(&domain, true).await;
        let fault = create(&carrier, ada("long enough", true), resume).await.unwrap_err();
        assert!(fault.to_string().contains("taken"), "{fault}");
        assert_eq!(domain.value(NAME, "userAccountControl").as_deref(), Some("514"));
        assert_eq!(domain.value(NAME, "unicodePwd"), None);
    }
}

#[tokio::test]
async fn names_that_are_taken_are_told_apart_by_active_directorys_codes() {
    let domain = Domain::new(TOGETHER);
    let carrier = plain(&domain, false).await;
    domain.put("cn=b,DC=x,DC=test", &[("sAMAccountName", "ada")]);
    create(&carrier, ada("", true), false).await.unwrap();
    assert_eq!(domain.value(NAME, "sAMAccountName").as_deref(), Some("ada2"));
    assert_eq!(domain.log(), ["add 512 with password", "add 512 with password"]);
    domain.put("cn=c,DC=x,DC=test", &[("userPrincipalName", "eve@x.test")]);
    let fault = create(&carrier, json!({"userName": "eve@x.test"}), false).await.unwrap_err();
    assert!(fault.to_string().contains("userPrincipalName \"eve@x.test\" is taken"), "{fault}");
    domain.put("cn=kim@x.test,CN=Users,DC=x,DC=test", &[("sAMAccountName", "other")]);
    let fault = create(&carrier, json!({"userName": "kim@x.test"}), false).await.unwrap_err();
    assert!(fault.to_string().contains("the directory has an entry cn=kim@x.test"), "{fault}");
}

#[tokio::test]
async fn an_account_without_password_gets_one_when_it_is_enabled() {
    let domain = Domain::new(TOGETHER);
    let carrier = plain(&domain, false).await;
    let name = "cn=ada@x.test,CN=Users,DC=x,DC=test";
    let upn = ("userPrincipalName", "ada@x.test");
    domain.put(name, &[("objectClass", "user"), ("cn", "ada@x.test"), upn, ("userAccountControl", "514")]);
    let id = "01000100-0100-0100-0001-000100010001";
    assert!(is_active(&replace(&carrier, id, ada("", true)).await.unwrap()));
    assert!(domain.value(NAME, "unicodePwd").is_some());
    assert_eq!(
        domain.log(),
        ["modify employeenumber useraccountcontrol", "modify unicodepwd", "modify employeenumber useraccountcontrol"]
    );
    // One that has a password keeps it.
    let password = domain.value(NAME, "unicodePwd");
    for active in [false, true] {
        replace(&carrier, id, ada("", active)).await.unwrap();
    }
    assert_eq!(domain.value(NAME, "unicodePwd"), password);
}

#[tokio::test]
async fn where_no_password_is_made_up_the_account_stays_disabled_and_the_rest_is_done() {
    let domain = Domain::new(TOGETHER);
    let none = ("initial_password = \"random\"", "initial_password = \"none\"");
    let carrier = carrier(&domain, false, none).await;
    let made = create(&carrier, ada("", true), false).await.unwrap();
    assert!(!is_active(&made));
    assert_eq!(domain.log(), ["add 514"]);
    let mut change = ada("", true);
    change["title"] = json!("Countess");
    let changed = replace(&carrier, &id_of(&made), change).await.unwrap();
    assert!(!is_active(&changed));
    assert_eq!(domain.value(NAME, "title").as_deref(), Some("Countess"));
    assert_eq!(domain.value(NAME, "userAccountControl").as_deref(), Some("514"));
}

#[tokio::test]
async fn what_becomes_of_the_password_is_explained_and_no_password_is_shown() {
    let none = ("initial_password = \"random\"", "initial_password = \"none\"");
    for (change, sync, control, remark) in [
        (("", ""), false, "512", "a random password is set as well"),
        (none, false, "514", "has no password and stays disabled"),
        (none, true, "512", "the password is set as well, and not shown"),
    ] {
        let domain = Domain::new(TOGETHER);
        let carrier = carrier(&domain, sync, change).await;
        let action = Action::Create(resource(&carrier, ada("long enough", true)));
        let kind = ResourceKind::User;
        let intent = Intent { kind, action, if_match: None, answer: true, origin: Origin::default() };
        let told = carrier.explain(intent).await.unwrap();
        assert!(told.ldif.contains(&format!("userAccountControl: {control}")), "{}", told.ldif);
        assert!(told.ldif.contains(remark), "{}", told.ldif);
        assert!(!told.ldif.contains("long enough"), "{}", told.ldif);
        assert_eq!(domain.log(), [""; 0]);
    }
}
