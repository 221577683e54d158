use serde_json::{Value, json};

use super::*;
use crate::scim::schema::ENTERPRISE_URN;
use crate::scim::{AttributePath, ResourceKind};

mod refused;

fn user_schema() -> ResourceSchema {
    ResourceSchema::standard(ResourceKind::User)
}

fn group_schema() -> ResourceSchema {
    ResourceSchema::standard(ResourceKind::Group)
}

fn resource(value: Value) -> Resource {
    let Value::Object(map) = value else { unreachable!() };
    Resource::from_map(map)
}

fn barbara() -> Value {
    json!({
        "userName": "bjensen",
        "name": { "givenName": "Barbara", "familyName": "Jensen" },
        "active": true,
        "emails": [
            { "value": "b@work", "type": "work", "primary": true },
            { "value": "b@home", "type": "home" },
        ],
        (ENTERPRISE_URN): { "department": "Tours", "manager": { "value": "m1", "$ref": "../Users/m1" } },
    })
}

fn team() -> Value {
    let member =
        |id: &str| json!({ "value": id, "type": "User", "$ref": format!("https://x/Users/{id}"), "display": id });
    json!({ "displayName": "Team", "members": [member("1"), member("2"), member("3")] })
}

fn run(start: Value, schema: &ResourceSchema, operations: Value) -> Result<Value, Fault> {
    let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"] });
    body["Operations"] = operations;
    let changed = Patch::from_client(body, schema)?.apply(&resource(start), schema)?;
    Ok(Value::Object(changed.into_map()))
}

fn user(operations: Value) -> Value {
    run(barbara(), &user_schema(), operations).unwrap_or_else(|fault| panic!("{fault}"))
}

fn user_fault(operations: Value) -> FaultKind {
    run(barbara(), &user_schema(), operations).unwrap_err().kind
}

fn members(operations: Value) -> Vec<String> {
    let group = run(team(), &group_schema(), operations).unwrap_or_else(|fault| panic!("{fault}"));
    let members = resource(group);
    members
        .values(&AttributePath::core("members").with_sub("value"))
        .into_iter()
        .map(|it| it.as_str().unwrap().into())
        .collect()
}

#[test]
fn okta_deactivates_without_a_path() {
    assert_eq!(user(json!([{ "op": "replace", "value": { "active": false } }]))["active"], false);
}

#[test]
fn entra_deactivates_by_text_and_capital_operations() {
    for op in ["Replace", "Add", "REPLACE"] {
        assert_eq!(user(json!([{ "op": op, "path": "active", "value": "False" }]))["active"], false);
    }
}

