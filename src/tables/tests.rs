use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::tables::document::parse;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "test.toml".to_owned(), text: text.to_owned() })
}

/// Reads a table with one key of every type.
fn read(text: &str) -> Result<(), Diagnostics> {
    let (source, findings) = (source(text), Findings::new());
    let table = parse(&source, &findings);
    let spot = Spot { origin: Origin::File(source), span: 0..0 };
    let root = TableReader::new(&table, "the file", spot, &findings);
    if let Some(server) = root.table("server") {
        server.optional::<String>("name");
        server.optional::<bool>("enabled");
        server.number("connections", 1..=100);
        server.optional::<Duration>("time_out");
        server.optional::<readable::Bytes>("max_body");
        server.optional::<Vec<Located<String>>>("listen");
        server.choice("format", &[("human", 1), ("json", 2)]);
        server.required::<String>("url", "\"sqlite:/var/lib/x\"");
        server.optional::<String>("bind_password");
        server.finish();
    }
    for (_, tenant) in root.named_tables("tenant") {
        for credential in
            tenant.list_of_tables("credential", "[[tenant.NAME.credential]]", "[[tenant.NAME.credential]]")
        {
            credential.finish();
        }
        tenant.finish();
    }
    root.finish();
    findings.into_result(Some(()))
}

fn complaint(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_right_file_gives_no_diagnostic() {
    read("[server]\nurl = 'x'\nname = \"a\"\nenabled = true\nconnections = 3\ntime_out = \"500ms\"\nmax_body = \"8 MiB\"\nlisten = 'a'\nformat = 'json'\n[[tenant.a.credential]]\n")
        .unwrap();
}

#[test]
fn an_unknown_key_names_the_nearest_known_key() {
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nconections = 3\n"));
}

#[test]
fn an_unknown_key_far_from_all_lists_the_known_keys() {
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nfoo = 3\n"));
}

#[test]
fn a_missing_key_shows_what_to_add() {
    assert_snapshot!(complaint("\n[server]\nname = \"x\"\n"));
}

#[test]
fn wrong_types_say_what_is_expected_and_what_to_write() {
    assert_snapshot!(complaint(
        "[server]\nurl = 3\nname = true\nenabled = \"no\"\nconnections = \"7\"\ntime_out = \"fast\"\nlisten = 8080\nmax_body = true\n"
    ));
}

#[test]
fn numbers_out_of_range_name_the_range() {
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nconnections = 0\n"));
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nconnections = -4\n"));
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nconnections = 99999999999999999999\n"));
}

#[test]
fn a_wrong_word_lists_the_right_ones() {
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nformat = \"jsn\"\n"));
}

#[test]
fn a_duplicate_key_is_pointed_at() {
    assert_snapshot!(complaint("[server]\nurl = \"x\"\nname = \"a\"\nname = \"b\"\n"));
}

#[test]
fn a_duplicate_table_is_pointed_at() {
    assert_snapshot!(complaint("[server]\nurl = \"x\"\n[server]\nname = \"b\"\n"));
}

#[test]
fn several_syntax_errors_are_reported_together_with_the_rest() {
    assert_snapshot!(complaint("[server]\nurl = x\nname = \"a\nwhat = 1\n"));
}

#[test]
fn a_backslash_in_quotes_is_explained() {
    assert_snapshot!(complaint("[server]\nurl = \"C:\\users\"\n"));
}

#[test]
fn tables_of_the_wrong_shape_are_explained() {
    assert_snapshot!(complaint("server = 3\ntenant = \"x\"\n"));
    assert_snapshot!(complaint("[tenant]\nokta = true\n[tenant.a]\ncredential = { kind = \"basic\" }\n"));
    assert_snapshot!(complaint("[tenant.a]\ncredential = [ \"x\" ]\n"));
}

#[test]
fn a_secret_is_never_shown() {
    let shown = complaint("[server]\nurl = \"x\"\nbind_pasword = \"geheim1\"\nbind_password = 1234567\n");
    assert!(!shown.contains("geheim1") && !shown.contains("1234567"), "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn a_whole_file_can_be_wrong() {
    let origin = Origin::File(source(""));
    let diagnostic =
        Diagnostic { origin, span: None, message: "can't read it".to_owned(), help: Some("look".to_owned()) };
    assert_snapshot!(Diagnostics::from(diagnostic).to_string());
}

#[test]
fn a_place_counts_lines_and_characters_from_one() {
    let source = source("a = 1\nü = \"x{{\"\n");
    let spot = Spot { origin: Origin::File(source.clone()), span: 11..16 };
    assert_eq!(spot.place().to_string(), "test.toml:2:5");
    assert_eq!(spot.inside("x{{", 1..3).place().to_string(), "test.toml:2:7");
}

proptest! {
    #[test]
    fn the_reader_never_panics_on_any_text(text in "\\PC*|[\\[\\]{}\"'=.,a-c\\n# 0-9\\\\]{0,60}") {
        if let Err(diagnostics) = read(&text) {
            prop_assert!(!diagnostics.to_string().is_empty());
        }
    }

    #[test]
    fn the_reader_never_panics_on_a_file_with_a_slip(at in 0usize..120, what in "\\PC{0,3}") {
        let good = "[server]\nurl = 'x'\nname = \"a\"\nenabled = true\nlisten = ['a', \"b\"]\n[[tenant.a.credential]]\nx = { y = 1 }\n";
        let mut text = good.to_owned();
        text.replace_range(at.min(good.len())..(at + 2).min(good.len()), &what);
        let _ = read(&text).map_err(|diagnostics| diagnostics.to_string());
    }
}
