use serde_json::{Value, json};

use super::*;
use crate::scim::schema::ENTERPRISE_URN;
use crate::scim::{Attribute, AttributeType, Fault, FaultKind, ResourceKind};

fn user() -> ResourceSchema {
    ResourceSchema::standard(ResourceKind::User)
}

fn path(text: &str) -> AttributePath {
    AttributePath::parse(text, &user()).unwrap()
}

fn read(body: Value) -> Value {
    let resource = Resource::from_client(body, &user()).unwrap_or_else(|fault| panic!("{fault}"));
    Value::Object(resource.into_map())
}

fn refused(body: Value) -> Fault {
    Resource::from_client(body, &user()).unwrap_err()
}

#[test]
fn a_post_from_okta_is_read() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "test.user@okta.local",
        "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "primary": true, "value": "test.user@okta.local", "type": "work" }],
        "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [], "password": "1mz050nq", "active": true,
    });
    assert_eq!(
        read(body),
        json!({
            "userName": "test.user@okta.local",
            "name": { "givenName": "Test", "familyName": "User" },
            "emails": [{ "primary": true, "value": "test.user@okta.local", "type": "work" }],
            "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
            "password": "1mz050nq", "active": true,
        })
    );
}

#[test]
fn names_in_any_case_become_canonical() {
    let body = json!({ "USERNAME": "a", "Name": { "GIVENNAME": "b" }, "Emails": [{ "Value": "c", "TYPE": "Work" }] });
    let expected =
        json!({ "userName": "a", "name": { "givenName": "b" }, "emails": [{ "value": "c", "type": "Work" }] });
    assert_eq!(read(body), expected);
}

#[test]
fn what_an_answer_contains_can_be_sent_back() {
    let body = json!({
        "id": "1", "schemas": [], "userName": "a", "groups": [{ "value": "g", "display": "G" }],
        "meta": { "version": "W/\"1\"", "created": "2011-05-13T04:42:34Z" }, "totalResults": 1,
        (ENTERPRISE_URN): { "manager": { "value": "m", "displayName": "Boss", "$ref": "../Users/m" } },
    });
    let expected = json!({ "userName": "a", (ENTERPRISE_URN): { "manager": { "value": "m", "$ref": "../Users/m" } } });
    assert_eq!(read(body), expected);
}

#[test]
fn empty_values_are_absent() {
    let body = json!({
        "userName": "a", "displayName": "", "title": null, "nickName": " \t", "emails": [], "name": {}, "active": "",
        "phoneNumbers": [{ "value": "", "type": "work" }, { "value": null, "primary": true }, null, ""],
        "addresses": [{ "type": "work", "primary": true, "locality": "" }],
        "roles": null, (ENTERPRISE_URN): { "department": "", "manager": { "value": "" } },
    });
    assert_eq!(read(body), json!({ "userName": "a" }));
    assert_eq!(read(json!({ (ENTERPRISE_URN): null })), json!({}));
}

#[test]
fn unknown_attributes_and_urns_are_dropped() {
    let body = json!({
        "userName": "a", "shoeSize": 12, "department": "no URN", "name": { "nick": "x" }, "": 1,
        "urn:okta:app:1.0:user:custom": { "x": 1 }, (ENTERPRISE_URN): { "klueRole": "x", "department": "D" },
    });
    assert_eq!(read(body), json!({ "userName": "a", (ENTERPRISE_URN): { "department": "D" } }));
}

#[test]
fn other_names_of_a_urn_become_the_canonical_one() {
    let body = json!({ "urn:scim:schemas:extension:enterprise:2.0": { "Department": "D" } });
    assert_eq!(read(body), json!({ (ENTERPRISE_URN): { "department": "D" } }));
    let body = json!({ "urn:ietf:params:scim:schemas:core:2.0:User": { "USERNAME": "a", "title": "t" } });
    assert_eq!(read(body), json!({ "userName": "a", "title": "t" }));
}

#[test]
fn booleans_may_be_text_and_numbers_may_stand_for_text() {
    let body = json!({ "active": "True", "externalId": 17, "roles": [{ "value": 1.5, "primary": "FALSE" }] });
    assert_eq!(
        read(body),
        json!({ "active": true, "externalId": "17", "roles": [{ "value": "1.5", "primary": false }] })
    );
}

