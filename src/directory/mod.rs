//! The LDAP conversation.
