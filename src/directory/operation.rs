//! The operations, as values, and how each goes over a connection.

use std::borrow::Cow;
use std::collections::HashSet;

use futures_util::FutureExt as _;
use ldap3::controls::{Assertion, PagedResults, RawControl};
use ldap3::exop::PasswordModify;
use ldap3::result::ExopResult;
use ldap3::{Ldap, LdapError, LdapResult, Mod, SearchOptions, SearchStream};

use super::decode;
use super::dialect::Dialect;
use super::dn::{Dn, Rdn};
use super::entry::{Change, Entry, Modification};
use super::fault::{Fault, FaultKind};
use super::filter::Filter;
use super::follow::{Follow, Followed};
use super::name::AttributeName;
use super::password::Password;
use super::server::{PERMISSIVE_MODIFY, ServerInfo};

/// What to look for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Where to start.
    pub base: Dn,
    /// How far to go from there.
    pub scope: Scope,
    /// Which entries are meant.
    pub filter: Filter,
    /// Which attributes to return; empty: all that are not operational.
    pub attributes: Vec<AttributeName>,
    /// How many entries there may be at most; more are a fault. 0: no limit but the server's own.
    pub size_limit: u32,
}

/// How far a search goes from its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The base alone.
    Base,
    /// The entries directly below the base.
    One,
    /// The base and everything below it.
    Sub,
}

/// How a modify operation is to be carried out.
#[derive(Debug, Clone, Default)]
pub struct ModifyOptions {
    /// Attributes of the entry to return as they are afterwards; empty: none.
    pub read_back: Vec<AttributeName>,
    /// Modify only when this holds for the entry, in the same step.
    pub assertion: Option<Filter>,
    /// Adding what is there and deleting what is not there is no fault, where the server can do that.
    pub permissive: bool,
}