#[test]
fn a_single_value_may_stand_for_a_list() {
    let expected = json!({ "emails": [{ "value": "a@b" }] });
    for sent in [json!("a@b"), json!(["a@b"]), json!({ "value": "a@b" }), json!([{ "value": "a@b" }])] {
        assert_eq!(read(json!({ "emails": sent })), expected, "{sent}");
    }
}

#[test]
fn a_manager_may_be_text_an_object_or_a_list_of_one() {
    let expected = json!({ (ENTERPRISE_URN): { "manager": { "value": "m" } } });
    for sent in [json!("m"), json!({ "value": "m" }), json!([{ "value": "m" }]), json!(["m"])] {
        assert_eq!(read(json!({ (ENTERPRISE_URN): { "manager": sent } })), expected, "{sent}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_by_name() {
    for (body, name) in [
        (json!({ "userName": {"a": 1} }), "userName must be text, not an object"),
        (json!({ "userName": ["a", "b"] }), "userName must be text, not an array"),
        (json!({ "userName": true }), "userName must be text, not a boolean"),
        (json!({ "active": "maybe" }), "active must be true or false, not text"),
        (json!({ "active": 1 }), "active must be true or false, not a number"),
        (json!({ "name": "Barbara" }), "name must be an object, not text"),
        (json!({ "name": [{ "givenName": "a" }, { "givenName": "b" }] }), "name must be an object, not an array"),
        (json!({ "name": { "givenName": ["a"] } }), "name.givenName must be text"),
        (json!({ "emails": [true] }), "emails must be an object, not a boolean"),
        (json!({ "emails": [["a"]] }), "emails must be an object, not an array"),
        (json!({ "emails": [{ "value": { "x": 1 } }] }), "emails.value must be text"),
        (json!({ (ENTERPRISE_URN): "x" }), "must be an object"),
        (json!({ (ENTERPRISE_URN): { "manager": true } }), "User:manager must be an object"),
    ] {
        let fault = refused(body);
        assert_eq!(fault.kind, FaultKind::InvalidValue);
        assert!(fault.detail.contains(name), "{fault}");
    }
}

#[test]
fn a_refused_value_is_not_repeated_in_the_message() {
    assert!(!refused(json!({ "password": { "x": "hunter2" } })).detail.contains("hunter2"));
    assert!(!refused(json!({ "password": "hunter2\0" })).detail.contains("hunter2"));
}

#[test]
fn the_body_must_be_an_object() {
    for body in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(refused(body).kind, FaultKind::InvalidSyntax);
    }
}

#[test]
fn control_characters_are_refused() {
    for text in ["a\0b", "a\u{1}", "\0", "a\u{7f}"] {
        let fault = refused(json!({ "name": { "familyName": text } }));
        assert_eq!(fault.kind, FaultKind::InvalidValue);
        assert!(fault.detail.starts_with("name.familyName contains the control character"), "{fault}");
    }
    let lines = json!({ "addresses": [{ "formatted": "a\r\nb\tc" }], "displayName": " 😀 Zoë " });
    assert_eq!(read(lines.clone()), lines);
}

#[test]
fn an_attribute_that_is_there_twice_is_refused() {
    for body in [
        json!({ "userName": "a", "USERNAME": "b" }),
        json!({ "userName": null, "USERNAME": "b" }),
        json!({ "name": { "givenName": "a", "givenname": "b" } }),
        json!({ (ENTERPRISE_URN): { "department": "a" }, "urn:scim:schemas:extension:enterprise:1.0": { "division": "b" } }),
    ] {
        assert_eq!(refused(body).kind, FaultKind::InvalidSyntax);
    }
}

#[test]
fn the_last_primary_wins() {
    let body = json!({ "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": "True" }, "c"] });
    let expected = json!({ "emails": [
        { "value": "a", "primary": false }, { "value": "b", "primary": true }, { "value": "c" },
    ] });
    assert_eq!(read(body), expected);
}

#[test]
fn values_that_are_the_same_are_kept_once() {
    let body = json!({ "emails": [
        { "value": "a@b", "type": "work" },
        { "value": "a@b", "type": "home" },
        { "value": "A@b", "type": "Work", "primary": true },
        { "value": "a@b", "type": "work", "display": "x" },
    ] });
    let expected = json!({ "emails": [
        { "value": "a@b", "type": "work", "primary": true, "display": "x" },
        { "value": "a@b", "type": "home" },
    ] });
    assert_eq!(read(body), expected);
    let addresses = json!({ "addresses": [{ "type": "work", "locality": "A" }, { "type": "work", "locality": "B" }] });
    assert_eq!(read(addresses.clone()), addresses);
}

