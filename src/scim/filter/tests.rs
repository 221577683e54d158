use serde_json::{Value, json};

use super::*;
use crate::scim::schema::ENTERPRISE_URN;
use crate::scim::{Fault, FaultKind, Resource, ResourceKind, ResourceSchema};

fn user() -> ResourceSchema {
    ResourceSchema::standard(ResourceKind::User)
}

fn parse(text: &str) -> Result<Filter, Fault> {
    Filter::parse(text, &user())
}

fn shown(text: &str) -> String {
    parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).to_string()
}

fn fault(text: &str) -> String {
    let fault = parse(text).expect_err(text);
    assert_eq!(fault.kind, FaultKind::InvalidFilter, "{text}");
    fault.detail
}

fn barbara() -> Resource {
    let Value::Object(map) = json!({
        "id": "2819c223",
        "externalId": "00uABC",
        "userName": "bjensen@Example.com",
        "name": { "givenName": "Bärbel", "familyName": "Jensen" },
        "active": true,
        "emails": [
            { "value": "bj@work.example", "type": "work", "primary": true },
            { "value": "bj@home.example", "type": "home" },
        ],
        "roles": [],
        "meta": { "lastModified": "2011-05-13T04:42:34.500Z" },
        (ENTERPRISE_URN): { "department": "Tours", "manager": { "value": "26118915" } },
    }) else {
        unreachable!()
    };
    Resource::from_map(map)
}

fn holds(text: &str) -> bool {
    let filter = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    filter.matches(&barbara(), &user())
}

#[test]
fn operators_and_names_may_be_in_any_case() {
    assert_eq!(shown("USERNAME Eq \"a\" AND Name.GivenName PR"), "userName eq \"a\" and name.givenName pr");
    assert_eq!(shown("NOT (active EQ True) Or title Sw \"x\""), "not (active eq true) or title sw \"x\"");
}

#[test]
fn and_binds_tighter_than_or() {
    let filter = parse("title pr or nickName pr and active pr").unwrap();
    assert!(matches!(&filter, Filter::Or(parts) if matches!(parts.as_slice(), [Filter::Present(_), Filter::And(_)])));
    assert_eq!(shown("(title pr or nickName pr) and active pr"), "(title pr or nickName pr) and active pr");
}

#[test]
fn a_chain_of_the_same_operator_is_one_list() {
    let filter = parse("title pr and (nickName pr and (active pr and locale pr))").unwrap();
    assert!(matches!(filter, Filter::And(parts) if parts.len() == 4));
}

#[test]
fn blanks_around_parentheses_do_not_matter() {
    assert_eq!(shown("  ( not(title pr)and(active pr) ) "), "not (title pr) and active pr");
    assert_eq!(shown("title\teq\n\"x\""), "title eq \"x\"");
}

#[test]
fn an_attribute_may_be_called_like_an_operator() {
    assert_eq!(shown("not eq \"x\" and and pr"), "not eq \"x\" and and pr");
}

#[test]
fn a_filter_in_brackets_may_be_followed_by_a_sub_attribute() {
    let expected = "emails[type eq \"work\" and value eq \"a@b\"]";
    assert_eq!(shown("emails[type eq \"work\"].value eq \"a@b\""), expected);
    assert_eq!(shown("Emails[Type eq \"work\"].Value pr"), "emails[type eq \"work\" and value pr]");
}

#[test]
fn a_comparison_with_a_complex_attribute_is_one_with_its_value() {
    assert_eq!(shown("emails co \"x\""), "emails.value co \"x\"");
    assert_eq!(
        shown("id eq \"1\" and manager eq \"2\""),
        format!("id eq \"1\" and {ENTERPRISE_URN}:manager.value eq \"2\"")
    );
    assert!(fault("name eq \"x\"").contains("name one of its parts"));
}

#[test]
fn literals_come_in_the_type_of_the_attribute() {
    assert_eq!(shown("active eq \"True\""), "active eq true");
    assert_eq!(shown("emails[primary eq \"false\"]"), "emails[primary eq false]");
    assert_eq!(shown("title eq 12"), "title eq \"12\"");
    assert_eq!(shown("shoeSize ge 12 and weight lt -1.5e3"), "shoeSize ge 12 and weight lt -1500.0");
    assert_eq!(shown("title ne null"), "title ne null");
}

