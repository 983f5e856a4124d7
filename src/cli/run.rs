//! `ouzel run`: topic to topic, until told to stop.

use std::sync::Arc;

use super::args::{ColorChoice, Shared};
use super::exit::{Exit, Failure};
use super::reload::FileReload;
use super::terminal::Paint;
use super::{configuration, exceptions, rules, version};
use crate::clock::{Clock, SystemClock};
use crate::config::settings::LogSettings;
use crate::pipeline::driver::{self, DriverFault, Signals, Stage};
use crate::telemetry::logging::{self, Colors, LevelHandle};
use crate::telemetry::panics;

/// Runs the stage.
///
/// # Errors
/// Configuration (3), rules (2), a cluster that cannot be used or an end that lost time (4).
pub fn run(shared: &Shared) -> Result<Exit, Failure> {
    let loaded = configuration::load(shared)?;
    let settings = loaded.settings.clone();
    let rules = rules::load(&settings, shared)?;
    let exceptions = exceptions::load(&settings, &rules)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let level = start_logs(&settings.log, shared.color, &clock)?;
    let stage = Stage {
        settings,
        rules,
        exceptions,
        clock,
        version: version::VERSION,
        commit: version::COMMIT,
    };
    driver::start(stage, Signals::Heard)
        .map(|running| {
            running.with_reload(Box::new(FileReload::new(shared.clone(), loaded, level)))
        })
        .and_then(driver::Running::wait)
        .map(|()| Exit::Fine)
        .map_err(|fault| failure(&fault))
}

/// What a fault of the driver means to who called the program.
pub(super) fn failure(fault: &DriverFault) -> Failure {
    match fault {
        DriverFault::Topics(faults) => {
            Failure::all(Exit::Unavailable, faults.iter().map(ToString::to_string).collect())
        }
        DriverFault::Budget { .. } => Failure::new(Exit::Findings, fault.to_string()),
        other => Failure::new(Exit::Unavailable, other.to_string()),
    }
}

/// Sends the logs of this process to standard error.
pub(super) fn start_logs(
    settings: &LogSettings,
    color: ColorChoice,
    clock: &Arc<dyn Clock>,
) -> Result<LevelHandle, Failure> {
    let colors = if Paint::stderr(color).is_on() { Colors::On } else { Colors::Off };
    let level = logging::init(settings, colors, driver::now(clock))
        .map_err(|fault| Failure::new(Exit::Configuration, fault.to_string()))?;
    panics::to_log();
    Ok(level)
}
