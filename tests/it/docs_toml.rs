//! The TOML of the documentation, read by the program's own readers. A block may be a whole file or a piece of one; a
//! piece is put in its place in the shipped file first.

use crate::docs::{blocks, documents, root};
use scim2ldap::config::Config;
use scim2ldap::directory::{Dn, Kind};
use scim2ldap::mapping::{IdAttribute, Mapping};
use scim2ldap::tables::Source;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use toml::{Table, Value};

#[test]
fn every_block_of_toml_is_accepted_by_the_reader_of_its_file() {
    for document in documents() {
        for block in blocks(&document.text).0 {
            if block.info == "toml" {
                let accepted = accept(&block.text);
                accepted.unwrap_or_else(|fault| panic!("{}, line {}: {fault}", document.name, block.line));
            }
        }
    }
}

#[test]
fn a_slip_of_the_pen_in_a_block_is_found() {
    let wrong = [
        "{ scim = \"title\", ldpa = \"title\" },",
        "{ scim = \"title\", ldap = \"title\", when = \"sometimes\" },",
        "rdn = \"uid\"\ndisabel = \"ppolicy\"",
        "[server]\nlisten = \"nowhere\"",
        "[[tenant.okta.credential]]\nkind = \"bearer\"\ntokn_file = \"x\"",
        "token_fil = \"x\"",
        "[user]\nbase = \"ou=people,{base_dn}\"\nattributes = []",
    ];
    for text in wrong {
        assert!(accept(text).is_err(), "accepted: {text}");
    }
}

#[test]
fn the_keys_of_the_configuration_are_the_same_in_its_file_and_in_its_document() {
    let file = fs::read_to_string(root().join("conf/scim2ldap.toml")).unwrap();
    let document = documents().into_iter().find(|document| document.name == "docs/configuration.md").unwrap().text;
    let key = |line: &str| {
        let name = line.trim_start_matches('#').split_once(" = ")?.0;
        name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_').then(|| name.to_owned())
    };
    let shown: BTreeSet<String> = file.lines().filter_map(key).collect();
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let names = cells.flat_map(|cell| cell.split([',', '`', ' ', '.'])).map(str::to_owned);
    let explained: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();

    assert!(shown.len() > 20, "{shown:?}");
    let missing: Vec<_> = shown.difference(&explained).collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
    let keys = document.split("## The environment").next().unwrap();
    for row in keys.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().unwrap().rsplit('.').next().unwrap();
        // A value of `kind`, in the table of kinds.
        if !["basic", "bearer", "header"].contains(&name) {
            assert!(file.contains(&format!("{name} = ")), "not in conf/scim2ldap.toml: {name}");
        }
    }
}

/// Reads a block as what it is: rows, keys of `[user]`, a mapping, a configuration, or keys of a credential.
fn accept(text: &str) -> Result<(), String> {
    if text.trim_start().starts_with('{') {
        return accept(&format!("attributes = [\n{text}\n]"));
    }
    let piece: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let has = |names: &[&str]| names.iter().any(|name| piece.contains_key(*name));
    if has(&["user"]) {
        return mapping(text.to_owned());
    }
    if has(&["server", "store", "log", "directory", "tenant"]) {
        return configuration(piece);
    }
    if has(&["attributes", "base", "rdn", "object_class", "disable", "delete"]) {
        return mapping(with_keys_of_user(piece));
    }
    let kind = if has(&["username", "password_file", "password"]) { "basic" } else { "bearer" };
    let mut credential = Table::from_iter([("kind".to_owned(), Value::from(kind))]);
    credential.extend(piece);
    let tenant = Table::from_iter([("credential".to_owned(), Value::Array(vec![credential.into()]))]);
    configuration(nested("tenant", nested("okta", tenant)))
}

fn nested(name: &str, inner: Table) -> Table {
    Table::from_iter([(name.to_owned(), Value::Table(inner))])
}

fn shipped(name: &str) -> Table {
    toml::from_str(&fs::read_to_string(root().join("conf").join(name)).unwrap()).unwrap()
}

fn mapping(text: String) -> Result<(), String> {
    let (base, id) = (Dn::parse("dc=example,dc=com").unwrap(), IdAttribute::from(Kind::OpenLdap.dialect()));
    let read = Mapping::parse(Source { name: "the block".to_owned(), text }, &base, &id);
    read.map(|_| ()).map_err(|mistakes| mistakes.to_string())
}

/// The shipped table with these keys in `[user]`. Rows take the place of shipped ones for the same attributes.
fn with_keys_of_user(piece: Table) -> String {
    let mut table = shipped("mapping/openldap.toml");
    let user = table["user"].as_table_mut().unwrap();
    for (key, value) in piece {
        let value = if key == "attributes" { merged_rows(&user[&key], &value) } else { value };
        user.insert(key, value);
    }
    toml::to_string(&table).unwrap()
}

fn merged_rows(shipped: &Value, rows: &Value) -> Value {
    let rows = rows.as_array().unwrap();
    let same = |one: &Value, other: &Value, key: &str| one.get(key).is_some() && one.get(key) == other.get(key);
    let replaced = |row: &Value| rows.iter().any(|new| same(row, new, "scim") || same(row, new, "ldap"));
    // References speak of other rows, which may just have been replaced.
    let kept = shipped.as_array().unwrap().iter().filter(|row| !replaced(row) && row.get("reference").is_none());
    kept.chain(rows).cloned().collect::<Vec<_>>().into()
}

/// Loads the shipped configuration with a piece laid over it, with files where the piece wants some.
fn configuration(piece: Table) -> Result<(), String> {
    let mut whole = shipped("scim2ldap.toml");
    for (section, example) in [("tenant", "okta"), ("directory", "corp")] {
        let asked: Vec<String> =
            piece.get(section).and_then(Value::as_table).into_iter().flat_map(Table::keys).cloned().collect();
        for name in asked {
            let mut like = whole[section][example].clone();
            if section == "tenant" && name != example {
                like["path"] = format!("/{name}").into();
            }
            if piece[section][&name].get("srv").is_some() {
                like.as_table_mut().unwrap().remove("urls");
            }
            whole[section].as_table_mut().unwrap().entry(name).or_insert(like);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    lay_over(&mut whole, piece);
    let mut whole = Value::Table(whole);
    give_files(&mut whole, folder.path());
    let file = folder.path().join("scim2ldap.toml");
    fs::write(&file, toml::to_string(&whole).unwrap()).unwrap();
    Config::load_with(&file, HashMap::new()).map(|_| ()).map_err(|mistakes| mistakes.to_string())
}

fn lay_over(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn authority() -> &'static str {
    static PEM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PEM.get_or_init(|| rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem())
}

/// Puts a file wherever a value names one, and names that file instead.
fn give_files(value: &mut Value, folder: &Path) {
    match value {
        Value::Table(table) => {
            for (key, value) in table.iter_mut() {
                match value {
                    Value::String(path) if key.ends_with("_file") || key == "certificate" || key == "private_key" => {
                        let file = folder.join(key);
                        let text = if key == "ca_file" { authority() } else { "0123456789abcdef0123456789abcdef" };
                        fs::write(&file, text).unwrap();
                        *path = file.to_string_lossy().into_owned();
                    }
                    Value::String(path) if key == "mapping" => {
                        *path = root().join("conf").join(&*path).to_string_lossy().into_owned();
                    }
                    inner => give_files(inner, folder),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| give_files(value, folder)),
        _ => {}
    }
}
