//! `scim2ldap explain`: what a request would do, row by row, and the LDIF that would be written. Nothing is written.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::columns::{columns, on_one_line};
use super::{Exit, complain, find_tenant, load, place_as_json, print, usage, wait_for};
use crate::bridge::{Action, Bridge, Explanation, Fault, Intent, Origin};
use crate::config::{Config, Tenant};
use crate::daemon::build;
use crate::directory::Directory;
use crate::http::parse_body;
use crate::mapping::Step;
use crate::scim::{Patch, Resource, ResourceKind};
use crate::store::Store;

/// The request, as the command line has it.
#[derive(Debug, Args)]
pub(super) struct Request {
    /// The body of the request; "-" reads standard input. A DELETE has none.
    file: Option<PathBuf>,
    /// The tenant that the request is for. May be left out where there is only one.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// What the request is about. Without this, what `schemas` in the body says, else a user.
    #[arg(long, value_enum, ignore_case = true)]
    kind: Option<Kind>,
    /// The method of the request.
    #[arg(long, value_enum, ignore_case = true, default_value = "POST")]
    method: Method,
    /// The SCIM id of the resource, for PUT, PATCH and DELETE.
    #[arg(long)]
    id: Option<String>,
    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    User,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

/// Explains what `request` would do under the configuration at `path`.
pub(super) fn run(path: &Path, request: &Request) -> Exit {
    if let Err(mistake) = request.check() {
        return usage(ErrorKind::MissingRequiredArgument, mistake);
    }
    let config = match load(path, request.json) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let tenant = match find_tenant(&config, request.tenant.as_deref()) {
        Ok(tenant) => tenant,
        Err(mistake) => return usage(ErrorKind::InvalidValue, &mistake),
    };
    let bytes = match request.read() {
        Ok(bytes) => bytes,
        Err(fault) => {
            complain(fault);
            return Exit::Problems;
        }
    };
    let explanation = match wait_for(explain(&config, tenant, request, &bytes)) {
        Ok(explanation) => explanation,
        Err(exit) => return exit,
    };
    let explanation = explanation.unwrap_or_else(|fault| Explanation { fault: Some(fault), ..Explanation::default() });
    print(&if request.json { as_json(&explanation) } else { as_text(&explanation) });
    if explanation.fault.is_some() { Exit::Problems } else { Exit::Good }
}

impl Request {
    /// What the method asks for is there.
    fn check(&self) -> Result<(), &'static str> {
        match (self.method, &self.id, &self.file) {
            (Method::Post, Some(_), _) => Err("a POST has no --id: the directory makes it. Is --method missing?"),
            (Method::Put | Method::Patch | Method::Delete, None, _) => {
                Err("PUT, PATCH and DELETE need --id, the SCIM id of the resource")
            }
            (Method::Post | Method::Put | Method::Patch, _, None) => {
                Err("the file with the body of the request is missing; \"-\" reads standard input")
            }
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        let Some(file) = self.file.as_deref().filter(|_| self.method != Method::Delete) else { return Ok(Vec::new()) };
        if file == Path::new("-") {
            let mut bytes = Vec::new();
            return match io::stdin().lock().read_to_end(&mut bytes) {
                Ok(_) => Ok(bytes),
                Err(error) => Err(format!("can't read standard input: {error}")),
            };
        }
        std::fs::read(file).map_err(|error| format!("can't read {}: {error}", file.display()))
    }

