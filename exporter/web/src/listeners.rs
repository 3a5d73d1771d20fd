//! The sockets on which clients are accepted; [`serve`](crate::serve) takes them over.

mod systemd;
mod unix;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use self::unix::SocketFile;
use crate::address::ListenAddress;
use crate::flags::WebFlags;

/// Bound sockets, at least one. A Unix socket made here is removed with them.
#[derive(Debug)]
pub struct Listeners(Vec<Listener>);

/// One bound socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: Socket,
    /// What it is bound to, for people.
    pub(crate) address: String,
    /// Removed when dropped; absent where systemd made it.
    _file: Option<SocketFile>,
}

/// What clients are accepted from.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The byte stream of one client, whatever it runs over. One type for all, so that the HTTP code
/// exists once in the program.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why it cannot be listened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// No address was given.
    #[error("no listen address is given")]
    NoAddress,
    /// The name of the host has no address.
    #[error("cannot find the address of {host}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process listens there.
    #[error("{address} is in use by another process")]
    InUse {
        /// What was to be bound.
        address: String,
    },
    /// Binding failed.
    #[error("cannot listen on {address}")]
    Bind {
        /// What was to be bound.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that is not a socket is in the place of the socket.
    #[error("{} exists and is not a socket", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// systemd passed nothing to this process.
    #[error("systemd passed no socket: LISTEN_PID and LISTEN_FDS are not set for this process")]
    NoSystemdSocket,
    /// systemd passed something that is not a listening TCP or Unix stream socket.
    #[error("file descriptor {fd} from systemd is not a TCP or Unix stream socket")]
    SystemdSocket {
        /// Its number.
        fd: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Listeners {
    /// Binds what the flags say. To be called early: where systemd passes the sockets, their
    /// variables are taken out of the environment.
    ///
    /// # Errors
    ///
    /// If one of them cannot be bound; then none is.
    pub async fn bind<const PORT: u16>(flags: &WebFlags<PORT>) -> Result<Self, BindError> {
        if flags.systemd_socket {
            systemd::listeners().map(Self)
        } else {
            Self::on(&flags.listen_addresses).await
        }
    }

    /// Binds the given addresses.
    ///
    /// # Errors
    ///
    /// If there is none, or one of them cannot be bound; then none is.
    pub async fn on(addresses: &[ListenAddress]) -> Result<Self, BindError> {
        if addresses.is_empty() {
            return Err(BindError::NoAddress);
        }
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            listeners.push(Listener::bind(address).await?);
        }
        Ok(Self(listeners))
    }

    /// Returns what is listened on, with the port that the kernel chose where 0 was asked for.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|listener| listener.address.as_str())
    }

    pub(crate) fn into_vec(self) -> Vec<Listener> {
        self.0
    }
}

impl Listener {
    async fn bind(address: &ListenAddress) -> Result<Self, BindError> {
        match address {
            ListenAddress::Unix(path) => {
                let (listener, file) = unix::bind(path)?;
                Self::unix(listener, address.to_string(), Some(file))
            }
            ListenAddress::Socket(socket) => tcp(address, *socket).await,
            ListenAddress::Host { host, port } => tcp(address, resolve(host, *port).await?).await,
            ListenAddress::All(port) => {
                match tcp(address, (Ipv6Addr::UNSPECIFIED, *port).into()).await {
                    // A kernel without IPv6.
                    Err(BindError::Bind { .. }) => {
                        tcp(address, (Ipv4Addr::UNSPECIFIED, *port).into()).await
                    }
                    bound => bound,
                }
            }
        }
    }

    fn tcp(listener: TcpListener, address: String) -> Self {
        Self {
            address: listener
                .local_addr()
                .map_or(address, |bound| bound.to_string()),
            socket: Socket::Tcp(listener),
            _file: None,
        }
    }

    fn unix(
        listener: std::os::unix::net::UnixListener,
        address: String,
        file: Option<SocketFile>,
    ) -> Result<Self, BindError> {
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| UnixListener::from_std(listener));
        match listener {
            Ok(listener) => Ok(Self {
                socket: Socket::Unix(listener),
                address,
                _file: file,
            }),
            Err(source) => Err(BindError::Bind { address, source }),
        }
    }

    /// Waits for a client; returns its stream and, over TCP, its address.
    pub(crate) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are written at once; a failure costs only latency.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), Some(peer)))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), None))
            }
        }
    }
}

async fn tcp(address: &ListenAddress, socket: SocketAddr) -> Result<Listener, BindError> {
    match TcpListener::bind(socket).await {
        Ok(listener) => Ok(Listener::tcp(listener, address.to_string())),
        Err(error) => Err(refused(address.to_string(), error)),
    }
}

fn refused(address: String, source: io::Error) -> BindError {
    if source.kind() == io::ErrorKind::AddrInUse {
        BindError::InUse { address }
    } else {
        BindError::Bind { address, source }
    }
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, BindError> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.and_then(|addresses| {
        let mut all: Vec<SocketAddr> = addresses.collect();
        all.sort_by_key(SocketAddr::is_ipv6);
        let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        all.first().copied().ok_or_else(none)
    });
    found.map_err(|source| BindError::Resolve {
        host: host.to_owned(),
        source,
    })
}
