//! One look at the host: `enquiry`, the hardserver's socket, the network and `stattree` side by
//! side, each with its own deadline and status, put together into one [`Observation`]; beside them
//! the path to each module, the files that hold or pause, and the site's own check.
//!
//! `host observe` prints and keeps it. `host run` and `host resume` take the same look themselves,
//! without `stattree`, before they do anything.

pub mod holds;
pub mod kept;

mod modules;
mod network;
mod path;
mod service_check;
mod stop_sign;
mod tools;

use std::io;

use nshield::enquiry::Enquiry;
use nshield::hardserver::{LookResult, SocketProbe};
use nshield::runner::{Run, StartError};
use nshield::stattree::StatTree;
use nshield::tools::{self as vendor, Installation};
use uuid::Uuid;
use vcm_recovery::ids::ObservationId;
use vcm_recovery::observation::{
    HardserverLook, OBSERVATION_SCHEMA, Observation, SourceStatus, Sources, StopSign,
};

use super::config::HostConfig;
use super::kernel;
use tools::Asked;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Full,
    /// Without `stattree` and the site's own check: what is needed to decide whether a step may start.
    WithoutStatistics,
}

/// Why there is no observation at all.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Without the boot id a look cannot be dated.
    #[error("cannot read the boot id")]
    BootId(#[source] io::Error),
}

/// One look, and how old it is.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was seen.
    pub seen: Observation,
    /// When `enquiry` had answered, in milliseconds of the boot time clock: what it said is at least
    /// as old, however long other sources took after it.
    pub answered_boottime: u64,
}

/// Takes one look.
///
/// # Errors
/// Only if the look could not be dated: whatever a source does, the observation says it.
pub async fn observe(config: &HostConfig, depth: Depth) -> Result<Observation, ObserveError> {
    Ok(look(config, depth).await?.seen)
}

/// Takes one look, and says how old it is.
///
/// # Errors
/// As [`observe`].
pub async fn look(config: &HostConfig, depth: Depth) -> Result<Look, ObserveError> {
    let boot_id = kernel::boot_id().map_err(ObserveError::BootId)?;
    let started_boottime = kernel::boottime_ms();
    let installation = Installation::at(&config.nfast_root);
    let (asked, statistics, socket, networks, service_check) = tokio::join!(
        tools::enquiry(config),
        tools::stattree(config, depth),
        installation.probe_socket(),
        network::looks(config),
        service_check::read(config, depth),
    );
    let enquiry = Enquiry::parse(stdout(&asked.full));
    let tree = statistics
        .as_ref()
        .map(|run| StatTree::parse(stdout(run)))
        .filter(|tree| tree.final_newline);
    let hardserver = hardserver(&asked, socket);
    let server_statistic = |id| tree.as_ref()?.server()?.counter(id);
    let gaps = tools::gaps(&asked.full, &enquiry, config);
    let seen = Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(Uuid::now_v7().as_u128()),
        boot_id,
        started_boottime,
        sources: Sources {
            enquiry: tools::enquiry_status(&asked.full, &gaps),
            enquiry_server: tools::optional_status(asked.server.as_ref()),
            stattree: tools::optional_status(statistics.as_ref()),
            socket: socket_status(socket),
        },
        hardserver,
        complete: gaps.is_empty(),
        modules: modules::looks(config, &enquiry, tree.as_ref(), networks),
        clients: server_statistic("ClientCount"),
        hardserver_uptime: server_statistic("Uptime"),
        stop: match hardserver {
            HardserverLook::SuspectedDown => stop_sign::read(config).await,
            HardserverLook::Up
            | HardserverLook::Unresponsive
            | HardserverLook::PermissionDenied
            | HardserverLook::Unknown => StopSign::None,
        },
        hold: holds::text(&config.hold_file),
        pause: holds::text(&config.pause_file),
        host_uptime: Some(kernel::boottime_ms() / 1000),
        service_check,
        max_tier: config.max_tier,
        finished_boottime: kernel::boottime_ms(),
    };
    Ok(Look {
        seen,
        answered_boottime: asked.answered_boottime,
    })
}

/// What the unit of the hardserver says about it, whether it is down or not.
pub async fn unit_sign(config: &HostConfig) -> StopSign {
    stop_sign::unit(&config.stopped_on_purpose, config.deadlines.probe).await
}

fn stdout(run: &Result<Run, StartError>) -> &[u8] {
    run.as_ref().map_or(&[], |run| &run.stdout)
}

/// A printed `Server:` section proves that the hardserver answered, whichever of the two printed
/// it; everything else is for the full `enquiry` to say.
fn hardserver(asked: &Asked, socket: SocketProbe) -> HardserverLook {
    let full = vendor::look(&asked.full, Some(socket)).classify();
    let server = asked
        .server
        .as_ref()
        .map(|run| vendor::look(run, Some(socket)).classify());
    match (full, server) {
        (LookResult::Up, _) | (_, Some(LookResult::Up)) => HardserverLook::Up,
        (LookResult::SuspectedDown, _) => HardserverLook::SuspectedDown,
        (LookResult::Unresponsive, _) => HardserverLook::Unresponsive,
        (LookResult::PermissionDenied, _) => HardserverLook::PermissionDenied,
        (LookResult::Unknown, _) => HardserverLook::Unknown,
    }
}

fn socket_status(probe: SocketProbe) -> SourceStatus {
    let failed = |text: &str| SourceStatus::Failed(text.to_owned());
    match probe {
        SocketProbe::Connected => SourceStatus::Ok,
        SocketProbe::Refused => failed("nobody listens on it"),
        SocketProbe::Absent => failed("it is not there"),
        SocketProbe::PermissionDenied => SourceStatus::PermissionDenied,
        SocketProbe::TimedOut => SourceStatus::TimedOut,
        SocketProbe::Other => failed("a local error"),
    }
}

#[cfg(test)]
mod tests;
