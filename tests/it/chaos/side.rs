//! One of two bridges that are asked the same, and what it answers in terms that can be compared.

use super::history::{Op, Slot, collection};
use crate::harness::{Answer, Scim};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

/// What a place without a resource has for an id.
const NOBODY: &str = "00000000-1111-2222-3333-444444444444";
/// How long a client goes on trying to get through.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long it waits for one answer: when a bridge was killed, somebody else may listen at its address who never
/// answers.
const TRY: Duration = Duration::from_secs(20);

/// A bridge as its clients know it.
pub struct Side {
    /// It has another address when it was restarted.
    scim: RwLock<Scim>,
    known: Mutex<Known>,
}

/// What the clients of a bridge remember.
#[derive(Default)]
struct Known {
    ids: BTreeMap<Slot, String>,
    /// The version of each, and the resource as it was then.
    tags: BTreeMap<Slot, (String, String)>,
    /// Every id that was ever given out, with a name that is the same on both sides.
    labels: Vec<(String, String)>,
    alive: BTreeSet<Slot>,
}

/// An answer as it is compared.
#[derive(Clone, Debug)]
pub struct Seen {
    pub status: u16,
    pub body: Value,
    /// The words of an error, which are not compared.
    pub detail: String,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        (self.status, &self.body) == (other.status, &other.body)
    }
}

impl Side {
    pub fn new(scim: Scim) -> Self {
        Self { scim: RwLock::new(scim), known: Mutex::default() }
    }

    /// The bridge is reached elsewhere from now on.
    pub fn moved(&self, scim: Scim) {
        *self.scim.write().unwrap() = scim;
    }

    /// What a place has in it now, and what its client last saw there.
    pub async fn told(&self, slot: &str) -> String {
        let path = format!("{}/{}", collection(slot), self.id(slot));
        let now = self.ask(Method::GET, &path, None, None).await.0.text;
        let seen = self.known.lock().unwrap().tags.get(slot).map(|(_, text)| text.clone());
        format!("{slot} now: {now}\n{slot} as it was seen: {}", seen.unwrap_or_default())
    }

    /// Deletes all that was ever created, and forgets what the clients know.
    pub async fn wipe(&self) {
        let known = std::mem::take(&mut *self.known.lock().unwrap());
        for (id, name) in known.labels {
            let status =
                self.ask(Method::DELETE, &format!("{}/{id}", collection(&name[1..])), None, None).await.0.status;
            assert!(matches!(status, 204 | 404), "{name}: {status}");
        }
    }

    /// The resources that are there.
    pub fn alive(&self) -> BTreeSet<Slot> {
        self.known.lock().unwrap().alive.clone()
    }

    fn id(&self, slot: &str) -> String {
        self.known.lock().unwrap().ids.get(slot).cloned().unwrap_or_else(|| NOBODY.to_owned())
    }

    fn filled(&self, text: &str) -> String {
        let known = self.known.lock().unwrap();
        let parts = text.split('@').enumerate().map(|(at, part)| {
            let is_slot = at % 2 == 1 && part.len() == 4 && part.get(2..3) == Some(".");
            if is_slot { known.ids.get(part).map_or(NOBODY, String::as_str) } else { part }
        });
        parts.collect()
    }

