//! The integration tests: the whole daemon against real servers, and the ground they stand on.

#[path = "../harness/mod.rs"]
mod harness;

mod harness_slapd;
