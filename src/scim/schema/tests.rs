use serde_json::{Value, json};

use super::*;
use crate::scim::FaultKind;

fn user() -> ResourceSchema {
    ResourceSchema::standard(ResourceKind::User)
}

fn path(text: &str) -> AttributePath {
    AttributePath::parse(text, &user()).unwrap()
}

#[test]
fn every_attribute_of_the_rfc_is_there() {
    let names = |attributes: &[Attribute]| attributes.iter().map(|it| it.name.clone()).collect::<Vec<_>>().join(" ");
    let schema = user();
    assert_eq!(
        names(&schema.core.attributes),
        "userName name displayName nickName profileUrl title userType preferredLanguage locale timezone active \
         password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates"
    );
    assert_eq!(
        names(&schema.extensions[0].attributes),
        "employeeNumber costCenter organization division department manager"
    );
    let group = ResourceSchema::standard(ResourceKind::Group);
    assert_eq!(names(&group.core.attributes), "displayName members");
    assert_eq!(names(&group.core.attributes[1].sub_attributes), "value $ref display type");
    assert!(group.extensions.is_empty());
}

#[test]
fn the_common_attributes_are_known_but_not_listed() {
    let schema = ResourceSchema::standard(ResourceKind::Group);
    for name in ["id", "externalId", "meta.lastModified", "schemas"] {
        let path = AttributePath::parse(name, &schema).unwrap();
        assert!(schema.resolve(&path).is_some(), "{name}");
    }
    assert!(schema.core.attribute("id").is_none());
}

#[test]
fn resolving_gives_the_canonical_path_and_the_deepest_attribute() {
    let schema = user();
    let asked = AttributePath {
        schema: Some("URN:scim:schemas:extension:enterprise:1.0".to_owned()),
        attribute: "MANAGER".to_owned(),
        sub: Some("DisplayName".to_owned()),
    };
    let (canonical, attribute) = schema.resolve(&asked).unwrap();
    assert_eq!(canonical.to_string(), format!("{ENTERPRISE_URN}:manager.displayName"));
    assert_eq!(attribute.mutability, Mutability::ReadOnly);
    assert!(schema.resolve(&AttributePath::core("shoeSize")).is_none());
    assert!(schema.resolve(&AttributePath::core("userName").with_sub("x")).is_none());
    let core = AttributePath { schema: Some(schema.core.id.clone()), ..AttributePath::core("USERNAME") };
    assert_eq!(schema.resolve(&core).unwrap().0, AttributePath::core("userName"));
}

#[test]
fn a_custom_urn_becomes_an_extension() {
    let mut schema = user();
    let role = path("urn:example:hr:2.0:User:role");
    schema.add_custom(&role, Attribute::new("role", AttributeType::String));
    schema.add_custom(&role, Attribute::new("role", AttributeType::Boolean));
    schema.add_custom(&path("urn:example:hr:2.0:User:badge.number"), Attribute::new("x", AttributeType::Integer));
    assert_eq!(schema.urns().last(), Some("urn:example:hr:2.0:User"));
    assert_eq!(schema.extensions.len(), 2);
    assert_eq!(schema.resolve(&role).unwrap().1.kind, AttributeType::String);
    let number = AttributePath::parse("URN:example:hr:2.0:user:BADGE.Number", &schema).unwrap();
    assert_eq!(number.to_string(), "urn:example:hr:2.0:User:badge.number");
    assert_eq!(schema.resolve(&number).unwrap().1.kind, AttributeType::Integer);
}

#[test]
fn a_known_urn_and_the_core_schema_can_be_added_to() {
    let mut schema = user();
    schema.add_custom(&path(&format!("{ENTERPRISE_URN}:klueRole")), Attribute::new("klueRole", AttributeType::String));
    schema.add_custom(&path("shoeSize"), Attribute::new("shoeSize", AttributeType::Integer));
    schema.add_custom(&path("emails.verified"), Attribute::new("verified", AttributeType::Boolean));
    schema.add_custom(&path("externalId.x"), Attribute::new("x", AttributeType::Boolean));
    for name in ["shoeSize", "emails.verified", &format!("{ENTERPRISE_URN}:klueRole")] {
        assert!(schema.resolve(&path(name)).is_some(), "{name}");
    }
    assert!(schema.resolve(&path("externalId.x")).is_none());
    assert_eq!(schema.extensions.len(), 1);
}

#[test]
fn pruning_leaves_what_is_mapped_and_what_belongs_to_it() {
    let mapped = ["userName", "name.familyName", "emails.value", "phoneNumbers", "addresses.locality", "externalId"];
    let pruned = user().pruned(&mapped.map(path));
    let shown: Vec<String> = pruned
        .core
        .attributes
        .iter()
        .map(|it| {
            let subs: Vec<&str> = it.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
            format!("{} {}", it.name, subs.join(","))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "userName ",
            "name familyName",
            "emails value,type,primary",
            "phoneNumbers value,display,type,primary",
            "addresses locality,type,primary"
        ]
    );
    assert!(pruned.extensions.is_empty());
    assert_eq!(user().pruned(&[path("manager.value")]).extensions[0].attributes.len(), 1);
}

#[test]
fn a_schema_is_shown_with_all_characteristics() {
    let shown = user().core.to_json("https://scim.example.com/v2");
    assert_eq!(shown["id"], "urn:ietf:params:scim:schemas:core:2.0:User");
    let location = format!("https://scim.example.com/v2/Schemas/{}", shown["id"].as_str().unwrap());
    assert_eq!(shown["meta"], json!({ "resourceType": "Schema", "location": location }));
    let user_name = &shown["attributes"][0];
    assert_eq!(user_name["uniqueness"], "server");
    assert_eq!(user_name["required"], true);
    assert_eq!(user_name["caseExact"], false);
    assert!(user_name.get("subAttributes").is_none() && user_name.get("referenceTypes").is_none());
    let find = |name: &str| shown["attributes"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(find("password")["returned"], "never");
    assert_eq!(find("profileUrl")["referenceTypes"], json!(["external"]));
    assert_eq!(find("emails")["subAttributes"][2]["canonicalValues"], json!(["work", "home", "other"]));
    assert_eq!(find("groups")["mutability"], "readOnly");
    assert_eq!(find("groups")["subAttributes"][0]["mutability"], "readOnly");
    check_characteristics(&shown["attributes"]);
}

fn check_characteristics(attributes: &Value) {
    for attribute in attributes.as_array().unwrap() {
        for member in ["name", "type", "multiValued", "description", "required", "mutability", "returned", "uniqueness"]
        {
            assert!(attribute.get(member).is_some(), "{attribute} lacks {member}");
        }
        assert_ne!(attribute["description"], "");
        if let Some(subs) = attribute.get("subAttributes") {
            assert_eq!(attribute["type"], "complex");
            check_characteristics(subs);
        }
    }
}

#[test]
fn a_fault_has_the_keyword_of_the_rfc() {
    assert_eq!(FaultKind::InvalidVersion.scim_type(), "invalidVers");
}
