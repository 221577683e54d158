use super::*;

const ONE: &str = "00112233-4455-6677-8899-aabbccddeeff";

fn users(text: &str) -> Question {
    Question { kinds: vec![ResourceKind::User], text: text.to_owned(), plain: text.is_empty() }
}

fn ids(count: usize) -> Arc<Vec<Id>> {
    Arc::new(vec![Id::new(ResourceKind::User, ONE); count])
}

fn kind(fault: Fault) -> FaultKind {
    let Fault::Request(fault) = fault else { panic!("{fault}") };
    fault.kind
}

#[test]
fn a_cursor_goes_through_its_text_and_needs_no_escaping() {
    let first = Snapshots::default().keep_for_cursor(users(""), ids(3)).unwrap();
    let second = first.moved_to(2).unwrap();
    let text = second.to_text();
    assert_eq!(Cursor::parse(&text).unwrap(), second);
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{text}");
}

#[test]
fn what_is_no_cursor_is_invalid() {
    for text in ["x", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(kind(Cursor::parse(text).unwrap_err()), FaultKind::InvalidCursor, "{text}");
    }
}

#[test]
fn a_cursor_is_good_for_its_own_question_and_within_its_list() {
    let snapshots = Snapshots::default();
    let cursor = snapshots.keep_for_cursor(users("a"), ids(3)).unwrap();
    assert_eq!(snapshots.open(cursor, &users("a")).unwrap().len(), 3);
    let invalid = |cursor, question| kind(snapshots.open(cursor, &question).unwrap_err());
    assert_eq!(invalid(cursor, users("b")), FaultKind::InvalidCursor);
    assert_eq!(invalid(cursor.moved_to(3).unwrap(), users("a")), FaultKind::InvalidCursor);
    let groups = Question { kinds: vec![ResourceKind::Group], text: "a".into(), plain: false };
    assert_eq!(invalid(cursor, groups), FaultKind::InvalidCursor);
    let unknown = Cursor { list: Uuid::new_v4(), at: 0 };
    assert_eq!(invalid(unknown, users("a")), FaultKind::ExpiredCursor);
}

#[test]
fn lists_are_kept_for_their_time_after_the_last_use() {
    let mut store = Store::default();
    let begun = Instant::now();
    let list = Uuid::new_v4();
    assert!(store.keep(Purpose::Cursor(list), users("c"), ids(1), store.mark(), begun));
    assert!(store.keep(Purpose::Index, users("i"), ids(1), store.mark(), begun));
    let mut has =
        |purpose: Purpose, after: Duration| store.find(|kept| kept.purpose == purpose, begun + after).is_some();
    assert!(has(Purpose::Index, INDEX_IDLE));
    assert!(has(Purpose::Index, INDEX_IDLE * 2), "each use counts");
    assert!(!has(Purpose::Index, INDEX_IDLE * 3 + Duration::from_secs(1)));
    assert!(has(Purpose::Cursor(list), CURSOR_TIMEOUT));
    assert!(has(Purpose::Cursor(list), CURSOR_TIMEOUT * 2));
    assert!(!has(Purpose::Cursor(list), CURSOR_TIMEOUT * 3 + Duration::from_secs(1)));
    assert_eq!(store.bytes, 0);
}

#[test]
fn a_list_that_is_read_by_number_does_not_grow_old_however_often_it_is_used() {
    let mut store = Store::default();
    let begun = Instant::now();
    store.keep(Purpose::Index, users(""), ids(1), store.mark(), begun);
    let mut after = Duration::ZERO;
    while after + INDEX_IDLE <= INDEX_AGE {
        after += INDEX_IDLE;
        assert!(store.find(|_| true, begun + after).is_some(), "{after:?}");
    }
    assert!(store.find(|_| true, begun + INDEX_AGE + Duration::from_secs(1)).is_none());
}

#[test]
fn what_was_not_used_for_the_longest_time_makes_room() {
    let mut store = Store::default();
    let now = Instant::now();
    for number in 0..MOST {
        store.keep(Purpose::Index, users(&number.to_string()), ids(1), store.mark(), now);
    }
    store.find(|kept| kept.question == users("0"), now);
    store.keep(Purpose::Index, users("new"), ids(1), store.mark(), now);
    let has = |text: &str| store.kept.iter().any(|kept| kept.question == users(text));
    assert_eq!(store.kept.len(), MOST);
    assert!(has("0") && has("new") && !has("1"));
}

