//! What is wrong with a request, in the terms of RFC 7644 section 3.12.

/// A fault of the request itself: the client must change something before it asks again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// Which of the RFC's detail error keywords this is.
    pub kind: FaultKind,
    /// One or two sentences for the admin at the identity provider: what is wrong, where, what to do.
    pub detail: String,
}

/// The detail error keywords (`scimType`) of RFC 7644 table 9, and those of RFC 9865 section 2.1 for cursors.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    InvalidVersion,
    Sensitive,
    InvalidCursor,
    ExpiredCursor,
    InvalidCount,
}

impl FaultKind {
    /// The keyword as it stands in an error body.
    #[must_use]
    pub const fn scim_type(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVersion => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

impl Fault {
    /// A fault of `kind` that says `detail`.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}
