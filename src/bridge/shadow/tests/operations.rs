//! Add, modify, rename, delete and search as RFC 4511 has them.

use super::*;
use crate::directory::Rdn;
use crate::directory::SchemaView;

const PEOPLE: &str = "ou=people,dc=x";
const GROUPS: &str = "ou=groups,dc=x";
const ADA: &str = "uid=ada,ou=people,dc=x";
const BOB: &str = "uid=bob,ou=people,dc=x";
const STAFF: &str = "cn=staff,ou=groups,dc=x";

fn two_people_and_a_group(shadow: &Shadow) {
    for (at, uid) in [(ADA, "ada"), (BOB, "bob")] {
        shadow.add(&dn(at), &person(uid), &[]).unwrap();
    }
    shadow.add(&dn(STAFF), &group("staff", &[ADA]), &[]).unwrap();
}

#[tokio::test]
async fn a_new_entry_gets_what_servers_fill_in_and_its_name_is_taken() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            let read_back = [name("entryUUID"), name("createTimestamp"), name("modifyTimestamp"), name("uid")];
            let read = shadow.add(&dn("uid=Ada,ou=people,dc=x"), &person("Ada"), &read_back).unwrap().unwrap();
            assert_eq!(read.text(&name("entryUUID")).unwrap().len(), 36);
            assert_eq!(read.text(&name("createTimestamp")).unwrap().len(), "20261122080000Z".len());
            assert_eq!(read.text(&name("uid")), Some("Ada"));
            let again = shadow.add(&dn("UID=ada, OU=people,dc=x"), &person("ada"), &[]);
            assert_eq!(told(again), Err((FaultKind::AlreadyExists, Some(68))));
            assert_eq!(shadow.add(&dn(BOB), &person("bob"), &[]), Ok(None));
            let bare = attributes(&[("objectClass", &["inetOrgPerson"])]);
            shadow.add(&dn("uid=eve,ou=people,dc=x"), &bare, &[]).unwrap();
            assert_eq!(at(&shadow, "uid=eve,ou=people,dc=x", &["uid"]).text(&name("uid")), Some("eve"));
        })
        .await;
}

#[tokio::test]
async fn passwords_are_not_kept() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            let mut with_password = person("ada");
            with_password.extend(attributes(&[("userPassword", &["secret"])]));
            shadow.add(&dn(ADA), &with_password, &[]).unwrap();
            modify(&shadow, ADA, &[replace("userPassword", &["other"])]).unwrap();
            assert!(!at(&shadow, ADA, &[]).has(&name("userPassword")));
        })
        .await;
}

#[tokio::test]
async fn a_modify_is_carried_out_whole_or_not_at_all() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            two_people_and_a_group(&shadow);
            let exists = Err((FaultKind::ValueExists, Some(20)));
            let absent = Err((FaultKind::NoSuchValue, Some(16)));
            assert_eq!(modify(&shadow, ADA, &[add("mail", &["a@x"]), add("SN", &["DOE"])]), exists);
            assert_eq!(modify(&shadow, ADA, &[delete("mail", &["a@x"])]), absent);
            assert_eq!(modify(&shadow, ADA, &[delete("mail", &[])]), absent);
            assert_eq!(modify(&shadow, ADA, &[add("mail", &["a@x", "A@X"])]), exists);
            modify(&shadow, ADA, &[add("mail", &["a@x", "b@x"]), delete("mail", &["A@x"])]).unwrap();
            assert_eq!(at(&shadow, ADA, &["mail"]).values(&name("mail")), values(&["b@x"]));
            modify(&shadow, ADA, &[replace("mail", &[]), replace("title", &["Dr"])]).unwrap();
            assert!(!at(&shadow, ADA, &["mail"]).has(&name("mail")));
            let naming = Err((FaultKind::NotAllowedOnRdn, Some(67)));
            assert_eq!(modify(&shadow, ADA, &[replace("uid", &["eve"])]), naming);
            assert_eq!(modify(&shadow, ADA, &[delete("uid", &["ada"])]), naming);
            modify(&shadow, ADA, &[add("uid", &["eve"])]).unwrap();
            assert_eq!(modify(&shadow, "uid=no,ou=people,dc=x", &[]), Ok(()));
            let missing = Err((FaultKind::NotFound, Some(32)));
            assert_eq!(modify(&shadow, "uid=no,ou=people,dc=x", &[replace("sn", &["x"])]), missing);
        })
        .await;
}

