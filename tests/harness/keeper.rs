//! Child processes that can't be left behind.

use super::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// A running server under the eyes of a small shell script, which ends it when this process is gone.
///
/// The script sits in a process group of its own, so that Ctrl-C at a terminal ends the test and leaves the clearing
/// up to the script.
#[derive(Debug)]
pub struct Keeper {
    name: String,
    shell: Child,
    pipe: Option<ChildStdin>,
    pid: Pid,
}

impl Keeper {
    /// Starts a program; what it prints is appended to `log`. `scratch` is removed if this process dies without
    /// having stopped the server.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
        log: &Path,
        scratch: Option<&Path>,
    ) -> Self {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let mut shell = Command::new("sh")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/keeper.sh"))
            .arg(log)
            .arg(scratch.unwrap_or(Path::new("")))
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut line).expect("the server's process id");
        let pid = line.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
        Self { name, pipe: shell.stdin.take(), shell, pid }
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether the server still runs.
    pub fn running(&self) -> bool {
        process_exists(self.pid())
    }

    /// Sends the server a signal; nothing happens when it is gone already.
    pub fn signal(&self, signal: Signal) {
        if self.pipe.is_some() {
            // The only thing that can be wrong is that it has just ended.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Stops the server's clock. Returns when every thread stands still: a signal takes a moment to reach them all.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        wait_until(&format!("{} does not stand still", self.name), Duration::from_secs(5), || {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?;
            threads.flatten().all(|thread| state(&thread.path()) == Some('T')).then_some(())
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks the server to end, waits, and insists when it takes longer than `patience`. Returns the exit status as a
    /// shell reports it (128 + n for signal n).
    pub fn stop(&mut self, patience: Duration) -> Option<i32> {
        self.resume();
        self.signal(Signal::TERM);
        let began = std::time::Instant::now();
        while self.running() {
            if began.elapsed() > patience {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.collect()
    }

    /// Ends the server at once, as a crash or a power cut would.
    pub fn kill(&mut self) -> Option<i32> {
        self.signal(Signal::KILL);
        wait_until(&format!("{} did not die", self.name), Duration::from_secs(10), || (!self.running()).then_some(()));
        self.collect()
    }

    fn collect(&mut self) -> Option<i32> {
        // Any line will do; it may have been collected before.
        self.pipe.take()?.write_all(b"collect\n").ok()?;
        self.shell.wait().ok()?.code()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.pipe.is_some() {
            self.stop(Duration::from_secs(3));
        }
    }
}

/// Whether a process runs; one that ended and has not been waited for does not.
pub fn process_exists(pid: u32) -> bool {
    !matches!(state(Path::new(&format!("/proc/{pid}"))), None | Some('Z' | 'X'))
}

/// The state of a process or thread: R running, S sleeping, T stopped, Z ended ...
fn state(folder: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    // "pid (name) state ...", and the name may hold blanks and brackets.
    stat.rsplit_once(") ")?.1.chars().next()
}