#[test]
fn entra_creates_the_element_that_its_filter_describes() {
    for op in ["add", "replace"] {
        let changed = user(json!([{ "op": op, "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1" }]));
        assert_eq!(changed["phoneNumbers"], json!([{ "type": "mobile", "value": "+1" }]));
    }
    let changed = user(json!([{ "op": "Add", "path": "emails[type eq \"other\"].value", "value": "b@other" }]));
    assert_eq!(changed["emails"].as_array().unwrap().len(), 3);
    let changed = user(json!([{ "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin" }]));
    assert_eq!(changed["roles"], json!([{ "primary": true, "value": "admin" }]));
    let changed = user(json!([{ "op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "Here 1" }]));
    assert_eq!(changed["addresses"], json!([{ "type": "work", "formatted": "Here 1" }]));
}

#[test]
fn a_filter_finds_the_element_and_siblings_stay() {
    let changed = user(json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@work" }]));
    assert_eq!(
        changed["emails"],
        json!([{ "value": "new@work", "type": "work", "primary": true }, { "value": "b@home", "type": "home" }])
    );
    let changed =
        user(json!([{ "op": "replace", "path": "emails[type eq \"home\"]", "value": { "value": "n@home" } }]));
    assert_eq!(changed["emails"][1], json!({ "value": "n@home", "type": "home" }));
    assert_eq!(changed["emails"][0], barbara()["emails"][0]);
}

#[test]
fn keys_without_a_path_may_be_dotted_qualified_or_filtered() {
    let changed = user(json!([{ "op": "replace", "value": {
        "NAME.givenName": "Babs",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "701984",
        "emails[type eq \"home\"].value": "n@home",
        "title": "Guide",
    } }]));
    assert_eq!(changed["name"], json!({ "givenName": "Babs", "familyName": "Jensen" }));
    assert_eq!(changed[ENTERPRISE_URN]["employeeNumber"], "701984");
    assert_eq!(changed[ENTERPRISE_URN]["department"], "Tours");
    assert_eq!(changed["emails"][1]["value"], "n@home");
    assert_eq!(changed["title"], "Guide");
}

#[test]
fn a_block_under_a_urn_changes_only_what_it_names() {
    let block = json!({ "division": "D", "manager.value": "m2", "klueRole": "x", "department": null });
    let expected = json!({ "manager": { "value": "m2" }, "division": "D" });
    for operation in [
        json!({ "op": "replace", "value": { (ENTERPRISE_URN): block.clone() } }),
        json!({ "op": "replace", "path": ENTERPRISE_URN, "value": block.clone() }),
        json!({ "op": "replace", "path": "urn:scim:schemas:extension:enterprise:1.0", "value": block.clone() }),
    ] {
        assert_eq!(user(json!([operation]))[ENTERPRISE_URN], expected);
    }
    let core = json!([{ "op": "add", "value": { (user_schema().core.id): { "title": "T" } } }]);
    assert_eq!(user(core)["title"], "T");
}

#[test]
fn an_extension_can_be_removed_as_a_whole_and_the_core_schema_cannot() {
    assert_eq!(user(json!([{ "op": "remove", "path": ENTERPRISE_URN }])).get(ENTERPRISE_URN), None);
    assert_eq!(user(json!([{ "op": "replace", "value": { (ENTERPRISE_URN): null } }])).get(ENTERPRISE_URN), None);
    assert_eq!(user_fault(json!([{ "op": "remove", "path": user_schema().core.id }])), FaultKind::NoTarget);
}

#[test]
fn keycloak_sends_the_value_as_text_that_holds_an_object() {
    let value = "{\"schemas\":[\"x\"],\"id\":\"1\",\"title\":\"T\"}";
    assert_eq!(user(json!([{ "op": "replace", "value": value }]))["title"], "T");
    assert_eq!(user_fault(json!([{ "op": "replace", "value": "no object" }])), FaultKind::InvalidValue);
}

#[test]
fn okta_renames_a_group_without_touching_its_members() {
    let group =
        run(team(), &group_schema(), json!([{ "op": "replace", "value": { "id": "g", "displayName": "New" } }]));
    let group = group.unwrap();
    assert_eq!(group["displayName"], "New");
    assert_eq!(group["members"], team()["members"]);
}

#[test]
fn only_the_named_members_are_removed() {
    assert_eq!(members(json!([{ "op": "remove", "path": "members[value eq \"2\"]" }])), ["1", "3"]);
    assert_eq!(members(json!([{ "op": "Remove", "path": "members", "value": [{ "value": "2" }] }])), ["1", "3"]);
    assert_eq!(members(json!([{ "op": "remove", "path": "members", "value": { "value": "2" } }])), ["1", "3"]);
    assert_eq!(members(json!([{ "op": "remove", "path": "members", "value": ["1", "9"] }])), ["2", "3"]);
    assert_eq!(members(json!([{ "op": "remove", "path": "members", "value": [] }])), ["1", "2", "3"]);
    assert_eq!(members(json!([{ "op": "remove", "path": "members[value eq \"9\"]" }])), ["1", "2", "3"]);
}

#[test]
fn all_members_are_removed_by_a_path_alone_or_an_empty_replacement() {
    let none: [&str; 0] = [];
    for operation in [
        json!({ "op": "remove", "path": "members" }),
        json!({ "op": "remove", "path": "members", "value": null }),
        json!({ "op": "replace", "path": "members", "value": [] }),
        json!({ "op": "replace", "path": "members", "value": null }),
        json!({ "op": "replace", "value": { "members": [] } }),
    ] {
        assert_eq!(members(json!([operation])), none, "{operation}");
    }
}

#[test]
fn a_member_that_is_there_is_not_added_again() {
    assert_eq!(
        members(json!([{ "op": "add", "path": "members", "value": [{ "value": "2" }, { "value": "4" }] }])),
        ["1", "2", "3", "4"]
    );
    let operations =
        json!([{ "op": "add", "path": "members", "value": [{ "value": "2", "display": "other", "$ref": null }] }]);
    assert_eq!(run(team(), &group_schema(), operations).unwrap(), team());
}

#[test]
fn members_are_replaced_as_a_list() {
    let operations =
        json!([{ "op": "replace", "path": "members", "value": [{ "value": "3", "display": null }, { "value": "7" }] }]);
    assert_eq!(members(operations), ["3", "7"]);
}

#[test]
fn operations_build_on_each_other() {
    let operations = json!([
        { "op": "remove", "path": "members[value eq \"1\"]" },
        { "op": "add", "path": "members", "value": [{ "value": "4" }] },
        { "op": "remove", "path": "members", "value": [{ "value": "2" }, { "value": "4" }] },
    ]);
    assert_eq!(members(operations), ["3"]);
}

#[test]
fn many_members_are_removed_like_few() {
    let ids: Vec<Value> = (0..1000).map(|n| json!({ "value": format!("m{n}") })).collect();
    let operations = json!([
        { "op": "add", "path": "members", "value": ids.clone() },
        { "op": "remove", "path": "members", "value": ids[1..].to_vec() },
    ]);
    assert_eq!(members(operations), ["1", "2", "3", "m0"]);
}

#[test]
fn a_complex_attribute_is_merged() {
    for op in ["add", "replace"] {
        let changed = user(json!([{ "op": op, "path": "name", "value": { "GivenName": "Babs" } }]));
        assert_eq!(changed["name"], json!({ "givenName": "Babs", "familyName": "Jensen" }));
        let changed = user(json!([{ "op": op, "value": { "name": { "middleName": "M" } } }]));
        assert_eq!(changed["name"]["givenName"], "Barbara");
        assert_eq!(changed["name"]["middleName"], "M");
    }
}

#[test]
fn a_manager_may_be_text_an_object_or_a_list() {
    let path = format!("{ENTERPRISE_URN}:manager");
    for (path, value) in [
        (path.as_str(), json!("m2")),
        (path.as_str(), json!({ "value": "m2", "displayName": "x" })),
        ("manager", json!([{ "$ref": null, "value": "m2" }])),
        ("manager.value", json!("m2")),
    ] {
        let changed = user(json!([{ "op": "Add", "path": path, "value": value }]));
        assert_eq!(changed[ENTERPRISE_URN]["manager"], json!({ "value": "m2" }), "{path}");
    }
}

#[test]
fn a_manager_is_removed_with_all_that_was_known_about_it() {
    let path = format!("{ENTERPRISE_URN}:manager");
    for operation in [
        json!({ "op": "remove", "path": path }),
        json!({ "op": "replace", "path": path, "value": "" }),
        json!({ "op": "replace", "path": path, "value": null }),
        json!({ "op": "replace", "path": path, "value": { "value": "" } }),
        json!({ "op": "remove", "path": format!("{path}.value") }),
    ] {
        assert_eq!(user(json!([operation]))[ENTERPRISE_URN], json!({ "department": "Tours" }), "{operation}");
    }
}

#[test]
fn to_replace_by_nothing_is_to_remove() {
    for value in [json!(null), json!(""), json!([]), json!({})] {
        let changed = user(
            json!([{ "op": "replace", "path": "name", "value": value.clone() }, { "op": "replace", "value": { "emails": value } }]),
        );
        assert_eq!(changed.get("name"), None);
        assert_eq!(changed.get("emails"), None);
    }
    let changed = user(json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "" }]));
    assert_eq!(changed["emails"], json!([{ "value": "b@home", "type": "home" }]));
    let changed = user(json!([{ "op": "add", "path": "displayName", "value": "" }]));
    assert_eq!(changed, barbara());
}

#[test]
fn to_remove_what_is_not_there_changes_nothing() {
    for path in
        ["title", "name.middleName", "phoneNumbers", "phoneNumbers[type eq \"fax\"].value", "urn:x:y:z", "shoes.size"]
    {
        assert_eq!(user(json!([{ "op": "remove", "path": path }])), barbara(), "{path}");
    }
}

#[test]
fn a_new_primary_takes_the_place_of_the_old_one() {
    let expected = |changed: &Value| {
        let emails = changed["emails"].as_array().unwrap();
        let primary: Vec<&Value> = emails.iter().filter(|it| it["primary"] == true).map(|it| &it["value"]).collect();
        primary.into_iter().cloned().collect::<Vec<_>>()
    };
    let changed = user(json!([{ "op": "add", "path": "emails", "value": { "value": "c@c", "primary": true } }]));
    assert_eq!(expected(&changed), ["c@c"]);
    let changed = user(json!([{ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }]));
    assert_eq!(expected(&changed), ["b@home"]);
    let changed = user(
        json!([{ "op": "add", "path": "emails[type eq \"other\"]", "value": { "value": "o@o", "primary": "True" } }]),
    );
    assert_eq!(expected(&changed), ["o@o"]);
    let changed = user(
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "b@home", "type": "home", "primary": true }] }]),
    );
    assert_eq!(expected(&changed), ["b@home"]);
}