#[tokio::test]
async fn a_change_holds_for_the_state_it_was_made_for() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            two_people_and_a_group(&shadow);
            let options = |filter: &str| ModifyOptions {
                assertion: Some(Filter::parse(filter).unwrap()),
                ..ModifyOptions::default()
            };
            let change = [replace("sn", &["Roe"])];
            let refused = shadow.modify(&dn(ADA), &change, &options("(sn=other)"));
            assert_eq!(told(refused), Err((FaultKind::AssertionFailed, Some(122))));
            shadow.modify(&dn(ADA), &change, &options("(&(sn=doe)(!(title=*)))")).unwrap();
            assert_eq!(at(&shadow, ADA, &["sn"]).text(&name("sn")), Some("Roe"));
            let kind = FaultKind::AssertionFailed;
            assert_eq!(
                told(shadow.modify(
                    &dn(STAFF),
                    &[add("member", &[BOB])],
                    &options("(!(member=uid=ADA,ou=people,dc=x))")
                )),
                Err((kind, Some(122)))
            );
        })
        .await;
}

#[tokio::test]
async fn a_rename_takes_the_naming_value_and_what_stands_below_along() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            two_people_and_a_group(&shadow);
            shadow
                .add(&dn("cn=key,uid=ada,ou=people,dc=x"), &attributes(&[("objectClass", &["device"])]), &[])
                .unwrap();
            modify(&shadow, ADA, &[add("uid", &["countess"])]).unwrap();
            let to = |text: &str| Rdn::parse(text).unwrap();
            assert_eq!(
                told(shadow.rename(&dn(ADA), &to("uid=BOB"), None, &[])),
                Err((FaultKind::AlreadyExists, Some(68)))
            );
            let id = at(&shadow, ADA, &["entryUUID"]).text(&name("entryUUID")).map(ToOwned::to_owned);
            let read = shadow.rename(&dn(ADA), &to("uid=lovelace"), None, &[name("uid"), name("entryUUID")]).unwrap();
            let read = read.unwrap();
            assert_eq!(read.values(&name("uid")), values(&["countess", "lovelace"]));
            assert_eq!(read.text(&name("entryUUID")), id.as_deref());
            assert_eq!(told(shadow.delete(&dn(ADA))), Err((FaultKind::NotFound, Some(32))));
            let below = found(&shadow, Scope::One, "uid=lovelace,ou=people,dc=x", "(objectClass=device)");
            assert_eq!(below, ["cn=key"]);
            assert_eq!(told(shadow.delete(&dn("uid=lovelace,ou=people,dc=x"))), Err((FaultKind::NonLeaf, Some(66))));
            // In another case it is the same name, and may be written so.
            shadow.rename(&dn(BOB), &to("uid=Bob"), Some(&dn(PEOPLE)), &[]).unwrap();
            let entry = at(&shadow, BOB, &["uid"]);
            assert_eq!((entry.dn.as_str(), entry.text(&name("uid"))), ("uid=Bob,ou=people,dc=x", Some("Bob")));
            shadow.rename(&dn(BOB), &to("uid=bob"), Some(&dn("ou=old,dc=x")), &[]).unwrap();
            assert_eq!(found(&shadow, Scope::Sub, "dc=x", "(uid=bob)"), ["uid=bob"]);
            assert!(found(&shadow, Scope::Sub, PEOPLE, "(uid=bob)").is_empty());
        })
        .await;
}

