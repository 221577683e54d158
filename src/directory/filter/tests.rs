use proptest::prelude::*;

use super::*;

fn name(text: &str) -> AttributeName {
    AttributeName::parse(text).unwrap()
}

fn parsed(text: &str) -> Filter {
    Filter::parse(text).unwrap()
}

#[test]
fn a_value_with_everything_special_in_it_is_escaped() {
    let value = "O'Brien, \"J\" (*) <ö> \\ \0";
    let filter = Filter::equal(&name("cn"), value);
    assert_eq!(filter.to_string(), "(cn=O'Brien, \"J\" \\28\\2a\\29 <ö> \\5c \\00)");
    assert_eq!(parsed(&filter.to_string()), filter);
    assert_eq!(Filter::escaped("a*b)"), "a\\2ab\\29");
}

#[test]
fn bytes_that_are_no_text_are_escaped() {
    let filter = Filter::Equal(name("objectGUID"), vec![0xde, 0xff, 0x00, b'a', b'*']);
    assert_eq!(filter.to_string(), "(objectGUID=\\de\\ff\\00a\\2a)");
    assert_eq!(parsed(&filter.to_string()), filter);
}

#[test]
fn every_kind_of_item_is_read_and_written() {
    for text in [
        "(&(objectClass=user)(!(objectClass=computer)))",
        "(|(uid=a)(mail=a@example.com)(cn=a*b*c))",
        "(cn=*b)",
        "(cn=a*)",
        "(cn=*b*)",
        "(cn=*)",
        "(cn=)",
        "(cn=a= b)",
        "(modifyTimestamp>=20240101000000Z)",
        "(uidNumber<=1000)",
        "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        "(cn:caseExactMatch:=A)",
        "(2.5.4.3=x)",
        "(cn;lang-de=x)",
    ] {
        assert_eq!(parsed(text).to_string(), text);
    }
}

#[test]
fn blanks_between_components_and_missing_outer_parentheses_are_forgiven() {
    assert_eq!(parsed(" (& (a=b)\n  (c=d ) ) ").to_string(), "(&(a=b)(c=d ))");
    assert_eq!(parsed("objectClass=person").to_string(), "(objectClass=person)");
}

#[test]
fn degenerate_filters_are_written_so_that_every_server_knows_them() {
    assert_eq!(Filter::And(vec![]).to_string(), "(objectClass=*)");
    assert_eq!(Filter::Or(vec![]).to_string(), "(!(objectClass=*))");
    assert_eq!(Filter::never().to_string(), "(!(objectClass=*))");
    let empty = |part: &str| Some(part.as_bytes().to_vec());
    let filter = Filter::Substrings { attribute: name("cn"), initial: empty(""), any: vec![vec![]], last: None };
    assert_eq!(filter.to_string(), "(cn=*)");
}

#[test]
fn a_rule_cannot_break_out_of_its_place() {
    let rule = String::from("1.2:=3)(uid=*");
    let filter = Filter::Matches { attribute: name("cn"), rule, value: b"x".to_vec() };
    assert_eq!(filter.to_string(), "(cn:unknown:=x)");
    assert!(Filter::parse(&filter.to_string()).is_ok());
}

#[test]
fn a_range_of_values_is_left_off() {
    assert_eq!(Filter::Present(name("member;range=0-1")).to_string(), "(member=*)");
}

#[test]
fn a_text_that_is_no_filter_is_refused_with_the_column() {
    for (text, column) in [
        ("", 1),
        ("(", 2),
        ("()", 2),
        ("(cn=a", 6),
        ("(cn=a))", 7),
        ("(cn=a)(b=c)", 7),
        ("(&(cn=a)", 9),
        ("(cn~=a)", 4),
        ("(cn=a(b)", 6),
        ("(cn=\\2)", 5),
        ("(cn=\\zz)", 5),
        ("(cn=a**b)", 9),
        ("(cn>=a*)", 7),
        ("(cn:dn:=a", 10),
        ("(cn:=a)", 5),
        ("(ü=a)", 2),
        ("(!cn=a)", 3),
        ("(cn a)", 4),
    ] {
        let fault = Filter::parse(text).expect_err(text);
        assert_eq!(fault.column, column, "{fault}");
    }
}

#[test]
fn nesting_ends_somewhere() {
    let nested = |depth: usize| [&"(!".repeat(depth), "(a=b)", &")".repeat(depth)].concat();
    assert!(Filter::parse(&nested(63)).is_ok());
    assert!(Filter::parse(&nested(64)).unwrap_err().reason.contains("nested"));
    assert!(Filter::parse(&nested(100_000)).is_err());
}

/// Filters of any shape over any bytes, in the form that reading yields.
fn filters() -> impl Strategy<Value = Filter> {
    let attribute = || "[a-zA-Z][a-zA-Z0-9-]{0,6}(;[a-z]{1,3})?".prop_map(|text| name(&text));
    let bytes = || proptest::collection::vec(any::<u8>(), 1..8);
    let item = prop_oneof![
        (attribute(), proptest::collection::vec(any::<u8>(), 0..8)).prop_map(|(at, value)| Filter::Equal(at, value)),
        (attribute(), any::<String>()).prop_map(|(at, value)| Filter::GreaterOrEqual(at, value.into_bytes())),
        (attribute(), any::<String>()).prop_map(|(at, value)| Filter::LessOrEqual(at, value.into_bytes())),
        attribute().prop_map(Filter::Present),
        (attribute(), bytes()).prop_map(|(attribute, value)| Filter::Matches {
            attribute,
            rule: "1.2.3".into(),
            value
        }),
        (attribute(), bytes(), proptest::collection::vec(bytes(), 0..3), proptest::option::of(bytes())).prop_map(
            |(attribute, initial, any, last)| Filter::Substrings { attribute, initial: Some(initial), any, last }
        ),
    ];
    item.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn every_filter_is_read_back_as_it_was_written(filter in filters()) {
        prop_assert_eq!(parsed(&filter.to_string()), filter);
    }

    #[test]
    fn the_wire_library_understands_every_filter(filter in filters()) {
        prop_assert!(ldap3::parse_filter(filter.to_string()).is_ok());
    }

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = Filter::parse(&text);
    }
}

#[test]
fn what_holds_for_no_entry_is_known_without_asking() {
    for never in
        ["(!(objectClass=*))", "(&(a=b)(!(objectClass=*)))", "(|(!(objectClass=*))(&(!(objectClass=*))(a=b)))", "(|)"]
    {
        assert!(parsed(never).is_never(), "{never}");
    }
    for perhaps in ["(a=b)", "(objectClass=*)", "(&)", "(!(a=*))", "(|(a=b)(!(objectClass=*)))"] {
        assert!(!parsed(perhaps).is_never(), "{perhaps}");
    }
}
