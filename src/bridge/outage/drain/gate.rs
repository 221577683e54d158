//! Whether it is worth while to ask the directory. It is the directory that waits, never an item: what is owed is tried
//! again as often as it takes.

use std::time::Duration;

use tokio::time::Instant;

use crate::directory::Directory;

/// The first pause after a fault of the directory.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause between two questions whether it is back.
const LONGEST: Duration = Duration::from_secs(30);

/// After it was away, what was on its way to the directory before gets so long to arrive and to be carried out, so that
/// it does not overtake what comes later.
const SETTLES: Duration = Duration::from_millis(200);

/// Open while the directory answers. Closed, one question is let through at a time, after pauses that grow.
#[derive(Debug)]
pub(super) struct Gate {
    pause: Duration,
    closed_until: Option<Instant>,
    /// It was asked whether it is back, and did not answer.
    was_away: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { pause: SHORTEST, closed_until: None, was_away: false }
    }
}

impl Gate {
    pub fn is_open(&self) -> bool {
        self.closed_until.is_none()
    }

    /// Closes when others found that the directory is away.
    pub fn heed(&mut self, directory: &Directory) {
        if self.is_open() && directory.is_away() {
            self.close();
        }
    }

    /// The directory could not do what it was asked for.
    pub fn close(&mut self) {
        if self.is_open() {
            self.wait();
        }
    }

    fn wait(&mut self) {
        self.closed_until = Some(Instant::now() + jittered(self.pause));
        self.pause = (self.pause * 2).min(LONGEST);
    }

    /// The directory did what it was asked for.
    pub fn good(&mut self) {
        self.pause = SHORTEST;
    }

    /// When it is time to ask whether it is back; `otherwise` while it is not away.
    pub fn next_time(&self, otherwise: Instant) -> Instant {
        self.closed_until.unwrap_or(otherwise)
    }

    /// Asks whether it is back, if it is time for that.
    pub async fn probe(&mut self, directory: &Directory) {
        if self.closed_until.is_none_or(|until| until > Instant::now()) {
            return;
        }
        match directory.ping().await {
            Ok(()) if self.was_away => {
                self.was_away = false;
                self.closed_until = Some(Instant::now() + SETTLES);
            }
            Ok(()) => self.closed_until = None,
            Err(fault) => {
                self.was_away = true;
                tracing::debug!(%fault, pause = ?self.pause, "still away");
                self.wait();
            }
        }
    }
}

/// Between 80 and 120 percent, so that several bridges do not ask in step.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes().first().copied().unwrap_or_default();
    pause.mul_f64(0.8 + 0.4 * f64::from(random) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_half_a_minute_and_begin_anew_when_the_directory_did_something() {
        let mut gate = Gate::default();
        for _ in 0..20 {
            gate.closed_until = None;
            gate.close();
        }
        assert_eq!(gate.pause, LONGEST);
        gate.good();
        assert_eq!(gate.pause, SHORTEST);
    }

    #[test]
    fn a_pause_is_never_far_from_what_it_should_be() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(10));
            assert!((8.0..=12.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }
}
