//! From a path to the thing it names (RFC 7644 section 3.2).

use std::borrow::Cow;

use super::uri;
use crate::scim::ResourceKind;

/// What the path of a request names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The process is alive.
    Health,
    /// Every directory answers.
    Readiness,
    /// Something below the path of the tenant that stands at this place in the list.
    Tenant(usize, Endpoint),
    /// Nothing below any tenant's path.
    Nowhere,
}

/// An endpoint of a tenant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `/Users`, `/Groups`
    Collection(ResourceKind),
    /// `/Users/{id}`, `/Groups/{id}`
    Resource(ResourceKind, String),
    /// `/Users/.search`, `/Groups/.search`
    Search(ResourceKind),
    /// `/.search`
    SearchAll,
    /// `/Me`
    Me,
    /// `/Bulk`
    Bulk,
    /// `/ServiceProviderConfig`; `plural` is the spelling of SCIM 1.1, which Okta's on-prem agent asks for.
    ServiceProviderConfig {
        /// Whether the path ended in an `s`.
        plural: bool,
    },
    /// `/ResourceTypes`, `/ResourceTypes/{name}`
    ResourceTypes(Option<String>),
    /// `/Schemas`, `/Schemas/{urn}`
    Schemas(Option<String>),
    /// Anything else.
    Unknown,
}

impl Target {
    /// What it is called in figures: one of few names, whatever the path.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::Nowhere => "nowhere",
            Self::Tenant(_, endpoint) => endpoint.name(),
        }
    }
}

/// The path below which a tenant lives, cut into segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefix(Vec<String>);

impl Prefix {
    /// The prefix written in the configuration, for instance `/scim/v2`.
    pub(super) fn new(path: &str) -> Self {
        Self(path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect())
    }

    /// What follows this prefix in `segments`, if they begin with it.
    fn rest<'a, 'b>(&self, segments: &'a [Cow<'b, str>]) -> Option<&'a [Cow<'b, str>]> {
        let (head, rest) = segments.split_at_checked(self.0.len())?;
        head.iter().zip(&self.0).all(|(segment, wanted)| segment == wanted).then_some(rest)
    }
}

/// Finds what `path` names; of several tenants whose prefix fits, the longest prefix wins.
pub(super) fn find<'a>(path: &str, prefixes: impl Iterator<Item = &'a Prefix>) -> Target {
    let Some(segments) = uri::segments(path) else { return Target::Nowhere };
    if let [only] = segments.as_slice() {
        match &**only {
            "healthz" => return Target::Health,
            "readyz" => return Target::Readiness,
            _ => {}
        }
    }
    prefixes
        .enumerate()
        .filter_map(|(index, prefix)| Some((prefix.0.len(), index, prefix.rest(&segments)?)))
        .max_by_key(|(length, ..)| *length)
        .map_or(Target::Nowhere, |(_, index, rest)| Target::Tenant(index, endpoint(rest)))
}

/// The endpoint that a path below a tenant's URL names, as operations of a bulk request have it.
pub(super) fn below(path: &str) -> Endpoint {
    uri::segments(path).map_or(Endpoint::Unknown, |segments| endpoint(&segments))
}

