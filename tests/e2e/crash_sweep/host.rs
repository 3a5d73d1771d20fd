//! One simulated host with its remediator, as the sweep drives it: started, killed, started again.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, Instant},
};

use vcm_lab::{
    arguments,
    lab::{
        LabError, Process, Workspace,
        alerts::{Alert, body},
        estate::{Call, Estate, Vcm},
        free_address,
        remediator::{Event, HOST, Permissions, Remediator},
        wait,
    },
};

use super::{
    chain,
    journal::{self, Journal},
    judge::Evidence,
    kill::{Kill, Point, Traced, With, strace, traced},
    ladder::{self, Ladder},
};

mod machine;

use machine::{file_error, link_program, lives, next_boot, store_strace, tear};

/// The longest from an alert to the end of its incident: a clear that begins its wait anew after a
/// power cut, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long `audit verify` may take.
const VERIFY: Duration = Duration::from_secs(60);

/// How often a remediator is asked for its events.
const SELDOM: Duration = Duration::from_secs(1);

/// How long strace may take to note that it has killed.
const NOTED: Duration = Duration::from_secs(5);

/// How long nothing more may be run after the end.
const STILL: Duration = Duration::from_secs(3);

const WEBHOOK: &str = "/api/v1/alerts/webhook";

/// Where the real program is when something else stands in its place.
const REAL: &str = "real-vcm-remediator";

/// The boot that begins after a power cut.
const NEXT_BOOT: &str = "5eedb007-0000-4000-8000-000000000002";

pub(super) struct Host {
    workspace: Workspace,
    estate: Estate,
    config: PathBuf,
    address: SocketAddr,
    remediator: Remediator,
    /// Runs at boot, after a power cut.
    _resume_open: Option<Process>,
    boot_id: Option<PathBuf>,
    /// The alert about the failure: the same from its start on, however often it is told.
    failed: Alert,
    accepted: bool,
}

/// What came of one point.
pub(super) struct Ran {
    pub(super) evidence: Evidence,
    pub(super) traced: Traced,
    /// Whether somebody was killed.
    pub(super) reached: bool,
}

/// Plays one point from the failure to the end of its incident.
pub(super) async fn run(ladder: &'static Ladder, point: Point) -> Result<Ran, LabError> {
    let mut host = Host::start(ladder, point).await?;
    let result = host.play(ladder, point).await;
    if result.is_err() {
        host.keep_files();
    }
    let Ok((reached, traced)) = result else {
        return Err(told(result.err(), &host));
    };
    let evidence = host.evidence().await;
    let evidence = evidence.inspect_err(|_| host.keep_files())?;
    if !evidence.violations(ladder, point).is_empty() {
        host.keep_files();
    }
    Ok(Ran {
        evidence,
        traced,
        reached,
    })
}

/// An error that says where the files are.
fn told(error: Option<LabError>, host: &Host) -> LabError {
    let message = error.map(|error| format!("{:#}", anyhow::Error::from(error)));
    LabError::NotPermitted(format!(
        "{} ({})",
        message.unwrap_or_default(),
        host.workspace.path().display()
    ))
}

impl Host {
    /// Installs the estate with its failure and starts the remediator, ready to be killed. It need
    /// not have become ready: it may be dead already.
    async fn start(ladder: &'static Ladder, point: Point) -> Result<Self, LabError> {
        let mut workspace = Workspace::create("sweep")?;
        let vcms = (1..=ladder.modules).map(Vcm::numbered).collect();
        let mut knobs: Vec<String> = ladder.knobs.iter().map(|&knob| knob.to_owned()).collect();
        knobs.extend(armed(point.kill));
        let knobs: Vec<&str> = knobs.iter().map(String::as_str).collect();
        let estate = Estate::install(&workspace, vcms, &knobs).await?;
        estate
            .ctl(&["fail-module", "1", "--reason", ladder.reason])
            .await?;
        let permissions = Permissions {
            policy: ladder::policy(),
            alerts: ladder.alerts(),
            ..Permissions::default()
        };
        let config = Remediator::configure(&workspace, &estate, &permissions)?;
        let address = free_address()?;
        let program = link_program(&workspace)?;
        let before = store_strace(&workspace, point.kill)?;
        let remediator =
            Remediator::spawn(&mut workspace, &before, &program, config.clone(), address)?;
        Ok(Self {
            workspace,
            estate,
            config,
            address,
            remediator,
            _resume_open: None,
            boot_id: None,
            failed: Alert::firing("VcmFailed")
                .label("host", HOST)
                .label("module", "1"),
            accepted: false,
        })
    }