#[test]
fn a_sub_attribute_without_a_filter_means_the_only_or_the_primary_element() {
    let changed = user(json!([{ "op": "replace", "path": "emails.value", "value": "n@work" }]));
    assert_eq!(changed["emails"][0]["value"], "n@work");
    assert_eq!(changed["emails"][1]["value"], "b@home");
    let changed = user(json!([{ "op": "add", "path": "phoneNumbers.value", "value": "+1" }]));
    assert_eq!(changed["phoneNumbers"], json!([{ "value": "+1" }]));
    let operations = json!([{ "op": "remove", "path": "emails.primary" }, { "op": "replace", "path": "emails.value", "value": "x" }]);
    assert_eq!(user_fault(operations), FaultKind::NoTarget);
}

#[test]
fn text_that_looks_like_json_is_kept_as_it_is() {
    let value = json!([{ "value": "{\"id\":\"1\",\"displayName\":\"x\"}" }]);
    assert_eq!(user(json!([{ "op": "add", "path": "roles", "value": value.clone() }]))["roles"], value);
}

#[test]
fn operations_read_from_a_client_have_one_attribute_each() {
    let body = json!({ "Operations": [{ "op": "Replace", "value": {
        "id": "1", "active": "true", "title": "", "unknown": 1, (ENTERPRISE_URN): { "department": "D" },
    } }] });
    let patch = Patch::from_client(body, &user_schema()).unwrap();
    let shown: Vec<String> = patch
        .operations
        .iter()
        .map(|it| format!("{} {} {}", it.op.name(), it.path.as_ref().unwrap(), it.value.clone().unwrap_or_default()))
        .collect();
    let department = format!("replace {ENTERPRISE_URN}:department \"D\"");
    assert_eq!(shown, ["replace active true", "remove title null", &department]);
}

