//! The core user schema and its enterprise extension (RFC 7643 sections 4.1 and 4.3).

use super::{USER_URN, boolean, complex, of, reference, text};
use crate::scim::schema::{Attribute, AttributeType, ENTERPRISE_URN, Mutability, Returned, Schema};

/// The core user schema.
pub(in crate::scim) fn user() -> Schema {
    let mut attributes = singular();
    attributes.extend(contacts());
    attributes.extend(rights());
    Schema {
        id: USER_URN.to_owned(),
        name: "User".to_owned(),
        description: "A person or service with an account".to_owned(),
        attributes,
    }
}

fn singular() -> Vec<Attribute> {
    let password = Attribute {
        mutability: Mutability::WriteOnly,
        returned: Returned::Never,
        ..text("password", "Clear-text password to set; never shown").exact()
    };
    vec![
        text("userName", "Name the user signs in with, unique regardless of case").required().unique(),
        complex("name", "The parts of the user's name", name()),
        text("displayName", "Name to show for the user"),
        text("nickName", "What the user is called informally"),
        reference("profileUrl", "Web page about the user", &["external"]),
        text("title", "Job title"),
        text("userType", "Relation of the user to the organization, such as employee or contractor"),
        text("preferredLanguage", "Languages the user prefers, in the form of an Accept-Language header"),
        text("locale", "Language tag by which dates and numbers are shown"),
        text("timezone", "Time zone by its name in the IANA database"),
        boolean("active", "Whether the user may sign in"),
        password,
    ]
}

fn name() -> Vec<Attribute> {
    vec![
        text("formatted", "The whole name as it is displayed"),
        text("familyName", "Last name"),
        text("givenName", "First name"),
        text("middleName", "Middle names"),
        text("honorificPrefix", "Title before the name"),
        text("honorificSuffix", "Suffix after the name"),
    ]
}

fn contacts() -> Vec<Attribute> {
    let email = text("value", "E-mail address");
    let phone = text("value", "Telephone number");
    let im = text("value", "Address in the messaging service");
    let photo = reference("value", "URL of the picture", &["external"]);
    vec![
        plural("emails", "E-mail addresses", email, &["work", "home", "other"]),
        plural("phoneNumbers", "Telephone numbers", phone, &["work", "home", "mobile", "fax", "pager", "other"]),
        plural(
            "ims",
            "Instant messaging addresses",
            im,
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural("photos", "Pictures of the user", photo, &["photo", "thumbnail"]),
        complex("addresses", "Postal addresses", address()).many(),
    ]
}

fn address() -> Vec<Attribute> {
    vec![
        text("formatted", "The whole address as it is printed"),
        text("streetAddress", "Street, house number and what else stands above the city"),
        text("locality", "City"),
        text("region", "State or region"),
        text("postalCode", "Postal code"),
        text("country", "Country"),
        text("type", "What the address is used for").canonical(&["work", "home", "other"]),
        boolean("primary", "Whether this is the preferred address; true at most once"),
    ]
}

fn rights() -> Vec<Attribute> {
    let groups = vec![
        text("value", "The id of the group"),
        reference("$ref", "URL of the group", &["User", "Group"]),
        text("display", "Name of the group"),
        text("type", "Whether the user is a member directly or through another group")
            .canonical(&["direct", "indirect"]),
    ];
    let entitlement = text("value", "The entitlement");
    let role = text("value", "The role");
    let certificate = of(AttributeType::Binary, "value", "DER-encoded certificate, in Base64").exact();
    vec![
        complex("groups", "Groups the user belongs to; changed through the groups", groups).many().read_only(),
        plural("entitlements", "Things the user is entitled to", entitlement, &[]),
        plural("roles", "Roles of the user", role, &[]),
        plural("x509Certificates", "X.509 certificates of the user", certificate, &[]),
    ]
}

/// A multi-valued attribute with the usual sub-attributes (RFC 7643 section 2.4).
fn plural(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    let sub_attributes = vec![
        value,
        text("display", "Label to show for the value"),
        text("type", "What the value is used for").canonical(types),
        boolean("primary", "Whether this is the preferred value; true at most once"),
    ];
    complex(name, description, sub_attributes).many()
}

/// The enterprise extension of the user schema.
pub(in crate::scim) fn enterprise_user() -> Schema {
    let manager = vec![
        text("value", "The id of the manager"),
        reference("$ref", "URL of the manager", &["User"]),
        text("displayName", "Name of the manager, kept up to date by the bridge").read_only(),
    ];
    Schema {
        id: ENTERPRISE_URN.to_owned(),
        name: "EnterpriseUser".to_owned(),
        description: "What an organization records about a user".to_owned(),
        attributes: vec![
            text("employeeNumber", "Number or code of the user within the organization"),
            text("costCenter", "Cost center"),
            text("organization", "Organization"),
            text("division", "Division"),
            text("department", "Department"),
            complex("manager", "The user's manager", manager),
        ],
    }
}