#[test]
fn a_long_list_is_treated_like_a_short_one() {
    let schema = ResourceSchema::standard(ResourceKind::Group);
    let members: Vec<Value> =
        (0..500).map(|n| json!({ "value": format!("{}{}", if n % 2 == 0 { "M" } else { "m" }, n / 2) })).collect();
    let group = Resource::from_client(json!({ "displayName": "g", "members": members }), &schema).unwrap();
    let members = group.get(&AttributePath::core("members")).unwrap().as_array().unwrap();
    assert_eq!(members.len(), 250);
    assert_eq!(members[0], json!({ "value": "m0" }));
}

#[test]
fn the_name_of_a_member_is_left_to_the_bridge() {
    let schema = ResourceSchema::standard(ResourceKind::Group);
    let body =
        json!({ "displayName": "g", "members": [{ "value": "1", "display": null, "$ref": null, "displayName": "x" }] });
    let group = Resource::from_client(body, &schema).unwrap();
    assert_eq!(group.values(&AttributePath::core("members")), [&json!({ "value": "1" })]);
}

#[test]
fn custom_types_are_read() {
    let mut schema = user();
    for (name, kind) in [
        ("age", AttributeType::Integer),
        ("weight", AttributeType::Decimal),
        ("hired", AttributeType::DateTime),
        ("photo", AttributeType::Binary),
    ] {
        schema.add_custom(&AttributePath::core(name), Attribute::new(name, kind));
    }
    let read = |body: Value| Resource::from_client(body, &schema).map(|it| Value::Object(it.into_map()));
    let body = json!({ "age": "42", "weight": "70.5", "hired": "2011-05-13T04:42:34", "photo": "AAEC" });
    let expected = json!({ "age": 42, "weight": 70.5, "hired": "2011-05-13T04:42:34", "photo": "AAEC" });
    assert_eq!(read(body).unwrap(), expected);
    assert_eq!(read(json!({ "age": 42.0 })).unwrap(), json!({ "age": 42 }));
    for body in [
        json!({ "age": 1.5 }),
        json!({ "age": "x" }),
        json!({ "age": 1e300 }),
        json!({ "weight": "NaN" }),
        json!({ "hired": "soon" }),
        json!({ "hired": 5 }),
        json!({ "photo": 5 }),
    ] {
        assert_eq!(read(body.clone()).unwrap_err().kind, FaultKind::InvalidValue, "{body}");
    }
}

#[test]
fn values_are_reached_by_path() {
    let mut resource = Resource::new();
    resource.set(&path("name.givenName"), "A".into());
    resource.set(&path("manager.value"), "m".into());
    resource.set(&path("emails"), json!([{ "value": "a" }, { "value": "b", "type": "work" }]));
    resource.set(&path("emails.display"), "d".into());
    assert_eq!(resource.text(&path("name.givenName")), Some("A"));
    assert_eq!(resource.text(&path("manager.value")), Some("m"));
    assert_eq!(resource.get(&path("emails.value")), None);
    assert_eq!(resource.values(&path("emails.value")), [&json!("a"), &json!("b")]);
    assert_eq!(resource.values(&path("emails.display")).len(), 2);
    assert_eq!(resource.values(&path("emails")).len(), 2);
    assert_eq!(resource.values(&path("userName")).len(), 0);
}

#[test]
fn what_is_empty_after_a_removal_is_gone() {
    let mut resource = Resource::new();
    for name in ["name.givenName", "manager.value", "userName"] {
        resource.set(&path(name), "x".into());
    }
    for name in ["name.givenName", "manager.value", "title", "department", "name.familyName"] {
        resource.remove(&path(name));
    }
    assert_eq!(resource.as_map().keys().collect::<Vec<_>>(), ["userName"]);
    resource.set(&path("userName"), Value::Null);
    assert!(resource.as_map().is_empty());
}

#[test]
fn schemas_name_what_is_used() {
    let mut resource = Resource::new();
    resource.set(&path("userName"), "x".into());
    resource.set_schemas(&user());
    assert_eq!(resource.as_map()["schemas"], json!([user().core.id]));
    resource.set(&path("department"), "x".into());
    resource.set_schemas(&user());
    assert_eq!(resource.as_map()["schemas"], json!([user().core.id, ENTERPRISE_URN]));
    assert_eq!(resource.as_map().keys().next().unwrap(), "schemas");
}
