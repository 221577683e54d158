//! Long lists of values that Active Directory returns in pieces: `member;range=0-1499`, then the rest when asked for.

use super::connection;
use super::entry::Entry;
use super::fault::{Fault, FaultKind};
use super::filter::Filter;
use super::handle::Directory;
use super::name::AttributeName;
use super::operation::{Scope, Search};

/// Fetches what is missing of `entries`, so that every attribute stands in them whole and under its plain name.
pub(super) async fn complete(directory: &Directory, search: &Search, entries: Vec<Entry>) -> Result<Vec<Entry>, Fault> {
    let mut whole = Vec::with_capacity(entries.len());
    for mut entry in entries {
        while let Some((ranged, piece)) = first_piece(&entry, &search.attributes) {
            gather(directory, &mut entry, &ranged, piece).await?;
        }
        whole.push(entry);
    }
    Ok(whole)
}

/// How Active Directory answers when it is asked for values behind the last.
const OPERATIONS_ERROR: u32 = 1;
/// How often the values are read anew because there have become fewer.
const ANEW: u32 = 2;

/// Which values of an attribute a piece holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// The number of the value behind the piece; none when the piece is the last.
    next: Option<u64>,
}

/// An attribute of `entry` that came in pieces without being asked for that way.
fn first_piece(entry: &Entry, asked: &[AttributeName]) -> Option<(AttributeName, Piece)> {
    let pieces = entry.attributes().filter_map(|(name, _)| Some((name.clone(), piece_of(name)?)));
    pieces.into_iter().find(|(name, _)| !asked.contains(name))
}

fn piece_of(name: &AttributeName) -> Option<Piece> {
    let range = name.options().find_map(|option| {
        let (key, range) = option.split_once('=')?;
        key.eq_ignore_ascii_case("range").then_some(range)
    })?;
    let (_, high) = range.split_once('-')?;
    if high == "*" { Some(Piece { next: None }) } else { Some(Piece { next: Some(high.parse::<u64>().ok()? + 1) }) }
}

async fn gather(directory: &Directory, entry: &mut Entry, first: &AttributeName, piece: Piece) -> Result<(), Fault> {
    let plain = first.without_options();
    let mut values = entry.remove(first);
    let (mut next, mut anew) = (piece.next, 0);
    while let Some(start) = next {
        let (more, after) = match fetch(directory, entry, &plain, start).await {
            Ok(piece) => piece,
            // Values went in the meantime, so that none has this number any more: the others have moved up.
            Err(fault) if fault.code == Some(OPERATIONS_ERROR) && start > 0 && anew < ANEW => {
                values.clear();
                (next, anew) = (Some(0), anew + 1);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        // A server that never comes to an end must not keep us for ever.
        if more.is_empty() || after.is_some_and(|after| after <= start) {
            let message = format!("the directory did not return all values of {plain} of {}", entry.dn);
            return Err(Fault::new(FaultKind::Other, message));
        }
        values.extend(more);
        next = after;
    }
    entry.insert(plain, values);
    Ok(())
}

/// The values of `plain` from number `start`, and the number behind them.
async fn fetch(
    directory: &Directory,
    entry: &Entry,
    plain: &AttributeName,
    start: u64,
) -> Result<(Vec<Vec<u8>>, Option<u64>), Fault> {
    let text = format!("{plain};range={start}-*");
    let name = AttributeName::parse(&text).map_err(|fault| Fault::new(FaultKind::Other, fault.to_string()))?;
    let search = Search {
        base: entry.dn.clone(),
        scope: Scope::Base,
        filter: Filter::any(),
        attributes: vec![name],
        size_limit: 0,
    };
    let answer = directory.converse(&connection::search(&search, directory.limit())).await?;
    let found = answer.entries.into_iter().next();
    let Some(mut found) = found else { return Ok((Vec::new(), None)) };
    let Some((name, piece)) = first_piece(&found, &[]) else { return Ok((Vec::new(), None)) };
    Ok((found.remove(&name), piece.next))
}

#[cfg(test)]
mod tests {
    use super::super::dn::Dn;
    use super::*;

    fn name(text: &str) -> AttributeName {
        AttributeName::parse(text).unwrap()
    }

    #[test]
    fn the_range_of_a_piece_is_read() {
        assert_eq!(piece_of(&name("member;range=0-1499")), Some(Piece { next: Some(1500) }));
        assert_eq!(piece_of(&name("member;Range=1500-*")), Some(Piece { next: None }));
        assert_eq!(piece_of(&name("member")), None);
        assert_eq!(piece_of(&name("member;binary")), None);
    }

    #[test]
    fn a_piece_that_was_asked_for_is_left_as_it_is() {
        let mut entry = Entry::new(Dn::root());
        entry.insert(name("member;range=0-1"), vec![vec![1], vec![2]]);
        assert!(first_piece(&entry, &[name("member;range=0-1")]).is_none());
        let (found, piece) = first_piece(&entry, &[name("member")]).unwrap();
        assert_eq!((found, piece.next), (name("member;range=0-1"), Some(2)));
    }
}
