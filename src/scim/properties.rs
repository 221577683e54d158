//! What holds for any input.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::schema::ENTERPRISE_URN;
use super::{
    AttributePath, Comparison, Filter, Literal, Op, Patch, PatchPath, Projection, Query, Resource, ResourceKind,
    ResourceSchema,
};

fn schema() -> ResourceSchema {
    ResourceSchema::standard(ResourceKind::User)
}

/// Text that is likely to be taken for something.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        4 => prop::sample::select(vec![
            "userName", "emails", "[", "]", "(", ")", " ", " eq ", " and ", " or ", "not ", "\"", "\"a\"", ".value", "true",
            " pr", "type", ":", ENTERPRISE_URN, "urn:x:y", "manager", ".", "\\", "-1", "1.5e3", "null", "\0", "é", "😀", ",",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "userName", "USERNAME", "name", "givenName", "emails", "value", "type", "primary", "active", "members", "id",
            "schemas", "meta", "groups", "manager", "x509Certificates", "addresses", "Operations", "op", "path",
            "name.givenName", "emails[type eq \"work\"].value", ENTERPRISE_URN, "urn:scim:schemas:core:1.0", "password",
        ]).prop_map(str::to_owned),
        1 => fragments(),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["", " ", "work", "home", "True", "a@b", "add", "remove", "Replace"])
            .prop_map(Value::from),
        fragments().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys(), inner), 0..5).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn operations() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        3 => prop::sample::select(vec![
            "userName", "name", "name.givenName", "emails", "emails.value", "emails[type eq \"work\"]", "title", "active",
            "emails[type eq \"work\"].value", "emails[primary eq true].type", "manager", "manager.value", "roles", ENTERPRISE_URN,
            "emails[not (type eq \"work\")].value", "addresses[type eq \"home\"].locality", "password", "unknown.part",
        ]).prop_map(str::to_owned),
        1 => fragments(),
    ];
    let op = prop::sample::select(vec!["add", "Remove", "REPLACE", "replace"]);
    let operation =
        (op, prop::option::of(path), prop::option::weighted(0.8, values())).prop_map(|(op, path, value)| {
            let mut operation = Map::from_iter([("op".to_owned(), Value::from(op))]);
            operation.extend(path.map(|path| ("path".to_owned(), path.into())));
            operation.extend(value.map(|value| ("value".to_owned(), value)));
            Value::Object(operation)
        });
    prop::collection::vec(operation, 1..5).prop_map(|operations| json!({ "Operations": operations }))
}

fn users() -> impl Strategy<Value = Resource> {
    users_with(0)
}

fn users_with(least_emails: usize) -> impl Strategy<Value = Resource> {
    let emails = prop::collection::vec(
        ("[a-c]@[xy]", prop::sample::select(vec!["work", "home"]), any::<bool>()),
        least_emails..4,
    );
    (emails, prop::option::of("[A-Z][a-z]{0,5}"), any::<bool>(), prop::option::of("m[0-9]")).prop_map(
        |(emails, given, active, manager)| {
            let emails: Vec<Value> = emails
                .into_iter()
                .map(|(value, kind, primary)| json!({ "value": value, "type": kind, "primary": primary }))
                .collect();
            let body = json!({
                "userName": "u", "name": { "givenName": given, "familyName": "F" }, "active": active, "emails": emails,
                (ENTERPRISE_URN): { "manager": manager },
            });
            Resource::from_client(body, &schema()).unwrap()
        },
    )
}

fn literals() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_filter("no NUL", |text| !text.contains('\0')).prop_map(Literal::String),
        any::<i64>().prop_map(Literal::Integer),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Literal::Decimal),
        any::<bool>().prop_map(Literal::Boolean),
    ]
}

