//! What `scim2ldap check` says of Active Directory, played by Samba.

use crate::harness::{Config, Kind, Server, quoted, shipped};
use crate::world::{Ran, run};

const PASSWORD: &str = "Weak-Account-5";

/// A domain with a user, a privileged one and a group below the base, and an account without rights.
struct Domain {
    samba: Server,
    base: String,
}

impl Domain {
    async fn new(name: &str) -> Self {
        let samba = Server::own(Kind::ActiveDirectory);
        let base = samba.suffix(name).await;
        let raw = samba.raw().await;
        let quoted: String = format!("\"{PASSWORD}\"");
        let password: Vec<u8> = quoted.encode_utf16().flat_map(u16::to_le_bytes).collect();
        // ASCII in UTF-16 is text as well.
        let password = String::from_utf8(password).unwrap();
        let weak: [(&str, &[&str]); 5] = [
            ("objectClass", &["user"]),
            ("sAMAccountName", &["weak"]),
            ("userPrincipalName", &["weak@example.test"]),
            ("unicodePwd", &[&password]),
            ("userAccountControl", &["512"]),
        ];
        raw.add("CN=weak,CN=Users,DC=example,DC=test", &weak).await;
        let people = format!("CN=Users,{base}");
        for (cn, class) in [("ada", "user"), ("boss", "user"), ("team", "group")] {
            let entry: [(&str, &[&str]); 2] = [("objectClass", &[class]), ("sAMAccountName", &[cn])];
            raw.add(&format!("CN={cn},{people}"), &entry).await;
        }
        raw.replace(&format!("CN=boss,{people}"), "adminCount", &["1"]).await;
        Self { samba, base }
    }

    fn config(&self) -> Config {
        Config::for_server(&self.samba, &self.base)
    }

    fn weak(&self) -> Config {
        let password = quoted(PASSWORD);
        self.config().bind(&format!("bind_dn = \"weak@example.test\"\nbind_password = {password}"))
    }
}

fn found<'a>(ran: &'a Ran, what: &str) -> &'a str {
    ran.out
        .lines()
        .find(|line| line.contains(what))
        .unwrap_or_else(|| panic!("no {what:?} in:\n{}{}", ran.out, ran.err))
}

#[tokio::test]
async fn the_functional_levels_and_privileged_accounts_of_a_domain_are_told() {
    let domain = Domain::new("check-domain").await;
    let ran = run(&domain.config(), &["check"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let levels = found(&ran, "functional level of domain 2008 R2, of forest 2008 R2, of domain controller");
    assert!(levels.starts_with("note: DIR/scim2ldap.toml:") && levels.contains("directory corp: "), "{levels}");
    let guarded = found(&ran, "1 entries have adminCount=1");
    assert!(guarded.starts_with("warning: DIR/scim2ldap.toml:") && guarded.contains("tenant okta, User"), "{guarded}");
    assert!(ran.out.contains("write protect = [\"(adminCount=1)\"]"), "{}", ran.out);
    assert!(!ran.out.contains("may not"), "the account has the rights that were delegated:\n{}", ran.out);

    let ran = run(&domain.config().tenant("protect = [\"(adminCount=1)\"]"), &["check"]);
    assert!(!ran.out.contains("entries have adminCount=1"), "{}", ran.out);
    found(&ran, "(adminCount=1) keeps 1 entries of this tenant");
}

#[tokio::test]
async fn what_the_account_may_not_create_or_write_is_named_with_the_row() {
    let domain = Domain::new("check-rights").await;
    let ran = run(&domain.weak(), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let people = format!("CN=Users,{}", domain.base);
    for class in ["user", "group"] {
        found(&ran, &format!("the service account may not create entries of the class {class} below {people}"));
    }
    let file = shipped("mapping/active-directory.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().position(|line| line.contains("scim = \"title\"")).unwrap() + 1;
    let title = found(&ran, "the service account may not write title");
    assert!(title.starts_with(&format!("error: {}:{line}:", file.display())), "{title}");
    assert!(title.contains(&format!("asked of CN=ada,{people}")), "{title}");
    found(&ran, "the service account may not write userAccountControl");
    found(&ran, "the service account may not write member");

    // What only an own way of first passwords needs is asked about where the table goes that way.
    assert!(!ran.out.contains("may not write pwdLastSet"), "{}", ran.out);
    let text = text.replace("must_change = false", "must_change = true");
    let ran = run(&domain.weak().mapping_text(&text), &["check"]);
    found(&ran, "the service account may not write pwdLastSet");
}

#[tokio::test]
async fn slips_in_the_table_are_found_by_the_schema_of_a_domain() {
    let domain = Domain::new("check-slips").await;
    let text = std::fs::read_to_string(shipped("mapping/active-directory.toml")).unwrap();
    let text = text.replace(r#"{ scim = "title", ldap = "title" }"#, r#"{ scim = "title", ldap = "titel" }"#).replace(
        r#"{ scim = 'phoneNumbers[type eq "work"].value', ldap = "telephoneNumber" }"#,
        r#"{ scim = "phoneNumbers.value", ldap = "telephoneNumber", multi = true }"#,
    );
    let ran = run(&domain.config().mapping_text(&text), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(found(&ran, "the directory has no attribute titel").starts_with("error: DIR/mapping.toml:"));
    assert!(ran.out.contains("did you mean title?"), "{}", ran.out);
    found(&ran, "telephoneNumber holds one value only, but the row carries several");
}
