//! The handle through which everyone talks to a directory.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{self, Connection};
use super::dialect::Dialect;
use super::dn::{Dn, Rdn};
use super::entry::{Change, Entry, Modification};
use super::fault::{Fault, FaultKind, is_elsewhere};
use super::filter::Filter;
use super::follow::{Follow, Followed};
use super::health::Health;
use super::moves::UnderWay;
use super::name::AttributeName;
use super::operation::{Answer, Broken, ModifyOptions, Operation, Scope, Search};
use super::password::{Password, PasswordWay};
use super::pool::Pool;
use super::ranges;
use super::scan::{self, Pages};
use super::schema::SchemaView;
use super::server::ServerInfo;
use super::settings::{Settings, SettingsFault};
use crate::metrics;

/// Names that were left are kept free so many times longer than the server needed for the same or less work: it may
/// have more to do.
const SLOWER: u32 = 5;
/// But by no more than this: somebody may wait for it.
const LONGEST_TIDYING: Duration = Duration::from_secs(10);

/// A directory, spoken to over a few shared connections. A clone speaks over the same ones.
#[derive(Clone)]
pub struct Directory {
    pub(super) pool: Arc<Pool>,
}

impl Directory {
    /// The directory that `settings` describe. Nothing is connected before the first operation.
    pub fn new(settings: Settings) -> Result<Self, SettingsFault> {
        Ok(Self { pool: Arc::new(Pool::new(settings)?) })
    }

