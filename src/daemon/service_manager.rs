//! What the service manager is told: ready, reloading, stopping, still alive.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// Requests are answered.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] says that this is over.
pub(super) fn reloading() {
    // systemd wants to know since when, by its own clock.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "the monotonic clock can't be read"),
    }
}

/// The last requests are being answered.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the process is alive, twice as often as the service manager wants to hear it. Never ends.
pub(super) async fn keep_alive() {
    let Some(wanted) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut ticks = interval((wanted / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "the service manager can't be told");
    }
}
