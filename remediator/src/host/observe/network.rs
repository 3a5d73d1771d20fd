//! Whether each module answers the network, asked of all of them at once.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nshield::ModuleNumber;
use nshield::icmp::{Echo, Pinger};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use vcm_recovery::observation::{ECHOES, NetworkLook};

use crate::host::config::{HostConfig, Reachability};
use crate::host::document::chain;

/// Time between two echo requests to one module: the shortest that `ping` allows without
/// privilege, so that no firewall takes it for a flood.
const ECHO_SPACING: Duration = Duration::from_millis(200);

pub(super) async fn looks(config: &HostConfig) -> BTreeMap<ModuleNumber, NetworkLook> {
    let pinger = Arc::new(Pinger::new());
    let deadline = config.deadlines.ping;
    let mut tasks = JoinSet::new();
    for (&number, module) in &config.modules {
        let (pinger, reachability) = (Arc::clone(&pinger), module.reachability);
        tasks.spawn(async move { (number, look(&pinger, reachability, deadline).await) });
    }
    let mut looks = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        // A task that panicked leaves its module out, which reads as unknown.
        looks.extend(done);
    }
    looks
}

async fn look(pinger: &Pinger, reachability: Reachability, deadline: Duration) -> NetworkLook {
    match reachability {
        Reachability::Icmp(address) => echoes(pinger, address, deadline).await,
        Reachability::Tcp(address, port) => connect(SocketAddr::new(address, port), deadline).await,
        Reachability::None => NetworkLook::NotApplicable,
        Reachability::NoAddress => NetworkLook::Unknown("no address is configured".to_owned()),
    }
}

/// Sends [`ECHOES`] requests; all replies are due by one deadline. A request that could not be sent
/// makes the whole look unknown: the trouble is then ours.
async fn echoes(pinger: &Pinger, address: IpAddr, deadline: Duration) -> NetworkLook {
    let begun = Instant::now();
    let echo = async |index: u8| {
        let at = ECHO_SPACING * u32::from(index);
        sleep_until(begun + at).await;
        pinger.echo(address, deadline.saturating_sub(at)).await
    };
    let answers: [Echo; ECHOES as usize] =
        tokio::join!(echo(0), echo(1), echo(2), echo(3), echo(4)).into();
    let mut replies = 0;
    for answer in &answers {
        match answer {
            Echo::Reply { .. } => replies += 1,
            Echo::Timeout
            | Echo::Unreachable { .. }
            | Echo::TimeExceeded { .. }
            | Echo::Other { .. } => {}
            Echo::Error(error) => return NetworkLook::Unknown(chain(error)),
        }
    }
    NetworkLook::Echo {
        sent: ECHOES,
        replies,
    }
}

/// A refusal proves that nobody serves there; an error of our own proves nothing.
async fn connect(address: SocketAddr, deadline: Duration) -> NetworkLook {
    match timeout(deadline, TcpStream::connect(address)).await {
        Ok(Ok(_stream)) => NetworkLook::Tcp { connected: true },
        Err(_) => NetworkLook::Tcp { connected: false },
        Ok(Err(error)) if remote(&error) => NetworkLook::Tcp { connected: false },
        Ok(Err(error)) => NetworkLook::Unknown(format!("cannot connect: {error}")),
    }
}

fn remote(error: &io::Error) -> bool {
    [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::TimedOut,
        io::ErrorKind::HostUnreachable,
    ]
    .contains(&error.kind())
}
