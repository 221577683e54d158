//! The integration tests: the whole daemon against real servers, and the ground they stand on.

// A test that can't go on says so and stops, in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../harness/mod.rs"]
mod harness;

/// Makes a test for each kind of directory server of a function that takes the kind: `NAME::openldap`,
/// `NAME::active_directory` and `NAME::ds389`.
macro_rules! on_every_directory {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::harness::Kind;

            #[tokio::test]
            async fn openldap() {
                super::$name(Kind::OpenLdap).await;
            }

            #[tokio::test]
            async fn active_directory() {
                super::$name(Kind::ActiveDirectory).await;
            }

            #[tokio::test]
            async fn ds389() {
                super::$name(Kind::Ds389).await;
            }
        }
    )+};
}

mod active_directory;
mod bulk;
mod capitals;
mod cases;
mod chaos;
mod check_domain;
mod clients;
mod connecting;
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
#[cfg(feature = "gssapi")]
mod gssapi;
mod harness_servers;
mod harness_slapd;
mod hostile;
mod large;
mod late_references;
mod life_cycles;
mod listeners;
mod lists;
mod lookups;
mod members;
mod metrics;
mod model;
mod nested;
mod numbers;
mod okta_lifecycle;
mod okta_spec;
mod others;
mod outage;
mod outage_limits;
mod parked;
mod passwords;
mod policies;
mod protect;
mod queue;
mod races;
mod running;
mod search_all;
mod systemd;
mod telemetry;
mod tokens;
mod wire;
mod world;
