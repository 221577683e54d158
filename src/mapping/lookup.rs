//! A row's value table: what the client says and what the directory stores instead.

use serde_json::Value;

/// Pairs of a SCIM value and an LDAP value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lookup(Vec<(Value, String)>);

impl Lookup {
    /// A table of these pairs, in order of preference.
    #[must_use]
    pub fn new(pairs: Vec<(Value, String)>) -> Self {
        Self(pairs)
    }

    /// All pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&Value, &str)> {
        self.0.iter().map(|(scim, ldap)| (scim, ldap.as_str()))
    }

    /// What the directory stores for a SCIM value; texts are compared exactly first, then in any case.
    #[must_use]
    pub fn to_ldap(&self, value: &Value) -> Option<&str> {
        let exact = self.0.iter().find(|(scim, _)| scim == value);
        let any_case = || self.0.iter().find(|(scim, _)| same_text(scim, value));
        exact.or_else(any_case).map(|(_, ldap)| ldap.as_str())
    }

    /// What the client is told for a stored value.
    #[must_use]
    pub fn to_scim(&self, stored: &str) -> Option<&Value> {
        let exact = self.0.iter().find(|(_, ldap)| ldap == stored);
        let any_case = || self.0.iter().find(|(_, ldap)| ldap.eq_ignore_ascii_case(stored));
        exact.or_else(any_case).map(|(scim, _)| scim)
    }
}

fn same_text(one: &Value, other: &Value) -> bool {
    one.as_str().zip(other.as_str()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_looked_up_both_ways_exactly_first() {
        let lookup = Lookup::new(vec![
            (json!("Employee"), "E".to_owned()),
            (json!("EMPLOYEE"), "F".to_owned()),
            (json!(true), "Y".to_owned()),
        ]);
        assert_eq!(lookup.to_ldap(&json!("EMPLOYEE")), Some("F"));
        assert_eq!(lookup.to_ldap(&json!("employee")), Some("E"));
        assert_eq!(lookup.to_ldap(&json!(true)), Some("Y"));
        assert_eq!(lookup.to_ldap(&json!("other")), None);
        assert_eq!(lookup.to_scim("e"), Some(&json!("Employee")));
        assert_eq!(lookup.to_scim("x"), None);
    }
}