#[test]
fn escapes_in_text_are_those_of_json() {
    let filter = parse(r#"title eq "a\"b\\cA\n""#).unwrap();
    assert!(matches!(&filter, Filter::Compare { value: Literal::String(text), .. } if text == "a\"b\\cA\n"));
    assert_eq!(parse(&filter.to_string()).unwrap(), filter);
}

#[test]
fn a_comparison_that_makes_no_sense_for_the_type_is_refused() {
    for text in [
        "active gt true",
        "active co \"tr\"",
        "active eq \"maybe\"",
        "active eq 1",
        "userName eq true",
        "title gt null",
        "x509Certificates.value gt \"x\"",
        "meta.lastModified gt \"yesterday\"",
        "meta.lastModified co \"2011\"",
        "meta.lastModified gt 2011",
    ] {
        assert!(fault(text).contains("column"), "{text}");
    }
}

#[test]
fn a_password_cannot_be_asked_for() {
    assert!(fault("password eq \"secret\"").contains("password cannot be used in a filter"));
    assert!(!fault("password eq \"secret\"").contains("secret"));
    fault("password pr");
}

#[test]
fn faults_name_the_column() {
    assert!(fault("userName eq bjensen").starts_with("The filter is wrong at column 13"));
    assert!(fault("userName eq \"a\" xor title pr").contains("column 17"));
    assert!(fault("userName is \"a\"").contains("column 10: expected an operator"));
    assert!(fault("active gt true").contains("column 8"));
    assert!(fault("title eq \"äöü\" and").contains("column 19: expected the name of an attribute, found the end"));
}

#[test]
fn malformed_filters_are_refused() {
    for text in [
        "",
        "   ",
        "userName",
        "userName eq",
        "userName eq \"a",
        "userName eq 'a'",
        "userName eq \"a\" \"b\"",
        "eq \"a\"",
        "(userName eq \"a\"",
        "userName eq \"a\")",
        "()",
        "not userName eq \"a\"",
        "emails[type eq \"work\"",
        "emails[type eq \"work\"]]",
        "emails[]",
        "emails[type eq \"work\"].value",
        "emails[emails[type eq \"a\"]]",
        "emails.value[type eq \"a\"]",
        "emails[a.b eq \"x\"]",
        "userName eq \"a\" and",
        "and",
        "userName eq \"\\u0000\"",
        "userName eq \"a\0b\"",
        "userName eq \"a\nb\"",
        "userName eq 1e999",
        "userName eq 01",
        "user\0Name pr",
        "urn:ietf:params:scim:schemas:core:2.0:User pr",
        "[type eq \"a\"]",
        "]",
    ] {
        fault(text);
    }
}

#[test]
fn a_filter_of_100_kilobytes_is_refused() {
    let text = format!("userName eq \"{}\"", "a".repeat(100_000));
    assert!(fault(&text).contains("16384"));
    let path = format!("emails[value eq \"{}\"]", "a".repeat(100_000));
    assert_eq!(crate::scim::PatchPath::parse(&path, &user()).unwrap_err().kind, FaultKind::InvalidFilter);
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(64)).is_ok());
    assert!(fault(&nested(65)).contains("64 levels"));
    fault(&nested(1_000));
    fault(&"not(".repeat(1_000));
    fault(&"emails[".repeat(1_000));
}

#[test]
fn strings_are_compared_as_the_schema_says() {
    assert!(holds("userName eq \"BJENSEN@example.COM\""));
    assert!(holds("name.givenName eq \"BÄRBEL\""));
    assert!(holds("externalId eq \"00uABC\"") && !holds("externalId eq \"00uabc\""));
    assert!(holds("id eq \"2819c223\"") && !holds("id eq \"2819C223\""));
    assert!(holds("userName sw \"BJ\"") && holds("userName ew \".COM\"") && holds("userName co \"@EXAMPLE\""));
    assert!(holds("name.familyName gt \"jen\"") && !holds("name.familyName lt \"JEN\""));
    assert!(holds("name.familyName ge \"JENSEN\"") && holds("name.familyName le \"jensen\""));
}

