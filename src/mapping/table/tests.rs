use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::mapping::{Codec, Direction, GroupName, ReferenceKey};
use crate::scim::{Attribute, AttributePath, Mutability};

fn parse(text: &str) -> Result<Mapping, Diagnostics> {
    let source = Source { name: "mapping.toml".to_owned(), text: text.to_owned() };
    let id = IdAttribute { attribute: AttributeName::literal("entryUUID"), form: IdForm::EntryUuid };
    Mapping::parse(source, &Dn::parse("dc=example,dc=com").unwrap(), &id)
}

/// A mapping that is right but for `rows`.
fn with_rows(rows: &str) -> String {
    format!(
        "[user]\nbase = \"ou=people,{{base_dn}}\"\nobject_class = [\"top\", \"inetOrgPerson\"]\nrdn = \"uid\"\n\
         attributes = [\n{{ scim = \"userName\", ldap = \"uid\", required = true }},\n{rows}\n]\n"
    )
}

/// What is said about `rows`, without the lines around the row.
fn complaint(rows: &str) -> String {
    parse(&with_rows(rows)).map(|_| ()).expect_err(rows).to_string()
}

/// What is said about keys of the `[user]` table.
fn complaint_about_keys(keys: &str) -> String {
    let keys: Vec<&str> = keys.lines().collect();
    let mut lines = vec!["[user]"];
    let own_rows = keys.iter().any(|key| key.starts_with("attributes"));
    let text = with_rows("");
    let text = if own_rows { text.split("attributes").next().unwrap().to_owned() } else { text };
    let default = text.lines().skip(1).filter(|line| {
        let key = line.split(" =").next().unwrap();
        !keys.iter().any(|given| given.split(" =").next() == Some(key))
    });
    let default: Vec<&str> = default.collect();
    lines.extend(&keys);
    lines.extend(default);
    parse(&lines.join("\n")).map(|_| ()).expect_err("keys").to_string()
}

fn shipped(name: &str) -> Mapping {
    let path = format!("{}/conf/mapping/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_shipped_files_have_no_mistake_and_serve_what_clients_send() {
    for (name, unique) in
        [("openldap", Unique::Naming), ("389ds", Unique::Naming), ("active-directory", Unique::Search)]
    {
        let mapping = shipped(name);
        let served: Vec<&str> = mapping.user.served.core.attributes.iter().map(|it| it.name.as_str()).collect();
        for expected in ["userName", "name", "emails", "phoneNumbers", "addresses", "active", "groups"] {
            assert!(served.contains(&expected), "{name}: {served:?}");
        }
        assert!(!served.contains(&"password"));
        assert_eq!(mapping.user.served.extensions.len(), 1);
        assert_eq!(mapping.user.unique, unique, "{name}");
        assert_eq!(mapping.group.unwrap().members.unwrap().attribute.as_str(), "member");
    }
}

#[test]
fn the_rows_that_are_commented_out_in_shipped_files_are_right_too() {
    for name in ["openldap", "389ds", "active-directory"] {
        let path = format!("{}/conf/mapping/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let rows =
            text.lines().filter_map(|line| line.trim_start().strip_prefix("# ")).filter(|it| it.starts_with("{ scim"));
        let rows: Vec<&str> = rows.collect();
        assert!(rows.len() >= 2);
        for row in rows {
            parse(&with_rows(row)).unwrap();
        }
    }
}

/// What `/Schemas` says about an attribute of users.
fn served<'m>(mapping: &'m Mapping, path: &str) -> Option<&'m Attribute> {
    let path = AttributePath::parse(path, &mapping.user.schema).unwrap();
    mapping.user.served.resolve(&path).map(|(_, attribute)| attribute)
}

#[test]
fn a_schema_offers_only_what_comes_back_as_it_was_sent() {
    let mapping = shipped("openldap");
    let served = |path| served(&mapping, path).unwrap_or_else(|| panic!("{path} is not served"));
    assert_eq!(served("name.formatted").mutability, Mutability::ReadOnly, "it is computed");
    assert_eq!(served("name.givenName").mutability, Mutability::ReadWrite);
    assert_eq!(served("name").mutability, Mutability::ReadWrite);
    assert_eq!(served("emails.type").canonical_values, ["work"]);
    assert_eq!(served("phoneNumbers.type").canonical_values, ["work", "mobile", "home", "fax", "pager"]);
    assert_eq!(served("emails.primary").canonical_values, ["true"]);
    let manager: Vec<&str> = served("manager").sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
    assert_eq!(manager, ["value", "$ref", "displayName"]);
}

