//! A domain of Active Directory in what it does otherwise than Samba: accounts, passwords and names, and how much it
//! sends at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::super::ber::{self, Reader};
use super::super::{Directory, Dn, Kind, Settings};
use super::asked::{self, Asked};
use super::peer::{ADD, DELETE, MODIFY, Peer, Reply, Request, SEARCH, entry, page_control, result};

type Values = Vec<Vec<u8>>;
pub(super) type Attributes = BTreeMap<String, Values>;

/// What happens in the domain.
#[derive(Clone)]
pub(crate) struct Domain(Arc<Mutex<State>>);

struct State {
    entries: Vec<(Dn, Attributes)>,
    /// Writes that came in, in a few words.
    log: Vec<String>,
    password_in_add: bool,
    /// The number of a write, from 1, after which the connection breaks instead of an answer.
    lose: Option<usize>,
    made: u16,
    cut_short: usize,
}

/// A refusal: result code and diagnostic.
type Refused = (u8, &'static str);

const NAME_EXISTS: Refused = (68, "00002071: UpdErr: DSID-030503CF, problem 6005 (ENTRY_EXISTS), data 0\n\0");
const USER_EXISTS: Refused = (68, "00000524: UpdErr: DSID-031A1261, problem 6005 (ENTRY_EXISTS), data 0\n\0");
const UPN_EXISTS: Refused = (
    19,
    "000021C8: AtrErr: DSID-03200BBA, #1:\n\t0: 000021C8: DSID-03200BBA, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, \
     Att 90290 (userPrincipalName)\n\0",
);
const POLICY: Refused = (53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n\0");
const UNWILLING: Refused = (53, "0000001F: SvcErr: DSID-031A120C, problem 5003 (WILL_NOT_PERFORM), data 0\n\0");
const NO_OBJECT: Refused = (32, "0000208D: NameErr: DSID-0310021B, problem 2001 (NO_OBJECT), data 0\n\0");

const NO_VALUE: Refused =
    (16, "00002085: AtrErr: DSID-03152DFE, #1:\n\t0: 00002085: problem 1001 (NO_ATTRIBUTE_OR_VAL)\n\0");

const DISABLED: i64 = 2;
/// The most entries of one answer, paged or not (`MaxPageSize`).
pub(crate) const MAX_PAGE_SIZE: usize = 1000;
/// The most values of one attribute in an entry (`MaxValRange`).
pub(crate) const MAX_VAL_RANGE: usize = 1500;
const SIZE_LIMIT: u8 = 4;

impl Domain {
    pub(crate) fn new(password_in_add: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            entries: vec![],
            log: vec![],
            password_in_add,
            lose: None,
            made: 0,
            cut_short: 0,
        })))
    }

    /// A server of the domain.
    pub(crate) async fn serve(&self) -> Peer {
        let domain = self.clone();
        Peer::start(move |request| domain.reply(request)).await
    }

    /// The directory that this server is.
    pub(crate) fn directory(peer: &Peer) -> Directory {
        Self::paged(peer, 500)
    }

    /// The same, read in pages of this size.
    pub(crate) fn paged(peer: &Peer, page_size: u32) -> Directory {
        Directory::new(Settings { kind: Kind::ActiveDirectory, page_size, ..Peer::settings(&[peer]) }).unwrap()
    }

    /// The connection breaks instead of an answer to the write with this number, from 1; the write is carried out.
    pub(crate) fn lose(&self, write: usize) {
        self.0.lock().unwrap().lose = Some(write);
    }

    /// Puts an entry of somebody else there.
    pub(crate) fn put(&self, dn: &str, attributes: &[(&str, &str)]) {
        let mut state = self.0.lock().unwrap();
        let given = attributes.iter().map(|(name, value)| (name.to_lowercase(), value.as_bytes().to_vec()));
        let mut attributes = Attributes::new();
        given.for_each(|(name, value)| attributes.entry(name).or_default().push(value));
        attributes.entry("objectclass".to_owned()).or_insert_with(|| vec![b"user".to_vec()]);
        state.insert(Dn::parse(dn).unwrap(), attributes);
    }

    /// The first value of an attribute of the entry whose DN begins so.
    pub(crate) fn value(&self, dn: &str, attribute: &str) -> Option<String> {
        let state = self.0.lock().unwrap();
        let (_, attributes) = state.entries.iter().find(|(known, _)| known.as_str().starts_with(dn))?;
        attributes.get(&attribute.to_lowercase()).map(|values| String::from_utf8_lossy(&values[0]).into_owned())
    }

    /// How many entries hold this value.
    pub(crate) fn holders(&self, attribute: &str, value: &str) -> usize {
        let state = self.0.lock().unwrap();
        let wanted = Asked::Equal(attribute.to_lowercase(), value.as_bytes().to_vec());
        state.entries.iter().filter(|(_, attributes)| wanted.holds(attributes)).count()
    }

    /// How many answers were cut short because too many entries would have been in them.
    pub(crate) fn cut_short(&self) -> usize {
        self.0.lock().unwrap().cut_short
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().entries.iter().map(|(dn, _)| dn.to_string()).collect()
    }

    /// The writes since this was last asked.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    fn reply(&self, request: &Request) -> Option<Reply> {
        let mut state = self.0.lock().unwrap();
        if request.tag == SEARCH {
            return Some(state.search(request)).filter(|_| !request.says("supportedControl"));
        }
        let mut reader = Reader(&request.content);
        let body = reader.take(&[request.tag])?;
        let outcome = match request.tag {
            ADD => state.add(body),
            MODIFY => state.modify(body),
            DELETE => state.delete(body),
            _ => return None,
        };
        let (code, text) = outcome.err().unwrap_or((0, ""));
        if let Some(left) = &mut state.lose {
            *left -= 1;
            if *left == 0 {
                state.lose = None;
                return Some(Reply::Close);
            }
        }
        let tag = if request.tag == DELETE { 0x6b } else { request.tag + 1 };
        Some(Reply::Send(vec![(tag, result(code, text), vec![])]))
    }
}

