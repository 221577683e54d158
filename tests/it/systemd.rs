//! The unit files, and the daemon's side of the agreement with systemd.

use crate::harness::{BASIC, Config, Daemon, Slapd, wait_until};
use crate::world::BINARY;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn unit(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

fn analyze(arguments: &[&str]) {
    let output = Command::new("systemd-analyze").args(arguments).output().expect("systemd-analyze: run tests/setup.sh");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_service_is_exposed_by_no_more_than_2_0() {
    let unit = unit("scim2ldap.service");
    // The threshold is in tenths.
    analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20", unit.to_str().unwrap()]);
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["scim2ldap.service", "scim2ldap.socket"] {
        let text = fs::read_to_string(unit(name)).unwrap().replace("/usr/bin/scim2ldap", BINARY);
        let copy = folder.path().join(name);
        fs::write(&copy, text).unwrap();
        analyze(&["verify", "--man=no", copy.to_str().unwrap()]);
    }
}

#[tokio::test]
async fn systemd_is_told_about_start_life_reload_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut heard = String::new();
    let mut hear = |word: &str| {
        wait_until(&format!("systemd was not told {word}"), Duration::from_secs(10), || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
                heard.push('\n');
            }
            // What comes after it may be awaited next.
            let place = heard.lines().position(|line| line.starts_with(word))?;
            heard = heard.lines().skip(place + 1).flat_map(|line| [line, "\n"]).collect();
            Some(())
        });
    };

    let slapd = Slapd::shared();
    let base = slapd.suffix("systemd-notify").await;
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut daemon = Daemon::start_with(BINARY, &Config::for_slapd(slapd, &base), &environment);
    hear("READY=1");
    hear("WATCHDOG=1");
    daemon.reload();
    hear("RELOADING=1");
    hear("READY=1");
    assert_eq!(daemon.stop(), Some(0));
    hear("STOPPING=1");
}

#[tokio::test]
async fn a_socket_that_systemd_opened_is_served() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("systemd-socket").await;
    let config = Config::for_slapd(slapd, &base).server("listen = \"systemd\"\npublic_url = \"http://127.0.0.1\"");
    let daemon = Daemon::start_by_socket_activation(BINARY, &config);
    assert_eq!(daemon.scim(BASIC).get("/Users?startIndex=1&count=2").await.total(), 0);
}