#[test]
fn a_schema_follows_the_rows() {
    let mapping = parse(&with_rows(
        "{ scim = \"emails.value\", ldap = \"mail\", multi = true },\n\
         { scim = \"nickName\", ldap = \"x-nick\", value = \"{{ nickName | lower }}\" },\n\
         { scim = \"title\", ldap = \"title\", direction = \"from-ldap\" },\n\
         { scim = \"userType\", ldap = \"employeeType\", one_of = [\"A\", \"B\"] },\n\
         { scim = 'ims[primary eq true].value', ldap = \"x-im\" },",
    ))
    .unwrap();
    let served = |path| served(&mapping, path);
    assert!(served("emails.type").is_none(), "no row keeps a type");
    assert_eq!(served("nickName").unwrap().mutability, Mutability::ReadWrite, "it is computed from what is sent");
    assert_eq!(served("title").unwrap().mutability, Mutability::ReadOnly);
    assert_eq!(served("userType").unwrap().canonical_values, ["A", "B"]);
    assert!(served("ims.primary").unwrap().canonical_values.is_empty(), "the table speaks of it");
}

#[test]
fn a_reference_shows_the_display_name_and_the_user_name_only_where_the_table_has_none() {
    let names =
        |mapping: Mapping| mapping.user.display_attributes().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(shipped("openldap")), ["displayName"]);
    assert_eq!(names(parse(&with_rows("")).unwrap()), ["uid"]);
}

#[test]
fn a_short_mapping_of_users_and_groups_is_enough() {
    let text = r#"
[user]
base         = "ou=people,{base_dn}"
object_class = ["top", "person", "organizationalPerson", "inetOrgPerson"]
rdn          = "uid"
filter       = "(objectClass=inetOrgPerson)"
id           = "entryUUID"
disable      = "ppolicy"
delete       = "delete"
attributes = [
  { scim = "userName",                            ldap = "uid",       required = true },
  { scim = "externalId",                          ldap = "employeeNumber" },
  { scim = "name.givenName",                      ldap = "givenName" },
  { scim = "name.familyName",                     ldap = "sn" },
  { ldap = "cn",  value = "{{ name.givenName }} {{ name.familyName }}" },
  { scim = 'emails[type eq "work"].value',        ldap = "mail" },
  { scim = 'phoneNumbers[type eq "mobile"].value', ldap = "mobile" },
  { scim = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", ldap = "manager",
    reference = { to = "user", by = ["id", "userName", "emails"] } },
  { scim = "urn:example:hr:2.0:User:role", ldap = "employeeType", default = "consumer", one_of = ["admin", "curator", "consumer"] },
]
[group]
base = "ou=groups,{base_dn}"
object_class = ["top", "groupOfNames"]
rdn = "cn"
members = "member"
attributes = [ { scim = "displayName", ldap = "cn", required = true } ]
"#;
    let mapping = parse(text).unwrap();
    assert_eq!(mapping.user.disable, Some(Disable::Ppolicy));
    let group = mapping.group.unwrap();
    assert_eq!(group.id, mapping.user.id);
    assert_eq!(group.filter.to_string(), "(objectClass=groupOfNames)");
    let role = mapping.user.rows.last().unwrap().scim.as_ref().unwrap();
    let (_, attribute) = mapping.user.served.resolve(&role.path).unwrap();
    assert_eq!(attribute.canonical_values, ["admin", "curator", "consumer"]);
}