impl State {
    fn insert(&mut self, dn: Dn, mut attributes: Attributes) {
        self.made += 1;
        attributes.insert("objectguid".to_owned(), vec![self.made.to_be_bytes().repeat(8)]);
        attributes.insert("objectcategory".to_owned(), vec![b"person".to_vec()]);
        self.entries.push((dn, attributes));
    }

    fn add(&mut self, body: &[u8]) -> Result<(), Refused> {
        let mut reader = Reader(body);
        let dn = name(&mut reader);
        let mut list = Reader(reader.take(&[ber::SEQUENCE]).unwrap());
        let mut attributes = Attributes::new();
        while let Some(mut one) = list.take(&[ber::SEQUENCE]).map(Reader) {
            let (key, values) = attribute(&mut one);
            attributes.insert(key, values);
        }
        let with = if attributes.contains_key("unicodepwd") { " with password" } else { "" };
        self.log.push(format!("add {}{with}", number(&attributes)));
        let taken = |key: &str| {
            let wanted = attributes.get(key).map(|values| values[0].to_ascii_lowercase());
            wanted.is_some() && self.entries.iter().any(|(_, other)| lower(other, key) == wanted)
        };
        if self.entries.iter().any(|(other, _)| *other == dn) {
            return Err(NAME_EXISTS);
        }
        if taken("samaccountname") {
            return Err(USER_EXISTS);
        }
        if taken("userprincipalname") {
            return Err(UPN_EXISTS);
        }
        if attributes.contains_key("unicodepwd") && !self.password_in_add {
            return Err(UNWILLING);
        }
        rules(&attributes)?;
        self.insert(dn, attributes);
        Ok(())
    }

    fn modify(&mut self, body: &[u8]) -> Result<(), Refused> {
        let mut reader = Reader(body);
        let dn = name(&mut reader);
        let known = self.entries.iter_mut().find(|(other, _)| *other == dn).ok_or(NO_OBJECT)?;
        let mut after = known.1.clone();
        let mut names = Vec::new();
        let mut list = Reader(reader.take(&[ber::SEQUENCE]).unwrap());
        while let Some(mut change) = list.take(&[ber::SEQUENCE]).map(Reader) {
            let kind = change.take(&[0x0a]).unwrap()[0];
            let (key, values) = attribute(&mut Reader(change.take(&[ber::SEQUENCE]).unwrap()));
            apply(&mut after, kind, &key, values)?;
            if kind != DELETE_VALUES {
                names.push(key);
            }
        }
        names.dedup();
        self.log.push(format!("modify {}", names.join(" ")));
        rules(&after)?;
        known.1 = after;
        Ok(())
    }

    fn delete(&mut self, body: &[u8]) -> Result<(), Refused> {
        self.log.push("delete".to_owned());
        let dn = Dn::parse(std::str::from_utf8(body).unwrap()).unwrap();
        let before = self.entries.len();
        self.entries.retain(|(other, _)| *other != dn);
        if self.entries.len() < before { Ok(()) } else { Err(NO_OBJECT) }
    }