    /// Sends a request until it is answered, as a client does that got no answer. Whether it was sent more than once.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>, tag: Option<String>) -> (Answer, bool) {
        let (until, mut again) = (Instant::now() + PATIENCE, false);
        let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-match", tag.as_str())).collect();
        loop {
            let scim = self.scim.read().unwrap().clone();
            match tokio::time::timeout(TRY, scim.try_send(method.clone(), path, &headers, body)).await {
                Ok(Ok(answer)) => return (answer, again),
                missed => assert!(Instant::now() < until, "{method} {path}: {missed:?}"),
            }
            again = true;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Plays one request.
    pub async fn play(&self, op: &Op) -> Seen {
        match op {
            Op::Create { slot, body } => self.create(slot, &self.body(body)).await,
            Op::Replace { slot, body, if_match } => {
                self.change(Method::PUT, slot, Some(&self.body(body)), *if_match).await
            }
            Op::Patch { slot, body, if_match } => {
                self.change(Method::PATCH, slot, Some(&self.body(body)), *if_match).await
            }
            Op::Delete { slot } => self.delete(slot).await,
            Op::Get { slot } => self.change(Method::GET, slot, None, false).await,
            Op::List { path, ordered } => {
                let answer = self.ask(Method::GET, &self.filled(path), None, None).await.0;
                self.seen(&answer, *ordered)
            }
        }
    }

    fn body(&self, body: &Value) -> Value {
        // Addresses have an @ as well; places are recognised by their form.
        filled_in(body, &|text| {
            let inner = text.strip_prefix('@').and_then(|text| text.strip_suffix('@'));
            match inner {
                Some(slot) => self.id(slot),
                None if text.starts_with("members[") => self.filled(text),
                None => text.to_owned(),
            }
        })
    }

    async fn create(&self, slot: &str, body: &Value) -> Seen {
        let path = collection(slot);
        let (mut answer, again) = self.ask(Method::POST, path, Some(body), None).await;
        if again && answer.status == 409 {
            // Who does not know what became of a create looks for it.
            if let Some(found) = self.looked_up(path, body).await {
                answer = found;
                answer.status = 201;
            }
        }
        if answer.status == 201 {
            self.note_created(slot, &answer.id());
        }
        self.note_tag(slot, &answer);
        self.seen(&answer, false)
    }

    /// The resource of this name, unless it was there before.
    async fn looked_up(&self, path: &str, body: &Value) -> Option<Answer> {
        let attribute = if path == "/Users" { "userName" } else { "displayName" };
        let filter = format!("{attribute} eq {}", body[attribute]);
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let found = self.ask(Method::GET, &format!("{path}?filter={filter}"), None, None).await.0;
        let id = found.resources().first()?["id"].as_str()?.to_owned();
        if self.known.lock().unwrap().labels.iter().any(|(known, _)| *known == id) {
            return None;
        }
        Some(self.ask(Method::GET, &format!("{path}/{id}"), None, None).await.0)
    }

    async fn change(&self, method: Method, slot: &str, body: Option<&Value>, if_match: bool) -> Seen {
        let path = format!("{}/{}", collection(slot), self.id(slot));
        let tag = if if_match { self.known.lock().unwrap().tags.get(slot).map(|(tag, _)| tag.clone()) } else { None };
        let (answer, _) = self.ask(method, &path, body, tag).await;
        self.note_tag(slot, &answer);
        self.seen(&answer, false)
    }

    async fn delete(&self, slot: &str) -> Seen {
        let path = format!("{}/{}", collection(slot), self.id(slot));
        let (mut answer, again) = self.ask(Method::DELETE, &path, None, None).await;
        let was_there = self.known.lock().unwrap().alive.remove(slot);
        if again && was_there && answer.status == 404 {
            answer.status = 204;
            answer.text.clear();
            answer.body = Value::Null;
        }
        self.seen(&answer, false)
    }

    fn note_created(&self, slot: &str, id: &str) {
        let mut known = self.known.lock().unwrap();
        let name = format!("<{slot}#{}>", known.labels.iter().filter(|(_, name)| name[1..].starts_with(slot)).count());
        known.labels.push((id.to_owned(), name));
        known.ids.insert(slot.to_owned(), id.to_owned());
        known.alive.insert(slot.to_owned());
    }

    fn note_tag(&self, slot: &str, answer: &Answer) {
        if let Some(tag) = answer.body["meta"]["version"].as_str() {
            let known = (tag.to_owned(), answer.text.clone());
            self.known.lock().unwrap().tags.insert(slot.to_owned(), known);
        }
    }

    /// The answer without what can't be the same on both sides: ids have the names of their places, times and what
    /// follows from ids (versions) are left out, and what has no order is sorted. Of an error the words are left out: they
    /// may quote the server.
    fn seen(&self, answer: &Answer, ordered: bool) -> Seen {
        let status = answer.status;
        if status >= 400 {
            let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
            return Seen { status, body: json!(answer.body["scimType"]), detail };
        }
        let mut text = answer.text.clone();
        for (id, name) in &self.known.lock().unwrap().labels {
            text = text.replace(id, name);
        }
        let mut body = serde_json::from_str(&text).unwrap_or(Value::Null);
        clean(&mut body, ordered);
        Seen { status, body, detail: String::new() }
    }
}

fn filled_in(value: &Value, with: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(with(text)),
        Value::Array(values) => values.iter().map(|value| filled_in(value, with)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), filled_in(value, with))).collect(),
        other => other.clone(),
    }
}

fn clean(value: &mut Value, ordered: bool) {
    match value {
        Value::Array(values) => {
            for value in &mut *values {
                clean(value, false);
            }
            if !ordered {
                values.sort_by_key(Value::to_string);
            }
        }
        Value::Object(map) => {
            for name in ["created", "lastModified", "version"] {
                map.remove(name);
            }
            for (key, value) in &mut *map {
                if key == "location" || key == "$ref" {
                    // The daemon listens elsewhere after a restart.
                    let path = value.as_str().and_then(|url| url.split_once("/scim/v2")).map(|(_, path)| json!(path));
                    *value = path.unwrap_or(Value::Null);
                }
                clean(value, ordered && key == "Resources");
            }
            map.sort_keys();
        }
        _ => {}
    }
}