#[test]
fn an_active_directory_name_for_older_systems_is_short_and_clean() {
    let mapping = shipped("active-directory");
    let resource = serde_json::json!({"userName": "a,very+long*user/name-indeed@example.com"});
    let resource = crate::scim::Resource::from_client(resource, &mapping.user.schema).unwrap();
    let mode = crate::mapping::WriteMode { creating: true, password_sync: false };
    let plan = mapping.user.plan_create(&resource, &crate::mapping::Mentions::default(), mode).unwrap();
    let name = AttributeName::literal("sAMAccountName");
    let (_, values) = plan.attributes.iter().find(|(attribute, _)| *attribute == name).unwrap();
    assert_eq!(values, &[b"averylongusername-in"]);
    assert_eq!(plan.generated[0].candidate(12).as_deref(), Some("averylongusername-12"));
}

#[test]
fn a_row_is_read_with_all_its_keys() {
    let mapping = parse(&with_rows(
        "{ scim = 'emails[type eq \"work\" or primary eq true].value', ldap = \"mail\", case = \"lower\", max_length = 64 },\n\
         { scim = \"department\", ldap = \"departmentNumber\", one_of = [\"R\", \"S\"], default = \"R\", lookup = { R = \"1\", S = \"2\" } },\n\
         { scim = \"manager\", ldap = \"manager\", reference = { to = \"user\", by = [\"id\", \"userName\", \"emails\"] } },\n\
         { scim = \"urn:example:hr:2.0:User:since\", ldap = \"x-since\", as = \"generalized-time\", direction = \"from-ldap\" },\n\
         { scim = \"urn:example:hr:2.0:User:tags\", ldap = \"x-tags\", multi = true, only_if = 'urn:example:hr:2.0:User:since pr' },\n\
         { ldap = \"cn\", value = \"{{ name.givenName }} {{ name.familyName }}\", fallback = \"{{ userName }}\" },",
    ))
    .unwrap();
    let [_, mail, department, manager, since, tags, cn] = mapping.user.rows.as_slice() else { panic!() };
    let selectors = &mail.scim.as_ref().unwrap().selectors;
    assert_eq!(selectors.len(), 2);
    assert_eq!(department.lookup.as_ref().unwrap().to_ldap(&"S".into()), Some("2"));
    assert_eq!(department.place.to_string(), "mapping.toml:8:1");
    let by = &manager.reference.as_ref().unwrap().by;
    assert_eq!(by[0], ReferenceKey::Id);
    assert_eq!(by[1], ReferenceKey::Path(AttributePath::core("userName")));
    assert_eq!(manager.scim.as_ref().unwrap().path.sub.as_deref(), Some("value"));
    assert_eq!((since.codec, since.reads(), since.writes()), (Codec::GeneralizedTime, true, false));
    assert!(tags.only_if.is_some() && tags.scim.as_ref().unwrap().multi_valued);
    assert_eq!(cn.direction, Direction::ToLdap);
    let (path, custom) = mapping.user.schema.resolve(&tags.scim.as_ref().unwrap().path).unwrap();
    assert_eq!(path.to_string(), "urn:example:hr:2.0:User:tags");
    assert!(custom.multi_valued);
    assert!(mapping.user.served.urns().any(|urn| urn == "urn:example:hr:2.0:User"));
}

#[test]
fn names_prove_uniqueness_only_where_they_can() {
    let unique = |keys: &str| {
        let text = with_rows("").replace("rdn =", &format!("{keys}\nrdn ="));
        parse(&text).unwrap().user.unique
    };
    assert_eq!(unique(""), Unique::Naming);
    assert_eq!(unique("unique = \"search\""), Unique::Search);
    assert_eq!(unique("delete = { move_to = \"ou=gone,{base_dn}\" }"), Unique::Search);
    assert_eq!(unique("disable = { move_to = \"ou=gone,{base_dn}\" }"), Unique::Search);
    let template = with_rows("").replace("ou=people,", "ou={{ department }},ou=people,");
    assert_eq!(parse(&template).unwrap().user.unique, Unique::Search);
}

#[test]
fn a_base_may_depend_on_the_user() {
    let mapping = parse(&with_rows("").replace("ou=people,", "ou={{ department }},ou=people,")).unwrap();
    let urn = crate::scim::schema::ENTERPRISE_URN;
    let resource = serde_json::json!({ urn: { "department": "R, D" } });
    let parent = mapping.user.base.parent_for(resource.as_object().unwrap()).unwrap();
    assert_eq!(parent.as_str(), "ou=R\\, D,ou=people,dc=example,dc=com");
    assert_eq!(mapping.user.base.root().as_str(), "ou=people,dc=example,dc=com");
}