    fn search(&mut self, request: &Request) -> Reply {
        let search = asked::Search::read(&request.content);
        let within = |dn: &Dn| if search.scope == 0 { *dn == search.base } else { dn.is_within(&search.base) };
        let found = self.entries.iter().filter(|(dn, attributes)| within(dn) && search.filter.holds(attributes));
        let found: Vec<&(Dn, Attributes)> = found.collect();
        if found.is_empty() && search.scope == 0 {
            return Reply::Send(vec![(0x65, result(NO_OBJECT.0, NO_OBJECT.1), vec![])]);
        }
        let (skip, most) = search.page.unwrap_or((0, MAX_PAGE_SIZE));
        let sent = found.iter().skip(skip).take(most.min(MAX_PAGE_SIZE));
        let mut messages: Vec<_> =
            sent.map(|(dn, attributes)| (0x64, written(dn, attributes, &search.attributes), vec![])).collect();
        let behind = skip + messages.len();
        let is_whole = behind >= found.len();
        let (code, controls) = match search.page {
            Some(_) if is_whole => (0, page_control(b"")),
            Some(_) => (0, page_control(behind.to_string().as_bytes())),
            None => (if is_whole { 0 } else { SIZE_LIMIT }, vec![]),
        };
        self.cut_short += usize::from(code == SIZE_LIMIT);
        messages.push((0x65, result(code, ""), controls));
        Reply::Send(messages)
    }
}

const DELETE_VALUES: u8 = 1;

/// One part of a modify (RFC 4511 section 4.6).
fn apply(attributes: &mut Attributes, kind: u8, key: &str, values: Values) -> Result<(), Refused> {
    let held = attributes.entry(key.to_owned()).or_default();
    match kind {
        0 => held.extend(values),
        DELETE_VALUES if values.is_empty() => held.clear(),
        DELETE_VALUES => {
            let before = held.len();
            held.retain(|held| !values.iter().any(|gone| gone.eq_ignore_ascii_case(held)));
            if before - held.len() < values.len() {
                return Err(NO_VALUE);
            }
        }
        _ => *held = values,
    }
    if held.is_empty() {
        attributes.remove(key);
    }
    Ok(())
}

/// What the domain demands of an account: a password by its policy, and one at all before it is enabled.
fn rules(attributes: &Attributes) -> Result<(), Refused> {
    let password = attributes.get("unicodepwd").map(|values| values[0].len() / 2 - 2);
    let disabled = number(attributes) & DISABLED != 0;
    let is_account = attributes.contains_key("useraccountcontrol");
    if password.is_some_and(|length| length < 8) || (is_account && !disabled && password.is_none()) {
        return Err(POLICY);
    }
    Ok(())
}

fn number(attributes: &Attributes) -> i64 {
    let value = attributes.get("useraccountcontrol").map(|values| String::from_utf8(values[0].clone()).unwrap());
    value.map_or(0, |value| value.parse().unwrap())
}

fn lower(attributes: &Attributes, key: &str) -> Option<Vec<u8>> {
    attributes.get(key).map(|values| values[0].to_ascii_lowercase())
}

pub(super) fn name(reader: &mut Reader<'_>) -> Dn {
    Dn::parse(std::str::from_utf8(reader.take(&[ber::OCTETS]).unwrap()).unwrap()).unwrap()
}

fn attribute(reader: &mut Reader<'_>) -> (String, Values) {
    let key = String::from_utf8(reader.take(&[ber::OCTETS]).unwrap().to_vec()).unwrap().to_lowercase();
    let mut set = Reader(reader.take(&[ber::SET]).unwrap());
    let mut values = Values::new();
    while let Some(value) = set.take(&[ber::OCTETS]) {
        values.push(value.to_vec());
    }
    (key, values)
}

fn written(dn: &Dn, attributes: &Attributes, wanted: &[String]) -> Vec<u8> {
    let shown: Vec<(String, Vec<&[u8]>)> = attributes
        .iter()
        .filter(|(key, _)| *key != "unicodepwd")
        .map(|(key, values)| ranged(key, values, wanted))
        .collect();
    let shown: Vec<(&str, &[&[u8]])> = shown.iter().map(|(key, values)| (key.as_str(), values.as_slice())).collect();
    entry(dn.as_str(), &shown)
}

/// The values from the one that is asked for, by the name of the piece that they are.
fn ranged<'a>(key: &str, values: &'a [Vec<u8>], wanted: &[String]) -> (String, Vec<&'a [u8]>) {
    let asked = wanted.iter().find_map(|name| name.strip_prefix(key)?.strip_prefix(";range=")?.strip_suffix("-*"));
    let first: usize = asked.map_or(0, |number| number.parse().unwrap());
    let piece: Vec<&[u8]> = values.iter().skip(first).take(MAX_VAL_RANGE).map(Vec::as_slice).collect();
    let behind = first + piece.len();
    let name = match (asked, behind < values.len()) {
        (None, false) => key.to_owned(),
        (_, true) => format!("{key};range={first}-{}", behind - 1),
        (Some(_), false) => format!("{key};range={first}-*"),
    };
    (name, piece)
}
