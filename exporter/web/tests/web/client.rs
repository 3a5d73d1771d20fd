//! A client that says just what it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::Identity;
use crate::server::DEADLINE;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let bad = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("answer {text:?}"));
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(bad)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok(Self {
            status: status.ok_or_else(bad)?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends bytes and reads until the server closes.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> io::Result<Answer> {
    let exchange = async {
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            Ok(_) => {}
            // What came before counts.
            Err(_) if !answer.is_empty() => {}
            Err(error) => return Err(error),
        }
        Answer::parse(&answer)
    };
    timeout(DEADLINE, exchange)
        .await
        .expect("an answer in time")
}

/// The text of a GET request for one answer, with more header lines.
pub(crate) fn request(path: &str, headers: &[&str]) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Asks over plain TCP.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[&str]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    exchange(&mut stream, &request(path, headers)).await
}

/// A TLS client.
#[derive(Clone)]
pub(crate) struct TlsClient {
    trusted: String,
    identity: Option<(String, String)>,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
}

impl TlsClient {
    /// Trusts one authority.
    pub(crate) fn trusting(authority: &str) -> Self {
        Self {
            trusted: authority.to_owned(),
            identity: None,
            versions: vec![&TLS12, &TLS13],
            alpn: Vec::new(),
        }
    }

    pub(crate) fn showing(mut self, identity: &Identity) -> Self {
        self.identity = Some((identity.certificate.clone(), identity.key.clone()));
        self
    }

    pub(crate) fn tls12(mut self) -> Self {
        self.versions = vec![&TLS12];
        self
    }

    pub(crate) fn tls13(mut self) -> Self {
        self.versions = vec![&TLS13];
        self
    }

    pub(crate) fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        self
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.trusted.as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain.as_bytes());
                let chain = chain.collect::<Result<_, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(self.config()));
        let connected = timeout(DEADLINE, connector.connect(name, stream)).await;
        connected.expect("a handshake in time")
    }

    pub(crate) async fn get(&self, address: SocketAddr, headers: &[&str]) -> io::Result<Answer> {
        let mut stream = self.connect(address).await?;
        exchange(&mut stream, &request("/", headers)).await
    }
}

/// Waits for what is to become true; asks again and again.
pub(crate) async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, found)
        .await
        .expect("it to happen in time")
}
