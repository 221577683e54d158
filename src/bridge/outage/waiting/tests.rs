use proptest::prelude::*;

use super::*;

const URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn manager() -> AttributePath {
    AttributePath { schema: Some(URN.to_owned()), attribute: "manager".to_owned(), sub: Some("value".to_owned()) }
}

fn waits(number: i64, resource: &str, text: &str) -> Waits {
    Waits::new(number, resource, &Unmet { path: manager(), text: text.to_owned() })
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
                    let ended = index.ended_by(&who.to_string(), &attribute(manager()));
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