/// One request to a directory.
pub(super) enum Operation<'a> {
    Search { search: &'a Search, filter: String, seconds: i32, page: Option<PagedResults>, follow: Option<&'a Follow> },
    Add { dn: &'a Dn, attributes: &'a [(AttributeName, Vec<Vec<u8>>)], read_back: &'a [AttributeName] },
    Modify { dn: &'a Dn, modifications: &'a [Modification], options: &'a ModifyOptions, permissive: bool },
    Rename { dn: &'a Dn, new_rdn: &'a Rdn, new_parent: Option<&'a Dn>, read_back: &'a [AttributeName] },
    Delete { dn: &'a Dn },
    Password { dn: &'a Dn, password: &'a Password },
}

/// What a server answered.
pub(super) struct Answer {
    pub result: LdapResult,
    /// The entries found; or, after a write, the entry as it is now.
    pub entries: Vec<Entry>,
    /// What came with each of the entries found, when it was asked for.
    pub followed: Vec<Option<Followed>>,
}

impl Answer {
    /// The size of what names were followed to.
    pub(super) fn followed_bytes(&self) -> usize {
        self.followed.iter().flatten().map(Followed::bytes).sum()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection had ended before the request was handed to it.
    NotSent,
    /// The connection ended before the answer.
    Lost,
    /// The answer did not come in time.
    TimedOut,
    /// Too many requests wait for their turn; this one was not sent.
    Crowded,
    /// The answer makes no sense.
    Garbled,
    /// The request cannot be written.
    Unwritable(String),
}

impl From<LdapError> for Broken {
    fn from(fault: LdapError) -> Self {
        match fault {
            LdapError::OpSend { .. } => Self::NotSent,
            LdapError::FilterParsing | LdapError::AddNoValues => Self::Unwritable(fault.to_string()),
            _ => Self::Lost,
        }
    }
}

impl Operation<'_> {
    /// The operation's name, for logs.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Search { .. } => "search",
            Self::Add { .. } => "add",
            Self::Modify { .. } => "modify",
            Self::Rename { .. } => "rename",
            Self::Delete { .. } => "delete",
            Self::Password { .. } => "set the password of",
        }
    }

    /// The operation's name in figures.
    pub(super) const fn figure(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            _ => self.name(),
        }
    }

    /// The entry it is about, or the base of a search.
    pub(super) const fn dn(&self) -> &Dn {
        match self {
            Self::Search { search, .. } => &search.base,
            Self::Add { dn, .. }
            | Self::Modify { dn, .. }
            | Self::Rename { dn, .. }
            | Self::Delete { dn }
            | Self::Password { dn, .. } => dn,
        }
    }

    /// The filter of a search.
    pub(super) fn filter(&self) -> Option<&str> {
        if let Self::Search { filter, .. } = self { Some(filter) } else { None }
    }

    /// Whether carrying it out changes the directory.
    pub(super) const fn is_write(&self) -> bool {
        !matches!(self, Self::Search { .. })
    }

    /// How a message about it starts: "cannot add cn=...".
    pub(super) fn task(&self) -> String {
        match self.filter() {
            Some(filter) if self.dn().is_root() => format!("cannot search the directory for {filter}"),
            Some(filter) => format!("cannot search {} for {filter}", self.dn()),
            None => format!("cannot {} {}", self.name(), self.dn()),
        }
    }

    /// The fault that the answer `result` is.
    pub(super) fn refused(&self, result: &LdapResult, dialect: &Dialect) -> Fault {
        let fault = Fault::refused(&self.task(), result, self.meaning(result.rc).as_deref());
        let fault = Fault { with_password: self.sets(&dialect.password_attribute), ..fault };
        let name = match self {
            Self::Add { dn, .. } => dn.rdn(),
            Self::Rename { new_rdn, .. } => Some((*new_rdn).clone()),
            _ => None,
        };
        let bytes = name.map_or(0, |name| name.to_string().len());
        if result.rc != 80 || dialect.long_name.is_none_or(|long| bytes < long) {
            return fault;
        }
        let message = format!("{}: the name is too long for the directory, shorten it", self.task());
        Fault { kind: FaultKind::InvalidSyntax, message, ..fault }
    }

    /// Whether it sets the password, which stands in `attribute` where it is sent like any value.
    fn sets(&self, attribute: &AttributeName) -> bool {
        match self {
            Self::Password { .. } => true,
            Self::Add { attributes, .. } => attributes.iter().any(|(name, _)| name == attribute),
            Self::Modify { modifications, .. } => modifications.iter().any(|it| it.attribute == *attribute),
            Self::Search { .. } | Self::Rename { .. } | Self::Delete { .. } => false,
        }
    }

    /// What `code` means for this operation in particular, where that is more than it means for any.
    pub(super) fn meaning(&self, code: u32) -> Option<Cow<'static, str>> {
        let known = match (self, code) {
            (Self::Add { .. }, 32) => "the entry above it does not exist; create it, or correct base in the mapping",
            (Self::Add { .. }, 68) => "there is an entry or account of this name already",
            (Self::Rename { .. }, 32) => "the entry, or the one it is to be moved below, does not exist",
            (Self::Rename { .. }, 68) => "there is an entry of the new name already",
            (Self::Search { .. }, 32) => {
                "the base of the search does not exist; correct base_dn, or base in the mapping"
            }
            (Self::Password { .. }, 2) => "the server does not know the password modify operation (RFC 3062)",
            (_, 50) => return self.forbidden().map(Cow::Owned),
            _ => return None,
        };
        Some(Cow::Borrowed(known))
    }

    /// Which right the service account lacks: servers seldom say.
    fn forbidden(&self) -> Option<String> {
        let container = |dn: &Dn| dn.parent().map_or_else(|| "the root".to_owned(), |parent| parent.to_string());
        let what = match self {
            Self::Search { .. } => return None,
            Self::Add { dn, attributes, .. } => {
                let names = attributes.iter().map(|(name, _)| name);
                format!("create entries below {} with all of {}", container(dn), listed(names))
            }
            Self::Modify { modifications, .. } => {
                let names = modifications.iter().map(|modification| &modification.attribute);
                format!("write all of {} here", listed(names))
            }
            Self::Rename { dn, new_parent, .. } => {
                let from = container(dn);
                let to = new_parent.map(|to| format!(", or move entries from there to {to}")).unwrap_or_default();
                format!("rename entries below {from}{to}")
            }
            Self::Delete { dn } => format!("delete entries below {}", container(dn)),
            Self::Password { .. } => "set passwords here".to_owned(),
        };
        Some(format!("the service account may not {what}; give it the right to"))
    }

    /// Refuses what this server cannot do as it is meant, before it is sent.
    pub(super) fn check(&self, server: &ServerInfo) -> Result<(), Fault> {
        match self {
            Self::Modify { options: ModifyOptions { assertion: Some(_), .. }, .. } if !server.has_assertion() => {
                let why = "this kind of server cannot make a change depend on the state of the entry";
                Err(Fault::new(FaultKind::UnsupportedControl, format!("{}: {why}", self.task())))
            }
            _ => Ok(()),
        }
    }

    /// Sends the request and waits for the answer, for as long as it takes.
    pub(super) async fn send(&self, mut ldap: Ldap, server: &ServerInfo) -> Result<Answer, Broken> {
        if let Self::Search { search, filter, seconds, page, follow } = self {
            let controls = page.clone().map(RawControl::from).into_iter();
            let controls: Vec<RawControl> = controls.chain(follow.map(Follow::to_control)).collect();
            if !controls.is_empty() {
                ldap.with_controls(controls);
            }
            return send_search(&mut ldap, search, filter, *seconds).await;
        }
        let controls = self.controls(server);
        if !controls.is_empty() {
            ldap.with_controls(controls);
        }
        let result = self.send_write(&mut ldap).await?;
        let entries = decode::post_read(&result, self.read_back()).into_iter().collect();
        Ok(Answer { result, entries, followed: Vec::new() })
    }

    async fn send_write(&self, ldap: &mut Ldap) -> Result<LdapResult, LdapError> {
        match self {
            Self::Search { .. } => Err(LdapError::EndOfStream),
            Self::Add { dn, attributes, .. } => {
                let filled = attributes.iter().filter(|(_, values)| !values.is_empty());
                let list = filled.map(|(name, values)| (name.as_str().as_bytes(), set(values))).collect();
                ldap.add(dn.as_str(), list).await
            }
            Self::Modify { dn, modifications, .. } => {
                ldap.modify(dn.as_str(), modifications.iter().filter_map(step).collect()).await
            }
            Self::Rename { dn, new_rdn, new_parent, .. } => {
                ldap.modifydn(dn.as_str(), &new_rdn.to_string(), true, new_parent.map(Dn::as_str)).await
            }
            Self::Delete { dn } => ldap.delete(dn.as_str()).await,
            Self::Password { dn, password } => {
                let request =
                    PasswordModify { user_id: Some(dn.as_str()), old_pass: None, new_pass: Some(password.expose()) };
                ldap.extended(request).await.map(|ExopResult(_, result)| result)
            }
        }
    }

    const fn read_back(&self) -> &[AttributeName] {
        match self {
            Self::Add { read_back, .. } | Self::Rename { read_back, .. } => read_back,
            Self::Modify { options, .. } => options.read_back.as_slice(),
            Self::Search { .. } | Self::Delete { .. } | Self::Password { .. } => &[],
        }
    }

    fn controls(&self, server: &ServerInfo) -> Vec<RawControl> {
        let mut controls = Vec::new();
        if !self.read_back().is_empty() && server.has_post_read() {
            controls.push(decode::read_back_request(self.read_back()));
        }
        if let Self::Modify { options, permissive, .. } = self {
            if let Some(filter) = &options.assertion {
                // It must not go through when the server overlooks the assertion.
                controls.push(RawControl { crit: true, ..Assertion::new(filter.to_string()) });
            }
            if *permissive {
                controls.push(RawControl { ctype: PERMISSIVE_MODIFY.to_owned(), crit: false, val: None });
            }
        }
        controls
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a AttributeName>) -> String {
    let mut names: Vec<&str> = names.map(AttributeName::as_str).collect();
    names.dedup();
    names.join(", ")
}

