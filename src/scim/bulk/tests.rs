use serde_json::json;

use super::*;

fn bulk(operations: &Value) -> Bulk {
    Bulk::from_client(json!({ "Operations": operations })).unwrap()
}

fn post(bulk_id: &str, data: &Value) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data })
}

fn refers_to(names: &[&str]) -> Value {
    let members: Vec<Value> = names.iter().map(|name| json!({ "value": format!("bulkId:{name}") })).collect();
    json!({ "members": members })
}

/// Carries everything out. What a POST makes has its bulkId in capital letters as its id.
fn run(bulk: &Bulk, fails: &[usize]) -> Vec<Step> {
    let mut schedule = Schedule::new(&bulk.operations);
    let mut steps = Vec::new();
    while let Some(step) = schedule.next_step() {
        let made = matches!(step.what, What::Perform { .. }) && !fails.contains(&step.index);
        if !matches!(step.what, What::Amend { .. }) {
            let id = bulk.operations[step.index].bulk_id.clone().filter(|_| made);
            schedule.made(step.index, id.map(|id| id.to_uppercase()));
        }
        steps.push(step);
        assert!(steps.len() < 100, "goes on for ever");
    }
    steps
}

fn order(steps: &[Step]) -> Vec<usize> {
    steps.iter().map(|step| step.index).collect()
}

fn sent(step: &Step) -> (&str, &Value) {
    match &step.what {
        What::Perform { path, data: Some(data) } | What::Amend { path, data } => (path, data),
        other => panic!("{other:?}"),
    }
}

fn refused(step: &Step) -> &Refusal {
    let What::Refuse(refusal) = &step.what else { panic!("{step:?}") };
    refusal
}

#[test]
fn a_request_is_read_with_names_in_any_case() {
    let body = json!({
        "SCHEMAS": 5, "failonerrors": "2",
        "operations": [{"Method": "post", "PATH": " /Users ", "BulkId": "a", "Version": "W/\"1\"", "Data": {}, "x": 1}],
    });
    let bulk = Bulk::from_client(body).unwrap();
    assert_eq!(bulk.fail_on_errors, Some(2));
    let operation = &bulk.operations[0];
    let texts = (operation.method.as_str(), operation.path.as_str(), operation.bulk_id.as_deref());
    assert_eq!(texts, ("POST", "/Users", Some("a")));
    assert_eq!((operation.version.as_deref(), &operation.data), (Some("W/\"1\""), &Some(json!({}))));
    assert_eq!(operation.fault, None);
}

#[test]
fn a_request_that_is_none_is_refused_as_a_whole() {
    for (body, kind) in [
        (json!([]), FaultKind::InvalidSyntax),
        (json!({}), FaultKind::InvalidSyntax),
        (json!({ "Operations": [] }), FaultKind::InvalidSyntax),
        (json!({ "Operations": {} }), FaultKind::InvalidSyntax),
        (json!({ "Operations": [{}], "failOnErrors": 0 }), FaultKind::InvalidValue),
        (json!({ "Operations": [{}], "failOnErrors": -1 }), FaultKind::InvalidValue),
        (json!({ "Operations": [{}], "failOnErrors": 1.5 }), FaultKind::InvalidValue),
        (json!({ "Operations": [{}], "failOnErrors": true }), FaultKind::InvalidValue),
    ] {
        assert_eq!(Bulk::from_client(body.clone()).unwrap_err().kind, kind, "{body}");
    }
}

#[test]
fn what_is_wrong_with_one_operation_concerns_that_one_alone() {
    let bulk = bulk(&json!([
        5,
        {},
        {"method": "POST"},
        {"method": "POST", "path": "/Users"},
        {"method": 7, "path": "/Users"},
        {"method": "POST", "path": "/Users", "bulkId": "a/b"},
        {"method": "DELETE", "path": "/Users/1"},
        post("a", &json!({})),
        post("a", &json!({})),
    ]));
    let steps = run(&bulk, &[]);
    assert_eq!(order(&steps), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let wrong: Vec<bool> = steps.iter().map(|step| matches!(step.what, What::Refuse(Refusal::Wrong(_)))).collect();
    assert_eq!(wrong, [true, true, true, true, true, true, false, false, true]);
}

#[test]
fn an_operation_waits_for_what_it_refers_to() {
    let bulk = bulk(&json!([
        post("group", &refers_to(&["late", "early"])),
        {"method": "PATCH", "path": "/Groups/bulkId:group?attributes=id", "data": {"Operations": [
            {"op": "remove", "path": "members[value eq \"bulkId:early\"]"}]}},
        post("early", &json!({})),
        post("late", &json!({})),
    ]));
    let steps = run(&bulk, &[]);
    assert_eq!(order(&steps), [2, 3, 0, 1]);
    assert_eq!(sent(&steps[2]).1, &json!({ "members": [{ "value": "LATE" }, { "value": "EARLY" }] }));
    let (path, data) = sent(&steps[3]);
    assert_eq!(path, "/Groups/GROUP?attributes=id");
    assert_eq!(data["Operations"][0]["path"], "members[value eq \"EARLY\"]");
}

#[test]
fn operations_on_one_resource_stay_in_their_order() {
    let bulk = bulk(&json!([
        {"method": "PUT", "path": "/Groups/7", "data": refers_to(&["a"])},
        {"method": "DELETE", "path": "/groups/7/"},
        post("a", &json!({})),
        {"method": "DELETE", "path": "/Groups/8"},
    ]));
    assert_eq!(order(&run(&bulk, &[])), [2, 0, 1, 3]);
}

#[test]
fn on_a_circle_one_is_made_without_references_and_gets_them_as_soon_as_possible() {
    let bulk = bulk(&json!([
        post("a", &json!({"displayName": "A", "members": [{"value": "bulkId:b", "type": "Group"}, {"value": "7"}]})),
        post("b", &refers_to(&["a"])),
        post("c", &json!({})),
    ]));
    let steps = run(&bulk, &[]);
    assert_eq!(order(&steps), [2, 0, 1, 0]);
    assert_eq!(sent(&steps[1]).1, &json!({ "displayName": "A", "members": [{ "value": "7" }] }));
    assert_eq!(sent(&steps[2]).1, &json!({ "members": [{ "value": "A" }] }));
    let (path, body) = sent(&steps[3]);
    let addition = json!({ "op": "add", "path": "members", "value": [{ "value": "B", "type": "Group" }] });
    assert_eq!((path, body), ("/Users/A", &json!({ "Operations": [addition] })));
}

#[test]
fn a_reference_to_oneself_and_one_inside_an_extension_are_added_afterwards() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let bulk = bulk(&json!([post("a", &json!({ urn: { "manager": { "value": "bulkId:a" }, "department": "R&D" } }))]));
    let steps = run(&bulk, &[]);
    assert_eq!(sent(&steps[0]).1[urn], json!({ "manager": null, "department": "R&D" }));
    let addition = json!({ "op": "add", "path": format!("{urn}:manager"), "value": { "value": "A" } });
    assert_eq!(sent(&steps[1]).1, &json!({ "Operations": [addition] }));
}