    fn kind(&self, body: &Value) -> ResourceKind {
        let is_group = |urn: &Value| urn.as_str().is_some_and(|urn| urn.to_ascii_lowercase().ends_with(":group"));
        let named = || body.get("schemas").and_then(Value::as_array).is_some_and(|urns| urns.iter().any(is_group));
        match self.kind {
            Some(Kind::Group) => ResourceKind::Group,
            None if named() => ResourceKind::Group,
            Some(Kind::User) | None => ResourceKind::User,
        }
    }
}

/// Reads the request as the daemon would, and has the bridge plan it.
async fn explain(config: &Config, tenant: &Tenant, request: &Request, bytes: &[u8]) -> Result<Explanation, Fault> {
    let body = if request.method == Method::Delete { Value::Null } else { parse_body(bytes)? };
    let kind = request.kind(&body);
    let bridge = bridge(config, tenant).await?;
    let schema = bridge.schema(kind).ok_or(Fault::NotServed(kind))?;
    let id = request.id.clone().unwrap_or_default();
    let action = match request.method {
        Method::Post => Action::Create(Resource::from_client(body, schema)?),
        Method::Put => Action::Replace { id, resource: Resource::from_client(body, schema)? },
        Method::Patch => Action::Patch { id, patch: Patch::from_client(body, schema)? },
        Method::Delete => Action::Delete { id },
    };
    bridge.explain(Intent { kind, action, if_match: None, answer: true, origin: Origin::default() }).await
}

/// With the ids that were given out during outages, where there is a store to read them from.
async fn bridge(config: &Config, tenant: &Tenant) -> Result<Bridge, Fault> {
    let (directory, url) = (directory(config, tenant)?, base_url(config, tenant));
    match Store::open_existing(&config.store.settings).await {
        Ok(Some(store)) => Ok(build::bridge_beside(&store, tenant, url, directory).await?),
        Ok(None) | Err(_) => Ok(build::bridge(tenant, url, directory)),
    }
}

/// The tenant's URL.
pub(super) fn base_url(config: &Config, tenant: &Tenant) -> String {
    [config.server.public_url.as_str(), tenant.path.as_str()].concat()
}

/// The tenant's directory, which nobody has spoken to yet.
pub(super) fn directory(config: &Config, tenant: &Tenant) -> Result<Directory, Fault> {
    let unusable = || Fault::Directory(format!("the directory {} can't be used", tenant.directory));
    let settings = config.directory(&tenant.directory).ok_or_else(unusable)?.settings.clone();
    Directory::new(settings).map_err(|fault| Fault::Directory(fault.to_string()))
}

/// For people: a line for each row, then the LDIF or why there is none.
fn as_text(explanation: &Explanation) -> String {
    let mut text = table(&explanation.steps);
    if let Some(why) = &explanation.unasked {
        // Writing to a string can't fail.
        let _ = writeln!(text, "note: what references mean and which names are taken is not known: {why}\n");
    }
    match &explanation.fault {
        Some(fault) => {
            let _ = write!(text, "refused: {fault}");
        }
        None if explanation.ldif.is_empty() => text.push_str("nothing would change"),
        None => text.push_str(explanation.ldif.trim_end()),
    }
    text
}

/// The steps in columns, with an empty line behind them; nothing where there are none.
fn table(steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let head = ["row", "SCIM", "LDAP", "outcome"].map(str::to_owned);
    let line = |step: &Step| {
        let place = format!("{}:{}", step.place.file, step.place.line);
        let mark = if step.refused { "refused: " } else { "" };
        [place, step.scim.clone(), step.ldap.clone(), format!("{mark}{}", on_one_line(&step.outcome))]
    };
    columns(&std::iter::once(head).chain(steps.iter().map(line)).collect::<Vec<_>>()) + "\n"
}

fn as_json(explanation: &Explanation) -> String {
    let step = |step: &Step| {
        let mut value = place_as_json(Some(&step.place));
        value["scim"] = step.scim.as_str().into();
        value["ldap"] = step.ldap.as_str().into();
        value["outcome"] = step.outcome.as_str().into();
        value["refused"] = step.refused.into();
        value
    };
    let steps: Vec<Value> = explanation.steps.iter().map(step).collect();
    json!({
        "ok": explanation.fault.is_none(),
        "steps": steps,
        "ldif": explanation.ldif,
        "refused": explanation.fault.as_ref().map(ToString::to_string),
        "unknown": explanation.unasked,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Place;

    fn request(method: Method, file: Option<&str>, id: Option<&str>) -> Request {
        let (file, id) = (file.map(PathBuf::from), id.map(str::to_owned));
        Request { file, tenant: None, kind: None, method, id, json: false }
    }

    fn step(scim: &str, ldap: &str, outcome: &str, refused: bool) -> Step {
        let place = Place { file: "m.toml".into(), line: 7, column: 1 };
        Step { place, scim: scim.into(), ldap: ldap.into(), outcome: outcome.into(), refused }
    }

    #[test]
    fn a_method_gets_what_it_needs_and_nothing_that_makes_no_sense() {
        for (method, file, id, good) in [
            (Method::Post, Some("x"), None, true),
            (Method::Post, Some("x"), Some("1"), false),
            (Method::Post, None, None, false),
            (Method::Put, Some("x"), Some("1"), true),
            (Method::Patch, Some("x"), None, false),
            (Method::Patch, None, Some("1"), false),
            (Method::Delete, None, Some("1"), true),
            (Method::Delete, None, None, false),
        ] {
            assert_eq!(request(method, file, id).check().is_ok(), good, "{method:?} {file:?} {id:?}");
        }
    }

    #[test]
    fn a_body_that_names_the_schema_of_groups_is_about_a_group_unless_the_command_line_says_otherwise() {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]});
        let mut request = request(Method::Post, Some("x"), None);
        assert_eq!(request.kind(&body), ResourceKind::Group);
        assert_eq!(request.kind(&json!({})), ResourceKind::User);
        request.kind = Some(Kind::User);
        assert_eq!(request.kind(&body), ResourceKind::User);
    }

    #[test]
    fn columns_stand_below_each_other_and_a_value_with_lines_stays_on_its_own() {
        let steps = [step("title", "title", "a\nb", false), step("name.familyName", "sn", "is too long.", true)];
        assert_eq!(
            table(&steps),
            "row       SCIM             LDAP   outcome\n\
             m.toml:7  title            title  a b\n\
             m.toml:7  name.familyName  sn     refused: is too long.\n\n"
        );
    }
}