#[test]
fn a_patch_that_was_put_together_by_hand_is_brought_into_form() {
    let value = json!({ "ACTIVE": "False", (ENTERPRISE_URN): { "department": "D" } });
    let patch = Patch { operations: vec![Operation { op: Op::Replace, path: None, value: Some(value) }] };
    let changed = patch.apply(&resource(barbara()), &user_schema()).unwrap();
    assert_eq!(changed.as_map()["active"], false);
    assert_eq!(changed.as_map()[ENTERPRISE_URN]["department"], "D");
}

#[test]
fn a_password_is_set_by_patch() {
    assert_eq!(user(json!([{ "op": "replace", "value": { "password": "s3cret" } }]))["password"], "s3cret");
}

#[test]
fn the_type_of_a_new_element_may_be_set_before_its_value() {
    let changed = user(json!([
        { "op": "add", "path": "phoneNumbers[type eq \"work\"].primary", "value": true },
        { "op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "+1" },
        { "op": "add", "path": "ims[type eq \"xmpp\"].primary", "value": true },
    ]));
    assert_eq!(changed["phoneNumbers"], json!([{ "type": "work", "primary": true, "value": "+1" }]));
    assert_eq!(changed.get("ims"), None);
}

#[test]
fn removals_of_named_members_become_one_operation() {
    let body = json!({ "Operations": [
        { "op": "remove", "path": "members[value eq \"1\"]" },
        { "op": "remove", "path": "members[VALUE eq \"2\" or value eq \"3\"]" },
        { "op": "remove", "path": "members", "value": [{ "value": "4" }] },
        { "op": "add", "path": "members", "value": [{ "value": "5" }] },
        { "op": "add", "path": "members", "value": [{ "value": "6" }, { "value": "5" }] },
    ] });
    let patch = Patch::from_client(body, &group_schema()).unwrap();
    let [removal, addition] = patch.operations.as_slice() else { panic!("{patch:?}") };
    assert_eq!(removal.value, Some(json!([{ "value": "1" }, { "value": "2" }, { "value": "3" }, { "value": "4" }])));
    assert_eq!(removal.path.as_ref().unwrap().to_string(), "members");
    assert_eq!(addition.value.as_ref().unwrap().as_array().unwrap().len(), 3);
    let changed = patch.apply(&resource(team()), &group_schema()).unwrap();
    assert_eq!(changed.as_map()["members"], json!([{ "value": "5" }, { "value": "6" }]));
}
