//! Entry point; the library does the work.

use std::process::ExitCode;

fn main() -> ExitCode {
    scim2ldap::cli::main()
}