#[tokio::test]
async fn a_group_that_must_have_a_member_keeps_one() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            two_people_and_a_group(&shadow);
            let refused = Err((FaultKind::ObjectClass, Some(65)));
            assert_eq!(modify(&shadow, STAFF, &[delete("member", &[ADA])]), refused);
            assert_eq!(modify(&shadow, STAFF, &[delete("member", &[])]), refused);
            assert_eq!(modify(&shadow, STAFF, &[replace("member", &[])]), refused);
            assert_eq!(told(shadow.add(&dn("cn=none,ou=groups,dc=x"), &group("none", &[]), &[])), refused);
            modify(&shadow, STAFF, &[add("member", &[""]), delete("member", &[ADA])]).unwrap();
            assert_eq!(at(&shadow, STAFF, &["member"]).values(&name("member")), values(&[""]));
            modify(&shadow, STAFF, &[add("member", &[BOB]), delete("member", &[""])]).unwrap();
            let twice = Err((FaultKind::ValueExists, Some(20)));
            assert_eq!(modify(&shadow, STAFF, &[add("member", &["UID=bob, ou=people,dc=x"])]), twice);
            assert_eq!(modify(&shadow, STAFF, &[delete("member", &[ADA])]), Err((FaultKind::NoSuchValue, Some(16))));
            modify(&shadow, STAFF, &[replace("member", &[ADA, BOB]), delete("member", &[BOB])]).unwrap();
            assert_eq!(at(&shadow, STAFF, &["member"]).values(&name("member")), values(&[ADA]));
        })
        .await;
}

#[tokio::test]
async fn a_member_with_quotes_in_the_name_can_be_sent_as_it_is_read() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            let odd = dn(PEOPLE).child(&name("uid"), "\"Ada\"; <Lovelace>, the");
            shadow.add(&odd, &person("x"), &[]).unwrap();
            shadow.add(&dn(STAFF), &group("staff", &[ADA, odd.as_str()]), &[]).unwrap();
            let members = at(&shadow, STAFF, &["member"]).values(&name("member")).to_vec();
            assert!(members.contains(&odd.as_str().as_bytes().to_vec()), "{members:?}");
            modify(&shadow, STAFF, &[delete("member", &[odd.as_str()])]).unwrap();
            modify(&shadow, STAFF, &[add("member", &[odd.as_str()])]).unwrap();
            assert_eq!(at(&shadow, odd.as_str(), &["memberOf"]).values(&name("memberOf")), values(&[STAFF]));
        })
        .await;
}

#[tokio::test]
async fn the_groups_of_an_entry_follow_from_their_members() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            two_people_and_a_group(&shadow);
            shadow.add(&dn("cn=all,ou=groups,dc=x"), &group("all", &[STAFF, BOB]), &[]).unwrap();
            assert_eq!(at(&shadow, ADA, &["memberOf"]).values(&name("memberOf")), values(&[STAFF]));
            assert!(!at(&shadow, ADA, &[]).has(&name("memberOf")));
            let of = |filter: &str| found(&shadow, Scope::Sub, "dc=x", filter);
            assert_eq!(of("(memberOf=CN=Staff,ou=groups,dc=x)"), ["uid=ada"]);
            assert_eq!(of("(&(objectClass=inetOrgPerson)(!(memberOf=cn=staff,ou=groups,dc=x)))"), ["uid=bob"]);
            assert_eq!(of("(memberOf=*)"), ["cn=staff", "uid=ada", "uid=bob"]);
            assert_eq!(of("(member=UID=ada,ou=people,dc=x)"), ["cn=staff"]);
            assert_eq!(of("(member=*)"), ["cn=all", "cn=staff"]);
        })
        .await;
}

