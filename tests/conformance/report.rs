//! What a suite found, held against what is expected of it.

use super::expected::{self, Expected};

/// How one check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Good,
    /// Something that the RFCs recommend otherwise.
    Remark,
    /// The suite did not carry it out.
    Skipped,
    /// Against the RFCs, says the suite.
    Wrong,
}

/// One check of a suite.
#[derive(Clone, Debug)]
pub struct Check {
    /// What the suite calls it.
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// What the suite says about it.
    pub detail: String,
}

/// All that a suite found.
pub struct Report {
    suite: &'static str,
    /// The suite has at least so many checks; with fewer it has given up half-way.
    least: usize,
    checks: Vec<Check>,
}

impl Report {
    /// What `suite` found.
    pub fn new(suite: &'static str, least: usize, checks: Vec<Check>) -> Self {
        Self { suite, least, checks }
    }

    /// Prints every check that did not just go well.
    pub fn print_remarkable(&self) {
        for check in &self.checks {
            let label = match (check.verdict, self.expectation(check)) {
                (Verdict::Good, _) => continue,
                (Verdict::Wrong, Some(_)) => "expected",
                (Verdict::Wrong, None) => "WRONG",
                (Verdict::Remark, _) => "remark",
                (Verdict::Skipped, _) => "skipped",
            };
            println!("  {label:8}  {}: {}", check.name, check.detail.replace('\n', "\n            "));
            if let Some(expected) = self.expectation(check).filter(|_| check.verdict == Verdict::Wrong) {
                println!("            because {}", expected.why);
            }
        }
        for expected in self.unheard() {
            println!(
                "  UNHEARD   {}: nothing about {:?}; take it out of expected.rs",
                expected.check, expected.mentions
            );
        }
        if self.executed() < self.least {
            println!("  WRONG     only {} checks were carried out, {} should have been", self.executed(), self.least);
        }
    }

    /// Prints one line.
    pub fn print_summary(&self) {
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let wrong = self.wrong().count();
        println!(
            "{:12}  {:3} checks: {} good, {} skipped, {} with a remark, {} expected complaints, {} errors",
            self.suite,
            self.checks.len(),
            count(Verdict::Good),
            count(Verdict::Skipped),
            count(Verdict::Remark),
            count(Verdict::Wrong) - wrong,
            wrong,
        );
    }

    /// Whether all is as it should be.
    pub fn is_good(&self) -> bool {
        self.wrong().next().is_none() && self.unheard().next().is_none() && self.executed() >= self.least
    }

    fn wrong(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Wrong && self.expectation(check).is_none())
    }

    fn executed(&self) -> usize {
        self.checks.iter().filter(|check| check.verdict != Verdict::Skipped).count()
    }

    fn expectation(&self, check: &Check) -> Option<&'static Expected> {
        self.expectations().find(|expected| fits(expected, check))
    }

    /// Complaints that were expected and did not come.
    fn unheard(&self) -> impl Iterator<Item = &'static Expected> {
        let heard =
            |expected: &Expected| self.checks.iter().any(|it| it.verdict == Verdict::Wrong && fits(expected, it));
        self.expectations().filter(move |expected| !heard(expected))
    }

    fn expectations(&self) -> impl Iterator<Item = &'static Expected> {
        expected::ALL.iter().filter(|expected| expected.suite == self.suite)
    }
}

fn fits(expected: &Expected, check: &Check) -> bool {
    expected.check == check.name && check.detail.contains(expected.mentions)
}