#[test]
fn long_circles_and_what_hangs_on_them_come_to_an_end() {
    let names: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    let mut operations: Vec<Value> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let next = &names[(at + 1) % names.len()];
        operations.push(post(&format!("before-{name}"), &refers_to(&[name, &format!("before-{next}")])));
        operations.push(post(name, &refers_to(&[next])));
    }
    let bulk = bulk(&json!(operations));
    let steps = run(&bulk, &[]);
    let performed = steps.iter().filter(|step| matches!(step.what, What::Perform { .. })).count();
    let amended = steps.iter().filter(|step| matches!(step.what, What::Amend { .. })).count();
    assert_eq!((performed, amended), (40, 2), "one on each circle is made in two steps");
    assert!(!steps.iter().any(|step| format!("{step:?}").contains("bulkId:")), "no reference is left");
}

#[test]
fn who_refers_to_what_was_not_made_is_refused_too() {
    let operations = bulk(&json!([
        post("a", &refers_to(&["b"])),
        post("b", &json!({})),
        {"method": "DELETE", "path": "/Users/bulkId:a"},
        {"method": "PUT", "path": "/Users/1", "data": refers_to(&["nobody"])},
    ]));
    let steps = run(&operations, &[1]);
    assert_eq!(order(&steps), [1, 0, 2, 3]);
    for (step, said) in [(&steps[1], "\"b\" was not made"), (&steps[2], "\"a\" was not made"), (&steps[3], "No POST")] {
        let Refusal::Unresolved(reason) = refused(step) else { panic!("{step:?}") };
        assert!(reason.contains(said), "{reason}");
    }
}

#[test]
fn a_circle_that_does_not_close_is_told_to_whom_it_concerns() {
    let bulk = bulk(&json!([post("a", &refers_to(&["b"])), post("b", &refers_to(&["a"]))]));
    let steps = run(&bulk, &[1]);
    assert_eq!(order(&steps), [0, 1, 0]);
    assert!(matches!(refused(&steps[2]), Refusal::Unresolved(_)));
    let steps = run(&bulk, &[0]);
    assert_eq!(order(&steps), [0, 1], "what failed is not amended");
    assert!(matches!(refused(&steps[1]), Refusal::Unresolved(_)));
}

#[test]
fn whoever_halts_is_told_what_was_not_begun_and_still_owes_references() {
    let bulk = bulk(&json!([post("a", &refers_to(&["b"])), post("b", &refers_to(&["a"])), post("c", &json!({}))]));
    let mut schedule = Schedule::new(&bulk.operations);
    assert_eq!(schedule.next_step().unwrap().index, 2);
    schedule.made(2, Some("C".into()));
    assert_eq!(schedule.next_step().unwrap().index, 0);
    schedule.made(0, Some("A".into()));
    assert_eq!(schedule.halt(), [1]);
    let last = schedule.next_step().unwrap();
    assert_eq!(last.index, 0);
    assert!(matches!(refused(&last), Refusal::Unresolved(_)));
    assert_eq!(schedule.next_step(), None);
}

#[test]
fn an_answer_has_its_status_as_text_and_no_member_without_a_value() {
    let operation = &bulk(&json!([post("a", &json!({}))])).operations[0];
    let outcome = Outcome { status: 201, location: Some("https://x/Users/1".into()), ..Outcome::default() };
    let expected = json!({"location": "https://x/Users/1", "method": "POST", "bulkId": "a", "status": "201"});
    assert_eq!(operation.answer(outcome), expected);
    let failed = Outcome { status: 400, response: Some(json!({})), ..Outcome::default() };
    assert_eq!(operation.answer(failed)["response"], json!({}));
}
