//! What is told to those who look after the bridge: figures and health, at a listener of their own.

use crate::harness::{Config, Daemon, Proxy, Slapd, field};
use crate::world::{BINARY, PATIENCE, World, okta_user};
use std::time::{Duration, Instant};

const LISTEN: &str = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"";

async fn behind(proxy: &Proxy, name: &str) -> (World, String) {
    let world = World::with(name, |config| config.urls(&[&proxy.url()]).directory(PATIENCE).server(LISTEN)).await;
    world.is_read();
    let line = world.daemon.wait_for_log("listening for those who look after the bridge");
    let address = field(&line, "address").unwrap().as_str().unwrap().to_owned();
    (world, address)
}

async fn get(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The value of a figure, by its name and labels as they are written.
fn figure(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

async fn figures(address: &str) -> String {
    let (status, text) = get(&format!("{address}metrics")).await;
    assert_eq!(status, 200, "{text}");
    text
}

#[tokio::test]
async fn figures_tell_of_requests_operations_the_queue_and_the_shadow() {
    let proxy = Proxy::before(Slapd::shared().port());
    let (world, address) = behind(&proxy, "metrics-figures").await;
    let before = figures(&address).await;
    assert_eq!(figure(&before, "scim2ldap_directory_up{directory=\"corp\"}"), Some(1.0), "{before}");
    assert_eq!(figure(&before, "scim2ldap_shadow_filled{tenant=\"okta\"}"), Some(1.0));
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    world.scim.get(&format!("/Users/{}", ada.id())).await.expect(200);
    proxy.refuse();
    world.scim.post("/Users", &okta_user("bob", "Bob", "Builder")).await.expect(201);
    let text = figures(&address).await;
    for (name, value) in [
        ("scim2ldap_http_requests_total{route=\"/Users\",method=\"POST\",status=\"201\"}", 2.0),
        ("scim2ldap_http_requests_total{route=\"/Users/{id}\",method=\"GET\",status=\"200\"}", 1.0),
        ("scim2ldap_http_request_duration_seconds_count{route=\"/Users\"}", 2.0),
        ("scim2ldap_ldap_operations_total{operation=\"add\",result=\"success\"}", 1.0),
        ("scim2ldap_directory_up{directory=\"corp\"}", 0.0),
        ("scim2ldap_queue_items{tenant=\"okta\",state=\"owed\"}", 1.0),
        ("scim2ldap_queue_items{tenant=\"okta\",state=\"parked\"}", 0.0),
    ] {
        assert_eq!(figure(&text, name), Some(value), "{name}\n{text}");
    }
    for name in [
        "scim2ldap_queue_oldest_seconds{tenant=\"okta\"}",
        "scim2ldap_shadow_age_seconds{tenant=\"okta\"}",
        "scim2ldap_store_bytes",
        "process_resident_memory_bytes",
    ] {
        assert!(figure(&text, name).is_some_and(|value| value > 0.0), "{name}\n{text}");
    }
    assert!(!text.contains(&ada.id()), "no ids in labels");
    proxy.resume();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let text = figures(&address).await;
        if figure(&text, "scim2ldap_queue_items{tenant=\"okta\",state=\"owed\"}") == Some(0.0) {
            assert_eq!(figure(&text, "scim2ldap_queue_oldest_seconds{tenant=\"okta\"}"), Some(0.0));
            break;
        }
        assert!(Instant::now() < end, "{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_load_balancer_keeps_sending_requests_while_the_directory_is_away() {
    let proxy = Proxy::before(Slapd::shared().port());
    let (world, address) = behind(&proxy, "metrics-ready").await;
    proxy.refuse();
    for base in [format!("{}/", world.daemon.base()), address.clone()] {
        let (status, report) = get(&format!("{base}readyz")).await;
        assert_eq!(status, 200, "{report}");
        assert!(report.contains("\"reachable\":false") && report.contains("\"ready\":true"), "{report}");
        assert_eq!(get(&format!("{base}healthz")).await.0, 200);
    }
    assert_eq!(get(&format!("{address}scim/v2/Users")).await.0, 404, "no tenant is served here");
    let (status, _) = get(&format!("{}/metrics", world.daemon.base())).await;
    assert_eq!(status, 404, "figures are not for identity providers");
}

#[tokio::test]
async fn the_listener_for_figures_has_an_address_of_its_own() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("metrics-address").await;
    let config = Config::for_slapd(slapd, &base);
    for wrong in ["9090", "127.0.0.1:8080"] {
        let lines = format!("listen = \"127.0.0.1:8080\"\nadmin_listen = \"{wrong}\"");
        let said = Daemon::fails_to_start(BINARY, &config.clone().server(&lines));
        assert!(said.contains("admin_listen"), "{said}");
    }
}
