use super::*;
use crate::directory::{Dn, Kind};
use crate::mapping::Mapping;
use crate::tables::Source;

const ROWS: &str = r#"
[user]
base = "ou=people,{base_dn}"
object_class = ["inetOrgPerson"]
rdn = "uid"
filter = "(objectClass=inetOrgPerson)"
disable = "ppolicy"
attributes = [
  { scim = "userName", ldap = "uid", required = true },
  { scim = "externalId", ldap = "employeeNumber" },
  { scim = "name.familyName", ldap = "sn", fallback = "-" },
  { scim = 'emails[type eq "work"].value', ldap = "mail" },
  { scim = 'phoneNumbers[type eq "work"].value', ldap = "telephoneNumber" },
  { scim = 'phoneNumbers[type eq "mobile"].value', ldap = "mobile" },
  { scim = "title", ldap = "title" },
  { scim = "userType", ldap = "employeeType", lookup = { Employee = "E" } },
  { scim = "urn:example:1.0:User:contractor", ldap = "x-contractor", as = "boolean" },
  { scim = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", ldap = "manager", reference = { to = "user", by = ["id"] } },
]
"#;

fn schema() -> SchemaView {
    let attribute = |name: &str, rules: &str| format!("( 1.1.{} NAME '{name}' {rules} )", name.len());
    let caseless = "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15";
    let types = [
        attribute("uid", caseless),
        attribute("employeeNumber", caseless),
        attribute("sn", caseless),
        attribute("mail", "EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26"),
        attribute("telephoneNumber", "EQUALITY telephoneNumberMatch SUBSTR telephoneNumberSubstringsMatch"),
        attribute("mobile", "EQUALITY telephoneNumberMatch SUBSTR telephoneNumberSubstringsMatch"),
        attribute("title", "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"),
        attribute("employeeType", caseless),
        attribute("x-contractor", "EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7"),
        attribute("manager", "EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12"),
    ];
    SchemaView::parse(types.iter().map(String::as_str), [], [])
}

fn mapping() -> Mapping {
    let source = Source { name: "test.toml".to_owned(), text: ROWS.to_owned() };
    let base = Dn::parse("dc=example,dc=test").unwrap();
    Mapping::parse(source, &base, &Kind::OpenLdap.dialect().into()).unwrap_or_else(|found| panic!("{found}"))
}

fn compiled(filter: &str) -> (String, bool) {
    let (mapping, schema) = (mapping().user, schema());
    let filter = Filter::parse(filter, &mapping.schema).unwrap();
    let mut mentions = Mentions::default();
    for mention in mapping.filter_mentions(&filter) {
        if mention.text == "boss" {
            mentions.insert(mention, Dn::parse("uid=boss,dc=example,dc=test").unwrap());
        }
    }
    let terms = Terms {
        mentions: &mentions,
        members: &HashMap::new(),
        schema: Some(&schema),
        dialect: Kind::OpenLdap.dialect(),
        lenient: false,
    };
    let compiled = mapping.compile(&filter, terms).unwrap();
    (compiled.filter.to_string(), compiled.exact)
}

#[test]
fn what_the_servers_matching_rules_can_say_is_said_in_ldap_alone() {
    for (scim, ldap) in [
        (r#"userName eq "a*b(c)""#, r"(uid=a\2ab\28c\29)"),
        (r#"userName ne "ada""#, "(!(uid=ada))"),
        (r#"userName co "d" or userName sw "a""#, "(|(uid=*d*)(uid=a*))"),
        (r#"userName ew "a" and not (userName eq "x")"#, "(&(uid=*a)(!(uid=x)))"),
        ("active eq true", "(!(pwdAccountLockedTime=000001010000Z))"),
        (r#"active eq "False""#, "(pwdAccountLockedTime=000001010000Z)"),
        ("urn:example:1.0:User:contractor eq true", "(x-contractor=TRUE)"),
        (r#"id eq "nothing like an id""#, "(!(objectClass=*))"),
    ] {
        assert_eq!(compiled(scim), (ldap.to_owned(), true), "{scim}");
    }
}

#[test]
fn what_ldap_can_not_say_lets_more_through_and_is_marked() {
    for (scim, ldap) in [
        // No ordering rule.
        (r#"userName gt "m""#, "(uid=*)"),
        // externalId is case-exact, the attribute is not.
        (r#"externalId eq "00uA""#, "(employeeNumber=00uA)"),
        // A made-up value is in the directory and not in the resource.
        (r#"name.familyName eq "-""#, "(sn=-)"),
        ("name.familyName pr", "(sn=*)"),
        // No substring rule, no equality rule.
        (r#"emails.value co "x""#, "(mail=*)"),
        (r#"title eq "x""#, "(title=*)"),
        // Blanks and hyphens in telephone numbers do not count for the server.
        (r#"phoneNumbers[type eq "mobile" and value eq "+1 5"]"#, "(&(|(telephoneNumber=+1 5)(mobile=+1 5)))"),
        // A change stamp has whole seconds.
        (r#"meta.lastModified ge "2026-01-01T00:00:00.5Z""#, "(modifyTimestamp>=20251231235959Z)"),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "boss""#,
            "(manager=uid=boss,dc=example,dc=test)",
        ),
    ] {
        assert_eq!(compiled(scim), (ldap.to_owned(), false), "{scim}");
    }
}

#[test]
fn the_negation_of_something_inexact_lets_everything_through() {
    assert_eq!(compiled(r#"not (externalId eq "x")"#), ("(objectClass=*)".to_owned(), false));
    assert_eq!(compiled(r#"title ne "x""#), ("(objectClass=*)".to_owned(), false));
    assert_eq!(compiled(r#"not (title eq "x") and userName eq "a""#), ("(&(objectClass=*)(uid=a))".to_owned(), false));
}

#[test]
fn a_reference_to_nobody_matches_nothing() {
    let (filter, _) =
        compiled(r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "ghost""#);
    assert_eq!(filter, "(!(objectClass=*))");
}

#[test]
fn a_value_that_the_row_could_never_hold_matches_nothing() {
    assert_eq!(compiled(r#"userType eq "Ghost""#).0, "(!(objectClass=*))");
    assert_eq!(compiled(r#"userType eq "Employee""#).0, "(employeeType=E)");
}

#[test]
fn without_the_servers_schema_only_equality_is_trusted() {
    let mapping = mapping().user;
    let mentions = Mentions::default();
    let terms = Terms {
        mentions: &mentions,
        members: &HashMap::new(),
        schema: None,
        dialect: Kind::OpenLdap.dialect(),
        lenient: false,
    };
    let filter = |text: &str| {
        let compiled = mapping.compile(&Filter::parse(text, &mapping.schema).unwrap(), terms).unwrap();
        (compiled.filter.to_string(), compiled.exact)
    };
    assert_eq!(filter(r#"userName eq "ada""#), ("(uid=ada)".to_owned(), true));
    assert_eq!(filter(r#"userName sw "ada""#), ("(uid=*)".to_owned(), false));
}

#[test]
fn asked_together_with_other_kinds_what_no_row_carries_has_no_value() {
    let mapping = mapping().user;
    let mentions = Mentions::default();
    let terms = Terms {
        mentions: &mentions,
        members: &HashMap::new(),
        schema: None,
        dialect: Kind::OpenLdap.dialect(),
        lenient: true,
    };
    for (scim, ldap) in [
        (r#"nickName eq "x""#, "(!(objectClass=*))"),
        (r#"nickName ne "x""#, "(objectClass=*)"),
        ("nickName eq null", "(objectClass=*)"),
        ("nickName ne null", "(!(objectClass=*))"),
        ("nickName pr", "(!(objectClass=*))"),
        (r#"members[value eq "x"]"#, "(!(objectClass=*))"),
        (r#"not (nickName eq "x") and userName eq "a""#, "(&(!(!(objectClass=*)))(uid=a))"),
        (r#"urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq "x""#, "(!(objectClass=*))"),
    ] {
        let filter = Filter::parse(scim, &mapping.schema).unwrap();
        let compiled = mapping.compile(&filter, terms).unwrap();
        assert_eq!((compiled.filter.to_string(), compiled.exact), (ldap.to_owned(), true), "{scim}");
    }
    let filter =
        Filter::parse(r#"userName eq "a" and (nickName pr or not (meta.resourceType eq "User"))"#, &mapping.schema);
    let carried: Vec<bool> = mapping.carried(&filter.unwrap()).into_iter().map(|(_, carried)| carried).collect();
    assert_eq!(carried, [true, false, true]);
}

#[test]
fn the_kind_of_resource_needs_no_look_at_any_entry() {
    assert_eq!(compiled(r#"meta.resourceType eq "User""#), ("(objectClass=*)".to_owned(), true));
    assert_eq!(compiled(r#"meta.resourceType eq "Group""#), ("(!(objectClass=*))".to_owned(), true));
    assert_eq!(compiled(r#"meta.resourceType sw "U""#), ("(objectClass=*)".to_owned(), false));
}

#[test]
fn an_attribute_that_no_row_carries_is_refused_with_what_there_is() {
    let mapping = mapping().user;
    let mentions = Mentions::default();
    let terms = Terms {
        mentions: &mentions,
        members: &HashMap::new(),
        schema: None,
        dialect: Kind::OpenLdap.dialect(),
        lenient: false,
    };
    let filter = Filter::parse(r#"nickName eq "x""#, &mapping.schema).unwrap();
    let fault = mapping.compile(&filter, terms).unwrap_err();
    assert_eq!(fault.kind, FaultKind::InvalidFilter);
    assert!(fault.detail.contains("nickName") && fault.detail.contains("userName"), "{}", fault.detail);
}
