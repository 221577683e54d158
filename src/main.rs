//! Entry point; the library does the work.

use std::process::ExitCode;

/// A request makes hundreds of small allocations, on several threads; this allocator does that for about two thirds
/// of the processor time of the system's own (see `docs/performance.md`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    scim2ldap::cli::main()
}
