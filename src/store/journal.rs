//! Journals: notes in a file beside the tables, each written by one call to the system, with no transaction and no other
//! thread to wait for. What was noted outlives the process, however suddenly that ends, but not a power cut.
//!
//! Notes have numbers that only grow. Whoever works notes into the tables leaves in the same job how far that came
//! ([`Session::worked_in`]), so a note is worked in once, whenever the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{FaultKind, Session, Store, StoreFault};

/// The mark that says up to which number notes are in the tables.
const WORKED_IN: &str = "journal";
/// What stands before a note: its length, its number, and what it is checked by.
const HEAD: usize = 3 * size_of::<u64>();
const HEAD_BYTES: u64 = HEAD as u64;
/// No file grows beyond this, in bytes: something is wrong when nobody works notes in for so long.
const MOST: u64 = 256 * 1024 * 1024;
/// How much is read of a file at a time, in bytes.
const BUFFER: usize = 64 * 1024;
/// Notes that are handed out together have about so many bytes at most.
const TOGETHER: usize = 1024 * 1024;
/// How long one process waits for another that has a file, and after how long it looks again.
const PATIENCE: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(20);

/// The notes of one space, in a file of their own.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The number of the last note.
    last: AtomicU64,
    extent: Mutex<Extent>,
}

/// Where in the file the notes are that are still needed.
#[derive(Debug, Clone, Copy)]
struct Extent {
    begin: u64,
    end: u64,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Greater than those of all notes before it.
    pub number: u64,
    /// What was noted.
    pub body: Vec<u8>,
}

impl Store {
    /// The journal of a space; its file is made when it is missing. There must be one at a time.
    ///
    /// # Errors
    /// When the file can't be made, read or written, or another process has it.
    pub async fn journal(&self, space: &str) -> Result<Journal, StoreFault> {
        let owned = space.to_owned();
        let worked_in = self.read(async move |session: Session| session.worked_in(&owned)).await?;
        self.open_journal("-notes-", space, worked_in).await
    }

    /// The journal of what is under way in a space. Nothing of it is ever worked in.
    ///
    /// # Errors
    /// As for [`Self::journal`].
    pub async fn side_journal(&self, space: &str) -> Result<Journal, StoreFault> {
        self.open_journal("-leaving-", space, 0).await
    }

    async fn open_journal(&self, mark: &str, space: &str, worked_in: u64) -> Result<Journal, StoreFault> {
        let mut name = self.path().as_os_str().to_owned();
        name.push(mark);
        name.push(space);
        let open = move || Journal::open(name.into(), worked_in);
        tokio::task::spawn_blocking(open).await.unwrap_or_else(|_| Err(StoreFault::closed()))
    }
}

impl Session {
    /// Up to which number the notes of a space are in the tables.
    pub fn worked_in(&self, space: &str) -> Result<u64, StoreFault> {
        let mark = self.mark(space, WORKED_IN)?;
        Ok(mark.and_then(|mark| mark.try_into().ok()).map_or(0, u64::from_le_bytes))
    }

    /// From now on they are up to this number.
    pub fn set_worked_in(&self, space: &str, number: u64) -> Result<(), StoreFault> {
        self.set_mark(space, WORKED_IN, &number.to_le_bytes())
    }
}

