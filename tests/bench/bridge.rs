//! The same operations through the bridge, as an identity provider asks for them.

use crate::http::{Connection, Tenant, find};
use crate::people::{Person, retitle};
use crate::workload::{Operation, Outcome, Worker};
use serde_json::Value;
use std::sync::Arc;

/// Every answer is checked in passing; one of so many is taken apart afterwards.
const SAMPLE: usize = 25;

/// Requests, made before the clock starts, and what is expected of the answers.
pub struct Work {
    operation: Operation,
    status: u16,
    requests: Vec<Vec<u8>>,
    /// Every answer has to hold its user's name ...
    names: Vec<Vec<u8>>,
    /// ... and this.
    also: Vec<u8>,
}

impl Work {
    /// One request for each person; `titles` are what they have now, `title` is what a PATCH gives them.
    pub fn new(tenant: &Tenant, operation: Operation, people: &[Person], titles: &[String], title: &str) -> Self {
        let one = |(person, now): (&Person, &String)| request(tenant, operation, person, now, title);
        let also = match operation {
            Operation::LookUp => "\"totalResults\":1".to_owned(),
            Operation::Patch => format!("\"title\":\"{title}\""),
            Operation::Create | Operation::Get | Operation::Put => "\"meta\":{".to_owned(),
        };
        Self {
            operation,
            status: if operation == Operation::Create { 201 } else { 200 },
            requests: people.iter().zip(titles).map(one).collect(),
            names: people.iter().map(|person| format!("\"{}\"", person.name()).into_bytes()).collect(),
            also: also.into_bytes(),
        }
    }
}

fn request(tenant: &Tenant, operation: Operation, person: &Person, now: &str, title: &str) -> Vec<u8> {
    let target = format!("/Users/{}", person.id);
    match operation {
        Operation::Create => tenant.send("POST", "/Users", &person.to_create()),
        Operation::LookUp => {
            let name = person.name().replace('@', "%40");
            tenant.get(&format!("/Users?filter=userName%20eq%20%22{name}%22&startIndex=1&count=100"))
        }
        Operation::Get => tenant.get(&target),
        Operation::Patch => tenant.send("PATCH", &target, &retitle(title)),
        Operation::Put => tenant.send("PUT", &target, &person.with_title(now)),
    }
}

/// One of those who work at the same time, on a connection of its own.
pub struct BridgeWorker {
    connection: Connection,
    work: Arc<Work>,
    /// The ids of the users that were created.
    pub ids: Vec<(usize, String)>,
    kept: Vec<(usize, Vec<u8>)>,
}

impl BridgeWorker {
    /// Connects, and asks something harmless so that the bridge has accepted the connection.
    pub async fn open(tenant: &Tenant, work: Arc<Work>) -> Outcome<Self> {
        let mut connection = Connection::open(&tenant.address).await?;
        let status = connection.exchange(&tenant.get("/ServiceProviderConfig")).await?.status;
        if status != 200 {
            return Err(format!("GET /ServiceProviderConfig is answered with {status}").into());
        }
        Ok(Self { connection, work, ids: Vec::new(), kept: Vec::new() })
    }

    /// Takes the sampled answers apart; `people` with their ids, `title` is what they have now.
    pub fn check(&self, people: &[Person], titles: &[String]) -> Outcome<()> {
        for (index, body) in &self.kept {
            let (Some(person), Some(title)) = (people.get(*index), titles.get(*index)) else {
                return Err("an answer for nobody".into());
            };
            let body: Value = serde_json::from_slice(body)?;
            if self.work.operation == Operation::LookUp {
                check_list(&body)?;
                person.check(&body["Resources"][0], title)?;
            } else {
                person.check(&body, title)?;
            }
        }
        Ok(())
    }
}

fn check_list(body: &Value) -> Outcome<()> {
    let counters = ["totalResults", "itemsPerPage", "startIndex"].map(|name| body[name].as_u64());
    let shown = body["Resources"].as_array().map(Vec::len);
    if counters == [Some(1); 3] && shown == Some(1) { Ok(()) } else { Err(format!("no list of one: {body:#}").into()) }
}

impl Worker for BridgeWorker {
    async fn perform(&mut self, index: usize) -> Outcome<()> {
        let (Some(request), Some(name)) = (self.work.requests.get(index), self.work.names.get(index)) else {
            return Err("no such job".into());
        };
        let answer = self.connection.exchange(request).await?;
        let body = answer.body;
        if answer.status != self.work.status || find(body, name).is_none() || find(body, &self.work.also).is_none() {
            let (status, text) = (answer.status, String::from_utf8_lossy(body));
            return Err(format!("{:?} was answered with {status}: {text}", self.work.operation).into());
        }
        if self.work.operation == Operation::Create {
            self.ids.push((index, id(body).ok_or("a new user without an id")?));
        }
        if index.is_multiple_of(SAMPLE) {
            self.kept.push((index, body.to_vec()));
        }
        Ok(())
    }
}

/// The first `id` of the body, without taking it apart.
pub fn id(body: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"id\":\"";
    let value = body.get(find(body, KEY)? + KEY.len()..)?;
    let end = value.iter().position(|byte| *byte == b'"')?;
    String::from_utf8(value.get(..end)?.to_vec()).ok()
}
