//! A SCIM client with an eye for the manners of every answer.

use super::tls;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const SCIM_JSON: &str = "application/scim+json";

/// How a client proves who it is.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// `Authorization: Basic base64(username:password)`
    Basic(&'a str, &'a str),
    /// `Authorization: Bearer token`
    Bearer(&'a str),
    /// `Name: token`
    Header(&'a str, &'a str),
    /// Not at all.
    None,
}

impl Credential<'_> {
    /// The part that must stay secret.
    pub fn secret(&self) -> &str {
        match self {
            Self::Basic(_, secret) | Self::Bearer(secret) | Self::Header(_, secret) => secret,
            Self::None => "",
        }
    }

    /// The lines of a `[[tenant.NAME.credential]]` section.
    pub fn to_toml(self) -> String {
        match self {
            Self::Basic(name, password) => format!("kind = \"basic\"\nusername = {name:?}\npassword = {password:?}\n"),
            Self::Bearer(token) => format!("kind = \"bearer\"\ntoken = {token:?}\n"),
            Self::Header(name, token) => format!("kind = \"header\"\nname = {name:?}\ntoken = {token:?}\n"),
            Self::None => String::new(),
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let (name, value) = match self {
            Self::Basic(name, password) => {
                (AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
            }
            Self::Bearer(token) => (AUTHORIZATION, format!("Bearer {token}")),
            Self::Header(name, token) => (name.parse().expect("a header name"), (*token).to_owned()),
            Self::None => return None,
        };
        Some((name, value.parse().expect("a header value")))
    }
}

/// A client of one tenant.
#[derive(Clone, Debug)]
pub struct Scim {
    client: Client,
    base: String,
}

/// What came back; it has passed [`Answer::check`].
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The JSON body, null when there is none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl Scim {
    /// A client that behaves like Okta's: same headers, JSON of the same media type.
    pub fn new(base: &str, credential: Credential<'_>) -> Self {
        Self::build(base, credential, &[])
    }

    /// The same over TLS, trusting the authority in the PEM file only.
    pub fn new_tls(base: &str, credential: Credential<'_>, ca: &Path) -> Self {
        let ca = std::fs::read(ca).expect("the authority's certificate");
        Self::build(base, credential, &[Certificate::from_pem(&ca).expect("a certificate")])
    }

    fn build(base: &str, credential: Credential<'_>, trusted: &[Certificate]) -> Self {
        tls::install_provider();
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("user-agent", "Okta SCIM Client 1.0.0"), ("accept", SCIM_JSON), ("accept-charset", "utf-8")]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.extend(credential.header());
        let client = Client::builder()
            .default_headers(headers)
            .tls_certs_only(trusted.iter().cloned())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1));
        Self { client: client.build().expect("an HTTP client"), base: base.trim_end_matches('/').to_owned() }
    }

    /// The tenant's SCIM base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GET of a path with its query, as in `/Users?count=2`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// GET of `path?filter=...` with the filter percent-encoded, and the parameters that Okta adds.
    pub async fn search(&self, path: &str, filter: &str) -> Answer {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        self.get(&format!("{path}?filter={filter}&startIndex=1&count=100")).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Any method, with or without a body.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| (format!("{SCIM_JSON}; charset=utf-8"), body.to_string()));
        self.send_raw(method, path, &[], body.as_ref().map(|(kind, text)| (kind.as_str(), text.as_str()))).await
    }

    /// A request with further headers, and a body of any media type that need not be JSON.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &str)>,
    ) -> Answer {
        let attempt = self.attempt(&method, path, headers, body).await;
        let answer = attempt.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let manners = if method == Method::HEAD { answer.check_head() } else { answer.check() };
        if let Err(fault) = manners {
            panic!("{method} {path} was answered against the rules: {fault}\n{answer:#?}");
        }
        answer
    }

    /// The same where the answer may be lost on the way.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let text = body.map(Value::to_string);
        let answer = self.attempt(&method, path, headers, text.as_deref().map(|text| (SCIM_JSON, text))).await?;
        if let Err(fault) = answer.check() {
            panic!("{method} {path} was answered against the rules: {fault}\n{answer:#?}");
        }
        Ok(answer)
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &str)>,
    ) -> Result<Answer, reqwest::Error> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.client.request(method.clone(), &url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, text)) = body {
            request = request.header("content-type", kind).body(text.to_owned());
        }
        let began = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, body, text, took: began.elapsed() })
    }
}