#[test]
fn the_filter_defaults_to_the_last_object_class() {
    assert_eq!(parse(&with_rows("")).unwrap().user.filter.to_string(), "(objectClass=inetOrgPerson)");
}

/// What is wrong, and a row that is.
const WRONG_ROWS: &[(&str, &str)] = &[
    ("unknown attribute", "{ scim = \"username2\", ldap = \"x\" }"),
    ("unknown part", "{ scim = \"name.givnName\", ldap = \"x\" }"),
    ("part without its attribute", "{ scim = \"givenName\", ldap = \"x\" }"),
    ("attribute of one's own without URN", "{ scim = \"shoeSize\", ldap = \"x\" }"),
    ("not a URN", "{ scim = \"example:hr:role\", ldap = \"x\" }"),
    (
        "one letter off in a known URN",
        "{ scim = \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departmant\", ldap = \"x\" }",
    ),
    ("a schema", "{ scim = \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\", ldap = \"x\" }"),
    ("parts of one's own", "{ scim = \"urn:example:x:role.value\", ldap = \"x\" }"),
    ("not a path", "{ scim = \"emails[type eq\", ldap = \"x\" }"),
    ("the bridge's own attribute", "{ scim = \"active\", ldap = \"x\" }"),
    ("complex", "{ scim = \"name\", ldap = \"x\" }"),
    ("which element", "{ scim = \"emails.value\", ldap = \"x\" }"),
    ("selector on one value", "{ scim = 'title[type eq \"work\"]', ldap = \"x\" }"),
    ("no simple selector", "{ scim = 'emails[type sw \"w\"].value', ldap = \"x\" }"),
    ("unknown part in selector", "{ scim = 'emails[typ eq \"work\"].value', ldap = \"x\" }"),
    ("multi on one value", "{ scim = \"title\", ldap = \"x\", multi = true }"),
    ("neither scim nor value", "{ ldap = \"x\", fallback = \"y\" }"),
    ("no ldap", "{ scim = \"title\" }"),
    ("no LDAP name", "{ scim = \"title\", ldap = \"job title\" }"),
    ("computed and read", "{ ldap = \"x\", value = \"y\", direction = \"both\" }"),
    ("required but computed", "{ ldap = \"x\", value = \"y\", required = true, default = \"z\" }"),
    (
        "required but only read",
        "{ scim = \"title\", ldap = \"x\", direction = \"from-ldap\", required = true, fallback = \"x\" }",
    ),
    ("unknown codec", "{ scim = \"title\", ldap = \"x\", as = \"bool\" }"),
    ("codec of another type", "{ scim = \"title\", ldap = \"x\", as = \"boolean\" }"),
    ("password read back", "{ scim = \"password\", ldap = \"userPassword\", direction = \"both\" }"),
    ("password that is none", "{ scim = \"title\", ldap = \"x\", as = \"password\" }"),
    ("case of a date", "{ scim = \"urn:example:x:since\", ldap = \"x\", as = \"filetime\", case = \"lower\" }"),
    ("default not allowed", "{ scim = \"title\", ldap = \"x\", one_of = [\"a\", \"b\"], default = \"c\" }"),
    ("default of another type", "{ scim = \"urn:example:x:n\", ldap = \"x\", as = \"integer\", default = \"many\" }"),
    ("default a list", "{ scim = \"title\", ldap = \"x\", default = [\"a\"] }"),
    ("nothing allowed", "{ scim = \"title\", ldap = \"x\", one_of = [] }"),
    ("lookup not one to one", "{ scim = \"title\", ldap = \"x\", lookup = { a = \"1\", b = \"1\" } }"),
    ("lookup incomplete", "{ scim = \"title\", ldap = \"x\", one_of = [\"a\", \"b\"], lookup = { a = \"1\" } }"),
    (
        "lookup of a reference",
        "{ scim = \"manager\", ldap = \"manager\", reference = { to = \"user\" }, lookup = { a = \"1\" } }",
    ),
    ("lookup of numbers", "{ scim = \"title\", ldap = \"x\", lookup = { a = 1 } }"),
    ("reference to nothing", "{ scim = \"manager\", ldap = \"manager\", reference = { to = \"group\" } }"),
    (
        "reference by what isn't read",
        "{ scim = \"manager\", ldap = \"manager\", reference = { to = \"user\", by = [\"externalId\"] } }",
    ),
    ("reference without to", "{ scim = \"manager\", ldap = \"manager\", reference = { by = [\"id\"] } }"),
    ("unknown key", "{ scim = \"title\", ldap = \"x\", requird = true }"),
    ("template syntax", "{ ldap = \"x\", value = \"{{ name.givenName\" }"),
    ("template filter", "{ ldap = \"x\", value = \"Dr. {{ userName | uper }}\" }"),
    ("template of unknown attribute", "{ ldap = \"x\", value = \"{{ givenName }}\" }"),
    ("template in wrong spelling", "{ ldap = \"x\", value = \"{{ username }}\" }"),
    ("condition that is no filter", "{ scim = \"title\", ldap = \"x\", only_if = \"userType = Employee\" }"),
    ("condition on unknown attribute", "{ scim = \"title\", ldap = \"x\", only_if = \"userTipe pr\" }"),
    ("number without an end", "{ ldap = \"x\", next = { from = 20000 } }"),
    ("numbers the wrong way round", "{ ldap = \"x\", next = { from = 9, to = 1 } }"),
    ("numbers below nothing", "{ ldap = \"x\", next = { from = 1, to = 9, below = \"people\" } }"),
    ("a number and a default", "{ ldap = \"x\", next = { from = 1, to = 9 }, value = \"7\", when = \"if-empty\" }"),
    ("a number as text", "{ ldap = \"x\", next = { from = 1, to = 9 }, as = \"text\" }"),
    (
        "a number for a switch",
        "{ scim = 'emails[type eq \"work\"].primary', ldap = \"x\", next = { from = 1, to = 9 } }",
    ),
    (
        "a number that is only read",
        "{ scim = \"title\", ldap = \"x\", next = { from = 1, to = 9 }, direction = \"from-ldap\" }",
    ),
    ("names of groups without groups", "{ scim = \"groups\", ldap = \"x\" }"),
    (
        "names of groups in other words",
        "{ scim = \"groups\", ldap = \"x\", separator = \"\", show = \"name\", as = \"text\" }",
    ),
    ("written twice", "{ scim = \"title\", ldap = \"x\" },\n{ scim = \"nickName\", ldap = \"X\" }"),
    ("written by a key", "{ scim = \"title\", ldap = \"objectClass\" }"),
];

