//! What operators type: answers to requests, pause, hold, resolutions, and what they look at before.
//!
//! Everything goes through the API of a running remediator. Exit codes: 0 done, 1 refused or failed
//! with the server's text, 2 wrong arguments, or nothing was chosen.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize as _;
use serde_json::{Value, json};
use vcm_recovery::event::Event;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Rung;
use vcm_telemetry::logging::chain;

use super::client::{Format, Server, ServerArgs, ServerError};
use super::{EXIT_FAILURE, EXIT_USAGE};
use crate::told;
use crate::web::named::{self, NamedError, RequestName};

mod look;
mod seen;

/// `approve`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vcm-remediator approve 'tenant-1#3' --rung restart --reason 'seen with the vendor'"
)]
pub(super) struct ApproveArgs {
    /// The request, as the page and `incidents list` name it.
    #[arg(value_name = "HOST#NUMBER")]
    request: RequestName,
    /// What may start: retry, restart or clear. Without it the alternatives are printed, with whom
    /// each disrupts, nothing is done, and the exit code is 2.
    #[arg(long, requires = "reason")]
    rung: Option<Rung>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// `deny`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vcm-remediator deny 'tenant-1#3' --reason 'the HSM is replaced today'"
)]
pub(super) struct DenyArgs {
    /// The request, as the page and `incidents list` name it.
    #[arg(value_name = "HOST#NUMBER")]
    request: RequestName,
    #[command(flatten)]
    why: Why,
}

/// Why, and through which server.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Until when.
#[derive(Debug, Args)]
struct Span {
    /// For how long from now, such as 30m or 2h. Without a time it lasts until somebody ends it.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "until")]
    length: Option<String>,
    /// Until when, such as 2026-11-22T18:00:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<String>,
}

/// `pause`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vcm-remediator pause --for 2h --reason 'network change 4711'")]
pub(super) struct PauseArgs {
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    why: Why,
}

/// `resume`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vcm-remediator resume --reason 'the change is done'")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    why: Why,
}

/// `hold`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vcm-remediator hold tenant-1/2 --for 4h --reason 'vendor case 0815'"
)]
pub(super) struct HoldArgs {
    /// A host, or one module of it.
    #[arg(value_name = "HOST[/MODULE]", value_parser = target)]
    target: Target,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    why: Why,
}

/// `release`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vcm-remediator release tenant-1/2 --reason 'case closed'")]
pub(super) struct ReleaseArgs {
    /// What is held.
    #[arg(value_name = "HOST[/MODULE]", value_parser = target)]
    target: Target,
    #[command(flatten)]
    why: Why,
}

/// `confirm-gap`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vcm-remediator confirm-gap --reason 'nobody worked on the hosts meanwhile'"
)]
pub(super) struct ConfirmGapArgs {
    #[command(flatten)]
    why: Why,
}

/// `attempts`
#[derive(Debug, Args)]
pub(super) struct AttemptsArgs {
    #[command(subcommand)]
    verb: AttemptsVerb,
}

#[derive(Debug, Subcommand)]
enum AttemptsVerb {
    /// Lists the attempts of the last two days, and all of unknown outcome.
    #[command(after_help = "Example:\n  vcm-remediator attempts list")]
    List(ServerArgs),
    /// Says what an attempt of unknown outcome came to, and so gives its budget back.
    #[command(
        after_help = "Example:\n  vcm-remediator attempts resolve 01935bd4-0f3a-7c11-8000-00000000002a \
                      --as failed --reason 'enquiry still shows Failed'"
    )]
    Resolve(ResolveArgs),
}

#[derive(Debug, Args)]
struct ResolveArgs {
    /// Its identifier.
    attempt: AttemptId,
    /// What it came to.
    #[arg(long = "as", value_name = "OUTCOME", value_parser = ["succeeded", "failed", "cancelled"])]
    outcome: String,
    #[command(flatten)]
    why: Why,
}

/// `incidents`
#[derive(Debug, Args)]
pub(super) struct IncidentsArgs {
    #[command(subcommand)]
    verb: IncidentsVerb,
}

