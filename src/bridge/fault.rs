//! Why an intent or a question was not carried out.

use crate::directory;
use crate::mapping::NoId;
use crate::scim::{self, FaultKind, ResourceKind};
use crate::store::StoreFault;

/// Seconds after which a client may ask again when the store can't keep anything: a person has to make room.
const STORE_RETRY: u32 = 60;

/// Why something was not done. Which HTTP status each gets is the business of [`crate::http`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The request itself is at fault.
    #[error(transparent)]
    Request(#[from] scim::Fault),
    /// Nothing has this id.
    #[error("There is no {} with the id {id}.", .kind.name())]
    NotFound {
        /// The kind that was asked for.
        kind: ResourceKind,
        /// The id as the client gave it.
        id: String,
    },
    /// The tenant does not serve this kind of resource.
    #[error(
        "This tenant does not serve {}: the configuration of scim2ldap says groups = false, or its mapping has no \
         [group] table. Switch group push and group import off in the identity provider, or ask the administrator of \
         the bridge to switch groups on.",
        .0.endpoint()
    )]
    NotServed(ResourceKind),
    /// The resource is at another version than the client expects.
    #[error(
        "The resource is at another version than If-Match or If-None-Match allows: read it again and repeat the request."
    )]
    PreconditionFailed,
    /// The bridge may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The directory can't be asked now; the same request may succeed later.
    #[error("{detail}")]
    Unavailable {
        /// What the client's admin reads.
        detail: String,
        /// Seconds to wait before asking again.
        retry_after: u32,
    },
    /// The directory refuses for a reason that the client can't mend.
    #[error("{0}")]
    Directory(String),
}

impl Fault {
    /// The one place that says what a directory's fault means to who asked.
    pub(super) fn of_directory(fault: &directory::Fault, retry_after: u32) -> Self {
        use directory::FaultKind as Kind;
        if fault.is_transient() {
            return Self::Unavailable { detail: fault.to_string(), retry_after };
        }
        let detail = in_its_own_words(fault);
        if fault.is_uniqueness() {
            return Self::Request(scim::Fault::new(FaultKind::Uniqueness, detail));
        }
        if fault.is_password_policy() {
            let why = if fault.with_password {
                "The password does not meet the domain's policy"
            } else {
                "The account can't be enabled without a password that meets the domain's policy, and none was sent"
            };
            let detail = format!("{why}: {detail}");
            return Self::Request(scim::Fault::new(FaultKind::InvalidValue, detail));
        }
        match fault.kind {
            Kind::AccessDenied => Self::Forbidden(detail),
            Kind::Constraint | Kind::InvalidSyntax | Kind::ObjectClass | Kind::ValueExists | Kind::NotAllowedOnRdn => {
                Self::Request(scim::Fault::new(FaultKind::InvalidValue, detail))
            }
            _ => Self::Directory(detail),
        }
    }
}

/// The fault with what the server said to it: which attribute is missing, which rule is broken.
fn in_its_own_words(fault: &directory::Fault) -> String {
    let message = fault.to_string();
    if fault.diagnostic.is_empty() || message.contains(&fault.diagnostic) {
        return message;
    }
    format!("{message} (the directory says: {})", fault.diagnostic)
}

impl From<StoreFault> for Fault {
    /// What the store can't keep is not promised.
    fn from(fault: StoreFault) -> Self {
        let detail = format!(
            "The directory can't take the change now, and the bridge can't keep it: {fault}. Nothing was changed; ask \
             again later."
        );
        Self::Unavailable { detail, retry_after: STORE_RETRY }
    }
}

impl From<NoId> for Fault {
    fn from(fault: NoId) -> Self {
        Self::Directory(fault.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_refused_is_told_from_one_that_was_not_sent() {
        let told = |with_password| {
            let refused = directory::Fault::new(directory::FaultKind::UnwillingToPerform, "cannot modify cn=a,dc=x");
            let diagnostic = "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM)".to_owned();
            match Fault::of_directory(&directory::Fault { diagnostic, with_password, ..refused }, 5) {
                Fault::Request(fault) => fault.to_string(),
                other => panic!("{other}"),
            }
        };
        let (sent, missing) = (told(true), told(false));
        assert!(sent.contains("The password does not meet the domain's policy") && !sent.contains("none"), "{sent}");
        assert!(missing.contains("none was sent") && !missing.contains("does not meet"), "{missing}");
    }
}
