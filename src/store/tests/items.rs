use super::*;

#[tokio::test]
async fn an_item_comes_back_as_it_was_pushed() {
    alone(|session| {
        let number = session.push(&item("user 7"))?;
        let expected = Item {
            number,
            asked: item("user 7"),
            state: State::Owed,
            reason: None,
            since: 1000,
            attempts: 0,
            started: false,
        };
        assert_eq!(session.item(number)?, Some(expected.clone()));
        assert_eq!(session.items(&ItemQuery::default())?, [expected]);
        assert_eq!(session.item(number + 1)?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_becomes_of_an_item_is_kept_with_it() {
    alone(|session| {
        let number = session.push(&item("user 7"))?;
        assert!(session.note_attempt(number, Some("the directory is busy"), 1100)?);
        assert!(session.note_attempt(number, Some("and again"), 1200)?);
        session.mark_started(&[number, number + 5])?;
        assert!(session.set_payload(number, b"other")?);
        assert!(session.set_state(number, State::Parked, Some("sn is missing"), 1300)?);
        let found = session.item(number)?.unwrap();
        assert_eq!((found.attempts, found.started, found.state, found.since), (2, true, State::Parked, 1300));
        assert_eq!(found.reason.as_deref(), Some("sn is missing"));
        assert_eq!(found.asked, NewItem { payload: b"other".to_vec(), ..item("user 7") });
        assert!(session.set_state(number, State::Owed, None, 1400)?);
        assert_eq!(session.item(number)?.unwrap().reason, None);
        let nobody = number + 1;
        assert!(!session.set_state(nobody, State::Held, None, 1)? && !session.note_attempt(nobody, None, 1)?);
        assert!(!session.set_payload(nobody, b"")?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn items_are_found_by_space_state_and_resource_in_the_order_of_their_numbers() {
    alone(|session| {
        let mut numbers = Vec::new();
        for (space, resource) in [("okta", "u1"), ("okta", "u2"), ("entra", "u1"), ("okta", "u1"), ("okta", "u3")] {
            numbers.push(session.push(&NewItem { space: space.into(), ..item(resource) })?);
        }
        session.set_state(numbers[0], State::Held, None, 1)?;
        session.set_state(numbers[4], State::Held, None, 1)?;
        let all = ItemQuery::default;
        let okta = || Some("okta".to_owned());
        let found = |query: ItemQuery| -> Result<Vec<usize>, StoreFault> {
            let items = session.items(&query)?.into_iter();
            Ok(items.map(|item| numbers.iter().position(|number| *number == item.number).unwrap()).collect())
        };
        assert_eq!(found(all())?, [0, 1, 2, 3, 4]);
        assert_eq!(found(ItemQuery { limit: 2, after: numbers[0], ..all() })?, [1, 2]);
        assert_eq!(found(ItemQuery { space: okta(), ..all() })?, [0, 1, 3, 4]);
        assert_eq!(found(ItemQuery { state: Some(State::Held), ..all() })?, [0, 4]);
        assert_eq!(found(ItemQuery { resource: Some("u1".into()), ..all() })?, [0, 2, 3]);
        let one = ItemQuery { space: okta(), state: Some(State::Owed), resource: Some("u1".into()), ..all() };
        assert_eq!(found(one)?, [3]);
        assert_eq!(found(ItemQuery { space: Some("nobody".into()), ..all() })?, [0; 0]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_tally_counts_by_state_and_knows_the_oldest_that_is_owed() {
    alone(|session| {
        assert_eq!(session.tally(None)?, Tally::default());
        let mut numbers = Vec::new();
        for at in 0..5 {
            let space = if at == 4 { "entra" } else { "okta" };
            numbers.push(session.push(&NewItem { space: space.into(), asked_at: 100 + at, ..item("u") })?);
        }
        session.set_state(numbers[0], State::Parked, None, 1)?;
        session.set_state(numbers[1], State::Held, None, 1)?;
        assert_eq!(session.tally(Some("okta"))?, Tally { owed: 2, parked: 1, held: 1, waiting: 0, oldest: Some(102) });
        assert_eq!(session.tally(None)?, Tally { owed: 3, parked: 1, held: 1, waiting: 0, oldest: Some(102) });
        assert_eq!(session.tally(Some("entra"))?.oldest, Some(104));
        assert_eq!(session.remove(&numbers)?, 5);
        assert_eq!(session.remove(&numbers)?, 0);
        assert_eq!(session.tally(None)?, Tally::default());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_number_is_never_used_again() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let first = store.write(Durability::Soon, async |it| it.push(&item("u"))).await.unwrap();
    store.write(Durability::Soon, async move |it| it.remove(&[first])).await.unwrap();
    drop(store);
    let second = scratch.open().await.write(Durability::Soon, async |it| it.push(&item("u"))).await.unwrap();
    assert!(second > first);
}

#[tokio::test]
async fn an_index_of_thousands_of_items_is_built_without_their_payload() {
    alone(|session| {
        let mut expected = Vec::new();
        for number in 0..2500 {
            let resource = format!("u{}", number % 7);
            expected.push((session.push(&item(&resource))?, resource));
        }
        session.push(&NewItem { space: "entra".into(), ..item("u1") })?;
        session.set_state(expected[9].0, State::Parked, None, 1)?;
        let mut seen = Vec::new();
        session.owed_resources("okta", None, &mut |owed| {
            assert_eq!(owed.touches, item("u").touches);
            assert_eq!(owed.state == State::Parked, owed.number == expected[9].0);
            // Who is shown an item may ask for more.
            assert!(session.item(owed.number).unwrap().is_some());
            seen.push((owed.number, owed.resource));
        })?;
        assert_eq!(seen, expected);
        let mut parked = Vec::new();
        session.owed_resources("okta", Some(State::Parked), &mut |owed| parked.push(owed.number))?;
        assert_eq!(parked, [expected[9].0]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_last_item_of_a_space_is_found_by_its_state() {
    alone(|session| {
        let numbers: Vec<i64> = (0..4).map(|_| session.push(&item("u"))).collect::<Result<_, _>>()?;
        session.push(&NewItem { space: "entra".into(), ..item("u") })?;
        session.set_state(numbers[1], State::Parked, None, 1)?;
        session.set_state(numbers[3], State::Waiting, None, 1)?;
        assert_eq!(session.last_item("okta", &[State::Owed, State::Parked, State::Held])?, Some(numbers[2]));
        assert_eq!(session.last_item("okta", &[State::Parked])?, Some(numbers[1]));
        assert_eq!(session.last_item("okta", &[State::Held])?, None);
        Ok(())
    })
    .await;
}
