//! The keytab of the bridge, made known to Kerberos.
//!
//! The Kerberos library learns where a keytab is from the environment alone, and the environment of a process that runs
//! can't be changed safely. So the program starts itself once more, as the same process, with what it needs.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::{Exit, complain};
use crate::config::Config;

const KEYTAB: &str = "KRB5_CLIENT_KTNAME";
const TICKETS: &str = "KRB5CCNAME";

/// Makes sure that Kerberos finds the keytab of `config`. Returns at once where there is none or it is known; else the
/// program begins anew.
pub(crate) fn settle(config: &Config) -> Result<(), Exit> {
    let Some(keytab) = config.directories.iter().find_map(|directory| directory.keytab.as_ref()) else { return Ok(()) };
    let mut wanted = std::ffi::OsString::from("FILE:");
    // Tickets don't belong to a folder.
    wanted.push(std::path::absolute(keytab).unwrap_or_else(|_| keytab.clone()));
    if std::env::var_os(KEYTAB).is_some_and(|known| known == wanted) {
        return Ok(());
    }
    let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(KEYTAB, &wanted);
    if std::env::var_os(TICKETS).is_none() {
        // Tickets are nobody else's business, and there is no file to look after.
        command.env(TICKETS, "MEMORY:scim2ldap");
    }
    complain(format!("can't start again with {KEYTAB} in the environment: {}", command.exec()));
    Err(Exit::Problems)
}
