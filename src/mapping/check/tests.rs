use super::*;
use crate::directory::{Dn, Kind};
use crate::mapping::{IdAttribute, Mapping};
use crate::tables::Source;

const ATTRIBUTES: [&str; 12] = [
    "( 2.5.4.0 NAME 'objectClass' SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
    "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    "( 2.5.4.4 NAME ( 'sn' 'surname' ) SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    "( 0.9.2342.19200300.100.1.1 NAME 'uid' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    "( 0.9.2342.19200300.100.1.3 NAME 'mail' SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{64} )",
    "( 2.16.840.1.113730.3.1.3 NAME 'employeeNumber' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )",
    "( 0.9.2342.19200300.100.1.10 NAME 'manager' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
    "( 2.5.4.31 NAME 'member' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
    "( 1.3.6.1.1.1.1.0 NAME 'uidNumber' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )",
    "( 1.3.6.1.1.16.4 NAME 'entryUUID' SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 2.5.18.1 NAME 'createTimestamp' SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.3.6.1.4.1.42.2.27.8.1.17 NAME 'pwdAccountLockedTime' SINGLE-VALUE USAGE directoryOperation )",
];

const CLASSES: [&str; 5] = [
    "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
    "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) )",
    "( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP person STRUCTURAL MAY ( uid $ mail $ employeeNumber $ manager ) )",
    "( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY MAY uidNumber )",
    "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST ( cn $ member ) )",
];

const NAME_ROWS: &str = r#"
  { scim = "userName", ldap = "uid", required = true },
  { scim = "name.familyName", ldap = "sn", fallback = "{{ userName }}" },
  { ldap = "cn", value = "{{ userName }}" },
"#;

fn table(head: &str, rows: &str) -> Mapping {
    let text = format!(
        "[user]\nbase = \"ou=people,{{base_dn}}\"\n{head}\nattributes = [{rows}]\n[group]\nbase = \"ou=groups,{{base_dn}}\"\n\
         object_class = [\"top\", \"groupOfNames\"]\nrdn = \"cn\"\nfilter = \"(objectClass=groupOfNames)\"\n\
         members = \"member\"\nattributes = [{{ scim = \"displayName\", ldap = \"cn\", required = true }}]\n"
    );
    let source = Source { name: "mapping.toml".into(), text };
    let id = IdAttribute { attribute: AttributeName::literal("entryUUID"), form: IdForm::EntryUuid };
    Mapping::parse(source, &Dn::parse("dc=example,dc=test").unwrap(), &id).unwrap()
}

const HEAD: &str = r#"object_class = ["top", "person", "inetOrgPerson"]
rdn = "uid"
filter = "(objectClass=inetOrgPerson)""#;

fn found(head: &str, rows: &str) -> Vec<(Severity, String, String)> {
    let schema = SchemaView::parse(ATTRIBUTES, CLASSES, []);
    let findings = check(&table(head, rows).user, &schema, Kind::OpenLdap.dialect());
    findings.into_iter().map(|finding| (finding.severity, finding.message, finding.help)).collect()
}

/// The findings for the usual user with one more row.
fn found_with(row: &str) -> Vec<(Severity, String, String)> {
    found(HEAD, &format!("{NAME_ROWS}{row}"))
}

fn only((severity, message, help): (Severity, &str, &str), findings: &[(Severity, String, String)]) {
    let [(found_severity, found_message, found_help)] = findings else { panic!("not one finding: {findings:#?}") };
    assert_eq!(*found_severity, severity);
    assert!(found_message.contains(message), "{found_message}");
    assert!(found_help.contains(help), "{found_help}");
}

#[test]
fn a_mapping_that_fits_has_no_findings() {
    assert_eq!(found_with(r#"{ scim = "externalId", ldap = "employeeNumber" }"#), []);
    let schema = SchemaView::parse(ATTRIBUTES, CLASSES, []);
    assert_eq!(check(&table(HEAD, NAME_ROWS).group.unwrap(), &schema, Kind::OpenLdap.dialect()), []);
}

#[test]
fn an_attribute_that_is_not_there_is_reported_with_the_nearest_one_and_its_line() {
    let row = r#"{ scim = "externalId", ldap = "employeNumber" }"#;
    only((Severity::Error, "no attribute employeNumber", "employeeNumber"), &found_with(row));
    let schema = SchemaView::parse(ATTRIBUTES, CLASSES, []);
    let finding =
        check(&table(HEAD, &format!("{NAME_ROWS}{row}")).user, &schema, Kind::OpenLdap.dialect()).pop().unwrap();
    assert_eq!((&*finding.place.file, finding.place.line), ("mapping.toml", 10));
}

#[test]
fn several_values_do_not_go_into_an_attribute_that_holds_one() {
    let row = r#"{ scim = "emails.value", ldap = "employeeNumber", multi = true }"#;
    only((Severity::Error, "holds one value only", "multi = true"), &found_with(row));
}

#[test]
fn what_only_the_server_sets_is_not_written() {
    let row = r#"{ scim = "title", ldap = "createTimestamp" }"#;
    only((Severity::Error, "can't be written", "from-ldap"), &found_with(row));
    assert_eq!(found_with(r#"{ scim = "title", ldap = "createTimestamp", direction = "from-ldap" }"#), []);
}

#[test]
fn an_attribute_that_the_classes_do_not_have_is_reported_with_a_class_that_has_it() {
    let row = r#"{ scim = "title", ldap = "uidNumber" }"#;
    only((Severity::Error, "can't have uidNumber", "posixAccount"), &found_with(row));
    let reading = r#"{ scim = "title", ldap = "uidNumber", direction = "from-ldap" }"#;
    only((Severity::Warning, "never a value", "posixAccount"), &found_with(reading));
}

#[test]
fn a_reference_needs_an_attribute_for_names() {
    let row = r#"{ scim = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", ldap = "mail",
        reference = { to = "user", by = ["id"] } }"#;
    only((Severity::Error, "no distinguished names", "manager"), &found_with(&row.replace('\n', " ")));
}

#[test]
fn numbers_go_into_an_attribute_for_numbers() {
    let row = r#"{ ldap = "mail", next = { from = 1, to = 9 } }"#;
    only((Severity::Error, "no whole numbers", "gidNumber"), &found_with(row));
    let head = HEAD.replace(r#""inetOrgPerson"]"#, r#""inetOrgPerson", "posixAccount"]"#);
    assert_eq!(found(&head, &format!("{NAME_ROWS}{}", row.replace("mail", "uidNumber"))), []);
}

#[test]
fn the_names_of_groups_need_an_attribute_for_text_and_room() {
    let row = |ldap: &str, more: &str| format!(r#"{{ scim = "groups", ldap = "{ldap}"{more} }}"#);
    assert_eq!(found_with(&row("employeeNumber", "")), []);
    only((Severity::Error, "holds no text", "departmentNumber"), &found_with(&row("manager", "")));
    only((Severity::Error, "no attribute emploeeNumber", "employeeNumber"), &found_with(&row("emploeeNumber", "")));
    only((Severity::Warning, "holds 64 characters", "max_length = 64"), &found_with(&row("mail", "")));
    assert_eq!(found_with(&row("mail", ", max_length = 64")), []);
}

#[test]
fn what_the_classes_demand_must_always_have_a_value() {
    let without = r#"{ scim = "userName", ldap = "uid", required = true }, { ldap = "cn", value = "x" }"#;
    only((Severity::Error, "demands sn", "add a row for sn"), &found(HEAD, without));
    let maybe = format!(r#"{without}, {{ scim = "name.familyName", ldap = "surname" }}"#);
    only((Severity::Warning, "demands sn", "fallback"), &found(HEAD, &maybe));
}

#[test]
fn object_classes_that_are_not_there_or_not_enough_are_reported() {
    let head = HEAD.replace(r#""inetOrgPerson"]"#, r#""inetOrgPerson", "posixAcount"]"#);
    only((Severity::Error, "no object class posixAcount", "posixAccount"), &found(&head, NAME_ROWS));
    let head = HEAD.replace(r#"["top", "person", "inetOrgPerson"]"#, r#"["top"]"#);
    let messages: Vec<String> = found(&head, NAME_ROWS).into_iter().map(|(_, message, _)| message).collect();
    assert!(messages.iter().any(|message| message.contains("structural")), "{messages:?}");
}

#[test]
fn a_filter_on_an_attribute_that_is_not_there_is_reported() {
    let head = HEAD.replace("(objectClass=inetOrgPerson)", "(&(objectClass=person)(!(departmnt=it)))");
    only((Severity::Error, "no attribute departmnt", ""), &found(&head, NAME_ROWS));
}

#[test]
fn the_attribute_that_disables_an_account_must_be_there() {
    let ppolicy = format!("{HEAD}\ndisable = \"ppolicy\"");
    assert_eq!(found(&ppolicy, NAME_ROWS), []);
    let lock = format!("{HEAD}\ndisable = \"ns-account-lock\"");
    only((Severity::Error, "nsAccountLock", "another way"), &found(&lock, NAME_ROWS));
}
