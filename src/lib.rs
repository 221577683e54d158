//! scim2ldap carries what an identity provider pushes over SCIM 2.0 out in an LDAP directory.
//!
//! A request walks through the rooms once, in this order, and its answer walks back:
//!
//! | room | owns |
//! |---|---|
//! | [`http`] | routes, credentials, listeners, JSON bodies, the one table from outcome to status |
//! | [`scim`] | RFC 7643 and RFC 7644 as values; pure |
//! | [`bridge`] | intent to receipt: order, apply, reads |
//! | [`mapping`] | translation both ways, filter compilation, the plan; pure |
//! | [`directory`] | the LDAP conversation: connections, controls, fail-over, dialects |
//! | [`store`] | what must outlive the process: a queue, small records, aliases, tokens |
//!
//! [`metrics`] counts what they do. [`tables`] reads the TOML files that people edit and reports every mistake at once; [`config`],
//! [`daemon`], [`telemetry`] and [`cli`] put the rooms together. `docs/architecture.md` tells the whole.

pub mod bridge;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod directory;
pub mod http;
pub mod mapping;
pub mod metrics;
pub mod scim;
pub mod store;
pub mod tables;
pub mod telemetry;
