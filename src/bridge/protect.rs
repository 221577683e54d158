//! Entries that the tenant may read but never write: the one place that decides it, on the entry as it is at the time
//! of the write.
//!
//! Where `protect` is empty nothing is asked. Else the entry is asked by one search whether one of the lines covers it;
//! where the server has no rule that follows memberships, the listed groups are asked at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::directory::{self, AttributeName, Dn, FaultKind as Kind, Filter, Scope, Search};
use crate::mapping::protect::{Protect, Protected, lists};

use super::references::{SIDE_BY_SIDE, searches_for};
use super::{Carrier, Fault};

/// For how long the number of a primary group is taken for what it was.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The lines of one tenant.
pub(super) struct Guard {
    lines: Arc<[Protect]>,
    /// The numbers of the listed groups, where members of a primary group are told by it.
    numbers: Mutex<HashMap<Dn, (Instant, Option<String>)>>,
}

impl Guard {
    pub fn new(lines: Arc<[Protect]>) -> Self {
        Self { lines, numbers: Mutex::default() }
    }

    fn listed(&self) -> impl Iterator<Item = &Dn> {
        self.lines.iter().filter_map(|line| line.what.entry())
    }
}

impl Carrier {
    /// Refuses to write the entry at `dn` when it is protected.
    pub(super) async fn may_write(&self, dn: &Dn) -> Result<(), Fault> {
        match self.protecting(dn).await {
            Ok(None) => Ok(()),
            Ok(Some(line)) => Err(refusal(dn, line)),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// Refuses to let an entry come to stand at `dn` when everything there is protected.
    pub(super) fn may_stand(&self, dn: &Dn) -> Result<(), Fault> {
        match self.inner.guard.lines.iter().find(|line| line.what.holds(dn)) {
            None => Ok(()),
            Some(line) => Err(refusal(dn, &line.what)),
        }
    }

    /// Refuses to write the entry at `dn`, or to rename it to `now`, when either is protected.
    pub(super) async fn may_change(&self, dn: &Dn, now: &Dn) -> Result<(), Fault> {
        self.may_write(dn).await?;
        self.may_stand(now)
    }

    /// The line that protects the entry at `dn`, if one does. An entry that is not there is not protected.
    pub(super) async fn protecting(&self, dn: &Dn) -> Result<Option<&Protected>, directory::Fault> {
        let lines = &self.inner.guard.lines;
        if lines.is_empty() {
            return Ok(None);
        }
        if let Some(line) = lines.iter().find(|line| line.what.holds(dn)) {
            return Ok(Some(&line.what));
        }
        let (itself, groups) = try_join(self.ask_entry(dn), self.ask_groups(dn)).await?;
        Ok(itself.or(groups))
    }

    /// The line that the entry itself says to be covered by.
    async fn ask_entry(&self, dn: &Dn) -> Result<Option<&Protected>, directory::Fault> {
        let numbers = self.primary_numbers().await?;
        let number = |what: &Protected| what.entry().and_then(|listed| numbers.get(listed)).map(String::as_str);
        let lines: Vec<(&Protected, Filter)> = self
            .inner
            .guard
            .lines
            .iter()
            .map(|line| (&line.what, line.what.filter(self.dialect(), number(&line.what))))
            .collect();
        let any = Filter::Or(lines.iter().map(|(_, filter)| filter.clone()).collect());
        if !self.is(dn, any).await? {
            return Ok(None);
        }
        let last = lines.last().map(|(what, _)| *what);
        for (what, filter) in lines {
            if self.is(dn, filter).await? {
                return Ok(Some(what));
            }
        }
        // It changed between the questions, and was protected at the first.
        Ok(last)
    }

    /// The line of a group that says to have the entry as a member, where no rule of the server tells.
    async fn ask_groups(&self, dn: &Dn) -> Result<Option<&Protected>, directory::Fault> {
        if self.dialect().in_chain_rule.is_some() {
            return Ok(None);
        }
        let lists = lists(dn);
        let found: Vec<Option<Dn>> = stream::iter(searches_for(self.inner.guard.listed().cloned().collect()))
            .map(|(parent, named, listed)| {
                let filter = named.and(lists.clone());
                async move {
                    let search = question(parent, Scope::One, filter, AttributeName::NONE);
                    let found = self.unless_gone(&search).await?;
                    Ok::<_, directory::Fault>(found.into_iter().map(|entry| entry.dn).find(|dn| listed.contains(dn)))
                }
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        let group = found.into_iter().flatten().next();
        Ok(self
            .inner
            .guard
            .lines
            .iter()
            .map(|line| &line.what)
            .find(|what| group.is_some() && what.entry() == group.as_ref()))
    }

    /// By which numbers members name the listed groups as their primary ones. Such a membership stands nowhere else.
    async fn primary_numbers(&self) -> Result<HashMap<Dn, String>, directory::Fault> {
        let mut known = HashMap::new();
        let Some(names) = &self.dialect().primary_group else { return Ok(known) };
        for listed in self.inner.guard.listed() {
            let remembered = {
                let numbers = self.inner.guard.numbers.lock().unwrap_or_else(PoisonError::into_inner);
                numbers.get(listed).filter(|(when, _)| when.elapsed() < REMEMBERED).map(|(_, number)| number.clone())
            };
            let number = if let Some(number) = remembered {
                number
            } else {
                let search = question(listed.clone(), Scope::Base, Filter::any(), names.of_group.clone());
                let group = self.unless_gone(&search).await?.into_iter().next();
                let number = group.and_then(|group| group.text(&names.of_group).map(str::to_owned));
                let mut numbers = self.inner.guard.numbers.lock().unwrap_or_else(PoisonError::into_inner);
                numbers.insert(listed.clone(), (Instant::now(), number.clone()));
                number
            };
            known.extend(number.map(|number| (listed.clone(), number)));
        }
        Ok(known)
    }

    async fn is(&self, dn: &Dn, filter: Filter) -> Result<bool, directory::Fault> {
        let search = question(dn.clone(), Scope::Base, filter, AttributeName::NONE);
        Ok(!self.unless_gone(&search).await?.is_empty())
    }

    async fn unless_gone(&self, search: &Search) -> Result<Vec<directory::Entry>, directory::Fault> {
        match self.inner.target.search(search).await {
            Err(fault) if fault.kind == Kind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }
}

fn question(base: Dn, scope: Scope, filter: Filter, attribute: AttributeName) -> Search {
    Search { base, scope, filter, attributes: vec![attribute], size_limit: 0 }
}

fn refusal(dn: &Dn, line: &Protected) -> Fault {
    Fault::Forbidden(format!(
        "{dn} is protected by the configuration of scim2ldap (protect): {}. It can be read, but this tenant may not \
         change it. Nothing was changed. Take it out of what the identity provider pushes, or ask the administrator \
         of the bridge.",
        line.reason(dn)
    ))
}
