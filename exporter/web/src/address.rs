//! What stands behind `--web.listen-address`.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `192.0.2.1:9808` or `[2001:db8::1]:9808`.
    Socket(SocketAddr),
    /// `:9808`: every address of the host, IPv6 and IPv4.
    All(u16),
    /// `metrics.example:9808`: the name's first IPv4 address, else its first IPv6 address, as Go's
    /// `net.Listen` does.
    Host {
        /// The name.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// `unix:/run/vcm-exporter/web.sock`.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Returns the given port of the IPv4 loopback address.
    #[must_use]
    pub const fn loopback(port: u16) -> Self {
        Self::Socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }
}

impl Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::All(port) => write!(f, ":{port}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a text is no listen address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no port.
    #[error("has no port: expected host:port, [v6]:port, :port or unix:/path")]
    NoPort,
    /// The port is no number from 0 to 65535.
    #[error("its port is not a number from 0 to 65535")]
    Port,
    /// What stands in brackets is no IPv6 address, or an IPv6 address stands without brackets.
    #[error("its IPv6 address is not written as [v6]")]
    Ipv6,
    /// The host is no address and cannot be a name.
    #[error("its host is neither an address nor a name")]
    Host,
    /// `unix:` without an absolute path.
    #[error("a Unix socket needs an absolute path, as in unix:/run/web.sock")]
    UnixPath,
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            let named = path.is_absolute() && path.file_name().is_some();
            return named
                .then_some(Self::Unix(path))
                .ok_or(AddressError::UnixPath);
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressError::Port);
        }
        let port = port.parse().map_err(|_| AddressError::Port)?;
        Self::of_host(host, port)
    }
}

impl ListenAddress {
    fn of_host(host: &str, port: u16) -> Result<Self, AddressError> {
        if host.is_empty() {
            return Ok(Self::All(port));
        }
        if let Some(rest) = host.strip_prefix('[') {
            let v6 = rest.strip_suffix(']').ok_or(AddressError::Ipv6)?;
            let v6 = v6.parse::<Ipv6Addr>().map_err(|_| AddressError::Ipv6)?;
            return Ok(Self::Socket(SocketAddr::new(v6.into(), port)));
        }
        if let Ok(v4) = host.parse::<Ipv4Addr>() {
            return Ok(Self::Socket(SocketAddr::new(v4.into(), port)));
        }
        if host.contains([':', '[', ']']) {
            return Err(AddressError::Ipv6);
        }
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let digits = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        if !host.bytes().all(name) || host.bytes().all(digits) {
            return Err(AddressError::Host);
        }
        Ok(Self::Host {
            host: host.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "127.0.0.1:9808",
            "[::1]:9808",
            "[::]:0",
            ":9808",
            "localhost:9808",
            "unix:/run/vcm-exporter/web.sock",
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        for (text, error) in [
            ("", AddressError::NoPort),
            ("9808", AddressError::NoPort),
            ("127.0.0.1", AddressError::NoPort),
            ("127.0.0.1:", AddressError::Port),
            ("127.0.0.1:http", AddressError::Port),
            ("127.0.0.1:+80", AddressError::Port),
            ("127.0.0.1:65536", AddressError::Port),
            ("::1:9808", AddressError::Ipv6),
            ("[::1:9808", AddressError::Ipv6),
            ("[127.0.0.1]:9808", AddressError::Ipv6),
            ("127.0.0.256:9808", AddressError::Host),
            ("http//host:9808", AddressError::Host),
            ("unix:", AddressError::UnixPath),
            ("unix:web.sock", AddressError::UnixPath),
            ("unix:/", AddressError::UnixPath),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }
}
