//! Lists, of one kind of resource or of all (RFC 7644 sections 3.4.2 and 3.4.3).

use actix_web::HttpResponse;
use serde_json::Value;

use super::negotiation::SCIM_JSON;
use super::outcome::Fault;
use super::site::Tenant;
use crate::scim::{Query, Resource, ResourceKind, discovery};

/// One page of what `asked` asks for. A query stands beside each kind because each kind has names of its own.
pub(super) async fn page(tenant: &Tenant, asked: Vec<(ResourceKind, Query)>) -> Result<HttpResponse, Fault> {
    let bridge = &tenant.settings.bridge;
    let page = bridge.list(&asked).await?;
    let project = |(kind, resource)| {
        let (_, query) = asked.iter().find(|(asked, _)| *asked == kind)?;
        Some(query.projection.apply(resource, bridge.schema(kind)?))
    };
    let resources: Vec<Resource> = page.resources.into_iter().filter_map(project).collect();
    let list = discovery::page(&resources, page.total, page.start_index, page.next, page.previous);
    Ok(HttpResponse::Ok().content_type(SCIM_JSON).body(list))
}

/// One page of what a search at the tenant's root asks for, over everything that the tenant serves.
pub(super) async fn search_all(tenant: &Tenant, body: Value) -> Result<HttpResponse, Fault> {
    let kinds = [ResourceKind::User, ResourceKind::Group];
    let served = kinds.into_iter().filter_map(|kind| Some((kind, tenant.settings.bridge.schema(kind)?)));
    let asked = served.map(|(kind, schema)| Ok((kind, Query::from_search_request(body.clone(), schema)?)));
    page(tenant, asked.collect::<Result<Vec<_>, Fault>>()?).await
}