#[tokio::test]
async fn filters_compare_as_servers_do() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            two_people_and_a_group(&shadow);
            let ada = ["ada@x", "Countess@Y"];
            modify(&shadow, ADA, &[add("mail", &ada), add("telephoneNumber", &["+44 1-2"]), add("flags", &["514"])])
                .unwrap();
            modify(&shadow, BOB, &[add("description", &["a  b"]), add("flags", &["512"]), add("manager", &[ADA])])
                .unwrap();
            let of = |filter: &str| found(&shadow, Scope::One, PEOPLE, filter);
            let (ada, bob): (Vec<String>, Vec<String>) = (vec!["uid=ada".into()], vec!["uid=bob".into()]);
            let both = vec!["uid=ada".to_owned(), "uid=bob".to_owned()];
            for (filter, expected) in [
                ("(uid=ADA)", &ada),
                ("(mail=countess@y)", &ada),
                ("(description=A B)", &bob),
                ("(!(mail=ada@x))", &bob),
                ("(mail=*)", &ada),
                ("(mail=c*s@*)", &ada),
                ("(|(uid=ada)(uid=bob)(uid=none))", &both),
                ("(&(|(uid=ada)(uid=bob))(sn=doe))", &both),
                ("(flags:1.2.840.113556.1.4.803:=2)", &ada),
                ("(flags>=513)", &ada),
                ("(flags<=512)", &bob),
                ("(manager=UID=Ada, ou=people,dc=x)", &bob),
                ("(modifyTimestamp>=20200101000000Z)", &both),
                ("(!(modifyTimestamp<=20200101000000.0Z))", &both),
                ("(&)", &both),
                ("(|(uid:2.5.13.99:=x)(uid=bob))", &bob),
            ] {
                assert_eq!(of(filter), *expected, "{filter}");
            }
            for filter in ["(uid:2.5.13.99:=x)", "(!(uid:2.5.13.99:=x))", "(|)", "(sn=*q*)", "(manager=*ada*)"] {
                assert!(of(filter).is_empty(), "{filter}");
            }
            assert!(found(&shadow, Scope::One, "dc=x", "(uid=ada)").is_empty());
            assert!(found(&shadow, Scope::Sub, "ou=nowhere,dc=x", "(sn=doe)").is_empty());
            assert_eq!(found(&shadow, Scope::Sub, "", "(sn=doe)"), both);
            assert_eq!(found(&shadow, Scope::One, GROUPS, "(objectClass=*)"), ["cn=staff"]);
            let missing = shadow.search(&search(Scope::Base, "uid=none,ou=people,dc=x", "(objectClass=*)"));
            assert_eq!(told(missing), Err((FaultKind::NotFound, Some(32))));
            assert!(found(&shadow, Scope::Base, ADA, "(uid=bob)").is_empty());
        })
        .await;
}

#[tokio::test]
async fn a_chain_of_groups_is_followed_where_the_server_can_do_that() {
    let world = World::with(Kind::ActiveDirectory, "active-directory", &[]).await;
    world
        .run(async |shadow| {
            let class = |class: &'static str| attributes(&[("objectClass", &["top", class])]);
            shadow.add(&dn("cn=ada,dc=x"), &class("user"), &[]).unwrap();
            for (at, member) in [("cn=a,dc=x", "cn=ada,dc=x"), ("cn=b,dc=x", "cn=a,dc=x"), ("cn=c,dc=x", "cn=b,dc=x")] {
                let mut group = class("group");
                group.extend(attributes(&[("member", &[member])]));
                shadow.add(&dn(at), &group, &[]).unwrap();
            }
            modify(&shadow, "cn=a,dc=x", &[add("member", &["cn=c,dc=x"])]).unwrap();
            let of = |filter: &str| found(&shadow, Scope::Sub, "dc=x", filter);
            assert_eq!(of("(memberOf:1.2.840.113556.1.4.1941:=CN=b,dc=x)"), ["cn=a", "cn=ada", "cn=b", "cn=c"]);
            assert!(of("(memberOf:1.2.840.113556.1.4.1941:=cn=ada,dc=x)").is_empty());
        })
        .await;
}

#[tokio::test]
async fn an_entry_is_a_resource_although_the_server_fills_in_what_the_filter_asks_for() {
    let filter = "(&(objectCategory=person)(objectClass=user)(!(employeeType=robot)))";
    let changes = [("filter = \"(objectClass=inetOrgPerson)\"", ["filter = \"", filter, "\""].concat())];
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let world = World::with(Kind::OpenLdap, "openldap", &changes).await;
    world
        .run(async move |shadow| {
            shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
            assert_eq!(found(&shadow, Scope::Sub, PEOPLE, filter), ["uid=ada"]);
            modify(&shadow, ADA, &[add("title", &["Dr"]), add("employeeType", &["human"])]).unwrap();
            assert_eq!(found(&shadow, Scope::Sub, PEOPLE, filter), ["uid=ada"]);
        })
        .await;
    let plain = World::with(
        Kind::OpenLdap,
        "openldap",
        &[("(objectClass=inetOrgPerson)", "(&(objectClass=inetOrgPerson)(!(employeeType=robot)))")],
    )
    .await;
    plain
        .run(async |shadow| {
            let filter = "(&(objectClass=inetOrgPerson)(!(employeeType=robot)))";
            shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
            modify(&shadow, ADA, &[add("employeeType", &["robot"])]).unwrap();
            assert!(found(&shadow, Scope::Sub, PEOPLE, filter).is_empty());
            modify(&shadow, ADA, &[replace("employeeType", &["human"])]).unwrap();
            assert_eq!(found(&shadow, Scope::Sub, PEOPLE, filter), ["uid=ada"]);
        })
        .await;
}

