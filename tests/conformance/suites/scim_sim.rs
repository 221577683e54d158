//! scim-sim plays an admin who manages users and groups at a terminal. It has commands and no checks, so each command
//! is one, good when it says that it went well and shows what it has to show.

use super::{Check, Service, Verdict, output, said};
use std::io::Write;
use std::process::Stdio;

/// A day with two users and two groups.
pub fn run(service: &Service) -> Result<Vec<Check>, String> {
    let mut session = Session { service, checks: Vec::new() };
    session.set_up()?;
    session.step("config", &[], &[&service.url])?;
    session.step("show", &[], &["(empty)"])?;
    let ann = session.create("add-user", &[])?;
    let bob = session.create("add-user", &[])?;
    let crew = session.create("create-group", &["Crew, 1st \"A\""])?;
    session.step("add-to-group", &[&ann, &crew], &[GOOD])?;
    session.step("add-to-group", &[&bob, &crew], &[GOOD])?;
    session.step("show", &[], &["Crew, 1st \"A\"", &ann, &bob])?;
    session.step("remove-from-group", &[&bob, &crew], &[GOOD])?;
    session.step("show", &[], &["Ungrouped Users", &ann, &bob])?;
    session.step("remove-user", &[&bob], &[GOOD])?;
    let empty = session.create("create-group", &["Nobody yet"])?;
    session.step("delete-group", &[&crew], &[GOOD, &format!("User {ann} deleted")])?;
    session.step("delete-group", &[&empty], &[GOOD])?;
    Ok(session.checks)
}

/// What scim-sim puts before a message when something went well, and when it did not. Its exit status is always 0.
const GOOD: &str = "✅";
const BAD: &str = "❌";

struct Session<'a> {
    service: &'a Service,
    checks: Vec<Check>,
}

impl Session<'_> {
    /// Answers the questions of `scim-sim setup`.
    fn set_up(&mut self) -> Result<(), String> {
        let mut command = self.service.program("scim-sim");
        command.arg("setup").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("scim-sim can't be run: {error}"))?;
        let answers = format!("{}\n{}\n", self.service.url, self.service.token);
        let mut questions = child.stdin.take().ok_or("scim-sim has no standard input")?;
        questions.write_all(answers.as_bytes()).map_err(|error| format!("scim-sim does not listen: {error}"))?;
        drop(questions);
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        self.judge("setup", &said(&output), &[GOOD]);
        Ok(())
    }

    /// Runs a command whose output has to hold all of `wanted`, and returns the output.
    fn step(&mut self, verb: &str, arguments: &[&str], wanted: &[&str]) -> Result<String, String> {
        let mut command = self.service.program("scim-sim");
        command.arg(verb).args(arguments);
        let said = said(&output(command)?);
        self.judge(verb, &said, wanted);
        Ok(said)
    }

    /// Runs a command that makes something, and returns its id.
    fn create(&mut self, verb: &str, arguments: &[&str]) -> Result<String, String> {
        let said = self.step(verb, arguments, &[GOOD, "ID: "])?;
        Ok(said.rsplit_once("ID: ").map(|(_, id)| id.trim().to_owned()).unwrap_or_default())
    }

    fn judge(&mut self, verb: &str, said: &str, wanted: &[&str]) {
        let good = !said.contains(BAD) && !said.contains("Traceback") && wanted.iter().all(|text| said.contains(text));
        let (verdict, detail) = if good {
            (Verdict::Good, String::new())
        } else {
            (Verdict::Wrong, format!("{wanted:?} expected, it says:\n{}", said.trim_end()))
        };
        let name = format!("{}. {verb}", self.checks.len() + 1);
        self.checks.push(Check { name, verdict, detail });
    }
}
