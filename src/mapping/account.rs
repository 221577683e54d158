//! `active`: how an entry says that its account is disabled, and the change that makes it so.
//!
//! Only the marker of a deliberate disable is ever set or cleared: a lock that the server put on the account after
//! wrong passwords, and every other bit of userAccountControl, stay as they are.

use super::table::Disable;
use crate::directory::{AttributeName, Change, Dn, Entry, Filter, Modification};

/// The value of pwdAccountLockedTime that locks an account for good (draft-behera-ldap-password-policy 5.3.3).
const LOCKED_FOR_GOOD: &[u8] = b"000001010000Z";
/// `ADS_UF_ACCOUNTDISABLE`.
const ACCOUNT_DISABLE: i64 = 0x2;
/// `ADS_UF_NORMAL_ACCOUNT`, what a new user account starts from.
const NORMAL_ACCOUNT: i64 = 0x200;
/// `LDAP_MATCHING_RULE_BIT_AND`.
const BIT_AND: &str = "1.2.840.113556.1.4.803";

/// What has to change for an account to become active or inactive; empty when it already is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AccountChange {
    pub modifications: Vec<Modification>,
    /// The container the entry moves to.
    pub parent: Option<Dn>,
}

impl Disable {
    /// The attribute that carries the state, if it is one.
    #[must_use]
    pub fn attribute(&self) -> Option<AttributeName> {
        match self {
            Self::AdAccountControl => Some(AttributeName::literal("userAccountControl")),
            Self::Ppolicy => Some(AttributeName::literal("pwdAccountLockedTime")),
            Self::NsAccountLock => Some(AttributeName::literal("nsAccountLock")),
            Self::Attribute { attribute, .. } => Some(attribute.clone()),
            Self::MoveTo(_) => None,
        }
    }

    /// Whether the account of `entry` is active.
    #[must_use]
    pub fn is_active(&self, entry: &Entry) -> bool {
        let value = self.attribute().and_then(|attribute| entry.values(&attribute).first().cloned());
        match self {
            Self::AdAccountControl => value.and_then(|value| number(&value)).is_none_or(|v| v & ACCOUNT_DISABLE == 0),
            Self::Ppolicy => value.is_none_or(|value| value != LOCKED_FOR_GOOD),
            Self::NsAccountLock => value.is_none_or(|value| !value.eq_ignore_ascii_case(b"true")),
            Self::Attribute { disabled, .. } => {
                value.is_none_or(|value| !value.eq_ignore_ascii_case(disabled.as_bytes()))
            }
            Self::MoveTo(container) => !entry.dn.is_within(container),
        }
    }

    /// The filter for accounts that are not active; `None` where no filter can tell (the place in the tree does).
    #[must_use]
    pub fn inactive_filter(&self) -> Option<Filter> {
        let attribute = self.attribute()?;
        Some(match self {
            Self::AdAccountControl => {
                Filter::Matches { attribute, rule: BIT_AND.to_owned(), value: ACCOUNT_DISABLE.to_string().into_bytes() }
            }
            Self::Ppolicy => Filter::Equal(attribute, LOCKED_FOR_GOOD.to_vec()),
            Self::NsAccountLock => Filter::Equal(attribute, b"true".to_vec()),
            Self::Attribute { disabled, .. } => Filter::Equal(attribute, disabled.as_bytes().to_vec()),
            Self::MoveTo(_) => return None,
        })
    }

    /// The attribute values that a new entry gets.
    pub(super) fn on_create(&self, active: bool) -> Vec<(AttributeName, Vec<Vec<u8>>)> {
        let value: Option<Vec<u8>> = match self {
            Self::AdAccountControl => {
                Some((NORMAL_ACCOUNT | if active { 0 } else { ACCOUNT_DISABLE }).to_string().into_bytes())
            }
            Self::Ppolicy => (!active).then(|| LOCKED_FOR_GOOD.to_vec()),
            Self::NsAccountLock => (!active).then(|| b"true".to_vec()),
            Self::Attribute { enabled, disabled, .. } => {
                if active { enabled.clone() } else { Some(disabled.clone()) }.map(String::into_bytes)
            }
            Self::MoveTo(_) => None,
        };
        self.attribute().zip(value).map(|(attribute, value)| (attribute, vec![value])).into_iter().collect()
    }

    /// The change that brings `entry` to `active`; `home` is where active entries live.
    pub(super) fn change(&self, entry: &Entry, active: bool, home: &Dn) -> AccountChange {
        if self.is_active(entry) == active {
            return AccountChange::default();
        }
        if let Self::MoveTo(container) = self {
            let parent = if active { home } else { container };
            return AccountChange { modifications: Vec::new(), parent: Some(parent.clone()) };
        }
        let Some(attribute) = self.attribute() else { return AccountChange::default() };
        AccountChange { modifications: self.modifications(entry, &attribute, active), parent: None }
    }

