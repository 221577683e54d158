//! `scim2ldap token`: credentials of a tenant. The secret of one is shown once, when it is made.

use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::columns::{columns, on_one_line, time};
use super::{Exit, complain, find_tenant, finish, load, print, usage, wait_for};
use crate::config::Config;
use crate::store::{Durability, Store, StoreFault, Token};

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a token and print its secret, which is not shown again. A running daemon lets it in within seconds.
    Create(Create),
    /// Show the tokens, without their secrets.
    List {
        /// Only those of this tenant.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Print the list as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a token back. A running daemon refuses it within seconds.
    Revoke {
        /// The id of the token, as the list shows it.
        id: String,
        /// Print the token as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A token to be made.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The tenant that it opens. May be left out where there is only one.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// When it ends: after a time such as 90d, or at the beginning of a day such as 2027-01-31 (UTC). Without this, never.
    #[arg(long, value_name = "WHEN", alias = "expiry")]
    expires: Option<String>,
    /// Print the token as JSON.
    #[arg(long)]
    json: bool,
}

/// Does `action` under the configuration at `path`.
pub(super) fn run(path: &Path, action: &Action) -> Exit {
    let (Action::Create(Create { json, .. }) | Action::List { json, .. } | Action::Revoke { json, .. }) = action;
    let config = match load(path, *json) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let now = Timestamp::now();
    let done = match action {
        Action::Create(create) => return make(&config, create, now),
        Action::List { tenant, json } => wait_for(list(&config, tenant.as_deref(), *json, now)),
        Action::Revoke { id, json } => wait_for(revoke(&config, id, *json, now)),
    };
    finish(done)
}

fn make(config: &Config, create: &Create, now: Timestamp) -> Exit {
    let tenant = match find_tenant(config, create.tenant.as_deref()) {
        Ok(tenant) => &*tenant.name,
        Err(mistake) => return usage(ErrorKind::InvalidValue, &mistake),
    };
    let expires = match create.expires.as_deref().map(|text| end(text, now)).transpose() {
        Ok(expires) => expires.map(Timestamp::as_millisecond),
        Err(mistake) => return usage(ErrorKind::InvalidValue, &mistake),
    };
    let description = create.description.trim();
    finish(wait_for(async {
        let (token, secret) = Token::mint(tenant, description, now.as_millisecond(), expires)?;
        let kept = token.clone();
        let store = Store::open(&config.store.settings).await?;
        store.write(Durability::Durable, async move |it| it.add_token(&kept)).await?;
        show_new(&token, &secret, create.json, now);
        Ok(Exit::Good)
    }))
}

/// When a token ends, by what the command line says.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let at_date = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|it| it.timestamp());
    let after = |span: Span| now.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|it| it.timestamp());
    let time = text.parse::<Timestamp>().ok();
    let time = time.or_else(|| text.parse::<Date>().ok().and_then(at_date));
    let time = time.or_else(|| text.parse::<Span>().ok().and_then(after));
    match time {
        None => Err(format!("\"{text}\" is no time: write one such as 90d, 1y or 2027-01-31")),
        Some(time) if time <= now => Err(format!("\"{text}\" is not in the future")),
        Some(time) => Ok(time),
    }
}

/// The secret alone goes to standard output, so that a script can take it from there.
fn show_new(token: &Token, secret: &SecretString, as_json: bool, now: Timestamp) {
    let secret = secret.expose_secret();
    if as_json {
        let mut value = token_as_json(token, now);
        value["token"] = secret.into();
        return print(&value.to_string());
    }
    let until = token.expires.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {}", time(at)));
    complain(format!("token {} of tenant {} is good {until}; its secret is not shown again:", token.id, token.space));
    print(secret);
}

async fn list(config: &Config, tenant: Option<&str>, as_json: bool, now: Timestamp) -> Result<Exit, StoreFault> {
    let space = tenant.map(str::to_owned);
    let tokens = match Store::open_existing(&config.store.settings).await? {
        Some(store) => store.read(async move |it| it.tokens(space.as_deref())).await?,
        None => Vec::new(),
    };
    if as_json {
        let tokens: Vec<Value> = tokens.iter().map(|token| token_as_json(token, now)).collect();
        print(&json!({ "tokens": tokens }).to_string());
    } else if tokens.is_empty() {
        print("no tokens");
    } else {
        print(as_text(&tokens, now).trim_end());
    }
    Ok(Exit::Good)
}

