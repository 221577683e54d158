use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::index::{Turned, Waiting, Waits};
use super::words::setting;
use crate::bridge::Action;
use crate::mapping::Unmet;
use crate::scim::{AttributePath, Op, Operation, Patch, PatchPath};
use crate::store::{OwedItem, State};

const URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn manager() -> AttributePath {
    AttributePath { schema: Some(URN.to_owned()), attribute: "manager".to_owned(), sub: Some("value".to_owned()) }
}

fn waits(number: i64, resource: &str, text: &str) -> Waits {
    Waits::new(resource, &Unmet { path: manager(), text: text.to_owned() }, 0).numbered(number)
}

fn member(id: &str) -> Unmet {
    Unmet { path: AttributePath::core("members"), text: id.to_owned() }
}

/// A group that goes without this member since item 5.
fn without(id: &str) -> Waiting {
    let waiting = Waiting::default();
    waiting.add([Waits::new("staff", &member(id), 5).numbered(9)]);
    waiting
}

fn members(op: Op, value: Option<Value>) -> Action {
    let path = PatchPath::Attribute { path: AttributePath::core("members"), filter: None };
    let operation = Operation { op, path: Some(path), value };
    Action::Patch { id: "staff".to_owned(), patch: Patch { operations: vec![operation] } }
}

fn patched(path: PatchPath) -> Action {
    let operation = Operation { op: Op::Remove, path: Some(path), value: None };
    Action::Patch { id: "7".to_owned(), patch: Patch { operations: vec![operation] } }
}

fn attribute(path: AttributePath) -> Action {
    patched(PatchPath::Attribute { path, filter: None })
}

#[test]
fn what_a_client_says_of_the_attribute_ends_the_waiting_and_nothing_else_does() {
    let waits = waits(1, "7", "Boss");
    assert!(waits.is_ended_by(&Action::Delete { id: "7".to_owned() }));
    assert!(waits.is_ended_by(&attribute(manager())));
    assert!(waits.is_ended_by(&attribute(AttributePath { sub: None, ..manager() })));
    assert!(waits.is_ended_by(&patched(PatchPath::Extension(URN.to_owned()))));
    assert!(!waits.is_ended_by(&attribute(AttributePath { attribute: "department".to_owned(), ..manager() })));
    assert!(!waits.is_ended_by(&attribute(AttributePath::core("manager"))));
    assert!(!waits.is_ended_by(&patched(PatchPath::Extension(format!("{URN}s")))));
}

#[test]
fn an_item_that_waits_is_known_again_after_a_restart() {
    let waits = waits(3, "7", "Boss@Example.com");
    let (resource, touches) = (waits.resource.clone(), waits.touches());
    let kept = OwedItem { number: 3, resource, touches, state: State::Waiting };
    assert_eq!(Waits::of(kept.clone()), Some(waits));
    assert_eq!(Waits::of(OwedItem { state: State::Owed, ..kept }), None);
}

#[test]
fn a_membership_waits_until_somebody_says_otherwise_of_that_member_or_of_all() {
    let waiting = without("Ada-7");
    let ended = |action: &Action| !waiting.ended_by("staff", action, Some(6)).is_empty();
    let one = |id: &str| Some(json!([{ "value": id }]));
    assert!(ended(&members(Op::Remove, one("Ada-7"))));
    assert!(ended(&members(Op::Add, one("Ada-7"))));
    assert!(ended(&members(Op::Remove, None)));
    assert!(ended(&members(Op::Replace, one("bob"))));
    assert!(ended(&Action::Delete { id: "staff".to_owned() }));
    assert!(!ended(&members(Op::Remove, one("bob"))));
    assert!(!ended(&members(Op::Add, one("bob"))));
    assert!(!ended(&attribute(AttributePath::core("displayName"))));
}

#[test]
fn what_an_item_has_left_out_is_none_of_the_business_of_earlier_items() {
    let waiting = without("ada");
    let gone = members(Op::Remove, None);
    assert!(waiting.ended_by("staff", &gone, Some(4)).is_empty());
    assert!(waiting.ended_by("staff", &gone, Some(5)).is_empty());
    assert_eq!(waiting.ended_by("staff", &gone, Some(6)), [9]);
    assert_eq!(waiting.ended_by("staff", &gone, None), [9]);
}

#[test]
fn a_member_that_waited_is_added_beside_the_others_and_a_manager_is_set() {
    let op = |unmet: &Unmet| setting(unmet).operations.first().map(|it| (it.op, it.value.clone()));
    assert_eq!(op(&member("ada")), Some((Op::Add, Some(json!([{"value": "ada"}])))));
    assert_eq!(op(&Unmet { path: manager(), text: "ada".to_owned() }), Some((Op::Replace, Some(json!("ada")))));
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, u8),
    Forget(usize),
    Said(u8),
    Came(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8, 0..3_u8).prop_map(|(who, whom)| Step::Add(who, whom)),
        (0..20_usize).prop_map(Step::Forget),
        (0..4_u8).prop_map(Step::Said),
        (0..3_u8).prop_map(Step::Came),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn the_index_finds_what_a_list_of_all_that_waits_holds(steps in steps()) {
        let index = Waiting::default();
        let mut list: Vec<(i64, String, String)> = Vec::new();
        let mut number = 0;
        for step in steps {
            match step {
                Step::Add(who, whom) => {
                    number += 1;
                    index.add([waits(number, &who.to_string(), &format!("Boss{whom}"))]);
                    list.push((number, who.to_string(), format!("boss{whom}")));
                }
                Step::Forget(at) => {
                    if let Some(gone) = list.get(at).map(|it| it.0) {
                        index.forget(&[gone]);
                        list.remove(at);
                    }
                }
                Step::Said(who) => {
                    let wanted: Vec<i64> = list.iter().filter(|it| it.1 == who.to_string()).map(|it| it.0).collect();
                    let ended = index.ended_by(&who.to_string(), &attribute(manager()), None);
                    prop_assert_eq!(&ended, &wanted);
                    index.turn(Turned { ended, added: Vec::new() });
                    list.retain(|it| it.1 != who.to_string());
                }
                Step::Came(whom) => {
                    let words = format!("boss{whom}");
                    let wanted: Vec<i64> = list.iter().filter(|it| it.2 == words).map(|it| it.0).collect();
                    prop_assert_eq!(index.named(&HashSet::from([words])), wanted);
                }
            }
            prop_assert_eq!(index.is_empty(), list.is_empty());
        }
    }
}
