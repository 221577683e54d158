use super::*;

fn both() -> Credentials {
    let mut credentials = Credentials::default();
    credentials.allow_basic("okta", "scim-user", &SecretString::from("pass:word"));
    credentials.allow_token("entra", &SecretString::from("t0ken"));
    credentials
}

fn only_basic() -> Credentials {
    let mut credentials = Credentials::default();
    credentials.allow_basic("okta", "scim-user", &SecretString::from("pass:word"));
    credentials
}

fn only_token() -> Credentials {
    let mut credentials = Credentials::default();
    credentials.allow_token("entra", &SecretString::from("t0ken"));
    credentials
}

fn headers(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    headers
}

fn outcome(credentials: &Credentials, authorization: &str) -> Result<String, Refusal> {
    credentials.authenticate(&headers("authorization", authorization)).map(|it| it.to_string())
}

fn encoded(pair: &str) -> String {
    BASE64.encode(pair)
}

#[test]
fn basic_is_accepted_with_the_scheme_in_any_case() {
    for scheme in ["Basic", "basic", "BASIC "] {
        let authorization = format!("{scheme} {}", encoded("scim-user:pass:word"));
        assert_eq!(outcome(&both(), &authorization), Ok("okta".into()));
    }
}

#[test]
fn basic_is_accepted_without_padding() {
    let authorization = format!("Basic {}", encoded("scim-user:pass:word").trim_end_matches('='));
    assert_eq!(outcome(&both(), &authorization), Ok("okta".into()));
}

#[test]
fn a_token_is_accepted_with_bearer_before_it_and_without() {
    for authorization in ["Bearer t0ken", "bearer  t0ken", "t0ken"] {
        assert_eq!(outcome(&both(), authorization), Ok("entra".into()), "{authorization}");
    }
}

#[test]
fn a_user_name_and_password_are_accepted_as_a_token() {
    let token = encoded("scim-user:pass:word");
    assert_eq!(outcome(&only_basic(), &format!("Bearer {token}")), Ok("okta".into()));
    assert_eq!(outcome(&both(), &token), Ok("okta".into()));
}

#[test]
fn a_token_in_a_header_of_its_own_is_accepted_there_and_nowhere_else() {
    let mut credentials = Credentials::default();
    credentials.allow_header("agent", HeaderName::from_static("x-api-key"), &SecretString::from("t0ken"));
    let found = credentials.authenticate(&headers("x-api-key", "t0ken")).map(|it| it.to_string());
    assert_eq!(found, Ok("agent".into()));
    assert_eq!(credentials.authenticate(&headers("x-api-key", "other")), Err(Refusal::WrongToken));
    assert_eq!(credentials.authenticate(&headers("authorization", "Bearer t0ken")), Err(Refusal::WrongToken));
}

#[test]
fn a_token_that_was_configured_with_its_scheme_is_accepted_as_it_stands() {
    let mut credentials = Credentials::default();
    credentials.allow_token("custom", &SecretString::from("SSWS t0ken"));
    assert_eq!(outcome(&credentials, "SSWS t0ken"), Ok("custom".into()));
}

#[test]
fn each_of_several_credentials_is_known_by_its_description() {
    let mut credentials = both();
    credentials.allow_token("entra, next", &SecretString::from("t1ken"));
    credentials.allow_basic("okta, next", "scim-user", &SecretString::from("other"));
    assert_eq!(outcome(&credentials, "Bearer t0ken"), Ok("entra".into()));
    assert_eq!(outcome(&credentials, "Bearer t1ken"), Ok("entra, next".into()));
    let authorization = format!("Basic {}", encoded("scim-user:other"));
    assert_eq!(outcome(&credentials, &authorization), Ok("okta, next".into()));
}

#[test]
fn a_refusal_says_what_was_wrong() {
    let basic = |pair: &str| format!("Basic {}", encoded(pair));
    let cases = [
        (both(), basic("scim-user:wrong"), Refusal::WrongPassword),
        (both(), basic("somebody:pass:word"), Refusal::UnknownUser),
        (both(), basic("no colon"), Refusal::Malformed),
        (both(), "Basic %%%".into(), Refusal::Malformed),
        (both(), "Bearer wrong".into(), Refusal::WrongToken),
        (both(), "Bearer".into(), Refusal::WrongToken),
        (both(), "Bearer t0ken2".into(), Refusal::WrongToken),
        (only_token(), basic("scim-user:pass:word"), Refusal::NotConfigured("basic")),
        (only_basic(), "Bearer t0ken".into(), Refusal::NotConfigured("bearer")),
        (only_basic(), format!("Bearer {}", encoded("scim-user:wrong")), Refusal::WrongPassword),
    ];
    for (credentials, authorization, expected) in cases {
        assert_eq!(outcome(&credentials, &authorization), Err(expected), "{authorization}");
    }
    assert_eq!(both().authenticate(&HeaderMap::new()), Err(Refusal::Missing));
}

#[test]
fn a_tenant_without_credentials_lets_nobody_in() {
    let nobody = Credentials::default();
    assert!(outcome(&nobody, "Bearer ").is_err());
    assert!(outcome(&nobody, &format!("Basic {}", encoded(":"))).is_err());
    assert!(nobody.authenticate(&HeaderMap::new()).is_err());
    assert!(!nobody.challenges().is_empty());
}

#[test]
fn the_challenges_name_the_schemes_that_the_tenant_has() {
    let schemes = |credentials: Credentials| -> Vec<String> {
        let challenges = credentials.challenges();
        challenges.iter().map(|value| value.to_str().unwrap().split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(schemes(both()), ["Basic", "Bearer"]);
    assert_eq!(schemes(only_basic()), ["Basic"]);
    assert_eq!(schemes(only_token()), ["Bearer"]);
}

#[test]
fn no_secret_shows_in_debug_output() {
    let shown = format!("{:?}", both());
    assert!(!shown.contains("t0ken") && !shown.contains("pass:word"));
}
