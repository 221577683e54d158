//! The integration tests: the whole daemon against real servers, and the ground they stand on.

// A test that can't go on says so and stops, in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod bulk;
mod cases;
mod clients;
mod credentials;
mod cursors;
mod docs;
mod docs_toml;
mod etags;
mod explain;
mod failures;
mod group_names;
mod group_push;
mod groups;
mod harness_slapd;
mod hostile;
mod large;
mod listeners;
mod lists;
mod model;
mod nested;
mod numbers;
mod okta_lifecycle;
mod okta_spec;
mod policies;
mod running;
mod search_all;
mod systemd;
mod telemetry;
mod wire;
mod world;
