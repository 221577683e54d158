use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use super::*;
use crate::store::journal::Note;

const NAME: &str = "store.db-notes-okta";

fn bodies(notes: &[Note]) -> Vec<&[u8]> {
    notes.iter().map(|note| &*note.body).collect()
}

async fn work_in(store: &Store, journal: &Journal, number: u64) {
    store.write(Durability::Soon, async move |it| it.set_worked_in("okta", number)).await.unwrap();
    journal.forget(number).unwrap();
}

#[tokio::test]
async fn notes_come_back_in_their_order_until_they_are_in_the_tables() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let long = vec![7; 200_000];
    let journal = store.journal("okta").await.unwrap();
    assert_eq!(journal.after(0, 10).unwrap(), []);
    for (number, body) in [b"one".as_slice(), b"", &long, b"four"].into_iter().enumerate() {
        assert_eq!(journal.add(body).unwrap(), number as u64 + 1);
    }
    assert_eq!(bodies(&journal.after(0, 10).unwrap()), [b"one".as_slice(), b"", &long, b"four"]);
    assert_eq!(bodies(&journal.after(1, 2).unwrap()), [b"".as_slice(), &long]);
    work_in(&store, &journal, 2).await;
    assert_eq!(bodies(&journal.after(2, 10).unwrap()), [long.as_slice(), b"four"]);
    drop(journal);
    let journal = store.journal("okta").await.unwrap();
    assert_eq!(journal.last(), 4);
    assert_eq!(bodies(&journal.after(2, 10).unwrap()), [long.as_slice(), b"four"]);
    work_in(&store, &journal, 4).await;
    let file = scratch.folder.path().join(NAME);
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 0, "nothing is left on the disk");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(journal);
    let journal = store.journal("okta").await.unwrap();
    assert_eq!(journal.add(b"five").unwrap(), 5, "no number is given twice");
    assert_eq!(bodies(&journal.after(4, 10).unwrap()), [b"five"]);
}

#[tokio::test]
async fn notes_that_are_long_are_handed_out_few_at_a_time() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let journal = store.journal("okta").await.unwrap();
    let long = vec![1; 300_000];
    for _ in 0..10 {
        journal.add(&long).unwrap();
    }
    assert_eq!(journal.after(0, 10).unwrap().len(), 4);
}

#[tokio::test]
async fn what_was_not_noted_as_a_whole_is_cut_off() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let journal = store.journal("okta").await.unwrap();
    journal.add(b"first").unwrap();
    journal.add(b"second").unwrap();
    drop(journal);
    let path = scratch.folder.path().join(NAME);
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() - 1] ^= 1;
    let endless = [&whole[..], &[255; 40]].concat();
    for (bytes, left) in [(&whole[..whole.len() - 1], 1), (&whole[..10], 0), (&damaged, 1), (&endless, 2)] {
        std::fs::write(&path, bytes).unwrap();
        let journal = store.journal("okta").await.unwrap();
        assert_eq!(journal.after(0, 10).unwrap().len(), left);
        let number = journal.add(b"next").unwrap();
        assert_eq!(journal.after(number - 1, 10).unwrap(), [Note { number, body: b"next".to_vec() }]);
        assert_eq!(bodies(&journal.after(0, 10).unwrap()).last(), Some(&b"next".as_slice()));
    }
}

#[tokio::test]
async fn a_journal_has_one_owner_at_a_time() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let journal = store.journal("okta").await.unwrap();
    let fault = store.journal("okta").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Busy);
    assert!(fault.detail.contains("another process has it"), "{fault}");
    store.journal("entra").await.unwrap();
    drop(journal);
    store.journal("okta").await.unwrap();
}

/// Notes until it is killed, and says of each when it was told that it is kept.
#[tokio::test]
#[ignore = "a part of another test, which runs it in a process of its own"]
async fn child_notes_until_it_is_killed() {
    let store = Store::open(&at(&processes::given_path())).await.unwrap();
    let journal = store.journal("okta").await.unwrap();
    for _ in 0.. {
        let number = journal.add(b"a note").unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "kept {number}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_a_killed_process_has_noted_is_there() {
    let scratch = Scratch::new();
    let mut command = processes::child("journal::child_notes_until_it_is_killed", &scratch.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = 0;
    for line in lines {
        let line = line.unwrap();
        told = line.split_once("kept ").map_or(told, |(_, number)| number.parse::<u64>().unwrap());
        if told == 300 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(told >= 300, "{told}");
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let journal = runtime.block_on(async { scratch.open().await.journal("okta").await.unwrap() });
    assert!((told..=told + 1).contains(&journal.last()), "{told} were told, {} are there", journal.last());
    assert_eq!(journal.after(0, usize::MAX).unwrap().len() as u64, journal.last());
}
