//! Where the numbers go: the page `docs/performance.md`, each part between two markers. The prose around them is written
//! by hand.

use crate::workload::Outcome;
use std::fs;
use std::path::{Path, PathBuf};

/// What is measured, and stands between markers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Single users.
    Users,
    /// Large groups and long lists.
    Large,
    /// Outages of the directory.
    Outage,
}

impl Part {
    fn markers(self) -> (&'static str, &'static str) {
        match self {
            Self::Users => ("<!-- measured by `make bench`: begin -->", "<!-- measured by `make bench`: end -->"),
            Self::Large => {
                ("<!-- measured by `make bench-large`: begin -->", "<!-- measured by `make bench-large`: end -->")
            }
            Self::Outage => {
                ("<!-- measured by `make bench-outage`: begin -->", "<!-- measured by `make bench-outage`: end -->")
            }
        }
    }
}

/// Puts these texts between the markers of their parts, and writes the page to `to`.
pub fn fill(texts: &[(Part, String)], to: &Path) -> Outcome<()> {
    let mut page = fs::read_to_string(page())?;
    for (part, text) in texts {
        let (begin, end) = part.markers();
        let missing = || format!("docs/performance.md has lost the marker {begin} or {end}");
        let (before, rest) = page.split_once(begin).ok_or_else(missing)?;
        let (_, after) = rest.split_once(end).ok_or_else(missing)?;
        page = format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim_end());
    }
    fs::write(to, page)?;
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