    /// How this kind of server speaks.
    #[must_use]
    pub fn dialect(&self) -> &'static Dialect {
        self.pool.settings.kind.dialect()
    }

    /// The directory's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pool.settings.name
    }

    /// Finds a few entries, by one search without paging. More than the limit of `search` or of the server are
    /// [`FaultKind::SizeLimit`]; use [`scan`](Self::scan) for many. A dead connection is replaced once.
    pub async fn search(&self, search: &Search) -> Result<Vec<Entry>, Fault> {
        let answer = self.converse(&connection::search(search, self.limit())).await?;
        if !self.dialect().ranged_values {
            return Ok(answer.entries);
        }
        ranges::complete(self, search, answer.entries).await
    }

    /// Finds a few entries and, with each, what is behind the names in one of its attributes. That attribute itself is
    /// not read. `None`: the server can't do it.
    pub async fn search_and_follow(
        &self,
        search: &Search,
        follow: &Follow,
    ) -> Result<Option<Vec<(Entry, Followed)>>, Fault> {
        if !self.dialect().dereference || !self.pool.connection(false).await?.server.has_dereference() {
            return Ok(None);
        }
        let mut operation = connection::search(search, self.limit());
        if let Operation::Search { follow: asked, .. } = &mut operation {
            *asked = Some(follow);
        }
        let answer = match self.take_in(&operation).await {
            Ok(answer) => answer,
            // OpenLDAP refuses to follow what is not a plain name, such as uniqueMember.
            Err(fault) if !fault.is_transient() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        // An entry without any name comes without an answer to the control, as does one where it was overlooked.
        let found = answer.entries.into_iter().zip(answer.followed);
        Ok(found.map(|(entry, followed)| followed.map(|followed| (entry, followed))).collect())
    }

    /// What `search` finds, page by page, as it is asked for.
    #[must_use]
    pub fn pages(&self, search: Search) -> Pages<'_> {
        Pages::new(self, search)
    }

    /// Goes through any number of entries, page by page (RFC 2696), over a connection of its own. `each` may end it.
    ///
    /// A fault in the middle comes after entries were passed to `each`; what was seen then is not whole.
    pub async fn scan(
        &self,
        search: &Search,
        each: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send),
    ) -> Result<(), Fault> {
        scan::scan(self, search, each).await
    }

    /// Adds an entry. Attributes without values are left out. Returns the attributes in `read_back` of the new entry
    /// when the server can do that in the same step; none otherwise.
    pub async fn add(
        &self,
        dn: &Dn,
        attributes: &[(AttributeName, Vec<Vec<u8>>)],
        read_back: &[AttributeName],
    ) -> Result<Option<Entry>, Fault> {
        self.pool.vacated.wait(dn).await;
        self.write(&Operation::Add { dn, attributes, read_back }).await
    }

    /// Changes an entry, by all of `modifications` or none. No modifications: nothing is sent.
    pub async fn modify(
        &self,
        dn: &Dn,
        modifications: &[Modification],
        options: &ModifyOptions,
    ) -> Result<Option<Entry>, Fault> {
        if modifications.is_empty() {
            return Ok(None);
        }
        let permissive = options.permissive && self.dialect().permissive_modify;
        let confined = self.confined(dn, options);
        let options = confined.as_ref().unwrap_or(options);
        self.write(&Operation::Modify { dn, modifications, options, permissive }).await
    }

    /// The options with an assertion that holds for every entry but `dn`, where the server looks at others, too.
    fn confined(&self, dn: &Dn, options: &ModifyOptions) -> Option<ModifyOptions> {
        let (own_name, asserted) = self.dialect().confines_assertions.as_ref().zip(options.assertion.as_ref())?;
        let is_another = Filter::Not(Box::new(Filter::Equal(own_name.clone(), dn.as_str().as_bytes().to_vec())));
        let assertion = Some(Filter::Or(vec![is_another, asserted.clone()]));
        Some(ModifyOptions { assertion, ..options.clone() })
    }

    /// Renames an entry, moves it below `new_parent`, or both. Values of the old name go from the entry.
    pub async fn rename(
        &self,
        dn: &Dn,
        new_rdn: &Rdn,
        new_parent: Option<&Dn>,
        read_back: &[AttributeName],
    ) -> Result<Option<Entry>, Fault> {
        let new = new_parent.map_or_else(|| dn.with_rdn(new_rdn), |parent| parent.below(new_rdn));
        if new != *dn {
            self.pool.vacated.wait(&new).await;
        }
        let began = Instant::now();
        let outcome = self.write(&Operation::Rename { dn, new_rdn, new_parent, read_back }).await;
        if new != *dn {
            self.note_vacated(dn, &outcome, began);
        }
        outcome
    }

    /// Deletes an entry that has none below it.
    pub async fn delete(&self, dn: &Dn) -> Result<(), Fault> {
        let began = Instant::now();
        let outcome = self.write(&Operation::Delete { dn }).await;
        self.note_vacated(dn, &outcome, began);
        outcome.map(drop)
    }

    /// Keeps the name free for a moment that an entry has left or, for all that is known, may have left.
    fn note_vacated(&self, dn: &Dn, outcome: &Result<Option<Entry>, Fault>, began: Instant) {
        if outcome.as_ref().err().is_none_or(Fault::is_transient) {
            self.keep_free(dn, began.elapsed());
        }
    }

    /// Keeps a name free for a moment, as if an entry had left it just now. Something that the server does no faster
    /// when it lets references follow took `as_fast`.
    pub fn keep_free(&self, dn: &Dn, as_fast: Duration) {
        let tidies_for = self.dialect().tidies_for;
        if !tidies_for.is_zero() {
            self.pool.vacated.note(dn, tidies_for + (as_fast * SLOWER).min(LONGEST_TIDYING));
        }
    }

    /// The same for all names: nobody knows which ones were left a moment ago.
    pub fn keep_all_free(&self) {
        self.pool.vacated.note_all(self.dialect().tidies_for);
    }

    /// Notes that a change begins which names other entries, before it looks them up.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        self.pool.moves.begin()
    }

    /// An entry has left `dn`, and is at `now`; without, it is gone. To be told before what refers to it is looked for.
    pub fn left(&self, dn: &Dn, now: Option<&Dn>) {
        self.pool.moves.left(dn, now);
    }

    /// All that referred to `dn` has followed the entry.
    pub fn followed(&self, dn: &Dn) {
        self.pool.moves.tidied(dn);
    }

    /// Sets the password of an entry, and nothing else.
    pub async fn set_password(&self, dn: &Dn, password: &Password, way: &PasswordWay) -> Result<(), Fault> {
        let PasswordWay::Attribute(attribute) = way else {
            return self.write(&Operation::Password { dn, password }).await.map(drop);
        };
        let change = Change::Replace(vec![password.value_for(attribute)]);
        let modifications = [Modification::new(attribute.clone(), change)];
        self.modify(dn, &modifications, &ModifyOptions::default()).await.map(drop)
    }

    /// Makes sure that the directory is there and lets the service account in.
    pub async fn ping(&self) -> Result<(), Fault> {
        let search = root(vec![AttributeName::NONE]);
        let limit = self.pool.settings.connect_timeout.min(self.limit());
        self.converse_within(&connection::search(&search, limit), limit).await.map(drop)
    }

    /// Whether the directory was there when it was last spoken to. Asks nobody.
    #[must_use]
    pub fn health(&self) -> Health {
        self.pool.health.read(self.pool.url())
    }

    /// Whether it was not there when it was last spoken to. Asks nobody, and costs next to nothing.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.pool.health.is_away()
    }

    /// What the server in use says about itself; read when a connection is opened.
    pub async fn server(&self) -> Result<ServerInfo, Fault> {
        let connection = self.pool.connection(false).await?;
        Ok(self.pool.server().unwrap_or_else(|| Arc::clone(&connection.server)).as_ref().clone())
    }

    /// The schema of the directory, read anew.
    pub async fn schema(&self) -> Result<SchemaView, Fault> {
        let Some(base) = self.server().await?.subschema_subentry else {
            let message = format!("directory {}: the server does not say where its schema is", self.name());
            return Err(Fault::new(FaultKind::Other, message));
        };
        let attributes = SchemaView::ATTRIBUTES.to_vec();
        let search = Search { base, scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        let entries = self.converse(&connection::search(&search, self.limit())).await?.entries;
        entries.first().map(SchemaView::from_entry).ok_or_else(|| {
            let message = format!("directory {}: the service account may not read the schema", self.name());
            Fault::new(FaultKind::AccessDenied, message)
        })
    }

    async fn write(&self, operation: &Operation<'_>) -> Result<Option<Entry>, Fault> {
        self.converse(operation).await.map(|answer| answer.entries.into_iter().next())
    }

    /// Carries a search out whose answer may be of any size: over a connection of its own or, where there is none, as
    /// any other.
    async fn take_in(&self, operation: &Operation<'_>) -> Result<Answer, Fault> {
        let started = Instant::now();
        let Some(outcome) = self.over_a_wire(operation).await else { return self.converse(operation).await };
        let outcome = self.note(operation, outcome, |_| "no answer in time".to_owned());
        trace(operation, &outcome, started);
        outcome
    }

    /// The same over a connection of its own; `None` when there is none, or it ended before the answer.
    async fn over_a_wire(&self, operation: &Operation<'_>) -> Option<Result<Answer, Broken>> {
        let Operation::Search { search, follow: Some(follow), .. } = operation else { return None };
        let _turn = self.pool.wire_turn().await?;
        let waiting = self.pool.idle_wire();
        let waited = waiting.is_some();
        let mut wire = match waiting {
            Some(wire) => wire,
            None => self.pool.new_wire().await?,
        };
        let mut outcome = wire.search(search, follow, self.limit()).await;
        // One that waited may have died; the server may have shut it.
        if waited && matches!(outcome, Err(Broken::NotSent | Broken::Lost)) {
            wire = self.pool.new_wire().await?;
            outcome = wire.search(search, follow, self.limit()).await;
        }
        match &outcome {
            // Another server may have to be asked, which is done elsewhere.
            Ok(answer) if is_elsewhere(answer.result.rc) => return None,
            Ok(_) => self.pool.keep_wire(wire),
            Err(Broken::TimedOut) => {}
            Err(_) => return None,
        }
        Some(outcome)
    }

    /// Carries `operation` out within the usual time.
    pub(super) async fn converse(&self, operation: &Operation<'_>) -> Result<Answer, Fault> {
        self.converse_within(operation, self.limit()).await
    }

    async fn converse_within(&self, operation: &Operation<'_>, limit: Duration) -> Result<Answer, Fault> {
        let started = Instant::now();
        let outcome = self.attempts(operation, limit).await;
        trace(operation, &outcome, started);
        outcome
    }

    /// Tries a second time when that is safe: the request was not sent, it only reads, or the server refused it
    /// for now and there is another server.
    async fn attempts(&self, operation: &Operation<'_>, limit: Duration) -> Result<Answer, Fault> {
        let mut second = false;
        loop {
            let connection = self.pool.connection(operation.is_write()).await?;
            operation.check(&connection.server)?;
            let outcome = connection.perform(operation, limit).await;
            let again = match &outcome {
                Ok(answer) => is_elsewhere(answer.result.rc) && self.pool.leave(&connection),
                Err(Broken::NotSent) => true,
                Err(Broken::Lost) => !operation.is_write(),
                Err(_) => false,
            };
            if second || !again {
                return self.judge(operation, &connection, outcome);
            }
            second = true;
        }
    }

    /// From what came over the connection to what the caller is told.
    pub(super) fn judge(
        &self,
        operation: &Operation<'_>,
        connection: &Connection,
        outcome: Result<Answer, Broken>,
    ) -> Result<Answer, Fault> {
        self.note(operation, outcome, |broken| connection.why(broken))
    }

    /// The same, where `why` tells why there was no answer.
    fn note(
        &self,
        operation: &Operation<'_>,
        outcome: Result<Answer, Broken>,
        why: impl FnOnce(&Broken) -> String,
    ) -> Result<Answer, Fault> {
        let fault = match outcome {
            Ok(answer) if answer.result.rc == 0 => {
                self.pool.health.note_success();
                return Ok(answer);
            }
            Ok(Answer { result, .. }) => operation.refused(&result, self.dialect()),
            Err(broken) => broken_fault(operation, &broken, &why(&broken)),
        };
        // A search that the server itself gave up was answered all the same.
        let away = fault.is_transient() && fault.code != Some(3);
        if away {
            self.pool.health.note_fault(&fault);
        } else {
            self.pool.health.note_success();
        }
        Err(fault)
    }

    pub(super) fn limit(&self) -> Duration {
        self.pool.settings.operation_timeout
    }
}

