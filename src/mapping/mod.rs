//! Translation both ways between resources and entries. Pure.
