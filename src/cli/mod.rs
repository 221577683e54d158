//! Commands of the `scim2ldap` binary.
