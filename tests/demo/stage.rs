//! Where the story is played: every request, its answer, and what it changed in the directory.

use super::harness::{Answer, Attributes, Facts, Kind, Raw, Scim};
use super::paint::Paint;
use super::text;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Ok, or what was not as it should be.
pub type Outcome<T = ()> = Result<T, String>;

/// Where the lines below a request begin.
const MARGIN: &str = "      ";
/// The people's entries by their SCIM id: one that moves is still the same.
type Entries = BTreeMap<String, (String, Attributes)>;

/// A client on one side of the bridge, a look into the directory on the other.
pub struct Stage {
    scim: Scim,
    raw: Raw,
    kind: Kind,
    /// Where the directory's people are.
    people: String,
    paint: Paint,
    steps: usize,
    entries: Entries,
    /// What the last request changed: names of attributes, and "dn".
    touched: BTreeSet<String>,
    /// The last answer for each path.
    seen: BTreeMap<String, Value>,
}

impl Stage {
    /// An empty stage.
    pub fn new(scim: Scim, raw: Raw, (kind, base): (Kind, &str), paint: Paint) -> Self {
        let (entries, touched, seen) = Default::default();
        let people = format!("{},{base}", kind.facts().people);
        Self { scim, raw, kind, people, paint, steps: 0, entries, touched, seen }
    }

    /// What is special about this kind of directory.
    pub fn facts(&self) -> &'static Facts {
        self.kind.facts()
    }

    /// How many requests have been made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Says what is being played.
    pub fn scene(&self, text: &str) {
        println!("\n{}", self.paint.title(text));
    }

    /// GET.
    pub async fn get(&mut self, path: &str) -> Outcome<Value> {
        self.step(Method::GET, path, path, None, 200).await?;
        self.touched(&[])?;
        Ok(self.seen[path].clone())
    }

    /// Okta's look-up of a user by name, which has to find `number`.
    pub async fn find_user(&mut self, name: &str, number: u64) -> Outcome {
        let filter = format!("userName eq \"{name}\"");
        let encoded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let shown = format!("/Users?filter={filter}&startIndex=1&count=100");
        let found = self
            .step(Method::GET, &format!("/Users?filter={encoded}&startIndex=1&count=100"), &shown, None, 200)
            .await?;
        self.touched(&[])?;
        if found["totalResults"] == number { Ok(()) } else { Err(format!("{number} expected, got {found:#}")) }
    }

    /// POST.
    pub async fn post(&mut self, path: &str, body: &Value) -> Outcome<Value> {
        self.step(Method::POST, path, path, Some(body), 201).await
    }

    /// PUT of a resource as it was read, with changes.
    pub async fn put(&mut self, path: &str, body: &Value) -> Outcome<Value> {
        self.step(Method::PUT, path, path, Some(body), 200).await
    }

    /// PATCH.
    pub async fn patch(&mut self, path: &str, body: &Value) -> Outcome<Value> {
        self.step(Method::PATCH, path, path, Some(body), 200).await
    }

    /// What the last answer for `path` must have said.
    pub fn expect(&self, path: &str, pointer: &str, value: &Value) -> Outcome {
        let found = self.seen.get(path).and_then(|answer| answer.pointer(pointer));
        if found == Some(value) { Ok(()) } else { Err(format!("{path}: {pointer} should be {value}, is {found:?}")) }
    }

    /// What the last request must have changed in the directory.
    pub fn touched(&self, names: &[&str]) -> Outcome {
        let changed: BTreeSet<&str> = self.touched.iter().map(String::as_str).collect();
        if changed == names.iter().copied().collect() {
            return Ok(());
        }
        Err(format!("Step {} should have changed {names:?} in the directory, but changed {changed:?}.", self.steps))
    }

    async fn step(
        &mut self,
        method: Method,
        path: &str,
        shown: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Outcome<Value> {
        self.steps += 1;
        println!("\n  {:>2}  {} {}", self.steps, self.paint.title(method.as_str()), text::with_short_ids(shown));
        if let Some(body) = body {
            let known = if method == Method::PUT { self.seen.get(path) } else { None };
            for line in text::wrapped(&text::brief(body, known)) {
                println!("{MARGIN}{}", self.paint.quiet(&line));
            }
        }
        let answer = self.scim.send(method, path, body).await;
        println!("{MARGIN}{}", self.verdict(&answer, status));
        if answer.status != status {
            return Err(format!("Step {} should have been answered with {status}:\n{:#}", self.steps, answer.body));
        }
        self.seen.insert(path.to_owned(), answer.body.clone());
        self.look_at_directory().await;
        if body.is_some() && self.touched.is_empty() {
            println!("{MARGIN}{}", self.paint.quiet("the entry stays as it is"));
        }
        Ok(answer.body)
    }

    fn verdict(&self, answer: &Answer, status: u16) -> String {
        let code = answer.status.to_string();
        let code = if answer.status == status { self.paint.good(&code) } else { self.paint.bad(&code) };
        let said = match (&answer.body["totalResults"], &answer.body["id"]) {
            (Value::Number(total), _) => format!("{total} found"),
            (_, Value::String(id)) => {
                let state = if answer.body["active"] == json!(false) { "inactive" } else { "active" };
                let name = answer.body["userName"].as_str().unwrap_or("the resource");
                format!("{name}, {state}, id {}", text::with_short_ids(id))
            }
            _ => String::new(),
        };
        let took = format!("{:.1} ms", answer.took.as_secs_f64() * 1000.0);
        format!("{code}  {said}  {}", self.paint.quiet(&took))
    }

    /// Reads the directory, and prints how it differs from before.
    async fn look_at_directory(&mut self) {
        let found = self.raw.find(&self.people, "(objectClass=person)").await;
        let now: Entries = found.into_iter().map(|(dn, entry)| (self.kind.scim_id(&entry), (dn, entry))).collect();
        let before = std::mem::replace(&mut self.entries, now);
        self.touched.clear();
        let nothing = (String::new(), Attributes::new());
        let ids: BTreeSet<String> = before.keys().chain(self.entries.keys()).cloned().collect();
        for id in ids {
            let old = before.get(&id).unwrap_or(&nothing);
            let new = self.entries.get(&id).unwrap_or(&nothing);
            let changes = changes(self.facts(), old, new);
            if changes.iter().all(|change| change.name != "dn") && !changes.is_empty() {
                println!("{MARGIN}{}", self.paint.note(&format!("  dn: {}", new.0)));
            }
            for change in &changes {
                println!("{MARGIN}{}", change.shown(self.paint));
            }
            self.touched.extend(changes.into_iter().map(|change| change.name));
        }
    }
}

