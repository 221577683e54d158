//! `make demo [DIRECTORY=openldap|active-directory|389ds]`: an identity provider's working day with one employee, played with the requests that Okta really sends,
//! and what becomes of each of them in a directory. Everything runs on loopback and is gone afterwards.

// A demo that can't go on says so and stops.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../harness/mod.rs"]
mod harness;
mod paint;
mod stage;
mod text;

use harness::{BASIC, Config, Daemon, Facts, Kind, Server};
use paint::Paint;
use serde_json::{Value, json};
use stage::{Outcome, Stage};
use std::path::PathBuf;
use std::process::ExitCode;

const BEFORE: &str = "ann.lee@example.com";
const AFTER: &str = "ann.miller@example.com";
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let paint = Paint::for_terminal();
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("\nThe demo can't go on: {}", panic.payload_as_str().unwrap_or("for an unknown reason"));
    }));
    match play(paint).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("\n{}", paint.bad(&fault));
            ExitCode::FAILURE
        }
    }
}

/// Everything that is started here ends when this function returns.
async fn play(paint: Paint) -> Result<(), String> {
    let kind = kind()?;
    let server = Server::own(kind);
    let facts = server.facts();
    // A domain of Active Directory has people of its own from the beginning.
    let own_part = kind == Kind::ActiveDirectory;
    let base = if own_part { server.suffix("Staff").await } else { facts.suffix.to_owned() };
    let daemon = Daemon::start(binary()?, &Config::for_server(&server, &base));
    println!("{}", paint.title("scim2ldap: what Okta sends, and what becomes of it in the directory"));
    println!("  bridge     {} with conf/{}", daemon.scim_url(), facts.mapping);
    println!("  directory  {} at {}, made for this demo, still empty", facts.label, server.tls_url());

    let mut stage = Stage::new(daemon.scim(BASIC), server.raw().await, (kind, &base), paint);
    let outcome = story(&mut stage).await;
    if outcome.is_err() {
        eprintln!("\nWhat the bridge logged:\n{}", daemon.log_text());
    }
    outcome?;
    println!("\n{}", paint.good(&format!("All {} steps went as they should.", stage.steps())));
    Ok(())
}

/// The directory that was asked for, `OpenLDAP` unless another one is named.
fn kind() -> Result<Kind, String> {
    let Some(text) = std::env::args().nth(1) else { return Ok(Kind::OpenLdap) };
    let known = || Kind::ALL.map(|kind| kind.facts().text).join(", ");
    Kind::named(&text).ok_or_else(|| format!("{text:?} is no directory that this demo knows: there are {}", known()))
}

/// What the new entry has: each of it was sent, or follows from what was sent. There is no password among it.
fn new(facts: &Facts) -> Vec<&'static str> {
    let mut names =
        vec!["cn", "displayName", "dn", "employeeNumber", "givenName", "mail", "objectClass", "sn", "title"];
    names.extend([facts.user_name, facts.department, facts.id]);
    if !facts.unlocked.is_empty() {
        names.extend(["sAMAccountName", facts.lock]);
    }
    names.retain(|name| !facts.supplied.contains(name));
    names
}

async fn story(stage: &mut Stage) -> Outcome {
    let facts = stage.facts();
    stage.scene("An admin presses \"Test API Credentials\"");
    stage.get("/Users?startIndex=1&count=2").await?;

    stage.scene("Ann is assigned to the app. Okta looks her up, ...");
    stage.find_user(BEFORE, 0).await?;
    stage.scene("... does not find her, and creates her; it always sends a random password, and no groups");
    let user = stage.post("/Users", &newcomer()).await?;
    stage.touched(&new(facts))?;
    let id = user["id"].as_str().ok_or("the new user has no id")?.to_owned();
    let user = format!("/Users/{id}");

    stage.scene("Her profile changes: Okta reads her, and sends everything back with what is new");
    let mut profile = stage.get(&user).await?;
    profile["title"] = json!("Head of Research");
    profile["name"]["givenName"] = json!("Ann Marie");
    stage.put(&user, &profile).await?;
    stage.touched(if facts.cn_from_name { &["cn", "givenName", "title"] } else { &["givenName", "title"] })?;

    stage.scene("She leaves: deactivated, the way custom apps do it");
    let mut profile = stage.get(&user).await?;
    profile["active"] = json!(false);
    stage.put(&user, &profile).await?;
    stage.touched(&[facts.lock])?;
    stage.expect(&user, "/active", &json!(false))?;

    stage.scene("The same by PATCH, the way apps of the catalogue do it: nothing is left to change");
    stage.patch(&user, &active(false)).await?;
    stage.touched(&[])?;

    stage.scene("She comes back. Okta finds her, inactive, ...");
    stage.find_user(BEFORE, 1).await?;
    stage.scene("... and reactivates her: the same entry, the same id");
    stage.patch(&user, &active(true)).await?;
    stage.touched(&[facts.lock])?;
    stage.expect(&user, "/active", &json!(true))?;

    stage.scene("She marries: a new name and a new user name. The entry is renamed, the id stays");
    let mut profile = stage.get(&user).await?;
    profile["userName"] = json!(AFTER);
    profile["name"]["familyName"] = json!("Miller");
    profile["emails"] = json!([{"primary": true, "value": AFTER, "type": "work"}]);
    stage.put(&user, &profile).await?;
    stage.touched(&["cn", "dn", "mail", "sn", facts.user_name])?;
    stage.expect(&user, "/id", &json!(id))?;
    stage.find_user(AFTER, 1).await
}

fn newcomer() -> Value {
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        ],
        "userName": BEFORE,
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [{"primary": true, "value": BEFORE, "type": "work"}],
        "displayName": "Ann Lee",
        "title": "Researcher",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Research"},
        "groups": [],
        "password": "1mz050nq",
        "active": true
    })
}

fn active(active: bool) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"active": active}}]
    })
}

/// The daemon that was built along with this demo: `target/PROFILE/examples/demo` and `target/PROFILE/scim2ldap`.
fn binary() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = own.ancestors().nth(2).ok_or("the demo is in no build directory")?;
    let binary = folder.join("scim2ldap");
    if binary.is_file() { Ok(binary) } else { Err(format!("{} is missing: run `make demo`", binary.display())) }
}