fn as_text(tokens: &[Token], now: Timestamp) -> String {
    let head = ["id", "tenant", "state", "created", "expires", "last used", "description"].map(str::to_owned);
    let line = |token: &Token| {
        let at = |at: Option<i64>| at.map_or_else(|| "never".to_owned(), time);
        [
            token.id.clone(),
            token.space.clone(),
            state(token, now).to_owned(),
            time(token.created),
            at(token.expires),
            at(token.last_used),
            on_one_line(&token.description),
        ]
    };
    columns(&std::iter::once(head).chain(tokens.iter().map(line)).collect::<Vec<_>>())
}

async fn revoke(config: &Config, id: &str, as_json: bool, now: Timestamp) -> Result<Exit, StoreFault> {
    let (wanted, at) = (id.to_owned(), now.as_millisecond());
    let revoked = match Store::open_existing(&config.store.settings).await? {
        None => None,
        Some(store) => {
            let revoke = async move |it: crate::store::Session| {
                it.revoke_token(&wanted, at)?;
                Ok::<_, StoreFault>(it.tokens(None)?.into_iter().find(|token| token.id == wanted))
            };
            store.write(Durability::Durable, revoke).await?
        }
    };
    let Some(token) = revoked else {
        complain(format!("there is no token \"{id}\": `scim2ldap token list` shows them"));
        return Ok(Exit::Problems);
    };
    print(&if as_json {
        token_as_json(&token, now).to_string()
    } else {
        format!("token {} of tenant {} is revoked", token.id, token.space)
    });
    Ok(Exit::Good)
}

fn state(token: &Token, now: Timestamp) -> &'static str {
    match token.revoked {
        Some(_) => "revoked",
        None if token.is_good(now.as_millisecond()) => "good",
        None => "expired",
    }
}

fn token_as_json(token: &Token, now: Timestamp) -> Value {
    json!({
        "id": token.id,
        "tenant": token.space,
        "description": token.description,
        "state": state(token, now),
        "created": time(token.created),
        "expires": token.expires.map(time),
        "revoked": token.revoked.map(time),
        "last_used": token.last_used.map(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str, expires: Option<i64>, revoked: Option<i64>) -> Token {
        let (mut token, _) = Token::mint("okta", "from Okta\nto here", 1_000, expires).unwrap();
        token.id = id.to_owned();
        token.revoked = revoked;
        token
    }

    #[test]
    fn an_end_is_a_time_from_now_or_a_day_or_a_moment_and_lies_ahead() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("90d", "2027-02-20T08:00:00Z"),
            ("1y", "2027-11-22T08:00:00Z"),
            ("12h", "2026-11-22T20:00:00Z"),
            ("P2W", "2026-12-06T08:00:00Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2026-11-22T09:30:00+01:00", "2026-11-22T08:30:00Z"),
        ] {
            assert_eq!(end(text, now).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "90", "soon", "-1d", "2026-11-22", "2026-13-01", "9999999999y"] {
            assert!(end(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_says_which_tokens_are_good_and_shows_neither_secret_nor_hash() {
        let now = Timestamp::from_millisecond(5_000).unwrap();
        let tokens = [token("aaaa", None, None), token("bbbb", Some(5_000), None), token("cccc", Some(9_000), Some(2))];
        assert_eq!(
            as_text(&tokens, now),
            "id    tenant  state    created               expires               last used  description\n\
             aaaa  okta    good     1970-01-01T00:00:01Z  never                 never      from Okta to here\n\
             bbbb  okta    expired  1970-01-01T00:00:01Z  1970-01-01T00:00:05Z  never      from Okta to here\n\
             cccc  okta    revoked  1970-01-01T00:00:01Z  1970-01-01T00:00:09Z  never      from Okta to here\n"
        );
        assert_eq!(
            token_as_json(&tokens[1], now),
            json!({
                "id": "bbbb", "tenant": "okta", "description": "from Okta\nto here", "state": "expired",
                "created": "1970-01-01T00:00:01Z", "expires": "1970-01-01T00:00:05Z", "revoked": null, "last_used": null,
            })
        );
    }
}