#[test]
fn one_of_several_values_is_enough() {
    assert!(holds("emails.value eq \"bj@home.example\"") && holds("emails co \"home\""));
    assert!(holds("emails.type eq \"work\" and emails.value sw \"bj@home\""));
    assert!(!holds("emails[type eq \"work\" and value sw \"bj@home\"]"));
    assert!(holds("emails[type eq \"WORK\" and not (value co \"home\")]"));
    assert!(holds("emails[primary eq true].value eq \"bj@work.example\""));
}

#[test]
fn not_equal_is_the_opposite_of_equal() {
    assert!(holds("title ne \"x\"") && holds("userName ne \"x\"") && !holds("userName ne \"bjensen@example.com\""));
    assert!(!holds("emails.type ne \"home\""));
    assert!(holds("title eq null") && holds("userName ne null") && !holds("userName eq null"));
}

#[test]
fn presence_means_a_value_that_is_not_empty() {
    assert!(holds("userName pr and name pr and emails pr and emails.value pr"));
    assert!(!holds("title pr") && !holds("roles pr") && !holds("name.middleName pr"));
    assert!(holds(&format!("{ENTERPRISE_URN}:manager pr")));
}

#[test]
fn instants_are_compared_regardless_of_their_offset() {
    assert!(holds("meta.lastModified eq \"2011-05-13T06:42:34.5+02:00\""));
    assert!(
        holds("meta.lastModified gt \"2011-05-13T04:42:34Z\"")
            && holds("meta.LastModified lt \"2011-05-13T04:42:35Z\"")
    );
    assert!(!holds("meta.lastModified gt \"2011-05-13T04:42:34.500000Z\""));
}

#[test]
fn extension_attributes_are_found_under_their_urn() {
    assert!(holds(&format!("{ENTERPRISE_URN}:department eq \"tours\"")) && holds("department eq \"Tours\""));
    assert!(holds(&format!("{}:MANAGER.VALUE eq \"26118915\"", ENTERPRISE_URN.to_uppercase())));
}

#[test]
fn what_is_unknown_is_absent() {
    assert!(
        !holds("shoeSize eq 12") && !holds("shoeSize pr") && !holds("urn:x:y:z sw \"a\"") && holds("shoeSize ne 1")
    );
    assert!(!holds("shoes[size eq 12]") && !holds("emails[color eq \"red\"]"));
}

#[test]
fn booleans_and_numbers_are_compared_by_value() {
    assert!(holds("active eq true") && !holds("active eq false") && holds("active ne false"));
    let mut schema = user();
    let path = crate::scim::AttributePath::parse("urn:x:2.0:User:age", &schema).unwrap();
    schema.add_custom(&path, crate::scim::Attribute::new("age", crate::scim::AttributeType::Integer));
    let mut resource = barbara();
    resource.set(&path, 42.into());
    let holds = |text: &str| Filter::parse(text, &schema).unwrap().matches(&resource, &schema);
    assert!(
        holds("urn:x:2.0:User:age ge 42")
            && holds("urn:x:2.0:User:age lt 42.5")
            && holds("urn:x:2.0:User:age eq \"42\"")
    );
    assert!(!holds("urn:x:2.0:User:age gt 42") && !holds("urn:x:2.0:User:age eq 43"));
    assert!(Filter::parse("urn:x:2.0:User:age co \"4\"", &schema).is_err());
}

#[test]
fn every_path_is_visited_with_brackets_resolved() {
    let mut seen = Vec::new();
    let filter = parse("userName pr and not (emails[type eq \"a\" or value pr] or manager eq \"x\")").unwrap();
    filter.paths(&mut |path| seen.push(path.to_string()));
    assert_eq!(seen, ["userName", "emails.type", "emails.value", &format!("{ENTERPRISE_URN}:manager.value")]);
}

#[test]
fn only_equalities_are_simple() {
    let simple = |text: &str| {
        let Filter::Complex { filter, .. } = parse(&format!("emails[{text}]")).unwrap() else { unreachable!() };
        filter
            .simple_equalities()
            .map(|parts| parts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","))
    };
    assert_eq!(simple("type eq \"work\" and primary eq \"True\"").as_deref(), Some("type=\"work\",primary=true"));
    for text in ["type ne \"work\"", "type eq \"a\" or type eq \"b\"", "type pr", "not (type eq \"a\")"] {
        assert_eq!(simple(text), None, "{text}");
    }
}