    /// Until the incident's end. Returns whether somebody was killed, and what strace saw.
    async fn play(
        &mut self,
        ladder: &'static Ladder,
        point: Point,
    ) -> Result<(bool, Traced), LabError> {
        let log = self.trace_log();
        let reached = match self.up_to_the_kill(ladder, point).await {
            Ok(reached) => reached,
            // It may have died under our hands: then that was the kill.
            Err(error) if matches!(point.kill, Kill::Commit(_)) => {
                let noted = async || Ok(traced(&log).killed.then_some(()));
                match wait::until("the kill", NOTED, noted).await {
                    Ok(()) => true,
                    Err(_) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        if reached {
            self.afterwards(point).await?;
            if !self.accepted {
                self.report_failed().await?;
            }
            self.ended().await?;
        }
        let tried = self.estate.changes()?.len();
        wait::never("a command after the end", STILL, async || {
            let changes = self.estate.changes()?;
            Ok((changes.len() > tried).then_some(changes))
        })
        .await?;
        Ok((reached, traced(&log)))
    }

    /// Reports the failure, and comes back when somebody was killed (true) or when it has ended.
    async fn up_to_the_kill(&mut self, ladder: &Ladder, point: Point) -> Result<bool, LabError> {
        self.remediator.ready().await?;
        self.stand_in(ladder, point.kill)?;
        self.report_failed().await?;
        let what = format!("{point}, or the end of the incident");
        let mut asked = Instant::now();
        wait::until(&what, PATIENCE, async || {
            if self.killed(point.kill)? {
                return Ok(Some(true));
            }
            self.remediator.process.must_run()?;
            if asked.elapsed() < SELDOM {
                return Ok(None);
            }
            asked = Instant::now();
            // Where it does not answer it is about to be found dead.
            let ended = async {
                self.alerting_works().await?;
                has_ended(&self.remediator).await
            };
            Ok(ended.await.unwrap_or(false).then_some(false))
        })
        .await
    }

    /// Whether who was to be killed is dead.
    fn killed(&self, kill: Kill) -> Result<bool, LabError> {
        Ok(match kill {
            Kill::RunnerSync(_) | Kill::ResumeSync { .. } | Kill::Commit(_) => {
                traced(&self.trace_log()).killed
            }
            Kill::Effect { line, .. } => {
                let calls = self.estate.changes()?;
                let call = calls.iter().find(|call| call.line() == line);
                call.is_some_and(|call| !lives(call.caller))
            }
        })
    }

    /// Kills what dies with him, and starts everything that is dead again.
    async fn afterwards(&mut self, point: Point) -> Result<(), LabError> {
        match (point.kill, point.with) {
            (Kill::Commit(_), _) | (_, With::Remediator) => {
                // Only when its last thread is gone is it gone.
                self.remediator.process.kill_9();
            }
            (_, With::Nothing) => return Ok(()),
            (_, With::Power) => return self.power_cut().await,
        }
        self.start_remediator(&[]).await
    }

    async fn start_remediator(&mut self, before: &[OsString]) -> Result<(), LabError> {
        let program = self.workspace.binaries().vcm_remediator.clone();
        let config = self.config.clone();
        let workspace = &mut self.workspace;
        self.remediator = Remediator::spawn(workspace, before, &program, config, self.address)?;
        self.remediator.ready().await
    }

    /// Everything dies, what was being synced is torn, and another boot begins: the hardserver,
    /// then side by side the unit that finishes what is open, and the remediator.
    async fn power_cut(&mut self) -> Result<(), LabError> {
        self.remediator.process.kill_9();
        self.workspace.power_off().await?;
        tear(&traced(&self.trace_log()))?;
        self.estate.ctl(&["start-hardserver"]).await?;
        let boot_id = self.workspace.write("boot_id", &format!("{NEXT_BOOT}\n"))?;
        let in_boot = next_boot(&boot_id)?;
        self.boot_id = Some(boot_id);
        let mut line = in_boot.clone();
        line.extend(arguments![
            &self.workspace.binaries().vcm_remediator,
            "host",
            "resume-open",
            "--config.file",
            self.workspace.path().join("host.yaml"),
        ]);
        let first = PathBuf::from(line.remove(0));
        self._resume_open = Some(self.workspace.start("vcm-host-resume", &first, &line)?);
        // Whoever was booted does not know how long that took, and waits to be told again.
        self.accepted = false;
        self.start_remediator(&in_boot).await
    }

    /// Reports the failure, as Alertmanager does until it is accepted, and every 5 min.
    async fn report_failed(&mut self) -> Result<(), LabError> {
        self.post(std::slice::from_ref(&self.failed)).await?;
        self.accepted = true;
        Ok(())
    }

    /// Says, as Prometheus does over and over, that alerting works: without that neither a restart
    /// nor a clear is begun.
    async fn alerting_works(&self) -> Result<(), LabError> {
        self.post(&[Alert::firing("VcmRemediatorWatchdog")]).await
    }

    async fn post(&self, alerts: &[Alert]) -> Result<(), LabError> {
        let answer = self.remediator.client.post(WEBHOOK, body(alerts)).await?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(LabError::Answer {
            asked: WEBHOOK.to_owned(),
            answer: format!("{} {}", answer.status, answer.body),
        })
    }

    async fn ended(&mut self) -> Result<(), LabError> {
        let what = "the incident to be closed or paged, and every attempt to be settled";
        wait::until_every(SELDOM, what, PATIENCE, async || {
            self.remediator.process.must_run()?;
            self.alerting_works().await?;
            let ended = has_ended(&self.remediator).await?;
            Ok(ended.then_some(()))
        })
        .await
    }

    /// Puts the script that starts one host runner under strace where the remediator was started
    /// from, and from where it starts its host runners.
    fn stand_in(&self, ladder: &Ladder, kill: Kill) -> Result<(), LabError> {
        let (verb, mark, n) = match kill {
            Kill::RunnerSync(n) => ("run", format!(" --tier {} ", ladder.rung), n),
            Kill::ResumeSync { n, .. } => ("resume", String::new(), n),
            Kill::Effect { .. } | Kill::Commit(_) => return Ok(()),
        };
        let strace = strace(&self.trace_log(), n, &[])?;
        let strace: Vec<_> = strace.iter().map(|word| word.to_string_lossy()).collect();
        let real = self.workspace.path().join(REAL);
        let plan = format!(
            "verb={verb}\nmark='{mark}'\nstrace='{}'\nreal={}\n",
            strace.join(" "),
            real.display()
        );
        self.workspace.write("vcm-remediator.plan", &plan)?;
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/e2e/crash_sweep/runner-under-strace"
        );
        let (place, new) = (
            self.workspace.path().join("vcm-remediator"),
            self.workspace.path().join("vcm-remediator.new"),
        );
        let put = symlink(script, &new).and_then(|()| fs::rename(&new, &place));
        put.map_err(file_error("putting a script in the place of", &place))
    }

    fn trace_log(&self) -> PathBuf {
        self.workspace.path().join("strace.log")
    }

    fn keep_files(&mut self) {
        self.workspace.keep_files();
    }

    /// Everything that the end is judged by, read when nothing runs any more.
    async fn evidence(&mut self) -> Result<Evidence, LabError> {
        let status = self.estate.ctl(&["status", "--json"]).await?;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
        let modules = status["modules"].as_array().cloned().unwrap_or_default();
        self.remediator.process.kill_9();
        let calls: Vec<Call> = self.estate.changes()?;
        let journals: Vec<Journal> = journal::all(&self.workspace.path().join("host"))?;
        let store = self.workspace.path().join("remediator/remediator.sqlite");
        let program = &self.workspace.binaries().vcm_remediator;
        let verify = arguments!["audit", "verify", "--store", &store];
        let verified = self.workspace.run(program, &verify, VERIFY).await;
        let chain = verified.map_err(|error| format!("{:#}", anyhow::Error::from(error)));
        let chain = chain.and_then(|_whole| chain::read(&store));
        Ok(Evidence {
            calls,
            journals,
            chain,
            healthy: !modules.is_empty() && modules.iter().all(|it| it["healthy"] == true),
            files: self.workspace.path().to_owned(),
        })
    }
}

/// Whether every attempt is settled, and the incident is closed or somebody is paged for it.
async fn has_ended(remediator: &Remediator) -> Result<bool, LabError> {
    Ok(ended(&remediator.events(0).await?))
}

/// See [`has_ended`].
pub(super) fn ended(events: &[Event]) -> bool {
    let of = |kind: &'static str| events.iter().filter(move |event| event.kind == kind);
    let closed = of("IncidentClosed").count() > 0;
    let latched = of("IncidentLatched").count() > 0 && of("PageRaised").count() > 0;
    let unknown = of("AttemptReported").any(|event| event.body["outcome"] == "unknown");
    let settled = |attempt: &serde_json::Value| {
        of("AttemptReported")
            .any(|event| event.body["attempt"] == *attempt && event.body["report"] == "settled")
    };
    let all_settled = of("IntentReserved").all(|event| settled(&event.body["attempt"]));
    let paged = unknown && of("PageRaised").count() > 0;
    all_settled && (closed || latched || paged)
}

/// What the simulator is told before anything runs.
fn armed(kill: Kill) -> Vec<String> {
    match kill {
        Kill::Effect { knob, when, .. } => vec![
            format!("lies.{knob}.kill_caller={when}"),
            format!("lies.{knob}.times=1"),
        ],
        Kill::ResumeSync { first, .. } => vec![
            format!("lies.{first}.kill_caller=before"),
            format!("lies.{first}.times=1"),
        ],
        Kill::RunnerSync(_) | Kill::Commit(_) => Vec::new(),
    }
}
