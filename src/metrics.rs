//! Figures about this process in the form that Prometheus reads. Whoever does something notes it here; that costs a
//! look-up and a few additions, and nothing is allocated once a figure was seen for the first time.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper ends of the ranges that times are counted in, in seconds.
const RANGES: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 50.0];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Task {
    operation: &'static str,
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is counted as it happens.
struct Counted {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_times: Times<Route>,
    operations: Family<Operation, Counter>,
    operation_times: Times<Task>,
}

static COUNTED: LazyLock<Counted> = LazyLock::new(Counted::new);

impl Counted {
    fn new() -> Self {
        let mut counted = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_times: Times::new_with_constructor(times),
            operations: Family::default(),
            operation_times: Times::new_with_constructor(times),
        };
        let registry = &mut counted.registry;
        registry.register("scim2ldap_http_requests", "Requests answered", counted.requests.clone());
        let help = "Time from the head of a request to its answer";
        registry.register("scim2ldap_http_request_duration_seconds", help, counted.request_times.clone());
        registry.register("scim2ldap_ldap_operations", "LDAP operations asked for", counted.operations.clone());
        let help = "Time from asking for an LDAP operation to its result";
        registry.register("scim2ldap_ldap_operation_duration_seconds", help, counted.operation_times.clone());
        counted
    }
}

fn times() -> Histogram {
    Histogram::new(RANGES)
}

/// A request was answered. `route` and `method` are of few values: no path, no id.
pub fn note_request(route: &'static str, method: &'static str, status: u16, elapsed: Duration) {
    COUNTED.requests.get_or_create(&Request { route, method, status }).inc();
    COUNTED.request_times.get_or_create(&Route { route }).observe(elapsed.as_secs_f64());
}

/// An LDAP operation has ended. `result` is "success", "refused" or "unavailable".
pub fn note_operation(operation: &'static str, result: &'static str, elapsed: Duration) {
    COUNTED.operations.get_or_create(&Operation { operation, result }).inc();
    COUNTED.operation_times.get_or_create(&Task { operation }).observe(elapsed.as_secs_f64());
}

/// What was counted so far and what `further` knows, as `OpenMetrics` text.
///
/// # Errors
/// Never, as long as text can be written to memory.
pub fn text(further: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, &COUNTED.registry)?;
    encode_registry(&mut text, further)?;
    encode_eof(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_shows_under_its_labels() {
        note_request("/test", "GET", 418, Duration::from_millis(3));
        note_operation("test", "refused", Duration::from_secs(2));
        let text = text(&Registry::default()).unwrap();
        for line in [
            "scim2ldap_http_requests_total{route=\"/test\",method=\"GET\",status=\"418\"} 1",
            "scim2ldap_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/test\"} 1",
            "scim2ldap_http_request_duration_seconds_bucket{le=\"0.0025\",route=\"/test\"} 0",
            "scim2ldap_ldap_operations_total{operation=\"test\",result=\"refused\"} 1",
            "scim2ldap_ldap_operation_duration_seconds_count{operation=\"test\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