/// A search of the root DSE.
fn root(attributes: Vec<AttributeName>) -> Search {
    Search { base: Dn::root(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 }
}

fn broken_fault(operation: &Operation<'_>, broken: &Broken, why: &str) -> Fault {
    let kind = match broken {
        Broken::Lost | Broken::TimedOut | Broken::Garbled if operation.is_write() => FaultKind::UnknownOutcome,
        Broken::NotSent | Broken::Lost => FaultKind::Unreachable,
        Broken::TimedOut => FaultKind::TimedOut,
        Broken::Crowded => FaultKind::Busy,
        Broken::Garbled | Broken::Unwritable(_) => FaultKind::Other,
    };
    let doubt = if kind == FaultKind::UnknownOutcome { "; it may have been carried out all the same" } else { "" };
    Fault::new(kind, format!("{}: {why}{doubt}", operation.task()))
}

pub(super) fn trace(operation: &Operation<'_>, outcome: &Result<Answer, Fault>, started: Instant) {
    let (code, fault) = match outcome {
        Ok(answer) => (Some(answer.result.rc), None),
        Err(fault) => (fault.code, Some(fault)),
    };
    let elapsed = started.elapsed();
    let result = match fault {
        None => "success",
        Some(fault) if fault.is_transient() => "unavailable",
        Some(_) => "refused",
    };
    metrics::note_operation(operation.figure(), result, elapsed);
    tracing::debug!(
        target: "scim2ldap::directory",
        op = operation.name(),
        dn = operation.dn().as_str(),
        filter = operation.filter(),
        code,
        diagnostic = fault.map(|fault| fault.diagnostic.as_str()).filter(|said| !said.is_empty()),
        fault = fault.filter(|fault| fault.code.is_none()).map(tracing::field::display),
        elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        "operation"
    );
}