/// A `[group]` table with one more row.
fn with_group(rows: &str, row_of_group: &str) -> String {
    with_rows(rows)
        + &format!(
            "[group]\nbase = \"ou=groups,{{base_dn}}\"\nobject_class = [\"groupOfNames\"]\nrdn = \"cn\"\n\
             members = \"member\"\nattributes = [{{ scim = \"displayName\", ldap = \"cn\", required = true }}, \
             {row_of_group}]\n"
        )
}

#[test]
fn the_names_of_a_users_groups_go_into_an_attribute_of_their_own() {
    let row = "{ scim = \"groups\", ldap = \"departmentNumber\", show = \"externalId\", indirect = true }";
    let refused = |text: &str| parse(text).map(|_| ()).expect_err(text).to_string();
    assert!(refused(&with_group(row, "")).contains("no row of the [group] table reads `externalId`"));
    let with_id = "{ scim = \"externalId\", ldap = \"businessCategory\" }";
    let names = parse(&with_group(row, with_id)).unwrap().user.group_names;
    let [names] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!((names.separator.as_str(), names.show, names.indirect), (";", GroupName::ExternalId, true));
    let twice = format!("{row},\n{{ scim = \"title\", ldap = \"departmentNumber\" }}");
    assert!(refused(&with_group(&twice, with_id)).contains("is written by the row in line"));
    let id = row.replace("departmentNumber", "entryUUID");
    assert!(refused(&with_group(&id, with_id)).contains("is written by the key `id`"));
}