/// Comparisons with attributes that no schema knows, for which any literal will do.
fn comparisons(names: Vec<&'static str>) -> impl Strategy<Value = Filter> {
    let path = prop::sample::select(names).prop_map(|name| AttributePath::parse(name, &schema()).unwrap());
    let op = prop::sample::select(vec![Comparison::Eq, Comparison::Ne, Comparison::Sw, Comparison::Ge]);
    (path, op, prop::option::of(literals())).prop_map(|(path, op, value)| match value {
        Some(value) => Filter::Compare { path, op, value },
        None => Filter::Present(path),
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    let names = vec!["shoeSize", "not", "pr", "a-b.c_d", "urn:example:2.0:User:x.y", "$ref"];
    let within = || combined(comparisons(vec!["x", "and", "or"]).boxed());
    let complex =
        (prop::sample::select(vec!["shoes", "urn:example:2.0:User:list"]), within()).prop_map(|(name, filter)| {
            Filter::Complex { path: AttributePath::parse(name, &schema()).unwrap(), filter: Box::new(filter) }
        });
    combined(prop_oneof![3 => comparisons(names), 1 => complex].boxed())
}

fn combined(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = || prop::collection::vec(inner.clone(), 2..4);
        let flat = |parts: Vec<Filter>, is_same: fn(&Filter) -> bool| !parts.iter().any(is_same);
        prop_oneof![
            several()
                .prop_filter("read as one list", move |it| flat(it.clone(), |part| matches!(part, Filter::And(_))))
                .prop_map(Filter::And),
            several()
                .prop_filter("read as one list", move |it| flat(it.clone(), |part| matches!(part, Filter::Or(_))))
                .prop_map(Filter::Or),
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
    .boxed()
}

proptest! {
    #[test]
    fn a_filter_that_is_written_down_reads_back_the_same(filter in filters()) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text, &schema()).map_err(|fault| format!("{text}: {fault}")), Ok(filter));
    }

    #[test]
    fn what_was_read_as_a_filter_reads_back_the_same(text in fragments()) {
        if let Ok(filter) = Filter::parse(&text, &schema()) {
            prop_assert_eq!(Filter::parse(&filter.to_string(), &schema()).unwrap(), filter);
        }
    }

    #[test]
    fn not_and_ne_are_opposites(user in users(), filter in filters(), text in "[a-cuF@xy]{0,3}") {
        let schema = schema();
        let negated = Filter::Not(Box::new(filter.clone()));
        prop_assert_ne!(filter.matches(&user, &schema), negated.matches(&user, &schema));
        let holds = |op: &str| {
            Filter::parse(&format!("emails.value {op} \"{text}\""), &schema).unwrap().matches(&user, &schema)
        };
        prop_assert_ne!(holds("eq"), holds("ne"));
    }

    #[test]
    fn any_text_is_read_or_refused_as_a_path(text in fragments()) {
        let schema = schema();
        if let Ok(path) = AttributePath::parse(&text, &schema) {
            prop_assert_eq!(AttributePath::parse(&path.to_string(), &schema).unwrap(), path);
        }
        if let Ok(path) = PatchPath::parse(&text, &schema) {
            prop_assert_eq!(PatchPath::parse(&path.to_string(), &schema).unwrap(), path);
        }
        let _ = Projection::new(Some(&text), Some(&text), &schema);
        let _ = Query::from_pairs([("filter", text.as_str()), ("sortBy", text.as_str())].into_iter(), &schema);
    }

    #[test]
    fn what_was_read_from_a_client_is_read_the_same_again(body in values()) {
        for kind in [ResourceKind::User, ResourceKind::Group] {
            let schema = ResourceSchema::standard(kind);
            if let Ok(resource) = Resource::from_client(body.clone(), &schema) {
                let again = Resource::from_client(Value::Object(resource.as_map().clone()), &schema).unwrap();
                prop_assert_eq!(again, resource);
            }
        }
    }

    #[test]
    fn any_body_is_read_or_refused(body in values()) {
        let _ = Patch::from_client(body.clone(), &schema());
        let _ = Query::from_search_request(body, &schema());
    }

    #[test]
    fn a_patched_resource_is_one_that_a_client_could_have_sent(user in users(), body in operations()) {
        let schema = schema();
        let before = user.clone();
        if let Ok(patch) = Patch::from_client(body, &schema)
            && let Ok(changed) = patch.apply(&user, &schema)
        {
            let again = Resource::from_client(Value::Object(changed.as_map().clone()), &schema).unwrap();
            prop_assert_eq!(again, changed);
        }
        prop_assert_eq!(user, before);
    }

    #[test]
    fn a_patch_changes_all_or_nothing(user in users(), body in operations()) {
        let schema = schema();
        if let Ok(mut patch) = Patch::from_client(body, &schema) {
            let path = PatchPath::parse("emails[type ne \"work\" and type ne \"home\"].value", &schema).unwrap();
            patch.operations.push(super::Operation { op: Op::Remove, path: Some(PatchPath::Attribute {
                path: AttributePath::core("emails"), filter: None }), value: None });
            patch.operations.push(super::Operation { op: Op::Replace, path: Some(path), value: Some("x".into()) });
            let before = user.clone();
            prop_assert!(patch.apply(&user, &schema).is_err());
            prop_assert_eq!(user, before);
        }
    }

    #[test]
    fn operations_without_a_path_do_what_those_with_one_do(user in users(), value in values(), key in keys()) {
        let schema = schema();
        let run = |operation: Value| {
            let patch = Patch::from_client(json!({ "Operations": [operation] }), &schema).ok()?;
            patch.apply(&user, &schema).ok()
        };
        let without = run(json!({ "op": "replace", "value": { key.clone(): value.clone() } }));
        if let Some(with) = run(json!({ "op": "replace", "path": key, "value": value })) {
            // An empty path is no path, so its value is taken apart.
            prop_assert!(without == Some(with) || key.trim().is_empty());
        }
    }

    #[test]
    fn what_is_added_and_removed_again_was_never_there(user in users(), name in "[p-z]{1,4}") {
        let schema = schema();
        let value = json!([{ "value": format!("{name}@new") }]);
        let body = json!({ "Operations": [
            { "op": "add", "path": "emails", "value": value.clone() },
            { "op": "remove", "path": "emails", "value": value },
        ] });
        let changed = Patch::from_client(body, &schema).unwrap().apply(&user, &schema).unwrap();
        prop_assert_eq!(changed, user);
    }

    #[test]
    fn what_is_removed_and_added_again_is_there_once(user in users_with(1), pick in any::<prop::sample::Index>()) {
        let schema = schema();
        let emails = AttributePath::core("emails");
        let before: Vec<Value> = user.values(&emails).into_iter().cloned().collect();
        let picked = pick.get(&before).clone();
        let body = json!({ "Operations": [
            { "op": "remove", "path": "emails", "value": [picked.clone()] },
            { "op": "add", "path": "emails", "value": [picked.clone()] },
            { "op": "add", "path": "emails", "value": [picked.clone()] },
        ] });
        let changed = Patch::from_client(body, &schema).unwrap().apply(&user, &schema).unwrap();
        let after = changed.values(&emails);
        prop_assert_eq!(after.len(), before.len());
        prop_assert_eq!(after.last().copied(), Some(&picked));
    }

    #[test]
    fn a_patch_applied_twice_is_applied_once(user in users(), body in operations()) {
        let schema = schema();
        let Ok(patch) = Patch::from_client(body, &schema) else { return Ok(()) };
        // Of one operation alone: a later one may undo what an earlier one looks for.
        let Some(first) = patch.operations.first() else { return Ok(()) };
        let patch = Patch { operations: vec![first.clone()] };
        if let Ok(once) = patch.apply(&user, &schema)
            && let Ok(twice) = patch.apply(&once, &schema)
        {
            // Two addresses that are told apart by nothing but a type become one when it goes, and that one may have
            // a type to lose.
            let emails = AttributePath::core("emails");
            let takes_types = first.op == Op::Remove
                && matches!(&first.path, Some(PatchPath::Attribute { path, .. }) if path.sub.as_deref() == Some("type"));
            prop_assume!(!takes_types || once.values(&emails).len() == user.values(&emails).len());
            prop_assert_eq!(twice, once);
        }
    }
}
