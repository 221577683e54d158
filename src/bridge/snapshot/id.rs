//! Ids in little room: a list of a million of them is kept for a client that reads it page by page.

use std::borrow::Cow;
use std::cmp::Ordering;

use uuid::Uuid;

use crate::scim::ResourceKind;

/// The id of a resource, with its kind. One that is a UUID takes 24 bytes, however long its text is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::bridge) struct Id(Form);

// The kind stands inside each form, where it fills a gap; beside them it would cost eight bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Form {
    /// `8-4-4-4-12`, as entryUUID and objectGUID are shown.
    Uuid(ResourceKind, [u8; 16]),
    /// `8-8-8-8`, as nsUniqueId is shown.
    Words(ResourceKind, [u8; 16]),
    /// Anything else.
    Text(ResourceKind, Box<str>),
}

impl Id {
    /// The id whose text is `text`.
    pub fn new(kind: ResourceKind, text: &str) -> Self {
        let uuid = |digits: &str| Uuid::try_parse(digits).ok().map(Uuid::into_bytes);
        let forms = [
            uuid(text).map(|bytes| Form::Uuid(kind, bytes)),
            Some(text)
                .filter(|text| text.len() == 35)
                .and_then(|text| uuid(&text.replace('-', "")))
                .map(|bytes| Form::Words(kind, bytes)),
        ];
        // An unusual spelling, such as capital letters, is kept as it is.
        let same = forms.into_iter().flatten().map(Self).find(|id| id.text() == text);
        same.unwrap_or_else(|| Self(Form::Text(kind, text.into())))
    }

    /// What kind of resource it is the id of.
    pub const fn kind(&self) -> ResourceKind {
        match self.0 {
            Form::Uuid(kind, _) | Form::Words(kind, _) | Form::Text(kind, _) => kind,
        }
    }

    /// The id as clients see it.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Uuid(_, bytes) => Cow::Owned(Uuid::from_bytes(*bytes).hyphenated().to_string()),
            Form::Words(_, bytes) => {
                let mut text = Uuid::from_bytes(*bytes).simple().to_string();
                for at in [24, 16, 8] {
                    text.insert(at, '-');
                }
                Cow::Owned(text)
            }
            Form::Text(_, text) => Cow::Borrowed(text),
        }
    }

    /// The memory it takes.
    pub fn bytes(&self) -> usize {
        let outside = if let Form::Text(_, text) = &self.0 { text.len() } else { 0 };
        size_of::<Self>() + outside
    }
}

impl Ord for Id {
    /// By kind, then by text.
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind().cmp(&other.kind()).then_with(|| match (&self.0, &other.0) {
            // The digits stand in the same places, so bytes compare as their text does.
            (Form::Uuid(_, one), Form::Uuid(_, other)) | (Form::Words(_, one), Form::Words(_, other)) => one.cmp(other),
            _ => self.text().cmp(&other.text()),
        })
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";
    const WORDS: &str = "00112233-44556677-8899aabb-ccddeeff";

    fn id(text: &str) -> Id {
        Id::new(ResourceKind::User, text)
    }

    #[test]
    fn every_id_comes_back_as_it_was() {
        for text in
            [UUID, WORDS, "", "x", &UUID.to_uppercase(), &UUID.replace('-', ""), "0011223-344556677-8899aabb-ccddeeff"]
        {
            assert_eq!(id(text).text(), *text);
        }
    }

    #[test]
    fn ids_of_servers_take_24_bytes() {
        assert_eq!((id(UUID).bytes(), id(WORDS).bytes(), id("abc").bytes()), (24, 24, 27));
    }

    #[test]
    fn ids_are_ordered_by_kind_and_then_as_their_texts_are() {
        let mut texts = [UUID, WORDS, "", "zzz", "00112233-4455-6677-8899-aabbccddeef0", "00112233-4456"];
        let mut ids = texts.map(id).to_vec();
        ids.push(Id::new(ResourceKind::Group, ""));
        ids.sort();
        texts.sort_unstable();
        let sorted: Vec<_> = ids.iter().map(Id::text).collect();
        assert_eq!(sorted.split_last(), Some((&Cow::Borrowed(""), texts.map(Cow::Borrowed).as_slice())));
    }
}