fn set(values: &[Vec<u8>]) -> HashSet<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

/// Adding no values changes nothing, and is not a step that can be written.
fn step(modification: &Modification) -> Option<Mod<&[u8]>> {
    let name = modification.attribute.as_str().as_bytes();
    match &modification.change {
        Change::Add(values) if values.is_empty() => None,
        Change::Add(values) => Some(Mod::Add(name, set(values))),
        Change::Delete(values) => Some(Mod::Delete(name, set(values))),
        Change::Replace(values) => Some(Mod::Replace(name, set(values))),
    }
}

async fn send_search(ldap: &mut Ldap, search: &Search, filter: &str, seconds: i32) -> Result<Answer, Broken> {
    let limit = i32::try_from(search.size_limit).unwrap_or(i32::MAX);
    ldap.with_search_options(SearchOptions::new().sizelimit(limit).timelimit(seconds));
    let scope = match search.scope {
        Scope::Base => ldap3::Scope::Base,
        Scope::One => ldap3::Scope::OneLevel,
        Scope::Sub => ldap3::Scope::Subtree,
    };
    let wanted = search.attributes.as_slice();
    let stream = ldap.streaming_search(search.base.as_str(), scope, filter, wanted).await?;
    let mut running = Running { stream, over: false };
    let (mut entries, mut followed) = (Vec::new(), Vec::new());
    while let Some(item) = running.stream.next().await? {
        // Active Directory points at its other partitions from the root of a domain; they are not asked.
        if !item.is_ref() && !item.is_intermediate() {
            entries.push(decode::entry(item.0, wanted).ok_or(Broken::Garbled)?);
            followed.push(Followed::take_from(item.1));
        }
    }
    running.over = true;
    Ok(Answer { result: running.stream.finish().await, entries, followed })
}

