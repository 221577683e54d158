//! Where the numbers go: the page `docs/performance.md`, between two markers. The prose around them is written by hand.

use crate::workload::Outcome;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- measured by `make bench`: begin -->";
const END: &str = "<!-- measured by `make bench`: end -->";

/// Puts `text` between the markers of the page and writes it to `to`.
pub fn fill(text: &str, to: &Path) -> Outcome<()> {
    let page = fs::read_to_string(page())?;
    let missing = "docs/performance.md has lost its markers";
    let (before, rest) = page.split_once(BEGIN).ok_or(missing)?;
    let (_, after) = rest.split_once(END).ok_or(missing)?;
    fs::write(to, format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim_end()))?;
    Ok(())
}

/// The page itself.
pub fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md")
}

/// What it was measured on.
pub fn machine(server: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let (model, day) = (model.trim_start_matches([' ', '\t', ':']), jiff::Zoned::now().date());
    format!("{cores} cores ({model}) shared by directory, bridge and generator; {server}; {day}.")
}
