//! What a server says about itself in its root DSE (RFC 4512 section 5.1).

use super::dn::Dn;
use super::entry::Entry;
use super::name::AttributeName;

/// OID of the post-read control (RFC 4527).
pub const POST_READ: &str = "1.3.6.1.1.13.2";
/// OID of the assertion control (RFC 4528).
pub const ASSERTION: &str = "1.3.6.1.1.12";
/// OID of the paged results control (RFC 2696).
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// OID of the dereference control (draft-masarati-ldap-deref).
pub const DEREFERENCE: &str = "1.3.6.1.4.1.4203.666.5.16";
/// OID of Active Directory's permissive modify control.
pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";

/// What a server says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// OIDs of the controls it lists.
    pub supported_controls: Vec<String>,
    /// OIDs of the extended operations it lists.
    pub supported_extensions: Vec<String>,
    /// Names of the SASL mechanisms it lists.
    pub supported_sasl_mechanisms: Vec<String>,
    /// Who made it.
    pub vendor_name: Option<String>,
    /// Which version it is.
    pub vendor_version: Option<String>,
    /// The roots of the trees that it holds.
    pub naming_contexts: Vec<Dn>,
    /// The root of the tree that is meant when none is named (Active Directory).
    pub default_naming_context: Option<Dn>,
    /// The entry that holds the schema.
    pub subschema_subentry: Option<Dn>,
    post_read: bool,
    assertion: bool,
    paged_results: bool,
}

const SUPPORTED_CONTROL: AttributeName = AttributeName::literal("supportedControl");
const SUPPORTED_EXTENSION: AttributeName = AttributeName::literal("supportedExtension");
const SUPPORTED_SASL: AttributeName = AttributeName::literal("supportedSASLMechanisms");
const VENDOR_NAME: AttributeName = AttributeName::literal("vendorName");
const VENDOR_VERSION: AttributeName = AttributeName::literal("vendorVersion");
const NAMING_CONTEXTS: AttributeName = AttributeName::literal("namingContexts");
const DEFAULT_NAMING_CONTEXT: AttributeName = AttributeName::literal("defaultNamingContext");
const SUBSCHEMA_SUBENTRY: AttributeName = AttributeName::literal("subschemaSubentry");

/// What to ask the root DSE for.
pub(super) const ROOT_ATTRIBUTES: [AttributeName; 8] = [
    SUPPORTED_CONTROL,
    SUPPORTED_EXTENSION,
    SUPPORTED_SASL,
    VENDOR_NAME,
    VENDOR_VERSION,
    NAMING_CONTEXTS,
    DEFAULT_NAMING_CONTEXT,
    SUBSCHEMA_SUBENTRY,
];

impl ServerInfo {
    /// Whether the server lists the control with this OID. OpenLDAP honours some that it does not list.
    #[must_use]
    pub fn supports_control(&self, oid: &str) -> bool {
        self.supported_controls.iter().any(|control| control == oid)
    }

    /// Whether a write can return the entry as it is afterwards.
    #[must_use]
    pub const fn has_post_read(&self) -> bool {
        self.post_read
    }

    /// Whether a write can be made to depend on the state of the entry.
    #[must_use]
    pub const fn has_assertion(&self) -> bool {
        self.assertion
    }

    /// Whether a search can be read page by page.
    #[must_use]
    pub const fn has_paged_results(&self) -> bool {
        self.paged_results
    }

    /// Whether a search can return the entries that another entry names.
    #[must_use]
    pub fn has_dereference(&self) -> bool {
        self.supports_control(DEREFERENCE)
    }

    pub(super) fn from_root(root: &Entry) -> Self {
        let all = |name: &AttributeName| root.texts(name).map(str::to_owned).collect::<Vec<String>>();
        let names = |name: &AttributeName| root.names(name).collect::<Vec<Dn>>();
        let mut info = Self {
            supported_controls: all(&SUPPORTED_CONTROL),
            supported_extensions: all(&SUPPORTED_EXTENSION),
            supported_sasl_mechanisms: all(&SUPPORTED_SASL),
            vendor_name: root.text(&VENDOR_NAME).map(str::to_owned),
            vendor_version: root.text(&VENDOR_VERSION).map(str::to_owned),
            naming_contexts: names(&NAMING_CONTEXTS),
            default_naming_context: names(&DEFAULT_NAMING_CONTEXT).pop(),
            subschema_subentry: names(&SUBSCHEMA_SUBENTRY).pop(),
            ..Self::default()
        };
        info.post_read = info.supports_control(POST_READ);
        info.assertion = info.supports_control(ASSERTION);
        info.paged_results = info.supports_control(PAGED_RESULTS);
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_entry_is_read() {
        let mut root = Entry::new(Dn::root());
        let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        root.insert(SUPPORTED_CONTROL, bytes(&[POST_READ, PAGED_RESULTS]));
        root.insert(NAMING_CONTEXTS, bytes(&["dc=b", "dc=a"]));
        root.insert(SUBSCHEMA_SUBENTRY, bytes(&["cn=Subschema"]));
        let info = ServerInfo::from_root(&root);
        assert!(info.has_post_read() && info.has_paged_results() && !info.has_assertion());
        assert_eq!(info.naming_contexts.len(), 2);
        assert_eq!(info.subschema_subentry, Dn::parse("cn=subschema").ok());
        assert_eq!(info.vendor_name, None);
    }

    #[test]
    fn a_server_that_says_nothing_supports_nothing() {
        assert_eq!(ServerInfo::from_root(&Entry::new(Dn::root())), ServerInfo::default());
    }
}
