//! The command line's side of the API: which server, whose token, one question and its answer.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::outward::{
    Address, AddressError, Answer, Call, CallError, Client, Credentials, Limits, Trust, TrustError,
};

/// Where the token's file is named when no flag names it.
const TOKEN_FILE_VARIABLE: &str = "VCM_REMEDIATOR_TOKEN_FILE";

/// Most of an answer that is read, in bytes: 10,000 open incidents take about 30 MB.
const ANSWER_MAX: usize = 64 << 20;

/// Which server, and how it is spoken to.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// Where the remediator listens.
    #[arg(
        long = "server",
        value_name = "URL",
        default_value = "http://127.0.0.1:9809"
    )]
    server: Address,
    /// The file that holds your token (`web.operators` of the configuration). Without it, the file
    /// that $VCM_REMEDIATOR_TOKEN_FILE names.
    #[arg(long = "token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authorities to believe in place of this machine's, for an https server.
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long to wait for an answer. An order to a host waits for a look that is under way there.
    #[arg(long = "timeout", value_name = "DURATION", default_value = "3m",
          value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How to say it.
    #[arg(long = "format", value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

/// How the answer is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lines for a person.
    Human,
    /// The server's JSON, as it came.
    Json,
}

/// A server that can be asked.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    address: Address,
    limits: Limits,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// An order needs a token.
    #[error("an order needs your token: name its file with --token-file or ${TOKEN_FILE_VARIABLE}")]
    NoToken,
    /// Nobody is believed.
    #[error("TLS cannot be set up")]
    Trust(#[from] TrustError),
    /// The path does not fit below the server's address.
    #[error("the server's address cannot be used")]
    Address(#[from] AddressError),
    /// There was no answer. An order may have arrived.
    #[error("{server} cannot be asked")]
    Call {
        /// Host and port.
        server: String,
        /// Why.
        #[source]
        source: CallError,
    },
    /// The answer is no. The text is the server's.
    #[error("{said}")]
    Refused {
        /// What it said.
        said: String,
    },
    /// The answer is not the remediator's.
    #[error("{server} answered {status}, which is no answer of a remediator")]
    Foreign {
        /// Host and port.
        server: String,
        /// With which status.
        status: StatusCode,
    },
    /// The answer cannot be read.
    #[error("the answer of {server} cannot be read")]
    Unreadable {
        /// Host and port.
        server: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// What the server says when the answer is no.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
}

impl ServerArgs {
    /// The server, for questions. The token is shown where there is one.
    pub(super) fn connect(&self) -> Result<Server, ServerError> {
        let credentials = self.token_file().map(|file| Credentials::Bearer { file });
        let trust = match (&self.ca_file, self.server.uri().scheme_str()) {
            (Some(file), _) => Trust::File(file.clone()),
            (None, Some("https")) => Trust::Machine,
            (None, _) => Trust::Nobody,
        };
        Ok(Server {
            client: Client::new(&trust, credentials)?,
            address: self.server.clone(),
            limits: Limits {
                timeout: self.timeout,
                body: ANSWER_MAX,
            },
        })
    }

    /// The server, for orders: they need a token.
    pub(super) fn connect_to_order(&self) -> Result<Server, ServerError> {
        if self.token_file().is_none() {
            return Err(ServerError::NoToken);
        }
        self.warn_in_the_clear();
        self.connect()
    }

    fn token_file(&self) -> Option<PathBuf> {
        let named = std::env::var_os(TOKEN_FILE_VARIABLE).filter(|path| !path.is_empty());
        self.token_file.clone().or_else(|| named.map(PathBuf::from))
    }

    #[expect(clippy::print_stderr, reason = "for the person who typed it")]
    fn warn_in_the_clear(&self) {
        if self.server.in_the_clear() {
            let server = &self.server;
            eprintln!("vcm-remediator: warning: the token is sent to {server} in the clear");
        }
    }
}

impl Server {
    /// Asks, and reads the answer.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        self.read(self.send(Method::GET, path, Bytes::new()).await?)
    }

    /// Orders, and brings back what the server says that it became.
    pub(super) async fn order(&self, path: &str, body: &Value) -> Result<Value, ServerError> {
        let body = Bytes::from(body.to_string());
        self.read(self.send(Method::POST, path, body).await?)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, ServerError> {
        let mut headers = HeaderMap::new();
        if method == Method::POST {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let call = Call {
            method,
            uri: self.address.below(path)?.uri().clone(),
            headers,
            body,
        };
        let sent = self.client.send(call, self.limits).await;
        sent.map_err(|source| ServerError::Call {
            server: self.address.to_string(),
            source,
        })
    }

    fn read<T: DeserializeOwned>(&self, answer: Answer) -> Result<T, ServerError> {
        let server = self.address.to_string();
        let status = answer.status;
        if status != StatusCode::OK {
            return Err(match serde_json::from_slice(&answer.body) {
                Ok(Refusal { error: said }) => ServerError::Refused { said },
                Err(_) => ServerError::Foreign { server, status },
            });
        }
        serde_json::from_slice(&answer.body).map_err(|source| self.unreadable(source))
    }

    /// What it said is not what a remediator says.
    pub(super) fn unreadable(&self, source: serde_json::Error) -> ServerError {
        ServerError::Unreadable {
            server: self.address.to_string(),
            source,
        }
    }
}
