//! What the service manager is told (systemd's `Type=notify`): started, still alive, how it is,
//! stopping. Without a manager (`NOTIFY_SOCKET` is not set) nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often the status is told, where it has changed.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// How the stage is, for the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Every part of it is alive.
    Healthy,
    /// A part of it is not: the manager's watchdog may end it.
    Unhealthy,
}

/// The service manager.
#[derive(Debug)]
pub(super) struct Manager {
    /// How often the watchdog is to be fed, where there is one.
    feed_every: Option<Duration>,
    feed_at: Duration,
    status_at: Duration,
    status: String,
}

impl Manager {
    /// Tells that the stage is up: its clients are open, its endpoint answers.
    pub fn started() -> Self {
        send(&[NotifyState::Ready]);
        Self {
            // Half of what it waits for, as its manual asks.
            feed_every: sd_notify::watchdog_enabled().map(|within| within / 2),
            feed_at: Duration::ZERO,
            status_at: Duration::ZERO,
            status: String::new(),
        }
    }

    /// Feeds the watchdog where that is due and the stage is healthy.
    pub fn feed(&mut self, now: Duration, life: impl FnOnce() -> Life) {
        let Some(every) = self.feed_every else { return };
        if now >= self.feed_at && life() == Life::Healthy {
            self.feed_at = now + every;
            send(&[NotifyState::Watchdog]);
        }
    }

    /// Tells how the stage is, in one line.
    pub fn status(&mut self, now: Duration, status: impl FnOnce() -> String) {
        if now < self.status_at {
            return;
        }
        self.status_at = now + STATUS_EVERY;
        let status = status();
        if status != self.status {
            send(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// Tells that the end has begun.
    pub fn stopping() {
        send(&[NotifyState::Stopping]);
    }
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(state) {
        tracing::debug!(%fault, "the service manager was not told");
    }
}