    fn modifications(&self, entry: &Entry, attribute: &AttributeName, active: bool) -> Vec<Modification> {
        let replace =
            |values: Vec<Vec<u8>>| vec![Modification { attribute: attribute.clone(), change: Change::Replace(values) }];
        match self {
            Self::AdAccountControl => exchange_bit(entry, attribute, active),
            Self::Attribute { enabled, disabled, .. } => {
                let value = if active { enabled.as_ref() } else { Some(disabled) };
                replace(value.map(|text| text.as_bytes().to_vec()).into_iter().collect())
            }
            _ => replace(self.on_create(active).pop().map(|(_, values)| values).unwrap_or_default()),
        }
    }
}

/// Takes the old number away and adds the new one in one request, so that a bit somebody else changed since it was
/// read makes the server refuse (16) and the change is planned again, instead of being overwritten.
fn exchange_bit(entry: &Entry, attribute: &AttributeName, active: bool) -> Vec<Modification> {
    let Some((old, control)) =
        entry.values(attribute).first().and_then(|value| number(value).map(|control| (value.clone(), control)))
    else {
        return Vec::new();
    };
    let new = if active { control & !ACCOUNT_DISABLE } else { control | ACCOUNT_DISABLE };
    vec![
        Modification { attribute: attribute.clone(), change: Change::Delete(vec![old]) },
        Modification { attribute: attribute.clone(), change: Change::Add(vec![new.to_string().into_bytes()]) },
    ]
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attribute: &str, value: Option<&str>) -> Entry {
        let mut entry = Entry::new(Dn::parse("uid=jdoe,ou=people,dc=example,dc=test").unwrap());
        if let Some(value) = value {
            entry.insert(AttributeName::parse(attribute).unwrap(), vec![value.as_bytes().to_vec()]);
        }
        entry
    }

    fn home() -> Dn {
        Dn::parse("ou=people,dc=example,dc=test").unwrap()
    }

    fn applied(disable: &Disable, entry: &Entry, active: bool) -> String {
        format!("{:?}", disable.change(entry, active, &home()))
    }

    #[test]
    fn disabling_an_ad_account_again_and_again_never_toggles_the_bit() {
        let disabled = entry("userAccountControl", Some("66050"));
        assert!(!Disable::AdAccountControl.is_active(&disabled));
        assert_eq!(Disable::AdAccountControl.change(&disabled, false, &home()), AccountChange::default());
    }

    #[test]
    fn the_disable_bit_changes_and_all_other_bits_stay() {
        let change = Disable::AdAccountControl.change(&entry("userAccountControl", Some("66048")), false, &home());
        let values: Vec<String> = change.modifications.iter().map(|m| format!("{:?}", m.change)).collect();
        assert_eq!(values.len(), 2);
        assert!(matches!(&change.modifications[0].change, Change::Delete(v) if v == &vec![b"66048".to_vec()]));
        assert!(matches!(&change.modifications[1].change, Change::Add(v) if v == &vec![b"66050".to_vec()]));
    }

    #[test]
    fn a_lock_after_wrong_passwords_is_not_a_disabled_account_and_is_left_alone() {
        let locked = entry("pwdAccountLockedTime", Some("20260101000000Z"));
        assert!(Disable::Ppolicy.is_active(&locked));
        assert_eq!(Disable::Ppolicy.change(&locked, true, &home()), AccountChange::default());
    }

    #[test]
    fn enabling_removes_the_permanent_lock_and_is_nothing_when_repeated() {
        let disabled = entry("pwdAccountLockedTime", Some("000001010000Z"));
        assert!(applied(&Disable::Ppolicy, &disabled, true).contains("Replace([])"));
        assert_eq!(
            Disable::Ppolicy.change(&entry("pwdAccountLockedTime", None), true, &home()),
            AccountChange::default()
        );
    }

    #[test]
    fn an_attribute_pair_without_an_enabled_value_is_removed_when_the_account_comes_back() {
        let pair = Disable::Attribute {
            attribute: AttributeName::parse("employeeType").unwrap(),
            enabled: None,
            disabled: "left".into(),
        };
        assert!(applied(&pair, &entry("employeeType", Some("left")), true).contains("Replace([])"));
        assert!(pair.is_active(&entry("employeeType", Some("engineer"))));
    }

    #[test]
    fn a_moved_account_comes_home_again() {
        let away = Dn::parse("ou=disabled,dc=example,dc=test").unwrap();
        let disable = Disable::MoveTo(away.clone());
        assert_eq!(disable.change(&entry("uid", None), false, &home()).parent, Some(away.clone()));
        let moved = Entry::new(Dn::parse("uid=jdoe,ou=disabled,dc=example,dc=test").unwrap());
        assert!(!disable.is_active(&moved));
        assert_eq!(disable.change(&moved, true, &home()).parent, Some(home()));
    }
}