#[test]
fn the_lists_of_a_tenant_take_no_more_memory_than_they_may() {
    let mut store = Store::default();
    let now = Instant::now();
    let million = ids(1_000_000);
    assert_eq!(million.iter().map(Id::bytes).sum::<usize>(), 24_000_000);
    for number in 0..5 {
        assert!(store.keep(Purpose::Index, users(&number.to_string()), Arc::clone(&million), store.mark(), now));
        assert!(store.bytes <= MOST_BYTES);
    }
    assert_eq!(store.kept.len(), 2);
    assert!(
        !store.keep(Purpose::Index, users("huge"), ids(3_000_000), store.mark(), now),
        "one that is too large is not kept"
    );
    assert_eq!(store.kept.len(), 2);
    let fault = Snapshots::default().keep_for_cursor(users("huge"), ids(3_000_000)).unwrap_err();
    assert_eq!(kind(fault), FaultKind::TooMany);
}

#[test]
fn a_write_ends_pages_of_filtered_lists_of_its_kind_and_leaves_cursors_alone() {
    let snapshots = Snapshots::default();
    let of = |kinds: &[ResourceKind]| Question { kinds: kinds.to_vec(), ..users("filter") };
    let (groups, both) = (of(&[ResourceKind::Group]), of(&[ResourceKind::User, ResourceKind::Group]));
    for question in [users("filter"), groups.clone(), both.clone()] {
        snapshots.keep_for_index(snapshots.mark(), question, ids(2));
    }
    let cursor = snapshots.keep_for_cursor(users("filter"), ids(2)).unwrap();
    snapshots.written(ResourceKind::User, Effect::Changed);
    assert!(snapshots.recall(&users("filter")).is_none());
    assert!(snapshots.recall(&both).is_none());
    assert!(snapshots.recall(&groups).is_some());
    assert!(snapshots.open(cursor, &users("filter")).is_ok());
}

#[test]
fn a_filtered_list_that_was_begun_before_a_write_is_not_used_for_pages_by_number() {
    let snapshots = Snapshots::default();
    let mark = snapshots.mark();
    snapshots.written(ResourceKind::User, Effect::Changed);
    snapshots.keep_for_index(mark, users("filter"), ids(2));
    assert!(snapshots.recall(&users("filter")).is_none());
    snapshots.keep_for_index(snapshots.mark(), users("filter"), ids(2));
    assert_eq!(snapshots.recall(&users("filter")).unwrap().len(), 2);
    snapshots.forget(&users("filter"));
    assert!(snapshots.recall(&users("filter")).is_none());
}

#[test]
fn a_list_of_everybody_goes_on_after_writes_with_those_who_came_and_without_those_who_went() {
    let snapshots = Snapshots::default();
    let id = |text: &str| Id::new(ResourceKind::User, text);
    let texts = |snapshots: &Snapshots| {
        snapshots.recall(&users("")).map(|ids| ids.iter().map(|id| id.text().into_owned()).collect::<String>())
    };
    let mark = snapshots.mark();
    snapshots.written(ResourceKind::User, Effect::Added(id("b")));
    snapshots.keep_for_index(mark, users(""), Arc::new(["a", "c"].map(id).to_vec()));
    assert_eq!(texts(&snapshots).unwrap(), "abc", "somebody came while the list was made");
    snapshots.written(ResourceKind::User, Effect::Removed(id("a")));
    snapshots.written(ResourceKind::Group, Effect::Unknown);
    snapshots.written(ResourceKind::User, Effect::Changed);
    assert_eq!(texts(&snapshots).unwrap(), "bc");
    assert_eq!(snapshots.lock().bytes, bytes(&users(""), &["b", "c"].map(id)));
    snapshots.written(ResourceKind::User, Effect::Unknown);
    assert!(texts(&snapshots).is_none());
    assert_eq!(snapshots.lock().bytes, 0);
}
