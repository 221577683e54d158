use super::*;

fn with_fields(key: &str, fields: &[(&str, &str)]) -> Document {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Document { fields, ..document(key, "body") }
}

#[tokio::test]
async fn a_document_is_replaced_with_its_fields_but_keeps_its_row_and_links() {
    alone(|session| {
        let row = session.put("s", &with_fields("k", &[("name", "ada"), ("mail", "a@b"), ("name", "ada")]))?;
        session.add_links(row, "members", &[b"m1".to_vec()])?;
        let newer = Document { stamp: 7, body: b"newer".to_vec(), ..with_fields("k", &[("name", "eva")]) };
        assert_eq!(session.put("s", &newer)?, row);
        let stored = Stored { row, key: b"k".to_vec(), body: b"newer".to_vec(), stamp: 7 };
        assert_eq!(session.document("s", b"k")?, Some(stored.clone()));
        assert_eq!(session.with_field("s", "name", b"eva")?, vec![stored.clone()]);
        assert_eq!(session.with_field("s", "members", b"m1")?, [stored]);
        for (name, value) in [("name", "ada"), ("mail", "a@b"), ("name", "ev"), ("mail", "eva")] {
            assert_eq!(session.with_field("s", name, value.as_bytes())?, [], "{name} {value}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn spaces_do_not_see_each_other() {
    alone(|session| {
        let here = session.put("here", &with_fields("k", &[("name", "ada")]))?;
        let there = session.put("there", &with_fields("k", &[("name", "ada")]))?;
        assert_ne!(here, there);
        assert_eq!(session.with_field("here", "name", b"ada")?.len(), 1);
        assert_eq!(session.clear("here")?, 1);
        assert_eq!((session.count("here")?, session.count("there")?), (0, 1));
        assert_eq!(session.with_field("there", "name", b"ada")?.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn keys_with_a_prefix_come_in_order_and_page_by_page() {
    alone(|session| {
        for key in [&b"a"[..], b"ab", b"ab\0", b"abc", b"ab\xff", b"ab\xff\xff", b"ac", b"\xff", b"\xff\xff"] {
            session.put("s", &Document { key: key.to_vec(), ..Document::default() })?;
        }
        let found = |prefix: &[u8], after: Option<&[u8]>, limit| -> Result<Vec<Vec<u8>>, StoreFault> {
            Ok(session.with_prefix("s", prefix, after, limit)?.into_iter().map(|it| it.key).collect())
        };
        assert_eq!(found(b"ab", None, 9)?, [&b"ab"[..], b"ab\0", b"abc", b"ab\xff", b"ab\xff\xff"]);
        assert_eq!(found(b"ab", Some(b"ab"), 2)?, [&b"ab\0"[..], b"abc"]);
        assert_eq!(found(b"ab", Some(b"abc"), 2)?, [&b"ab\xff"[..], b"ab\xff\xff"]);
        assert_eq!(found(b"ab", Some(b"a"), 1)?, [b"ab"]);
        assert!(found(b"ab", Some(b"ac"), 9)?.is_empty());
        assert_eq!(found(b"\xff", None, 9)?, [&b"\xff"[..], b"\xff\xff"]);
        assert_eq!(found(b"", None, usize::MAX)?.len(), 9);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_document_takes_another_key_unless_it_is_taken() {
    alone(|session| {
        let row = session.put("s", &with_fields("old", &[("name", "ada")]))?;
        session.put("s", &document("taken", ""))?;
        assert!(session.rekey(row, b"taken").is_err());
        assert!(session.rekey(row, b"new")?);
        assert_eq!(session.document("s", b"old")?, None);
        assert_eq!(session.document("s", b"new")?.map(|it| it.row), Some(row));
        assert_eq!(keys(session.with_field("s", "name", b"ada")?), ["new"]);
        assert!(!session.rekey(row + 100, b"x")?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn old_documents_are_swept_with_everything_that_hangs_on_them() {
    alone(|session| {
        for (key, stamp) in [("a", 1), ("b", 2), ("c", 3)] {
            let row = session.put("s", &Document { stamp, ..with_fields(key, &[("name", key)]) })?;
            session.add_links(row, "members", &[key.as_bytes().to_vec()])?;
        }
        let first = session.document("s", b"a")?.map(|it| it.row).unwrap();
        assert!(session.restamp(first, 3)?);
        assert_eq!(session.delete_older("s", 3)?, 1);
        assert_eq!(keys(session.with_prefix("s", b"", None, 9)?), ["a", "c"]);
        assert!(session.delete(first)? && !session.delete(first)?);
        session.clear("s")?;
        let left = |table: &str| {
            let statement = format!("SELECT count(*) FROM {table}");
            session.with(|connection| connection.query_row(&statement, [], |row| row.get::<_, i64>(0)))
        };
        assert_eq!((left("document")?, left("field")?, left("link")?), (0, 0, 0));
        let next = session.put("s", &document("d", ""))?;
        assert!(next > first + 2, "a row never means another document: {next}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn links_come_and_go_one_by_one_and_say_what_was_there() {
    let values = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    alone(move |session| {
        let row = session.put("s", &document("group", ""))?;
        assert_eq!(session.add_links(row, "members", &values(&["b", "a", "b"]))?, [false, false, true]);
        assert_eq!(session.add_links(row, "owners", &values(&["a"]))?, [false]);
        assert_eq!(session.links(row, "members")?, values(&["a", "b"]));
        assert_eq!(session.remove_links(row, "members", &values(&["a", "x"]))?, [true, false]);
        assert!(session.has_link(row, "members", b"b")? && !session.has_link(row, "members", b"a")?);
        assert_eq!((session.count_links(row, "members")?, session.count_links(row, "owners")?), (1, 1));
        assert_eq!(session.clear_links(row, "members")?, 1);
        assert_eq!(session.links(row, "owners")?, values(&["a"]));
        assert!(session.add_links(row + 1, "members", &values(&["a"])).is_err(), "no such document");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn documents_are_counted_by_a_byte_of_their_bodies() {
    alone(|session| {
        for (key, body) in [("a", "x1"), ("b", "x2"), ("c", "x1"), ("d", "x")] {
            session.put("okta", &document(key, body))?;
        }
        session.put("entra", &document("a", "x2"))?;
        assert_eq!(session.count_by_byte("okta", 1)?, [(b'1', 2), (b'2', 1)]);
        Ok(())
    })
    .await;
}
