//! Entry point; the library does the work.

fn main() {}