#[tokio::test]
async fn the_remembered_schema_decides_how_values_are_compared() {
    let world = World::new().await;
    let schema = SchemaView::parse(
        [
            "( 1.1 NAME 'title' EQUALITY caseExactMatch )",
            "( 1.2 NAME 'employeeNumber' EQUALITY caseIgnoreMatch SINGLE-VALUE )",
        ],
        [],
        [],
    );
    let text = rules::definitions(&schema, [name("title"), name("employeeNumber")].iter());
    world
        .run(async move |shadow| {
            assert_eq!(shadow.schema().unwrap_err().kind, FaultKind::Other);
            shadow.session.set_mark(TENANT, SCHEMA, &text).unwrap();
        })
        .await;
    world
        .run(async |shadow| {
            shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
            modify(&shadow, ADA, &[add("title", &["Dr", "dr"]), add("employeeNumber", &["1"])]).unwrap();
            assert!(found(&shadow, Scope::Sub, PEOPLE, "(title=DR)").is_empty());
            assert_eq!(modify(&shadow, ADA, &[add("employeeNumber", &["2"])]), Err((FaultKind::Constraint, Some(19))));
            assert!(shadow.schema().unwrap().attribute("TITLE").is_some());
        })
        .await;
}

#[tokio::test]
async fn ids_have_the_form_of_the_server() {
    for (kind, table, class) in [
        (Kind::OpenLdap, "openldap", "inetOrgPerson"),
        (Kind::ActiveDirectory, "active-directory", "user"),
        (Kind::Ds389, "389ds", "inetOrgPerson"),
    ] {
        let world = World::with(kind, table, &[]).await;
        let id = world.mapping.user.id.clone();
        world
            .run(async move |shadow| {
                let classes = attributes(&[("objectClass", &["top", "person", "organizationalPerson", class])]);
                let read = shadow.add(&dn(ADA), &classes, std::slice::from_ref(&id.attribute)).unwrap().unwrap();
                let text = id.of(&read).unwrap();
                let filter = id.filter(&text).unwrap();
                let search = Search { filter, ..search(Scope::Sub, PEOPLE, "(objectClass=*)") };
                assert_eq!(shadow.search(&search).unwrap().len(), 1, "{table}");
            })
            .await;
    }
}

#[tokio::test]
async fn what_the_syntax_of_an_attribute_does_not_allow_is_refused_as_the_server_would() {
    let world = World::new().await;
    let syntax = |number: u32| format!("SYNTAX 1.3.6.1.4.1.1466.115.121.1.{number}{{256}}");
    let lines = [("mail", 26), ("title", 50), ("employeeNumber", 36), ("displayName", 15)]
        .map(|(attribute, number)| format!("( 1.{number} NAME '{attribute}' {} )", syntax(number)));
    let schema = SchemaView::parse(lines.iter().map(String::as_str), [], []);
    let names = ["mail", "title", "employeeNumber", "displayName"].map(name);
    let text = rules::definitions(&schema, names.iter());
    world.run(async move |shadow| shadow.session.set_mark(TENANT, SCHEMA, &text).unwrap()).await;
    world
        .run(async |shadow| {
            shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
            let refused = Err((FaultKind::InvalidSyntax, Some(21)));
            for (attribute, bad, good) in [
                ("mail", "\u{fc}@example.com", "u#\u{1}@example.com"),
                ("title", "+1 555 #4", "+1 (555) 0-4/x=9"),
                ("employeeNumber", "12a", "12 34"),
            ] {
                assert_eq!(modify(&shadow, ADA, &[replace(attribute, &[good, bad])]), refused, "{attribute}");
                modify(&shadow, ADA, &[replace(attribute, &[good])]).unwrap();
            }
            modify(&shadow, ADA, &[replace("displayName", &["\u{fc}"])]).unwrap();
            let mut other = person("bob");
            other.push((name("mail"), vec!["\u{fc}@example.com".into()]));
            let fault = shadow.add(&dn("uid=bob,ou=people,dc=example,dc=com"), &other, &[]).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidSyntax);
            assert!(fault.to_string().contains("mail"), "{fault}");
        })
        .await;
}
