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

fn issued(id: &str, tenant: &str, secret: &str) -> IssuedToken {
    let hash = Fingerprint::of(secret.as_bytes()).0;
    IssuedToken { id: id.into(), tenant: tenant.into(), hash, expires: None, revoked: false }
}

fn with_issued(tokens: Vec<IssuedToken>) -> (Credentials, Arc<IssuedTokens>) {
    let table = Arc::new(IssuedTokens::default());
    table.replace(tokens);
    let mut credentials = only_basic();
    credentials.allow_issued(&"okta".into(), &table);
    (credentials, table)
}

#[test]
fn a_token_of_the_command_line_is_accepted_with_bearer_before_it_and_without() {
    let (credentials, _) = with_issued(vec![issued("1a", "okta", "s2l_one"), issued("2b", "okta", "s2l_two")]);
    for authorization in ["Bearer s2l_one", "bearer  s2l_one", "s2l_one"] {
        assert_eq!(outcome(&credentials, authorization), Ok("token 1a".into()), "{authorization}");
    }
    assert_eq!(outcome(&credentials, "Bearer s2l_two"), Ok("token 2b".into()));
    assert_eq!(outcome(&credentials, &format!("Basic {}", encoded("scim-user:pass:word"))), Ok("okta".into()));
    assert_eq!(outcome(&credentials, "Bearer s2l_three"), Err(Refusal::WrongToken));
    assert_eq!(credentials.authenticate(&headers("x-api-key", "s2l_one")), Err(Refusal::Missing));
    assert_eq!(credentials.challenges().len(), 2);
}

#[test]
fn a_token_of_the_command_line_that_opens_nothing_says_why() {
    let tokens = vec![
        IssuedToken { revoked: true, ..issued("1a", "okta", "s2l_one") },
        IssuedToken { expires: Some(now()), ..issued("2b", "okta", "s2l_two") },
        IssuedToken { expires: Some(now() + 60_000), ..issued("3c", "okta", "s2l_three") },
        issued("4d", "entra", "s2l_four"),
    ];
    let (credentials, table) = with_issued(tokens);
    assert_eq!(outcome(&credentials, "Bearer s2l_one"), Err(Refusal::Revoked("1a".into())));
    assert_eq!(outcome(&credentials, "Bearer s2l_two"), Err(Refusal::Expired("2b".into())));
    assert_eq!(outcome(&credentials, "Bearer s2l_three"), Ok("token 3c".into()));
    assert_eq!(outcome(&credentials, "Bearer s2l_four"), Err(Refusal::OtherTenant("4d".into())));
    table.replace([issued("1a", "okta", "s2l_one")]);
    assert_eq!(outcome(&credentials, "Bearer s2l_one"), Ok("token 1a".into()));
    assert_eq!(outcome(&credentials, "Bearer s2l_three"), Err(Refusal::WrongToken));
}

#[test]
fn a_tenant_is_open_while_one_of_its_tokens_is_good() {
    let table = Arc::new(IssuedTokens::default());
    let mut credentials = Credentials::default();
    credentials.allow_issued(&"okta".into(), &table);
    assert!(!credentials.has_any());
    table
        .replace([issued("4d", "entra", "s2l_four"), IssuedToken { revoked: true, ..issued("1a", "okta", "s2l_one") }]);
    assert!(!credentials.has_any());
    table.replace([issued("1a", "okta", "s2l_one")]);
    assert!(credentials.has_any());
}

#[test]
fn the_use_of_a_token_is_told_once_and_survives_a_new_table() {
    let (credentials, table) = with_issued(vec![issued("1a", "okta", "s2l_one"), issued("2b", "okta", "s2l_two")]);
    assert!(table.take_used().is_empty());
    let before = now();
    outcome(&credentials, "Bearer s2l_one").unwrap();
    table.replace([issued("1a", "okta", "s2l_one")]);
    let used = table.take_used();
    assert!(matches!(used.as_slice(), [(id, at)] if id == "1a" && *at >= before), "{used:?}");
    assert!(table.take_used().is_empty());
    assert!(!format!("{table:?}").contains("s2l_"));
}