impl Journal {
    fn open(path: PathBuf, worked_in: u64) -> Result<Self, StoreFault> {
        let explained = |error: io::Error| explain(&path, &error);
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path).map_err(explained)?;
        lock(&file).map_err(explained)?;
        let mut reader = Reader::at(&file, 0);
        let mut last = worked_in;
        while let Some(note) = reader.next().map_err(explained)? {
            last = last.max(note.number);
        }
        let extent = Extent { begin: 0, end: reader.place };
        // What stands behind the last whole note was never told to be kept.
        file.set_len(extent.end).map_err(explained)?;
        Ok(Self { path, file, last: AtomicU64::new(last), extent: Mutex::new(extent) })
    }

    /// Adds a note behind all others and answers its number.
    ///
    /// # Errors
    /// When it could not be kept as a whole; then nothing of it is.
    pub fn add(&self, body: &[u8]) -> Result<u64, StoreFault> {
        let check = sum(body);
        let mut note = Vec::with_capacity(HEAD + body.len());
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let mut extent = self.lock();
        if extent.end > MOST {
            return Err(self.full());
        }
        // Only one at a time comes here.
        let number = self.last.load(Ordering::Acquire) + 1;
        note.extend([length, number, check ^ number].iter().flat_map(|word| word.to_le_bytes()));
        note.extend_from_slice(body);
        if let Err(error) = (&self.file).write_all(&note) {
            // Half a note must not stand before the next. If this fails the next one is not found either.
            let _ = self.file.set_len(extent.end);
            return Err(explain(&self.path, &error));
        }
        extent.end += length + HEAD_BYTES;
        self.last.store(number, Ordering::Release);
        Ok(number)
    }

    /// The number of the last note; 0: there never was one.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// The next notes behind number `after`, in their order: no more than `limit`, and fewer when they are long.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn after(&self, after: u64, limit: usize) -> Result<Vec<Note>, StoreFault> {
        let extent = *self.lock();
        let mut reader = Reader::at(&self.file, extent.begin);
        let (mut notes, mut size) = (Vec::new(), 0);
        while reader.place < extent.end && notes.len() < limit && size < TOGETHER {
            let Some(note) = reader.next().map_err(|error| explain(&self.path, &error))? else { break };
            if note.number > after {
                size += note.body.len();
                notes.push(note);
            }
        }
        Ok(notes)
    }

    /// Forgets the notes up to this number: they are in the tables, and the job that worked them in is kept.
    ///
    /// # Errors
    /// When the file can't be read or cut off. Nothing is lost.
    pub fn forget(&self, number: u64) -> Result<(), StoreFault> {
        let explained = |error: io::Error| explain(&self.path, &error);
        let mut extent = self.lock();
        if number >= self.last() {
            if extent.end > 0 {
                self.file.set_len(0).map_err(explained)?;
            }
            *extent = Extent { begin: 0, end: 0 };
            return Ok(());
        }
        let mut reader = Reader::at(&self.file, extent.begin);
        while reader.place < extent.end {
            let begin = reader.place;
            match reader.next().map_err(explained)? {
                Some(note) if note.number <= number => {}
                _ => {
                    extent.begin = begin;
                    break;
                }
            }
        }
        Ok(())
    }

    fn full(&self) -> StoreFault {
        let path = self.path.display();
        StoreFault::new(FaultKind::Full, format!("the journal {path} is too long: the store can't follow"))
    }

    fn lock(&self) -> MutexGuard<'_, Extent> {
        self.extent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads whole notes, one after the other.
struct Reader<'f> {
    input: BufReader<Bytes<'f>>,
    /// Where the next note begins.
    place: u64,
}

/// A file from some place on.
struct Bytes<'f> {
    file: &'f File,
    place: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.place)?;
        self.place += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}

impl<'f> Reader<'f> {
    fn at(file: &'f File, place: u64) -> Self {
        Self { input: BufReader::with_capacity(BUFFER, Bytes { file, place }), place }
    }

    /// The next note; `None` at the end, and where something else stands than a note.
    fn next(&mut self) -> io::Result<Option<Note>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        if !whole(self.input.read_exact(&mut head))? {
            return Ok(None);
        }
        let (words, _) = head.as_chunks();
        let [length, number, check] = *words else { return Ok(None) };
        let [length, number, check] = [length, number, check].map(u64::from_le_bytes);
        let mut body = Vec::new();
        // What is no note may claim any length: only what is there is read.
        let count = self.input.by_ref().take(length).read_to_end(&mut body)?;
        let is_whole = u64::try_from(count).is_ok_and(|count| count == length);
        if !is_whole || sum(&body) ^ number != check {
            return Ok(None);
        }
        self.place += length + HEAD_BYTES;
        Ok(Some(Note { number, body }))
    }
}

/// Whether all was there.
fn whole(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// By this it is seen whether a note is whole (FNV-1a, eight bytes at a time).
fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0xcbf2_9ce4_8422_2325, |sum, word| step(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte)))
}

/// Makes the file this process's own. One that was killed a moment ago may still be about to let it go.
fn lock(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => thread::sleep(AGAIN),
            outcome => return outcome.map_err(Into::into),
        }
    }
}

fn explain(path: &Path, error: &io::Error) -> StoreFault {
    let (kind, help) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (FaultKind::Full, "make room on its file system"),
        ErrorKind::WouldBlock => {
            let help = "another process has it, and one bridge at a time can use a store: stop the other one";
            return StoreFault::new(FaultKind::Busy, format!("the journal {}: {help}", path.display()));
        }
        _ => (FaultKind::Other, "let the user scim2ldap read and write it and its folder"),
    };
    StoreFault::new(kind, format!("the journal {}: {error}; {help}", path.display()))
}
