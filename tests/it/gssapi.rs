//! Kerberos: the bridge with a keytab, and Samba as key distribution centre. Built with the feature `gssapi` only.

use crate::harness::{BASIC, Config, Daemon, Dns, Kind, Options, Server, Service, quoted};
use crate::world::{BINARY, okta_user, run_with};

const SERVICE: &str = "_ldap._tcp.dc._msdcs.example.test";

struct Realm {
    samba: Server,
    base: String,
    dns: Dns,
}

impl Realm {
    async fn start(name: &str) -> Self {
        let samba = Server::with(Kind::ActiveDirectory, Options { kerberos: true, ..Options::default() });
        let base = samba.suffix(name).await;
        // A domain controller registers this when it first starts; Samba has a service of its own for that.
        let computer = "CN=DC1,OU=Domain Controllers,DC=example,DC=test";
        samba.raw().await.add_values(computer, "servicePrincipalName", &["ldap/dc1.example.test"]).await;
        let dns = Dns::start(SERVICE);
        Self { samba, base, dns }
    }

    /// The server must go by the name that the domain knows it by.
    fn config(&self, protection: &str, bind: &str) -> Config {
        let port = if protection == "ldaps" { self.samba.tls_port() } else { self.samba.port() };
        self.dns.tell(&[Service { priority: 0, weight: 0, port, host: "dc1.example.test" }]);
        let address = self.dns.address();
        let servers = format!("srv = \"{SERVICE}\"\nsrv_tls = \"{protection}\"\nnameservers = [\"{address}\"]");
        Config::for_server(&self.samba, &self.base).srv(&servers).bind(bind)
    }

    fn file(&self, name: &str) -> String {
        self.samba.folder().join(name).to_string_lossy().into_owned()
    }

    fn keytab(&self, more: &str) -> String {
        format!("bind = \"gssapi\"\nkeytab = {}\n{more}", quoted(&self.file("scim.keytab")))
    }
}

#[tokio::test]
async fn the_keytab_of_the_account_lets_the_bridge_in() {
    let realm = Realm::start("gssapi").await;
    let conf = realm.file("krb5.conf");
    let environment = [("KRB5_CONFIG", conf.as_str())];
    for (uid, protection, more) in [
        ("one", "ldaps", "principal = \"scim@EXAMPLE.TEST\""),
        ("two", "start_tls", "principal = \"scim@EXAMPLE.TEST\""),
        ("three", "ldaps", ""),
    ] {
        let config = realm.config(protection, &realm.keytab(more));
        let daemon = Daemon::start_with(BINARY, &config, &environment);
        let scim = daemon.scim(BASIC);
        let created = scim.post("/Users", &okta_user(&format!("{uid}@example.test"), "A", "B")).await;
        created.expect(201);
        let raw = realm.samba.raw().await;
        assert_eq!(raw.find(&realm.base, &format!("(userPrincipalName={uid}@example.test)")).await.len(), 1);
        let ran = run_with(&config, &["check"], &environment, "");
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
}

#[tokio::test]
async fn an_account_that_is_not_in_the_keytab_and_a_realm_that_is_away_are_named() {
    let realm = Realm::start("gssapi-wrong").await;
    let conf = realm.file("krb5.conf");
    let config = realm.config("ldaps", &realm.keytab("principal = \"other@EXAMPLE.TEST\""));
    let ran = run_with(&config, &["check"], &[("KRB5_CONFIG", &conf)], "");
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Kerberos has no credentials") && ran.out.contains("keytab"), "{}", ran.out);

    let nowhere = realm.samba.folder().join("nowhere.conf");
    let text = std::fs::read_to_string(&conf).unwrap().replace("kdc = 127.0.0.1:", "kdc = 127.0.0.2:");
    std::fs::write(&nowhere, text).unwrap();
    let config = realm.config("ldaps", &realm.keytab("principal = \"scim@EXAMPLE.TEST\""));
    let ran = run_with(&config, &["check"], &[("KRB5_CONFIG", &nowhere.to_string_lossy())], "");
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("Kerberos"), "{}", ran.out);
}
