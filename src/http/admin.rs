//! The listener for those who look after the bridge: figures for Prometheus, and the pages about health. It belongs on an
//! address that only they can reach, because it asks nobody who they are.

mod figures;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use arc_swap::ArcSwap;
use tracing::{info, warn};

use super::health;
use super::listener::ListenFault;
use super::site::Site;
use crate::metrics;
use crate::store::Store;

/// The type of the text that Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The server that answers what arrives at `listener`. One line of the log names the address.
pub fn serve(listener: TcpListener, site: &Arc<ArcSwap<Site>>, store: &Store) -> Result<Server, ListenFault> {
    let (site, store) = (Data::from(Arc::clone(site)), Data::new(store.clone()));
    let address = listener.local_addr().map_err(ListenFault::Setup)?;
    let app = move || App::new().app_data(site.clone()).app_data(store.clone()).default_service(web::to(answer));
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).map_err(ListenFault::Setup)?;
    info!(address = format!("http://{address}/"), "listening for those who look after the bridge");
    Ok(server.run())
}

async fn answer(request: HttpRequest, site: Data<ArcSwap<Site>>, store: Data<Store>) -> HttpResponse {
    let site = site.load_full();
    match request.path() {
        "/metrics" => figures_of(&site, &store).await,
        "/healthz" => health::alive(),
        "/readyz" => health::ready(&site).await,
        _ => HttpResponse::NotFound().body("here are /metrics, /healthz and /readyz\n"),
    }
}

async fn figures_of(site: &Site, store: &Store) -> HttpResponse {
    let figures = figures::read(site, store).await;
    match metrics::text(&figures) {
        Ok(text) => HttpResponse::Ok().content_type(OPEN_METRICS).body(text),
        Err(fault) => {
            warn!(%fault, "the figures can't be written");
            HttpResponse::build(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}
