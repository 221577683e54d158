use proptest::prelude::*;

use super::*;

const NASTY: &str = " O'Brien, \"J\" #1 <ö> +=;\\ \0\t ";

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn name(text: &str) -> AttributeName {
    AttributeName::parse(text).unwrap()
}

#[test]
fn a_value_with_everything_special_in_it_comes_back_unchanged() {
    let child = dn("ou=people,dc=example").child(&name("cn"), NASTY);
    assert_eq!(child.as_str(), "cn=\\ O'Brien\\, \\\"J\\\" #1 \\<ö\\> \\+\\=\\;\\\\ \\00\\09\\ ,ou=people,dc=example");
    let read = dn(child.as_str());
    assert_eq!(read.rdn().unwrap().value_of(&name("CN")), Some(NASTY));
    assert_eq!(read.as_str(), child.as_str());
}

#[test]
fn a_leading_hash_is_text_only_when_escaped() {
    assert_eq!(Dn::root().child(&name("cn"), "#1").as_str(), "cn=\\#1");
    let encoded = dn("cn=#0C0161,dc=x");
    assert_eq!(encoded.as_str(), "cn=#0c0161,dc=x");
    assert_eq!(encoded.rdn().unwrap().value_of(&name("cn")), None);
    assert_ne!(encoded, dn("cn=\\#0c0161,dc=x"));
}

#[test]
fn names_of_the_same_entry_are_equal() {
    let one = dn("cn=Åsa  Berg,ou=People,dc=example,dc=com");
    for other in [
        "CN=åsa berg , OU = people, dc=EXAMPLE,dc=com",
        "cn=\\C3\\85sa Berg,ou=People,dc=example,dc=com",
        "commonName=Åsa Berg\\20,2.5.4.11=People,domainComponent=example,dc=com",
    ] {
        assert_eq!(one, dn(other), "{other}");
    }
    assert_ne!(one, dn("cn=ÅsaBerg,ou=People,dc=example,dc=com"));
    assert_eq!(dn("cn=a+uid=b,dc=x"), dn("uid=B + cn=A,dc=x"));
    assert_ne!(dn("cn=a\\,dc=x"), dn("cn=a,dc=x"));
    assert_ne!(dn("cn=a\\+uid=b"), dn("cn=a+uid=b"));
}

#[test]
fn within_means_equal_or_below_and_is_not_fooled_by_an_escaped_comma() {
    let base = dn("ou=people,dc=example");
    assert!(base.is_within(&base));
    assert!(dn("cn=a,OU=people,dc=example").is_within(&base));
    assert!(base.is_within(&Dn::root()));
    assert!(!dn("dc=example").is_within(&base));
    assert!(!dn("cn=a\\,ou=people,dc=example").is_within(&base));
    assert!(!dn("ou=morepeople,dc=example").is_within(&dn("ou=people,dc=example")));
    assert!(!dn("xou=people,dc=example").is_within(&base));
}

#[test]
fn a_name_can_be_taken_apart_and_put_together() {
    let user = dn("uid=jo+cn=Jo,ou=people,dc=example");
    assert_eq!(user.parent().unwrap(), dn("ou=people,dc=example"));
    assert_eq!(Dn::root().parent(), None);
    assert_eq!(Dn::root().rdn(), None);
    assert_eq!(dn("dc=example").parent(), Some(Dn::root()));
    let renamed = user.rdn().unwrap().replacing(&name("UID"), "joe, jr");
    assert_eq!(user.with_rdn(&renamed).as_str(), "uid=joe\\, jr+cn=Jo,ou=people,dc=example");
    assert_eq!(user.rdn().unwrap().replacing(&name("mail"), "x").to_string(), "mail=x");
    assert_eq!(user.moved_under(&dn("ou=left,dc=example")).as_str(), "uid=jo+cn=Jo,ou=left,dc=example");
    assert_eq!(Rdn::single(&name("cn;lang-de"), "x").to_string(), "cn=x");
}

#[test]
fn a_text_that_is_no_name_is_refused_with_the_column() {
    for (text, column) in [
        ("people", 7),
        ("=x", 1),
        ("cn=a,", 6),
        ("cn=a,,dc=x", 6),
        ("cn=é;b", 5),
        ("cn=a\\", 6),
        ("cn=a\\z", 6),
        ("cn=#0", 5),
        ("cn=#0c01 x", 10),
        ("cn=\"a\"", 4),
        ("cn;x=a", 3),
        ("cn=a+", 6),
        ("1=a", 1),
        ("cn=<a", 4),
    ] {
        let fault = Dn::parse(text).expect_err(text);
        assert_eq!(fault.column, column, "{fault}");
    }
    assert_eq!(dn("   "), Dn::root());
}

#[test]
fn blanks_around_separators_do_not_reach_the_wire() {
    assert_eq!(dn(" cn = a b , dc = x ").as_str(), "cn=a b,dc=x");
}

#[test]
fn a_value_can_be_escaped_for_a_name_put_together_as_text() {
    let text = ["ou=", &Rdn::escaped("R&D, \"Süd\""), ",dc=x"].concat();
    assert_eq!(dn(&text).rdn().unwrap().value_of(&name("ou")), Some("R&D, \"Süd\""));
}

#[test]
fn bytes_that_are_no_text_survive() {
    let read = dn("cn=a\\ff\\00,dc=x");
    assert_eq!(read.as_str(), "cn=a\\ff\\00,dc=x");
    assert_eq!(read.rdn().unwrap().value_of(&name("cn")), None);
}

proptest! {
    #[test]
    fn any_value_survives_the_way_through_a_name(value in any::<String>(), parent in any::<String>()) {
        let above = dn("dc=example").child(&name("ou"), &parent);
        let child = above.child(&name("cn"), &value);
        let read = dn(child.as_str());
        prop_assert_eq!(&read, &child);
        prop_assert_eq!(read.normal_form(), child.normal_form());
        let rdn = read.rdn().unwrap();
        prop_assert_eq!(rdn.value_of(&name("cn")), Some(value.as_str()));
        prop_assert_eq!(read.parent().unwrap(), above.clone());
        prop_assert!(read.is_within(&above) && !above.is_within(&read));
    }

    #[test]
    fn two_values_of_the_same_case_and_spacing_only_are_equal(value in "[a-zA-Z,+#=\\\\ é]{0,12}") {
        let one = Dn::root().child(&name("cn"), &value);
        prop_assert_eq!(&one, &Dn::root().child(&name("CN"), &format!(" {} ", value.to_uppercase())));
        prop_assert_ne!(&one, &Dn::root().child(&name("cn"), &format!("{value}x")));
    }

    #[test]
    fn the_short_way_and_the_full_way_of_reading_agree(text in "[a-cA-C=,+ \\\\#.é]{0,24}") {
        if let Some(normal) = parse::plain(&text) {
            let full = Dn::from_rdns(&parse::rdns(&text).unwrap());
            prop_assert_eq!(full.normal_form(), normal);
            prop_assert_eq!(full.as_str(), text);
        }
    }

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = Dn::parse(&text);
    }
}