/// A search under way: when nobody waits for it any longer, the server is told so.
struct Running<'a> {
    stream: SearchStream<'a, AttributeName, &'a [AttributeName]>,
    over: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.over {
            let ldap = self.stream.ldap_handle();
            let id = ldap.last_id();
            // The first poll hands the request over; an Abandon has no answer to wait for.
            let _ = ldap.abandon(id).now_or_never();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::{ASSERTION, POST_READ};
    use super::*;

    #[test]
    fn a_step_that_adds_nothing_is_left_out() {
        let name = AttributeName::literal("mail");
        let modification = |change| Modification::new(name.clone(), change);
        assert_eq!(step(&modification(Change::Add(vec![]))), None);
        assert_eq!(step(&modification(Change::Delete(vec![]))), Some(Mod::Delete(&b"mail"[..], HashSet::new())));
        assert_eq!(step(&modification(Change::Replace(vec![]))), Some(Mod::Replace(&b"mail"[..], HashSet::new())));
    }

    #[test]
    fn controls_are_added_only_where_the_server_has_them_and_an_assertion_is_critical() {
        let dn = Dn::root();
        let options = ModifyOptions {
            read_back: vec![AttributeName::literal("cn")],
            assertion: Some(Filter::equal(&AttributeName::literal("entryCSN"), "(x)*")),
            permissive: true,
        };
        let operation = Operation::Modify { dn: &dn, modifications: &[], options: &options, permissive: false };
        let controls = operation.controls(&ServerInfo::default());
        let [assertion] = controls.as_slice() else { panic!("{controls:?}") };
        assert!(assertion.crit && assertion.ctype == ASSERTION);
        let mut root = Entry::new(Dn::root());
        root.insert(AttributeName::literal("supportedControl"), vec![POST_READ.as_bytes().to_vec()]);
        let controls = operation.controls(&ServerInfo::from_root(&root));
        assert!(controls.iter().any(|control| control.ctype == POST_READ && !control.crit));
    }

    #[test]
    fn a_missing_parent_is_not_called_a_missing_entry() {
        let dn = Dn::parse("cn=a,ou=none,dc=x").unwrap();
        let add = Operation::Add { dn: &dn, attributes: &[], read_back: &[] };
        assert!(add.meaning(32).unwrap().contains("above it"));
        assert_eq!(Operation::Delete { dn: &dn }.meaning(32), None);
        assert_eq!(add.meaning(16), None);
    }

    #[test]
    fn a_right_that_the_service_account_lacks_is_named() {
        let dn = Dn::parse("cn=a,ou=people,dc=x").unwrap();
        let modification = |name| Modification::new(AttributeName::literal(name), Change::Replace(vec![]));
        let modifications = [modification("title"), modification("mail")];
        let options = ModifyOptions::default();
        let modify = Operation::Modify { dn: &dn, modifications: &modifications, options: &options, permissive: false };
        assert!(modify.meaning(50).unwrap().contains("write all of title, mail"));
        let delete = Operation::Delete { dn: &dn }.meaning(50).unwrap();
        assert!(delete.contains("delete entries below ou=people,dc=x"), "{delete}");
    }

    #[test]
    fn an_assertion_is_not_sent_to_a_server_that_does_not_know_it() {
        let dn = Dn::parse("cn=a,dc=x").unwrap();
        let options = ModifyOptions { assertion: Some(Filter::any()), ..ModifyOptions::default() };
        let operation = Operation::Modify { dn: &dn, modifications: &[], options: &options, permissive: false };
        let fault = operation.check(&ServerInfo::default()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::UnsupportedControl);
        assert!(fault.message.starts_with("cannot modify cn=a,dc=x: "), "{}", fault.message);
    }
}
