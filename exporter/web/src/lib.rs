//! HTTP listeners as Prometheus' exporters have them: web configuration file, TLS, basic auth, Unix
//! sockets, socket activation.
//!
//! The program flattens [`WebFlags`] into its command line, loads the [`WebConfig`] (the file that
//! Prometheus' exporter-toolkit documents), binds its [`Listeners`] and gives its router to
//! [`serve`]. Nothing here knows what is served.
//!
//! ```no_run
//! use clap::Parser;
//! use tokio::sync::watch;
//! use vcm_web::{Listeners, WebConfig, WebFlags, serve};
//!
//! #[derive(Parser)]
//! struct Args {
//!     /// 127.0.0.1:9808 unless told otherwise.
//!     #[command(flatten)]
//!     web: WebFlags<9808>,
//! }
//!
//! # async fn run(router: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
//! let args = Args::parse();
//! // First of all: a bad file is exit status 78, and `--config.check` needs no socket.
//! let config = WebConfig::load(args.web.config_file.as_deref())?;
//! // While there are few threads: socket activation takes its variables from the environment.
//! let listeners = Listeners::bind(&args.web).await?;
//! for address in listeners.addresses() {
//!     println!("listening on {address}");
//! }
//! let (stop, stopped) = watch::channel(false);
//! serve(listeners, config.clone(), args.web.limits(), router, stopped).await?;
//! # drop(stop);
//! # Ok(())
//! # }
//! ```
//!
//! [`WebConfig::status`] is for metrics, [`WebConfig::reload`] for SIGHUP and `/-/reload`; the files
//! are looked at without being asked too.

mod address;
mod auth;
mod clock;
mod config;
mod connection;
mod flags;
mod limits;
mod listeners;
mod request;
mod serve;

pub use address::{AddressError, ListenAddress};
pub use config::{ConfigError, WebConfig, WebConfigStatus};
pub use flags::WebFlags;
pub use limits::Limits;
pub use listeners::{BindError, Listeners};
pub use serve::{ServeError, serve};