#[derive(Debug, Subcommand)]
enum IncidentsVerb {
    /// Lists the open incidents, and what holds everything up.
    #[command(after_help = "Example:\n  vcm-remediator incidents list")]
    List(ServerArgs),
    /// Shows one open incident: what stands in its way, what was tried, what is asked.
    #[command(after_help = "Example:\n  vcm-remediator incidents show tenant-1/1")]
    Show(ShowArgs),
    /// Has a latched incident go on, with the ladder from its foot. Caps still count.
    #[command(
        after_help = "Example:\n  vcm-remediator incidents reopen tenant-1/1 --reason 'the provider has rebooted the HSM'"
    )]
    Reopen(OfIncidentArgs),
    /// Ends an incident although nobody saw its target healthy.
    #[command(
        after_help = "Example:\n  vcm-remediator incidents close tenant-1/1 --reason 'the module was removed'"
    )]
    Close(OfIncidentArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// What it is about.
    #[arg(value_name = "HOST[/MODULE]", value_parser = target)]
    target: Target,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct OfIncidentArgs {
    /// What it is about.
    #[arg(value_name = "HOST[/MODULE]", value_parser = target)]
    target: Target,
    #[command(flatten)]
    why: Why,
}

/// How it went, when the server said no word against it.
type Went = Result<ExitCode, ServerError>;

impl ApproveArgs {
    /// Approves one rung; without one, shows what there is to choose from.
    pub(super) async fn run(self) -> ExitCode {
        said(match (&self.rung, &self.reason) {
            (Some(rung), Some(reason)) => {
                let body = json!({"choice": "approve", "rung": rung, "reason": reason});
                order(&self.server, &answer_path(&self.request), &body).await
            }
            _ => look::alternatives(&self.server, &self.request).await,
        })
    }
}

impl DenyArgs {
    /// Decides for none of the alternatives.
    pub(super) async fn run(self) -> ExitCode {
        let more = json!({"choice": "deny"});
        self.why.order(&answer_path(&self.request), more).await
    }
}

impl PauseArgs {
    /// Nothing starts anywhere from now on.
    pub(super) async fn run(self) -> ExitCode {
        let more = self.span.body(json!({}));
        self.why.order("/api/v1/pause", more).await
    }
}

impl ResumeArgs {
    /// The pause ends.
    pub(super) async fn run(self) -> ExitCode {
        self.why.order("/api/v1/resume", json!({})).await
    }
}

impl HoldArgs {
    /// Nothing starts on the target from now on.
    pub(super) async fn run(self) -> ExitCode {
        let target = self.target.to_string();
        let more = self.span.body(json!({"target": target}));
        self.why.order("/api/v1/hold", more).await
    }
}

impl ReleaseArgs {
    /// The hold ends.
    pub(super) async fn run(self) -> ExitCode {
        let more = json!({"target": self.target.to_string()});
        self.why.order("/api/v1/release", more).await
    }
}

impl ConfirmGapArgs {
    /// The time in which the remediator did not run counts for the caps.
    pub(super) async fn run(self) -> ExitCode {
        self.why.order("/api/v1/gap/confirm", json!({})).await
    }
}

impl AttemptsArgs {
    /// Lists attempts, or resolves one.
    pub(super) async fn run(self) -> ExitCode {
        match self.verb {
            AttemptsVerb::List(server) => said(look::attempts(&server).await),
            AttemptsVerb::Resolve(ResolveArgs {
                attempt,
                outcome,
                why,
            }) => {
                let path = format!("/api/v1/attempts/{attempt}/resolve");
                why.order(&path, json!({"as": outcome})).await
            }
        }
    }
}

impl IncidentsArgs {
    /// Lists or shows incidents, or has one go on or end.
    pub(super) async fn run(self) -> ExitCode {
        match self.verb {
            IncidentsVerb::List(server) => said(look::incidents(&server).await),
            IncidentsVerb::Show(ShowArgs { target, server }) => {
                said(look::incident(&server, &target).await)
            }
            IncidentsVerb::Reopen(OfIncidentArgs { target, why }) => {
                why.order(&incident_path(&target, "reopen"), json!({}))
                    .await
            }
            IncidentsVerb::Close(OfIncidentArgs { target, why }) => {
                why.order(&incident_path(&target, "close"), json!({})).await
            }
        }
    }
}

impl Why {
    /// Gives the order that `body` is, with the reason.
    async fn order(self, path: &str, mut body: Value) -> ExitCode {
        body["reason"] = json!(self.reason);
        said(order(&self.server, path, &body).await)
    }
}

impl Span {
    /// Adds the end to an order, where there is one.
    fn body(self, mut body: Value) -> Value {
        if let Some(length) = self.length {
            body["for"] = json!(length);
        }
        if let Some(until) = self.until {
            body["until"] = json!(until);
        }
        body
    }
}

fn answer_path(request: &RequestName) -> String {
    format!("/api/v1/approvals/{}/{}", request.host, request.id.0)
}

fn incident_path(target: &Target, verb: &str) -> String {
    format!("/api/v1/incidents/{target}/{verb}")
}

/// Gives an order and says what it became.
async fn order(server: &ServerArgs, path: &str, body: &Value) -> Went {
    let connected: Server = server.connect_to_order()?;
    let answer = connected.order(path, body).await?;
    match server.format {
        Format::Json => print(&format!("{answer}\n")),
        Format::Human => print(&became(&answer)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The events that an order became, a line each.
fn became(answer: &Value) -> String {
    let events = answer["events"].as_array().into_iter().flatten();
    let line = |event: &Value| match Event::deserialize(event) {
        Ok(event) => {
            let (seq, what) = (event.seq, told::change(&event.entry.change));
            match event.entry.target {
                Some(target) => format!("{target}: {what} (event {seq})\n"),
                None => format!("{what} (event {seq})\n"),
            }
        }
        // A newer server may know events that this program does not.
        Err(_) => format!("{event}\n"),
    };
    events.map(line).collect()
}

/// The exit code, and on stderr why it was not done.
#[expect(clippy::print_stderr, reason = "for the person who typed it")]
fn said(went: Went) -> ExitCode {
    match went {
        Ok(code) => code,
        Err(error) => {
            eprintln!("vcm-remediator: {}", chain(&error));
            ExitCode::from(match error {
                ServerError::NoToken => EXIT_USAGE,
                ServerError::Trust(_)
                | ServerError::Address(_)
                | ServerError::Call { .. }
                | ServerError::Refused { .. }
                | ServerError::Foreign { .. }
                | ServerError::Unreadable { .. } => EXIT_FAILURE,
            })
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn print(text: &str) {
    print!("{text}");
}

fn target(text: &str) -> Result<Target, String> {
    named::target(text).map_err(|error: NamedError| chain(&error))
}

/// Checked here for a quick answer; the server reads the text itself.
fn duration(text: &str) -> Result<String, humantime::DurationError> {
    humantime::parse_duration(text).map(|_| text.to_owned())
}

fn instant(text: &str) -> Result<String, jiff::Error> {
    text.parse::<jiff::Timestamp>().map(|_| text.to_owned())
}
