//! A domain of Active Directory in what it does otherwise than Samba: accounts, passwords and names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::super::ber::{self, Reader};
use super::super::{Directory, Dn, Kind, Settings};
use super::peer::{ADD, DELETE, MODIFY, Peer, Reply, Request, SEARCH, entry, result};

type Values = Vec<Vec<u8>>;
type Attributes = BTreeMap<String, Values>;

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
    made: u8,
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

const DISABLED: i64 = 2;

impl Domain {
    pub(crate) fn new(password_in_add: bool) -> Self {
        Self(Arc::new(Mutex::new(State { entries: vec![], log: vec![], password_in_add, lose: None, made: 0 })))
    }

    /// A server of the domain.
    pub(crate) async fn serve(&self) -> Peer {
        let domain = self.clone();
        Peer::start(move |request| domain.reply(request)).await
    }

    /// The directory that this server is.
    pub(crate) fn directory(peer: &Peer) -> Directory {
        Directory::new(Settings { kind: Kind::ActiveDirectory, page_size: 500, ..Peer::settings(&[peer]) }).unwrap()
    }

    /// The connection breaks instead of an answer to the write with this number, from 1; the write is carried out.
    pub(crate) fn lose(&self, write: usize) {
        self.0.lock().unwrap().lose = Some(write);
    }

    /// Puts an entry of somebody else there.
    pub(crate) fn put(&self, dn: &str, attributes: &[(&str, &str)]) {
        let mut state = self.0.lock().unwrap();
        let attributes = attributes.iter().map(|(name, value)| (name.to_lowercase(), vec![value.as_bytes().to_vec()]));
        let mut attributes: Attributes = attributes.collect();
        attributes.entry("objectclass".to_owned()).or_insert_with(|| vec![b"user".to_vec()]);
        state.insert(Dn::parse(dn).unwrap(), attributes);
    }

    /// The first value of an attribute of the entry whose DN begins so.
    pub(crate) fn value(&self, dn: &str, attribute: &str) -> Option<String> {
        let state = self.0.lock().unwrap();
        let (_, attributes) = state.entries.iter().find(|(known, _)| known.as_str().starts_with(dn))?;
        attributes.get(&attribute.to_lowercase()).map(|values| String::from_utf8_lossy(&values[0]).into_owned())
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
        attributes.insert("objectguid".to_owned(), vec![vec![self.made; 16]]);
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
            // Deleting is followed by adding in everything that these tests send.
            if kind != 1 {
                after.insert(key.clone(), values);
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

    fn search(&self, request: &Request) -> Reply {
        let mut reader = Reader(&request.content);
        let mut reader = Reader(reader.take(&[SEARCH]).unwrap());
        let base = name(&mut reader);
        let scope = reader.take(&[0x0a]).unwrap()[0];
        for tag in [0x0a, ber::INTEGER, ber::INTEGER, 0x01] {
            reader.take(&[tag]).unwrap();
        }
        let filter = reader.0;
        let within = |dn: &Dn| if scope == 0 { *dn == base } else { dn.is_within(&base) };
        let found =
            self.entries.iter().filter(|(dn, attributes)| within(dn) && matches(&mut Reader(filter), attributes));
        let found: Vec<Vec<u8>> = found.map(|(dn, attributes)| written(dn, attributes)).collect();
        if found.is_empty() && scope == 0 {
            return Reply::Send(vec![(0x65, result(NO_OBJECT.0, NO_OBJECT.1), vec![])]);
        }
        Reply::found(&found)
    }
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

fn name(reader: &mut Reader<'_>) -> Dn {
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

/// RFC 4511 section 4.5.1.7, as far as these tests search.
fn matches(reader: &mut Reader<'_>, attributes: &Attributes) -> bool {
    let tag = reader.0[0];
    let mut content = Reader(reader.take(&[tag]).unwrap());
    let parts = |content: &mut Reader<'_>| {
        let mut all = Vec::new();
        while !content.is_done() {
            all.push(matches(content, attributes));
        }
        all
    };
    match tag {
        0xa0 => parts(&mut content).into_iter().all(|it| it),
        0xa1 => parts(&mut content).into_iter().any(|it| it),
        0xa2 => !parts(&mut content)[0],
        0xa3 => {
            let key = String::from_utf8_lossy(content.take(&[ber::OCTETS]).unwrap()).to_lowercase();
            let value = content.take(&[ber::OCTETS]).unwrap().to_ascii_lowercase();
            attributes.get(&key).is_some_and(|all| all.iter().any(|has| has.to_ascii_lowercase() == value))
        }
        0x87 => attributes.contains_key(&String::from_utf8_lossy(content.0).to_lowercase()),
        other => panic!("a filter with {other:x}"),
    }
}

fn written(dn: &Dn, attributes: &Attributes) -> Vec<u8> {
    let shown: Vec<(&str, Vec<&[u8]>)> = attributes
        .iter()
        .filter(|(key, _)| *key != "unicodepwd")
        .map(|(key, values)| (key.as_str(), values.iter().map(Vec::as_slice).collect()))
        .collect();
    let shown: Vec<(&str, &[&[u8]])> = shown.iter().map(|(key, values)| (*key, values.as_slice())).collect();
    entry(dn.as_str(), &shown)
}
