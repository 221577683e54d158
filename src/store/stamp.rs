//! Stamps: empty files beside the tables that say something by being there. A file can be taken away when there is no
//! room on the disk to write down anything, so a stamp stands for what is right as a rule.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::{FaultKind, Store, StoreFault};

/// A stamp; it outlives the process, however suddenly that ends, but not every power cut.
#[derive(Debug)]
pub struct Stamp(PathBuf);

impl Store {
    /// The stamp that says that the tables and the journal of a space hold all that was to be noted.
    #[must_use]
    pub fn whole(&self, space: &str) -> Stamp {
        let mut name = self.path().as_os_str().to_owned();
        name.push("-whole-");
        name.push(space);
        Stamp(name.into())
    }
}

impl Stamp {
    /// Whether it is there. One that can't be looked for is not.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.exists()
    }

    /// Puts it there.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn put(&self) -> Result<(), StoreFault> {
        let made = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0);
        made.map(drop).map_err(|error| self.explain(&error))
    }

    /// Takes it away. That needs no room.
    ///
    /// # Errors
    /// When the file can't be removed.
    pub fn take(&self) -> Result<(), StoreFault> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.explain(&error)),
            _ => Ok(()),
        }
    }

    fn explain(&self, error: &io::Error) -> StoreFault {
        let (kind, help) = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (FaultKind::Full, "make room on its file system"),
            _ => (FaultKind::Other, "let the user scim2ldap write in its folder"),
        };
        StoreFault::new(kind, format!("the file {}: {error}; {help}", self.0.display()))
    }
}
