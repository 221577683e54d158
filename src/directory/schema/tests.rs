use super::*;

const ATTRIBUTES: [&str; 8] = [
    "( 2.5.4.41 NAME 'name' DESC 'RFC4519: common supertype of name attributes' EQUALITY caseIgnoreMatch SUBSTR \
     caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
    "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'it\\27s a \\5c' SUP name )",
    "( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP NAME )",
    "( 2.5.18.1 NAME 'createTimestamp' EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "(2.5.4.35 NAME 'userPassword' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40{128} X-ORIGIN ( 'a' 'b' ))",
    "( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 2.5.4.31 NAME 'member' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' )",
    "( nsAccountLock-oid NAME 'nsAccountLock' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN '389' USAGE directoryOperation )",
];

const CLASSES: [&str; 6] = [
    "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
    "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( surname $ cn ) MAY ( userPassword $ description ) )",
    "( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP person MAY ( mail$ uid ) )",
    "( 1.3.6.1.4.1.1466.101.120.111 NAME 'extensibleObject' SUP top AUXILIARY )",
    "( 1.2.840.113556.1.5.9 NAME 'user' SUP person STRUCTURAL MAY (member) )",
    "( 1.2.840.113556.1.5.6 NAME 'securityPrincipal' SUP top AUXILIARY MUST (sAMAccountName ) )",
];

const RULES: [&str; 1] = ["( 1.2.840.113556.1.5.9 NAME 'user' AUX ( securityPrincipal ) MAY ( createTimestamp ) )"];

fn view() -> SchemaView {
    SchemaView::parse(ATTRIBUTES, CLASSES, RULES)
}

fn names(found: &BTreeSet<AttributeName>) -> Vec<&str> {
    found.iter().map(AttributeName::as_str).collect()
}

#[test]
fn a_type_takes_over_what_it_leaves_to_its_superior() {
    let view = view();
    let cn = view.attribute("commonname").unwrap();
    assert_eq!(cn.names, ["cn", "commonName"]);
    assert_eq!(cn.equality.as_deref(), Some("caseIgnoreMatch"));
    assert_eq!(cn.syntax.as_deref(), Some("1.3.6.1.4.1.1466.115.121.1.15"));
    assert_eq!((cn.length, cn.single_value), (Some(32768), false));
    assert_eq!(view.attribute("2.5.4.4").unwrap().substring.as_deref(), Some("caseIgnoreSubstringsMatch"));
}

#[test]
fn operational_single_valued_and_untouchable_attributes_are_told_apart() {
    let view = view();
    let created = view.attribute("CREATETIMESTAMP").unwrap();
    assert!(created.single_value && created.no_user_modification && created.operational);
    let password = view.attribute("userPassword;x-a").unwrap();
    assert!(!password.single_value && !password.operational);
    assert_eq!(password.length, Some(128));
    assert!(view.attribute("nsaccountlock").unwrap().operational);
    assert!(view.attribute("nothing").is_none());
}

#[test]
fn the_quoted_syntax_of_active_directory_is_read() {
    let view = view();
    let name = view.attribute("samaccountname").unwrap();
    assert_eq!(name.syntax.as_deref(), Some("1.3.6.1.4.1.1466.115.121.1.15"));
    assert!(name.single_value && name.equality.is_none());
}

#[test]
fn what_an_entry_must_and_may_have_comes_from_all_superiors() {
    let view = view();
    assert_eq!(names(&view.must_of(&["INETORGPERSON"])), ["cn", "objectClass", "sn"]);
    assert_eq!(names(&view.may_of(&["inetOrgPerson"])), ["description", "mail", "uid", "userPassword"]);
    assert!(view.must_of(&["unheardOf"]).is_empty());
    assert_eq!(view.object_class("person").unwrap().kind, ClassKind::Structural);
    assert_eq!(view.object_class("extensibleobject").unwrap().kind, ClassKind::Auxiliary);
}

#[test]
fn content_rules_bring_their_auxiliary_classes_along() {
    let view = view();
    assert_eq!(names(&view.must_of(&["user"])), ["cn", "objectClass", "sAMAccountName", "sn"]);
    assert!(view.may_of(&["user"]).contains(&AttributeName::literal("createTimestamp")));
}

#[test]
fn an_attribute_is_allowed_under_any_of_its_names() {
    let view = view();
    assert!(view.allows(&["person"], "surname") && view.allows(&["person"], "sn"));
    assert!(!view.allows(&["person"], "member"));
    assert!(view.allows(&["person", "extensibleObject"], "member"));
    assert!(view.allows(&["person"], "nsAccountLock"));
    assert!(!view.allows(&["person", "extensibleObject"], "unheardOf"));
}

#[test]
fn a_definition_that_cannot_be_read_is_left_out_and_a_circle_comes_to_an_end() {
    let broken = ["", "(", "( )", "1.2 NAME 'x'", "( 1.2 NAME 'x", "( 1.2 NAME ( 'x' )", "( 1.2 NAME ( ( 'x' ) ) )"];
    let view = SchemaView::parse(broken, broken, broken);
    assert_eq!((view.attributes().count(), view.object_classes().count()), (0, 0));
    let circle = SchemaView::parse(
        ["( 1.1 NAME 'a' SUP b )", "( 1.2 NAME 'b' SUP a )"],
        ["( 2.1 NAME 'c' SUP d MUST a )", "( 2.2 NAME 'd' SUP c MUST b )"],
        [],
    );
    assert_eq!(names(&circle.must_of(&["c"])), ["a", "b"]);
    assert_eq!(circle.attribute("a").unwrap().syntax, None);
}