#[test]
fn only_users_are_in_groups_of_groups() {
    let nested = |table: &str, value: &str| {
        let text =
            with_group("", "").replacen(&format!("[{table}]\n"), &format!("[{table}]\nnested_groups = {value}\n"), 1);
        parse(&text).map(|mapping| mapping.user.nested_groups).map_err(|refused| refused.to_string())
    };
    assert_eq!((nested("user", "true"), nested("user", "false")), (Ok(true), Ok(false)));
    assert!(nested("group", "true").unwrap_err().contains("about the groups of users"));
    let names = with_group("", "")
        .replacen("[user]\n", "[user]\nnested_groups = true\n", 1)
        .replace("\"member\"", "\"memberUid\"");
    assert!(!parse(&names).unwrap().user.nested_groups, "names are those of users");
}

#[test]
fn rows_that_can_never_work_are_explained() {
    let shown: Vec<String> = WRONG_ROWS.iter().map(|(what, row)| format!("## {what}\n{}\n", complaint(row))).collect();
    assert_snapshot!(shown.join("\n"));
}

#[test]
fn keys_that_can_never_work_are_explained() {
    let cases = [
        ("no table", complaint_of_file("")),
        ("base with a wrong name", complaint_about_keys("base = \"people\"")),
        ("base in the wrong braces", complaint_about_keys("base = \"ou=people,{{ base_dn }}\"")),
        ("base template syntax", complaint_about_keys("base = \"ou={{ title. }},{base_dn}\"")),
        ("base of unknown attribute", complaint_about_keys("base = \"ou={{ departement }},{base_dn}\"")),
        ("base without end", complaint_about_keys("base = \"ou={{ title }}\"")),
        ("filter", complaint_about_keys("filter = \"(objectClass=inetOrgPerson\"")),
        ("object class", complaint_about_keys("object_class = \"top, person\"")),
        ("no object class", complaint_about_keys("object_class = []")),
        ("rdn nobody writes", complaint_about_keys("rdn = \"cn\"")),
        ("disable", complaint_about_keys("disable = \"lock\"")),
        ("disable by attribute", complaint_about_keys("disable = { atribute = \"x\", enabled = \"y\" }")),
        ("disable by moving", complaint_about_keys("disable = { move_to = \"disabled\" }")),
        (
            "disable by an attribute of a row",
            complaint_about_keys("disable = { attribute = \"uid\", disabled = \"x\" }"),
        ),
        ("delete", complaint_about_keys("delete = \"remove\"")),
        ("delete by disabling", complaint_about_keys("delete = \"disable\"")),
        ("members of a user", complaint_about_keys("members = \"member\"")),
        ("unique", complaint_about_keys("unique = true")),
        ("no userName", complaint_about_keys("attributes = [{ scim = \"title\", ldap = \"uid\", required = true }]")),
        (
            "userName not read",
            complaint_about_keys(
                "attributes = [{ scim = \"userName\", ldap = \"uid\", required = true, direction = \"to-ldap\" }]",
            ),
        ),
        ("rdn without value", complaint_about_keys("attributes = [{ scim = \"userName\", ldap = \"uid\" }]")),
        ("attributes as a table", complaint_about_keys("attributes = { userName = \"uid\" }")),
        (
            "a group that is disabled",
            complaint_of_file(&format!("{}[group]\ndisable = \"ppolicy\"\ndelete = \"disable\"\n", with_rows(""))),
        ),
    ];
    let shown: Vec<String> = cases.iter().map(|(what, complaint)| format!("## {what}\n{complaint}\n")).collect();
    assert_snapshot!(shown.join("\n"));
}

fn complaint_of_file(text: &str) -> String {
    parse(text).map(|_| ()).expect_err("file").to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_reader_never_panics_on_a_slip_in_a_shipped_file(at in 0usize..9000, cut in 0usize..12, put in "[\\PC\"{}\\[\\]=,.\\n]{0,3}") {
        let path = format!("{}/conf/mapping/openldap.toml", env!("CARGO_MANIFEST_DIR"));
        let mut text = std::fs::read_to_string(path).unwrap();
        let (from, to) = (at.min(text.len()), (at + cut).min(text.len()));
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            text.replace_range(from..to, &put);
        }
        if let Err(diagnostics) = parse(&text) {
            prop_assert!(diagnostics.count() > 0 && !diagnostics.to_string().is_empty());
        }
    }
}