/// One value that came or went.
struct Change {
    name: String,
    value: String,
    came: bool,
}

impl Change {
    fn shown(&self, paint: Paint) -> String {
        let indent = if self.name == "dn" { "" } else { "  " };
        let Self { name, value, came } = self;
        if *came {
            paint.good(&format!("+ {indent}{name}: {value}"))
        } else {
            paint.bad(&format!("- {indent}{name}: {value}"))
        }
    }
}

fn changes(facts: &Facts, old: &(String, Attributes), new: &(String, Attributes)) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut note = |name: &str, old: &[String], new: &[String]| {
        for (values, others, came) in [(old, new, false), (new, old, true)] {
            let differing = values.iter().filter(|value| !value.is_empty() && !others.contains(value));
            changes.extend(differing.map(|value| Change { name: name.to_owned(), value: value.clone(), came }));
        }
    };
    note("dn", std::slice::from_ref(&old.0), std::slice::from_ref(&new.0));
    // Clocks, counters, and what stands in the DN would only be noise.
    let noise = |name: &&String| {
        let lists = [facts.clocks, facts.derived, facts.supplied];
        lists.iter().any(|list| list.contains(&name.as_str()))
    };
    let names: BTreeSet<&String> = old.1.keys().chain(new.1.keys()).collect();
    for name in names.into_iter().filter(|name| !noise(name)) {
        let values = |attributes: &Attributes| attributes.get(name).cloned().unwrap_or_default();
        note(name, &values(&old.1), &values(&new.1));
    }
    changes
}
