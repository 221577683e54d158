//! Routes, credentials, listeners, JSON bodies, and the one table from outcome to status.
//!
//! | file | does |
//! |---|---|
//! | `handler` | takes every request, says who is let in, and writes the line in the log |
//! | `route`, `uri` | from a path to the endpoint it names |
//! | [`credentials`] | who is let in |
//! | `resources`, `lists` | the endpoints for users and groups |
//! | `bulk` | many requests in one |
//! | `discovery`, `health` | the other endpoints |
//! | `body`, `negotiation` | JSON bodies and media types |
//! | `outcome` | the one table from what went wrong to what the client is told |
//! | [`site`] | what is served: the tenants |
//! | [`listener`], [`tls`] | sockets and certificates |

pub mod admin;
mod body;
mod bulk;
pub mod credentials;
mod discovery;
mod handler;
mod health;
pub mod listener;
mod lists;
mod negotiation;
mod outcome;
mod pieces;
mod request_id;
mod resources;
mod route;
pub mod site;
pub mod tls;
mod uri;

pub(crate) use body::parse as parse_body;