/// The endpoint that the segments after a tenant's path name. The names of endpoints are taken in any case.
fn endpoint(segments: &[Cow<'_, str>]) -> Endpoint {
    let (name, more) = match segments {
        [name] => (name, None),
        [name, more] => (name, Some(more)),
        _ => return Endpoint::Unknown,
    };
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    for kind in [ResourceKind::User, ResourceKind::Group] {
        if is(kind.endpoint()) {
            return match more {
                None => Endpoint::Collection(kind),
                Some(more) if more.eq_ignore_ascii_case(".search") => Endpoint::Search(kind),
                Some(id) => Endpoint::Resource(kind, id.to_string()),
            };
        }
    }
    if is("Schemas") {
        return Endpoint::Schemas(more.map(ToString::to_string));
    }
    if is("ResourceTypes") {
        return Endpoint::ResourceTypes(more.map(ToString::to_string));
    }
    if more.is_some() {
        return Endpoint::Unknown;
    }
    single(name)
}

/// The endpoints that have nothing below them.
fn single(name: &str) -> Endpoint {
    let known = [
        (".search", Endpoint::SearchAll),
        ("ServiceProviderConfig", Endpoint::ServiceProviderConfig { plural: false }),
        ("ServiceProviderConfigs", Endpoint::ServiceProviderConfig { plural: true }),
        ("Me", Endpoint::Me),
        ("Bulk", Endpoint::Bulk),
    ];
    known
        .into_iter()
        .find(|(wanted, _)| name.eq_ignore_ascii_case(wanted))
        .map_or(Endpoint::Unknown, |(_, endpoint)| endpoint)
}

impl Endpoint {
    const fn name(&self) -> &'static str {
        match self {
            Self::Collection(ResourceKind::User) => "/Users",
            Self::Collection(ResourceKind::Group) => "/Groups",
            Self::Resource(ResourceKind::User, _) => "/Users/{id}",
            Self::Resource(ResourceKind::Group, _) => "/Groups/{id}",
            Self::Search(ResourceKind::User) => "/Users/.search",
            Self::Search(ResourceKind::Group) => "/Groups/.search",
            Self::SearchAll => "/.search",
            Self::Me => "/Me",
            Self::Bulk => "/Bulk",
            Self::ServiceProviderConfig { .. } => "/ServiceProviderConfig",
            Self::ResourceTypes(_) => "/ResourceTypes",
            Self::Schemas(_) => "/Schemas",
            Self::Unknown => "unknown",
        }
    }

    /// The methods that the endpoint answers, as an `Allow` header says them.
    pub(super) const fn allowed(&self) -> &'static str {
        match self {
            Self::Collection(_) => "GET, HEAD, POST",
            Self::Resource(..) => "GET, HEAD, PUT, PATCH, DELETE",
            Self::Search(_) | Self::SearchAll | Self::Bulk => "POST",
            Self::Me
            | Self::ServiceProviderConfig { .. }
            | Self::ResourceTypes(_)
            | Self::Schemas(_)
            | Self::Unknown => "GET, HEAD",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORP: &[&str] = &["/scim/v2"];

    fn found(path: &str, prefixes: &[&str]) -> Target {
        let prefixes: Vec<Prefix> = prefixes.iter().map(|path| Prefix::new(path)).collect();
        find(path, prefixes.iter())
    }

    #[test]
    fn collections_and_resources_are_found_below_their_tenant() {
        assert_eq!(found("/scim/v2/Users", CORP), Target::Tenant(0, Endpoint::Collection(ResourceKind::User)));
        let group = Endpoint::Resource(ResourceKind::Group, "4711".into());
        assert_eq!(found("/scim/v2/Groups/4711", CORP), Target::Tenant(0, group));
        let search = Endpoint::Search(ResourceKind::User);
        assert_eq!(found("/scim/v2/Users/.search", CORP), Target::Tenant(0, search));
    }

    #[test]
    fn doubled_slashes_trailing_slashes_and_case_make_no_difference() {
        for path in ["//scim/v2//Users", "/scim/v2/Users/", "/scim/v2/users", "/scim//v2/USERS//"] {
            assert_eq!(found(path, CORP), Target::Tenant(0, Endpoint::Collection(ResourceKind::User)), "{path}");
        }
    }

    #[test]
    fn the_case_of_an_id_is_kept() {
        let resource = Endpoint::Resource(ResourceKind::User, "aB c".into());
        assert_eq!(found("/scim/v2/users/aB%20c", CORP), Target::Tenant(0, resource));
    }

    #[test]
    fn the_tenant_with_the_longest_prefix_wins() {
        let prefixes = &["/scim", "/scim/v2", "/scim/v2/hr"];
        let users = || Endpoint::Collection(ResourceKind::User);
        assert_eq!(found("/scim/v2/hr/Users", prefixes), Target::Tenant(2, users()));
        assert_eq!(found("/scim/v2/Users", prefixes), Target::Tenant(1, users()));
        assert_eq!(found("/scim/Users", prefixes), Target::Tenant(0, users()));
    }

    #[test]
    fn a_prefix_fits_whole_segments_only() {
        assert_eq!(found("/scim/v22/Users", CORP), Target::Nowhere);
        assert_eq!(found("/scim", CORP), Target::Nowhere);
    }

    #[test]
    fn a_tenant_may_live_at_the_root_without_hiding_the_health_pages() {
        assert_eq!(found("/Users", &["/"]), Target::Tenant(0, Endpoint::Collection(ResourceKind::User)));
        assert_eq!(found("/healthz", &["/"]), Target::Health);
        assert_eq!(found("/readyz/", &["/"]), Target::Readiness);
    }

    #[test]
    fn both_spellings_of_the_provider_configuration_are_known_and_told_apart() {
        let singular = Endpoint::ServiceProviderConfig { plural: false };
        assert_eq!(found("/scim/v2/ServiceProviderConfig", CORP), Target::Tenant(0, singular));
        let plural = Endpoint::ServiceProviderConfig { plural: true };
        assert_eq!(found("/scim/v2/serviceproviderconfigs", CORP), Target::Tenant(0, plural));
    }

    #[test]
    fn schemas_are_named_by_their_urn() {
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
        let schema = Endpoint::Schemas(Some(urn.into()));
        assert_eq!(found(&format!("/scim/v2/Schemas/{urn}"), CORP), Target::Tenant(0, schema));
        assert_eq!(found("/scim/v2/Schemas", CORP), Target::Tenant(0, Endpoint::Schemas(None)));
    }

    #[test]
    fn what_is_no_endpoint_is_unknown_but_still_the_tenants() {
        for path in ["/scim/v2", "/scim/v2/Roles", "/scim/v2/Users/1/2", "/scim/v2/Me/1"] {
            assert_eq!(found(path, CORP), Target::Tenant(0, Endpoint::Unknown), "{path}");
        }
    }
}
