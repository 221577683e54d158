//! Where the story is played: every request, its answer, and what it changed in the directory.

use super::harness::{Answer, Attributes, Raw, Scim};
use super::paint::Paint;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Ok, or what was not as it should be.
pub type Outcome<T = ()> = Result<T, String>;

/// How wide a line may get.
const WIDTH: usize = 116;
/// Operational attributes that would only be noise: clocks, counters, and what stands in the DN.
const SILENT: [&str; 9] = [
    "createTimestamp",
    "creatorsName",
    "entryCSN",
    "entryDN",
    "hasSubordinates",
    "modifiersName",
    "modifyTimestamp",
    "structuralObjectClass",
    "subschemaSubentry",
];

/// The entries below the people's branch, by entryUUID: an entry that moves is still the same.
type Entries = BTreeMap<String, (String, Attributes)>;

/// A client on one side of the bridge, a look into the directory on the other.
pub struct Stage {
    scim: Scim,
    raw: Raw,
    base: String,
    paint: Paint,
    steps: usize,
    entries: Entries,
    /// The last answer for each path.
    seen: BTreeMap<String, Value>,
}

impl Stage {
    /// An empty stage.
    pub fn new(scim: Scim, raw: Raw, base: String, paint: Paint) -> Self {
        Self { scim, raw, base, paint, steps: 0, entries: Entries::new(), seen: BTreeMap::new() }
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
    pub async fn get(&mut self, path: &str, status: u16) -> Outcome<Value> {
        self.step(Method::GET, path, path, None, status).await
    }

    /// Okta's look-up of a user by name, which has to find `number`.
    pub async fn find_user(&mut self, name: &str, number: u64) -> Outcome {
        let filter = format!("userName eq \"{name}\"");
        let encoded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let (path, shown) =
            (format!("/Users?filter={encoded}&startIndex=1&count=100"), format!("/Users?filter={filter}"));
        let found = self.step(Method::GET, &path, &shown, None, 200).await?;
        if found["totalResults"] == number { Ok(()) } else { Err(format!("{number} expected, got {found:#}")) }
    }

    /// POST.
    pub async fn post(&mut self, path: &str, body: &Value, status: u16) -> Outcome<Value> {
        self.step(Method::POST, path, path, Some(body), status).await
    }

    /// PUT of a resource as it was read, with changes.
    pub async fn put(&mut self, path: &str, body: &Value, status: u16) -> Outcome<Value> {
        self.step(Method::PUT, path, path, Some(body), status).await
    }

    /// PATCH.
    pub async fn patch(&mut self, path: &str, body: &Value, status: u16) -> Outcome<Value> {
        self.step(Method::PATCH, path, path, Some(body), status).await
    }

    /// What the last answer for `path` must have said.
    pub fn expect(&self, path: &str, pointer: &str, value: &Value) -> Outcome {
        let found = self.seen.get(path).and_then(|answer| answer.pointer(pointer));
        if found == Some(value) { Ok(()) } else { Err(format!("{path}: {pointer} should be {value}, is {found:?}")) }
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
        println!("\n  {:>2}  {} {shown}", self.steps, self.paint.title(method.as_str()));
        if let Some(body) = body {
            let known = if method == Method::PUT { self.seen.get(path) } else { None };
            println!("      {}", self.paint.quiet(&shortened(&brief(body, known), WIDTH - 6)));
        }
        let answer = self.scim.send(method, path, body).await;
        println!("      {}", self.verdict(&answer, status));
        if answer.status != status {
            return Err(format!("Step {} should have been answered with {status}:\n{:#}", self.steps, answer.body));
        }
        if answer.status == 200 {
            self.seen.insert(path.to_owned(), answer.body.clone());
        }
        self.show_changes().await;
        Ok(answer.body)
    }

    fn verdict(&self, answer: &Answer, status: u16) -> String {
        let code = answer.status.to_string();
        let code = if answer.status == status { self.paint.good(&code) } else { self.paint.bad(&code) };
        let said = match (&answer.body["totalResults"], &answer.body["id"]) {
            (Value::Number(total), _) => format!("{total} found"),
            (_, Value::String(id)) => {
                let state = if answer.body["active"] == json!(false) { "inactive" } else { "active" };
                format!("{} is {state}, id {id}", answer.body["userName"].as_str().unwrap_or("the resource"))
            }
            _ => String::new(),
        };
        format!("{code}  {said}  {}", self.paint.quiet(&format!("{:.1} ms", answer.took.as_secs_f64() * 1000.0)))
    }

    /// Reads the directory, and prints how it differs from before.
    async fn show_changes(&mut self) {
        let found = self.raw.find(&format!("ou=people,{}", self.base), "(objectClass=person)").await;
        let now: Entries = found.into_iter().map(|(dn, entry)| (entry["entryUUID"][0].clone(), (dn, entry))).collect();
        let before = std::mem::replace(&mut self.entries, now);
        if before == self.entries {
            println!("      {}", self.paint.quiet("the directory is as it was"));
        }
        for (id, (dn, entry)) in &self.entries {
            match before.get(id) {
                None => {
                    println!("      {}", self.paint.good(&format!("+ dn: {dn}")));
                    self.show_entry(&Attributes::new(), entry);
                }
                Some((old, _)) if old != dn => {
                    println!("      {}", self.paint.bad(&format!("- dn: {old}")));
                    println!("      {}", self.paint.good(&format!("+ dn: {dn}")));
                    self.show_entry(&before[id].1, entry);
                }
                Some((_, old)) if old != entry => {
                    println!("      {}", self.paint.note(&format!("  dn: {dn}")));
                    self.show_entry(old, entry);
                }
                Some(_) => {}
            }
        }
        for (dn, _) in before.iter().filter(|(id, _)| !self.entries.contains_key(*id)).map(|(_, entry)| entry) {
            println!("      {}", self.paint.bad(&format!("- dn: {dn}")));
        }
    }

    fn show_entry(&self, before: &Attributes, after: &Attributes) {
        let none = Vec::new();
        let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for name in names.into_iter().filter(|name| !SILENT.contains(&name.as_str())) {
            let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
            for value in old.iter().filter(|value| !new.contains(value)) {
                println!("      {}", self.paint.bad(&shortened(&format!("-   {name}: {value}"), WIDTH - 6)));
            }
            for value in new.iter().filter(|value| !old.contains(value)) {
                println!("      {}", self.paint.good(&shortened(&format!("+   {name}: {value}"), WIDTH - 6)));
            }
        }
    }
}

/// The body without its schemas; of a resource that was read before, what differs.
fn brief(body: &Value, known: Option<&Value>) -> String {
    let Value::Object(body) = body else { return body.to_string() };
    let told = |name: &str, value: &Value| match known {
        Some(known) => known.get(name) != Some(value),
        None => name != "schemas",
    };
    let short: Map<String, Value> = body
        .iter()
        .filter(|(name, value)| told(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let text = Value::Object(short).to_string();
    if known.is_some() { format!("what was read, with {text}") } else { text }
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
