use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::*;

/// Pushes items until it is killed, and says of each when it was told that it is kept.
#[tokio::test]
#[ignore = "a part of another test, which runs it in a process of its own"]
async fn child_pushes_until_it_is_killed() {
    let store = Store::open(&at(&processes::given_path())).await.unwrap();
    for turn in 0.. {
        let durability = if turn % 5 == 0 { Durability::Durable } else { Durability::Soon };
        let number = store.write(durability, async |it| it.push(&item("u"))).await.unwrap();
        println!("kept {number}");
    }
}

#[test]
fn what_a_killed_process_was_told_is_kept_is_there() {
    let scratch = Scratch::new();
    let mut command = processes::child("durability::child_pushes_until_it_is_killed", &scratch.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    for line in lines {
        let line = line.unwrap();
        told.extend(line.split_once("kept ").map(|(_, number)| number.parse::<i64>().unwrap()));
        if told.len() == 300 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(told.len() >= 300, "{}", told.len());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let there = runtime.block_on(async { scratch.open().await.read(async |it| all_items(&it)).await.unwrap() });
    assert!(there.starts_with(&told), "{} were told, {} are there", told.len(), there.len());
    assert!(there.len() <= told.len() + 1, "only the last one may be there untold");
}
