//! The documentation, held against the program: what it tells people to type and to open has to be there.

use crate::world::BINARY;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A document, and where it is from the repository's root.
pub struct Document {
    pub name: String,
    pub text: String,
}

/// A fenced block: the words behind the fence, the line it starts at, and what it holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub info: String,
    pub line: usize,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn documents() -> Vec<Document> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.extend(fs::read_dir(root()).unwrap().flatten().map(|entry| entry.path()));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    let name = |file: &PathBuf| file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    files.iter().map(|file| Document { name: name(file), text: fs::read_to_string(file).unwrap() }).collect()
}

/// The fenced blocks of a document, and its prose without them.
pub fn blocks(text: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose, mut open) = (Vec::new(), String::new(), None::<Block>);
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(info), None) => {
                open = Some(Block { info: info.trim().to_owned(), line: number + 1, text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a fence is never closed");
    (blocks, prose)
}

/// What a document tells people to type: the lines behind a prompt in `console` blocks, and `code` in its prose.
fn commands(text: &str) -> Vec<String> {
    let (blocks, prose) = blocks(text);
    let typed = blocks.iter().filter(|block| block.info.starts_with("console")).flat_map(|block| {
        let lines = block.text.replace("\\\n", " ");
        let behind_prompt =
            |line: &str| line.trim_start().strip_prefix(['$', '#'])?.strip_prefix(' ').map(str::to_owned);
        lines.lines().filter_map(behind_prompt).collect::<Vec<_>>()
    });
    let spans = prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " "));
    typed.chain(spans).map(|command| bare(&command).to_owned()).collect()
}

/// A command without what stands before it: `sudo`, variables, and the folder of the program.
fn bare(command: &str) -> &str {
    let variable = |word: &str| word.split_once('=').is_some_and(|(name, _)| name.starts_with("SCIM2LDAP"));
    match command.split_once(' ') {
        Some((word, rest)) if word == "sudo" || variable(word) => bare(rest),
        _ => ["target/release/", "/usr/bin/"].iter().find_map(|folder| command.strip_prefix(folder)).unwrap_or(command),
    }
}

/// The targets of relative links.
fn links(prose: &str) -> Vec<String> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).map(str::to_owned).collect()
}

/// The words of a text that look like files of this repository.
fn paths(text: &str) -> Vec<String> {
    const FOLDERS: [&str; 6] = ["conf/", "docs/", "src/", "systemd/", "tests/", ".ci/"];
    let words = text.split(|letter: char| letter.is_whitespace() || "`\"'()[],;".contains(letter));
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    let ours = |word: &&str| FOLDERS.iter().any(|folder| word.starts_with(folder));
    words.filter(ours).filter(|word| !word.contains(['*', '{', '<', '…'])).map(str::to_owned).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for document in documents() {
        let folder = root().join(&document.name).parent().unwrap().to_owned();
        for link in links(&blocks(&document.text).1) {
            assert!(folder.join(&link).exists(), "{}: the link to {link} leads nowhere", document.name);
        }
    }
}

#[test]
fn every_file_that_is_named_exists() {
    for document in documents() {
        for path in commands(&document.text).iter().flat_map(|command| paths(command)) {
            assert!(root().join(&path).exists(), "{}: there is no {path}", document.name);
        }
    }
}

#[test]
fn every_make_target_that_is_named_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(": ").or(line.split_once(":\n")))
        .map(|(target, _)| target)
        .collect();
    for document in documents() {
        for command in commands(&document.text) {
            let Some(words) = command.strip_prefix("make ") else { continue };
            for target in words.split_whitespace().filter(|word| !word.contains('=')) {
                assert!(targets.contains(target), "{}: `make {target}` does not exist", document.name);
            }
        }
    }
}

#[test]
fn every_command_of_the_program_that_is_named_exists_with_its_options() {
    let mut helps = BTreeMap::new();
    for document in documents() {
        for command in commands(&document.text) {
            let mut words = command.split_whitespace();
            if words.next() != Some("scim2ldap") {
                continue;
            }
            let names: Vec<String> = words.clone().take_while(|word| is_name(word)).map(str::to_owned).collect();
            let help = helps.entry(names.clone()).or_insert_with(|| help(&names));
            let help = help.as_ref().unwrap_or_else(|fault| panic!("{}: `{command}`: {fault}", document.name));
            for option in words.filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap();
                assert!(help.contains(option), "{}: `{command}`: there is no {option}", document.name);
            }
        }
    }
}

/// Names of commands are plain words; what follows in capitals or with other letters is a value.
fn is_name(word: &str) -> bool {
    word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') && !word.starts_with('-')
}

/// The help of a command of the program.
fn help(names: &[String]) -> Result<String, String> {
    let output = Command::new(BINARY).args(names).arg("--help").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn the_reader_of_documents_finds_what_people_type_and_open() {
    let text = "See [it](docs/a.md#top), [them](https://example.com) and `make\ndemo`.\n\n```console\n$ sudo SCIM2LDAP__A=b /usr/bin/scim2ldap check \\\n    --json\nfine\n# make test\n```\n";
    assert_eq!(commands(text), ["scim2ldap check      --json", "make test", "make demo"]);
    assert_eq!(links(&blocks(text).1), ["docs/a.md"]);
    assert_eq!(
        paths("cp conf/scim2ldap.toml conf/mapping/*.toml, docs/a.md. /etc/x"),
        ["conf/scim2ldap.toml", "docs/a.md"]
    );
    assert_eq!(blocks(text).0[0].line, 4);
}
