//! What keeps an outage of the directory from being noticed (docs/decisions/0011-outages.md).
//!
//! | file | does |
//! |---|---|
//! | `keep` | accepts what the directory can't do now, and answers in its place |
//! | `ledger` | what is owed, beyond a request and beyond the process |
//! | `leaving` | renames and deletions that a kill would interrupt |
//! | `stored` | intents as data |
//! | `schedule` | in which order they may be carried out |
//! | `drain` | carries them out |
//! | `backstage` | what works in the background |
//! | `echoes` | the shadow follows what the directory does |
//! | `desk` | what a person sees of what is owed, and decides |
//! | `pulse` | what the daemon knows, for commands beside it |
//! | `waiting` | references to somebody who is not there yet |
//! | `aliases` | ids that were given out before the directory gave its own |

mod aliases;
mod backstage;
pub mod desk;
mod drain;
mod echoes;
mod keep;
mod leaving;
mod ledger;
mod pulse;
mod schedule;
mod stored;
mod waiting;

pub(super) use aliases::Aliases;
pub use backstage::Backstage;
pub(super) use echoes::Echoes;
pub(super) use keep::{Keep, turn_key};
pub(super) use leaving::{Departure, Leaver};
pub use ledger::Ledger;
pub(super) use pulse::Progress;
pub use pulse::{Figures, Pulse};