impl Answer {
    /// Expects a status and returns the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        &self.body
    }

    /// Expects an error with this `scimType` ("" for none) and returns its `detail`.
    #[track_caller]
    pub fn expect_error(&self, status: u16, scim_type: &str) -> &str {
        let kind = self.expect(status).get("scimType").and_then(Value::as_str).unwrap_or("");
        assert_eq!(kind, scim_type, "{:#}", self.body);
        self.body["detail"].as_str().expect("a detail")
    }

    /// The `id` of the resource in the body.
    #[track_caller]
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {:#}", self.body)).to_owned()
    }

    /// A header as text, "" when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `Resources` of a list.
    #[track_caller]
    pub fn resources(&self) -> &[Value] {
        self.expect(200)["Resources"].as_array().unwrap_or_else(|| panic!("no Resources in {:#}", self.body))
    }

    /// The `totalResults` of a list.
    #[track_caller]
    pub fn total(&self) -> u64 {
        self.expect(200)["totalResults"].as_u64().unwrap_or_else(|| panic!("no totalResults in {:#}", self.body))
    }

    /// What every answer of a SCIM service provider has to be like, whatever was asked.
    fn check(&self) -> Result<(), String> {
        if matches!(self.status, 204 | 304) {
            return if self.text.is_empty() { Ok(()) } else { Err("a body where none may be".to_owned()) };
        }
        let kind = self.header("content-type");
        if ![SCIM_JSON, "application/json"].contains(&kind) {
            return Err(format!("Content-Type {kind:?}"));
        }
        if !self.body.is_object() && !self.body.is_array() {
            return Err("the body is no JSON".to_owned());
        }
        if holds_key(&self.body, "password") {
            return Err("a password was sent".to_owned());
        }
        if self.status >= 400 { self.check_error() } else { self.check_list().and_then(|()| self.check_resource()) }
    }

    /// The headers of what a GET is answered, and no body.
    fn check_head(&self) -> Result<(), String> {
        let kind = self.header("content-type");
        let fits = matches!(self.status, 204 | 304) || [SCIM_JSON, "application/json"].contains(&kind);
        if self.text.is_empty() && fits {
            Ok(())
        } else {
            Err(format!("the answer to a HEAD has a body or is of the kind {kind:?}"))
        }
    }

    /// RFC 7644 section 3.12; the status is a string, and `detail` is what admins get to see at Okta.
    fn check_error(&self) -> Result<(), String> {
        if self.body["schemas"] != serde_json::json!([ERROR_URN]) {
            return Err("an error without the error schema".to_owned());
        }
        if self.body["status"].as_str() != Some(&self.status.to_string()) {
            return Err("the status in the body is not the status as a string".to_owned());
        }
        if self.body["detail"].as_str().is_none_or(|detail| detail.trim().is_empty()) {
            return Err("an error without a detail".to_owned());
        }
        match self.status {
            401 if self.header("www-authenticate").is_empty() => Err("401 without WWW-Authenticate".to_owned()),
            429 if self.header("retry-after").parse::<u32>().is_err() => {
                Err("429 without whole seconds in Retry-After".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// RFC 7644 section 3.4.2; counters as strings stop Okta silently.
    fn check_list(&self) -> Result<(), String> {
        if self.body["schemas"] != serde_json::json!([LIST_URN]) {
            return Ok(());
        }
        let counter = |name: &str| self.body[name].as_u64().ok_or(format!("{name} is no integer"));
        counter("totalResults")?;
        counter("startIndex")?;
        let shown = self.body["Resources"].as_array().ok_or("no Resources")?.len();
        if counter("itemsPerPage")? == shown as u64 {
            Ok(())
        } else {
            Err("itemsPerPage is not what is shown".to_owned())
        }
    }

    /// RFC 7644 section 3.3 and 3.1: where the resource is.
    fn check_resource(&self) -> Result<(), String> {
        let Some(location) = self.body["meta"]["location"].as_str() else { return Ok(()) };
        if self.status == 201 && self.header("location") != location {
            return Err(format!("Location is {:?}, meta.location {location:?}", self.header("location")));
        }
        Ok(())
    }
}

fn holds_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) || holds_key(value, name)),
        Value::Array(values) => values.iter().any(|value| holds_key(value, name)),
        _ => false,
    }
}
