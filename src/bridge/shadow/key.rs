//! Names as keys of the store: read from the root, so that a subtree is what begins with the key of its top.

use crate::directory::{Dn, Rdn};

/// Ends every component. Control characters are escaped in the normal form of a name, so this is never part of one.
const END: u8 = 0;

/// The key of the entry `dn`. The key of the root of the tree is empty.
pub(super) fn of(dn: &Dn) -> Vec<u8> {
    of_normal(dn.normal_form())
}

/// The key of the entry whose name has this normal form.
pub(super) fn of_normal(normal: &str) -> Vec<u8> {
    // In the normal form a comma is always a separator.
    let mut key = Vec::with_capacity(normal.len() + 1);
    if !normal.is_empty() {
        for component in normal.rsplit(',') {
            key.extend_from_slice(component.as_bytes());
            key.push(END);
        }
    }
    key
}

/// Whether `key` is of an entry directly below the one with the key `parent`.
pub(super) fn is_child(key: &[u8], parent: &[u8]) -> bool {
    let rest = key.strip_prefix(parent).and_then(|rest| rest.strip_suffix(&[END]));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(&END))
}

/// The name of an entry that stood at or below `old` and now stands at the same place at or below `new`.
pub(super) fn moved(dn: &Dn, old: &Dn, new: &Dn) -> Dn {
    let own: Vec<Rdn> = dn.rdns();
    let below = own.len().saturating_sub(old.rdns().len());
    own.into_iter().take(below).rev().fold(new.clone(), |above, rdn| above.below(&rdn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn a_subtree_is_what_begins_with_the_key_of_its_top() {
        let top = of(&dn("ou=people,dc=x"));
        for below in ["uid=a,ou=people,dc=x", "UID=A, OU=People, DC=X", "cn=k,uid=a\\,b,ou=people,dc=x"] {
            assert!(of(&dn(below)).starts_with(&top), "{below}");
        }
        assert!(!of(&dn("uid=a,ou=peoples,dc=x")).starts_with(&top));
        assert!(of(&dn("dc=x")).starts_with(&of(&Dn::root())));
    }

    #[test]
    fn a_child_stands_directly_below() {
        let top = of(&dn("ou=people,dc=x"));
        assert!(is_child(&of(&dn("uid=a\\,b,ou=people,dc=x")), &top));
        assert!(!is_child(&of(&dn("cn=k,uid=a,ou=people,dc=x")), &top));
        assert!(!is_child(&top, &top));
        assert!(is_child(&of(&dn("dc=x")), &of(&Dn::root())));
    }

    #[test]
    fn what_stands_below_a_renamed_entry_moves_with_it() {
        let moved = moved(&dn("cn=key,cn=k,uid=a,ou=p,dc=x"), &dn("uid=a,ou=p,dc=x"), &dn("uid=b,ou=q,dc=x"));
        assert_eq!(moved.as_str(), "cn=key,cn=k,uid=b,ou=q,dc=x");
    }
}
