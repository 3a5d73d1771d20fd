//! Sockets that systemd made (socket activation, sd_listen_fds(3)).

use std::env;
use std::os::fd::AsRawFd;
use std::process;

use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::{BindError, Listener};

/// Takes all sockets that were passed to this very process.
pub(super) fn listeners() -> Result<Vec<Listener>, BindError> {
    // The crate takes a missing LISTEN_PID for ours; systemd always sets it.
    if env::var("LISTEN_PID").ok() != Some(process::id().to_string()) {
        return Err(BindError::NoSystemdSocket);
    }
    let mut passed = ListenFd::from_env();
    if passed.len() == 0 {
        return Err(BindError::NoSystemdSocket);
    }
    (0..passed.len())
        .map(|index| take(&mut passed, index))
        .collect()
}

fn take(passed: &mut ListenFd, index: usize) -> Result<Listener, BindError> {
    let bad = |source| BindError::SystemdSocket {
        fd: index + 3,
        source,
    };
    if let Ok(Some(unix)) = passed.take_unix_listener(index) {
        let bound = unix.local_addr().map_err(bad)?;
        let path = bound.as_pathname().map(|path| path.display().to_string());
        let address = path.map_or_else(
            || format!("unix (file descriptor {})", unix.as_raw_fd()),
            |path| format!("unix:{path}"),
        );
        return Listener::unix(unix, address, None);
    }
    let tcp = passed.take_tcp_listener(index).map_err(bad)?;
    let tcp = tcp.ok_or(BindError::NoSystemdSocket)?;
    tcp.set_nonblocking(true).map_err(bad)?;
    let tcp = TcpListener::from_std(tcp).map_err(bad)?;
    Ok(Listener::tcp(tcp, "socket from systemd".to_owned()))
}
