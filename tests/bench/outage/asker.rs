//! Requests that were made before the clock starts, sent one after the other.

use crate::http::{Connection, Tenant, find};
use crate::workload::{Outcome, Worker};
use std::sync::Arc;
use std::time::Duration;

/// Requests, and what is expected of the answers.
pub struct Asked {
    pub requests: Vec<Vec<u8>>,
    pub status: u16,
    /// Every answer has to hold this.
    pub shows: Vec<u8>,
}

/// One of those who ask at the same time, on a connection of its own.
pub struct Asker {
    connection: Connection,
    asked: Arc<Asked>,
    /// The ids in the answers, where one was looked for.
    pub ids: Vec<(usize, String)>,
}

impl Asker {
    /// So many, each connected, with an answer seen.
    pub async fn several(tenant: &Tenant, asked: &Arc<Asked>, count: usize) -> Outcome<Vec<Self>> {
        let mut askers = Vec::new();
        for _ in 0..count {
            let mut connection = Connection::open(&tenant.address).await?;
            connection.exchange(&tenant.get("/ServiceProviderConfig")).await?;
            askers.push(Self { connection, asked: Arc::clone(asked), ids: Vec::new() });
        }
        Ok(askers)
    }
}

impl Worker for Asker {
    async fn perform(&mut self, index: usize) -> Outcome<()> {
        let request = self.asked.requests.get(index).ok_or("no such job")?;
        let answer = self.connection.exchange(request).await?;
        let shown = self.asked.shows.is_empty() || find(answer.body, &self.asked.shows).is_some();
        if answer.status != self.asked.status || !shown {
            let text = String::from_utf8_lossy(answer.body);
            let request = String::from_utf8_lossy(request.get(..100).unwrap_or_default());
            return Err(format!("{request:?} was answered with {}: {text}", answer.status).into());
        }
        if answer.status == 201 {
            self.ids.push((index, crate::bridge::id(answer.body).ok_or("something new without an id")?));
        }
        Ok(())
    }
}

/// The time that so many of a hundred jobs took less than.
pub fn quantile(sorted: &[Duration], percent: usize) -> Outcome<Duration> {
    Ok(sorted.get(sorted.len() * percent / 100).copied().ok_or("nothing was measured")?)
}
