//! `/healthz` and `/readyz`, for load balancers and monitoring.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::site::{Site, Tenant};

/// How long a directory may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where requests are answered without it: who asks must not give up before the answer.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// The last outcome of asking every directory, and when that began.
///
/// The directories are asked once at a time: all who come while that goes on share the next outcome, so that nobody
/// can flood the directories through this page.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<(Instant, StatusCode, Value)>>,
}

/// The process is alive.
pub(super) fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// 200 when the requests of every tenant that is switched on are answered: its directory is there, or the bridge goes on
/// without it. 503 otherwise; the report names those that are away either way.
pub(super) async fn ready(site: &Site) -> HttpResponse {
    let came = Instant::now();
    let mut last = site.readiness().last.lock().await;
    if let Some((_, status, report)) = last.as_ref().filter(|(began, ..)| *began > came) {
        return HttpResponse::build(*status).json(report);
    }
    let began = Instant::now();
    let enabled = site.tenants().iter().filter(|tenant| tenant.settings.enabled);
    let tenants = join_all(enabled.map(probe)).await;
    let all_ready = tenants.iter().all(|(ready, _)| *ready);
    let status = if all_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let tenants: Vec<Value> = tenants.into_iter().map(|(_, report)| report).collect();
    let report = json!({ "ready": all_ready, "tenants": tenants });
    let response = HttpResponse::build(status).json(&report);
    *last = Some((began, status, report));
    response
}

/// Asks the directory of one tenant.
async fn probe(tenant: &Tenant) -> (bool, Value) {
    let settings = &tenant.settings;
    let goes_on = settings.bridge.goes_on();
    let patience = if goes_on { SHORT_PATIENCE } else { PATIENCE };
    let reachable = matches!(timeout(patience, settings.bridge.ready()).await, Ok(Ok(())));
    let ready = reachable || goes_on;
    let directory = settings.bridge.directory();
    let since = Timestamp::try_from(directory.health().since).ok().map(|since| since.to_string());
    let report = json!({
        "tenant": &*settings.name,
        "directory": directory.name(),
        "ready": ready,
        "reachable": reachable,
        "since": since,
    });
    (ready, report)
}
