//! An OpenLDAP of one's own, without overlays, on a socket in a folder that goes with it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::directory::{Bind, Directory, Kind, Settings};

/// The only entry above those of the tests.
pub const SUFFIX: &str = "dc=x";
const ROOT: &str = "cn=root,dc=x";
const PASSWORD: &str = "root";

const CONFIGURATION: &str = "\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix dc=x
rootdn cn=root,dc=x
rootpw root
directory @DIR@/db
dbnosync
";

/// A server that ends with this value.
pub struct Slapd {
    /// The script that ends the server as soon as nobody holds its input open any more.
    shell: Child,
    folder: tempfile::TempDir,
}

impl Slapd {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("db")).unwrap();
        let configuration = CONFIGURATION.replace("@DIR@", &path.to_string_lossy());
        std::fs::write(path.join("slapd.conf"), configuration).unwrap();
        let shell = Command::new("sh")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/keeper.sh"))
            .args([path.join("log"), PathBuf::new(), program(), "-d".into(), "0".into(), "-f".into()])
            .arg(path.join("slapd.conf"))
            .args(["-h", &url(path)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while UnixStream::connect(path.join("ldapi")).is_err() {
            let log = std::fs::read_to_string(path.join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(20), "slapd does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { shell, folder }
    }

    pub fn directory(&self) -> Directory {
        let urls = vec![url(self.folder.path()).parse().unwrap()];
        let mut settings = Settings::new("corp", Kind::OpenLdap, urls);
        settings.bind = Bind::Simple { dn: ROOT.to_owned(), password: PASSWORD.to_owned().into() };
        Directory::new(settings).unwrap()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn url(folder: &Path) -> String {
    format!("ldapi://{}", folder.join("ldapi").to_string_lossy().replace('/', "%2F"))
}

fn program() -> PathBuf {
    ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"]
        .map(|folder| Path::new(folder).join("slapd"))
        .into_iter()
        .find(|file| file.is_file())
        .expect("slapd is not installed: run tests/setup.sh (or `make setup`) first")
}
