//! OpenLDAP's slapd, set up from nothing in a quarter of a second.

use super::server::{CLIENT, Launch, Server, find, run};
use super::{Kind, Raw};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The naming context of every instance.
pub const SUFFIX: &str = "dc=example,dc=test";

const AUDIT: &str = "audit.ldif";
const REFINT: &str = "overlay refint\nrefint_attributes member uniqueMember manager owner seeAlso\n@NOTHING@";

/// What may differ between two instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they have nothing to do with one another")]
pub struct Options {
    /// The userName must be unique, by a rule of the server's own, and in `OpenLDAP` gidNumber too. Active Directory always
    /// has it so.
    pub unique: bool,
    /// Every write waits for the disk, as in production. Tests don't survive a power cut and need not wait.
    /// For `OpenLDAP`.
    pub fsync: bool,
    /// Clients may show a certificate; that of `scim-bridge`, and this process over ldapi, are the bridge's account.
    /// For `OpenLDAP`.
    pub certificates: bool,
    /// The server is the key distribution centre of its realm, too. For Active Directory.
    pub kerberos: bool,
    /// refint leaves this instance's root DN as the only member where it would otherwise leave a group without any.
    /// For `OpenLDAP`.
    pub refint_nothing: bool,
    /// Nothing that refers to an entry is changed when that entry goes or gets another name (the overlay `refint` is
    /// missing). For `OpenLDAP`.
    pub no_refint: bool,
    /// All that is changed is written down, also what the server's own overlays change: [`Slapd::audit`]. For
    /// `OpenLDAP`.
    pub audit: bool,
    /// A bind without TLS is accepted where the server would refuse it, for tests that have to look into the traffic.
    pub plaintext: bool,
    /// Names in an entry can't be followed (the overlay `deref` is missing). For `OpenLDAP`.
    pub no_deref: bool,
    /// Indexes for equality alone, none for parts of a text. For `OpenLDAP`.
    pub equality_only: bool,
}

/// A running `OpenLDAP`: a [`Server`] with what only slapd has.
#[derive(Debug)]
pub struct Slapd(Server);

impl Slapd {
    /// The instance that all tests of this process share; use [`Server::suffix`] to keep out of each other's way.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Slapd> = OnceLock::new();
        SHARED.get_or_init(Self::own)
    }

    /// An instance of one's own, to stop, pause and break.
    pub fn own() -> Self {
        Self::with(Options::default())
    }

    /// The same, not quite like the others.
    pub fn with(options: Options) -> Self {
        Self(Server::with(Kind::OpenLdap, options))
    }

    /// The same with entries that are there from the beginning: `write` writes them as LDIF, with their operational
    /// attributes where overlays would have made some. Takes twenty seconds for a million.
    pub fn filled(options: Options, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Self {
        Self(Server::prepared(Kind::OpenLdap, options, |directory| fill(directory, write)))
    }

    /// `ldapi://` and the percent-encoded path of the socket.
    pub fn socket_url(&self) -> String {
        socket_url(self.folder())
    }

    /// What is changed, by whom and in which order, as LDIF.
    pub fn audit(&self) -> PathBuf {
        self.folder().join(AUDIT)
    }

    /// A connection that may change the server's configuration, `cn=config`.
    pub async fn raw_config(&self) -> Raw {
        Raw::bind(&self.url(), "cn=config", self.admin().1).await
    }
}

impl Deref for Slapd {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for Slapd {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

fn socket_url(directory: &Path) -> String {
    format!("ldapi://{}", directory.join("ldapi").to_string_lossy().replace('/', "%2F"))
}

/// The command that runs the server.
pub(super) fn launch(directory: &Path, port: u16, tls_port: u16) -> Launch {
    let listeners = format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port} {}", socket_url(directory));
    let configuration = directory.join("slapd.d").to_string_lossy().into_owned();
    let arguments = ["-d", "0", "-F", &configuration, "-h", &listeners].map(String::from).into();
    Launch { program: find("slapd"), arguments, environment: Vec::new() }
}

/// Makes the data base and the configuration.
pub(super) fn set_up(directory: &Path, options: Options) {
    for folder in ["db", "slapd.d"] {
        fs::create_dir_all(directory.join(folder)).expect("a folder");
    }
    let ((service, service_password), (admin, password)) =
        (Kind::OpenLdap.facts().service, Kind::OpenLdap.facts().admin);
    let unique =
        format!("overlay unique\nunique_uri ldap:///{SUFFIX}?uid?sub\nunique_uri ldap:///{SUFFIX}?gidNumber?sub\n");
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let authorize = format!(
        "authz-regexp ^cn={CLIENT}$ {service}\n\
         authz-regexp ^gidNumber={group}[+]uidNumber={user},cn=peercred,cn=external,cn=auth$ {service}\n"
    );
    let nothing = format!("refint_nothing {admin}\n");
    let fill = |template: &str| {
        template
            .replace("@SUFFIX@", SUFFIX)
            .replace("@SERVICE@", service)
            .replace("@SERVICE_PASSWORD@", service_password)
            .replace("@PASSWORD@", password)
            .replace("@DEREF@", if options.no_deref { "" } else { "overlay deref" })
            .replace("@PARTS@", if options.equality_only { "" } else { ",sub" })
            .replace("@SYNC@", if options.fsync { "" } else { "dbnosync" })
            .replace("@UNIQUE@", if options.unique { &unique } else { "" })
            .replace("@VERIFY@", if options.certificates { "try" } else { "never" })
            .replace("@AUTHORIZE@", if options.certificates { &authorize } else { "" })
            .replace(
                "@AUDIT@",
                &if options.audit { format!("overlay auditlog\nauditlog @DIR@/{AUDIT}") } else { String::new() },
            )
            .replace("@REFINT@", if options.no_refint { "" } else { REFINT })
            .replace("@NOTHING@", if options.refint_nothing { &nothing } else { "" })
            .replace("@DIR@", &directory.to_string_lossy())
    };
    let (configuration, base) = (directory.join("slapd.conf"), directory.join("base.ldif"));
    fs::write(&configuration, fill(include_str!("slapd/slapd.conf"))).expect("slapd.conf");
    fs::write(&base, fill(include_str!("slapd/base.ldif"))).expect("base.ldif");
    // In this order: slaptest opens the data base that slapadd makes.
    run(Command::new(find("slapadd")).args(["-q", "-b", SUFFIX, "-f"]).arg(&configuration).arg("-l").arg(&base));
    run(Command::new(find("slaptest")).arg("-f").arg(&configuration).arg("-F").arg(directory.join("slapd.d")));
}

/// Adds entries to the data base of a server that does not run.
fn fill(directory: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut command = Command::new(find("slapadd"));
    command.args(["-q", "-b", SUFFIX, "-F"]).arg(directory.join("slapd.d")).stdin(Stdio::piped());
    let mut child = command.spawn().expect("slapadd");
    let mut input = BufWriter::new(child.stdin.take().expect("a pipe"));
    let written = write(&mut input).and_then(|()| input.flush());
    drop(input);
    let status = child.wait().expect("slapadd");
    assert!(status.success() && written.is_ok(), "slapadd: {status}, {written:?}");
}
