//! Requests that are refused.

use serde_json::json;

use super::*;

#[test]
fn a_malformed_request_is_refused() {
    let schema = user_schema();
    for (body, kind) in [
        (json!([]), FaultKind::InvalidSyntax),
        (json!({}), FaultKind::InvalidSyntax),
        (json!({ "Operations": [] }), FaultKind::InvalidSyntax),
        (json!({ "Operations": {} }), FaultKind::InvalidSyntax),
        (json!({ "Operations": ["x"] }), FaultKind::InvalidSyntax),
        (json!({ "Operations": [{ "path": "title", "value": "x" }] }), FaultKind::InvalidSyntax),
        (json!({ "Operations": [{ "op": "move", "path": "title", "value": "x" }] }), FaultKind::InvalidSyntax),
        (json!({ "Operations": [{ "op": 1 }] }), FaultKind::InvalidSyntax),
        (json!({ "Operations": [{ "op": "remove" }] }), FaultKind::NoTarget),
        (json!({ "Operations": [{ "op": "remove", "path": "", "value": {} }] }), FaultKind::NoTarget),
        (json!({ "Operations": [{ "op": "add", "path": 7, "value": "x" }] }), FaultKind::InvalidPath),
        (json!({ "Operations": [{ "op": "add", "path": "a..b", "value": "x" }] }), FaultKind::InvalidPath),
        (
            json!({ "Operations": [{ "op": "add", "path": "name[givenName eq \"x\"]", "value": {} }] }),
            FaultKind::InvalidPath,
        ),
        (json!({ "Operations": [{ "op": "add", "path": "emails[type eq]", "value": {} }] }), FaultKind::InvalidFilter),
        (json!({ "Operations": [{ "op": "add", "value": { "emails[type": "x" } }] }), FaultKind::InvalidFilter),
        (json!({ "Operations": [{ "op": "add", "path": "title" }] }), FaultKind::InvalidValue),
        (json!({ "Operations": [{ "op": "replace" }] }), FaultKind::InvalidValue),
        (json!({ "Operations": [{ "op": "add", "value": ["x"] }] }), FaultKind::InvalidValue),
        (json!({ "Operations": [{ "op": "add", "path": "active", "value": "maybe" }] }), FaultKind::InvalidValue),
        (json!({ "Operations": [{ "op": "add", "path": "title", "value": "a\u{0}" }] }), FaultKind::InvalidValue),
        (json!({ "Operations": [{ "op": "add", "path": ENTERPRISE_URN, "value": "x" }] }), FaultKind::InvalidValue),
        (
            json!({ "Operations": [{ "op": "add", "path": "emails[type eq \"x\"]", "value": ["a", "b"] }] }),
            FaultKind::InvalidValue,
        ),
    ] {
        assert_eq!(Patch::from_client(body.clone(), &schema).unwrap_err().kind, kind, "{body}");
    }
}

#[test]
fn an_element_that_names_nobody_is_no_member() {
    let schema = ResourceSchema::standard(ResourceKind::Group);
    for op in ["add", "replace", "remove"] {
        for element in [json!({ "display": "a" }), json!({ "value": "" }), json!({}), json!(null)] {
            let body = json!({ "Operations": [{ "op": op, "path": "members", "value": [{ "value": "1" }, element] }] });
            assert_eq!(Patch::from_client(body.clone(), &schema).unwrap_err().kind, FaultKind::InvalidValue, "{body}");
        }
    }
}

#[test]
fn a_fault_says_which_operation_is_at_fault() {
    let body = json!({ "operations": [
        { "OP": "add", "Path": "title", "VALUE": "x" },
        { "op": "add", "path": "active", "value": 3 },
    ] });
    let fault = Patch::from_client(body, &user_schema()).unwrap_err();
    assert_eq!(fault.detail, "PATCH operation 2: active must be true or false, not a number.");
}

#[test]
fn what_a_client_may_not_change_is_refused_by_path_and_ignored_in_a_value() {
    for path in
        ["id", "meta", "meta.created", "groups", "groups[value eq \"1\"]", "groups.display", "manager.displayName"]
    {
        assert_eq!(
            user_fault(json!([{ "op": "replace", "path": path, "value": "x" }])),
            FaultKind::Mutability,
            "{path}"
        );
    }
    let value = json!({ "id": "x", "schemas": [], "meta": {}, "groups": [{ "value": "g" }], "shoeSize": 1, "a b": 2 });
    assert_eq!(user(json!([{ "op": "replace", "value": value }])), barbara());
    assert_eq!(user(json!([{ "op": "add", "path": "schemas", "value": ["urn:x"] }])), barbara());
}

#[test]
fn the_id_of_a_member_cannot_be_changed_in_place() {
    let operations = json!([{ "op": "replace", "path": "members[value eq \"1\"].value", "value": "9" }]);
    assert_eq!(run(team(), &group_schema(), operations).unwrap_err().kind, FaultKind::Mutability);
    let operations = json!([{ "op": "replace", "path": "members[value eq \"1\"]", "value": { "value": "9" } }]);
    assert_eq!(run(team(), &group_schema(), operations).unwrap_err().kind, FaultKind::Mutability);
    let same =
        json!([{ "op": "replace", "path": "members[value eq \"1\"]", "value": { "value": "1", "type": "user" } }]);
    assert_eq!(run(team(), &group_schema(), same).unwrap()["members"].as_array().unwrap().len(), 3);
}

#[test]
fn a_required_attribute_cannot_be_removed() {
    for operation in [
        json!({ "op": "remove", "path": "userName" }),
        json!({ "op": "replace", "path": "userName", "value": "" }),
        json!({ "op": "replace", "value": { "userName": null } }),
    ] {
        assert_eq!(user_fault(json!([operation])), FaultKind::InvalidValue, "{operation}");
    }
}

#[test]
fn a_filter_that_describes_no_element_and_finds_none_has_no_target() {
    for path in [
        "emails[type ne \"work\" and type ne \"home\"].value",
        "emails[type eq \"x\" or type eq \"y\"].value",
        "emails[value eq \"x@y\"].display",
        "emails[color eq \"red\"].value",
        "emails[not (type pr)].value",
    ] {
        assert_eq!(user_fault(json!([{ "op": "replace", "path": path, "value": "v" }])), FaultKind::NoTarget, "{path}");
    }
    let operations = json!([{ "op": "replace", "path": "members[value eq \"9\"].type", "value": "User" }]);
    assert_eq!(run(team(), &group_schema(), operations).unwrap_err().kind, FaultKind::NoTarget);
}
