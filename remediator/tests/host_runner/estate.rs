//! A tenant host made of scripts: tools that log their arguments and change what `enquiry` prints,
//! and the host runner as the real program.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that anything but a wait of 30 s takes here.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Longer than the wait of a clear and all its looks.
pub(crate) const AFTER_THE_WAIT: Duration = Duration::from_secs(60);

pub(crate) const ESN: &str = "1A2B-05E0-D947";
pub(crate) const OTHER_ESN: &str = "2B3C-05E0-D947";
pub(crate) const STORE: &str = "01935bd4-0f3a-7c11-8000-000000000001";

/// An id made from a number.
pub(crate) fn attempt(number: u8) -> String {
    format!("01935bd4-0f3a-7c11-8000-0000000001{number:02x}")
}

pub(crate) struct Estate {
    root: tempfile::TempDir,
    /// Accepts connections on the hardserver's socket while it is there.
    hardserver: Option<UnixListener>,
    /// Stands for the VCM on the network.
    _vcm: TcpListener,
    port: u16,
}

/// What came of one call.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) document: Value,
}

impl Said {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.document[key].as_str().unwrap_or("")
    }
}

impl Estate {
    /// A host with one failed VCM, which the tools heal.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["bin", "sbin", "sockets"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        let vcm = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = vcm.local_addr().unwrap().port();
        let mut estate = Self {
            root,
            hardserver: None,
            _vcm: vcm,
            port,
        };
        estate.start_hardserver();
        estate.set("failed");
        estate.tool(
            "bin/enquiry",
            "[ -e down ] && exit 1; cat server.txt module.txt",
        );
        estate.tool("bin/stattree", "exit 1");
        estate.tool("bin/nopclearfail", EFFECTS);
        estate.tool("sbin/init.d-ncipher", "rm -f down");
        estate.configure("");
        estate
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// Links a tool to a script, which logs the call first and runs in the estate's directory.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let path = self.path().join(name);
        let fake = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake-tool");
        let _ = std::os::unix::fs::symlink(fake, &path);
        let root = self.path().display();
        let tool = path.file_name().unwrap().to_str().unwrap();
        let script = format!("cd {root}\necho \"$(date +%s%3N) $$ {tool} $*\" >>calls\n{script}\n");
        // Renamed into place: another process may just be reading it.
        let temporary = format!("{}.new", path.display());
        fs::write(&temporary, script).unwrap();
        fs::rename(temporary, format!("{}.script", path.display())).unwrap();
    }

    /// Writes host.yaml; `more` is added, and replaces keys of the same name.
    pub(crate) fn configure(&self, more: &str) {
        let root = self.path().display();
        let defaults = [
            ("state_dir", format!("{root}/state")),
            ("nfast_root", root.to_string()),
            ("hold_file", format!("{root}/hold")),
            ("pause_file", format!("{root}/pause")),
            ("max_tier", "clear".to_owned()),
            ("deadlines", "{enquiry: 5s, step: 20s, ping: 1s}".to_owned()),
            (
                "after_restart",
                "{down_span: 200ms, start_spacing: 300ms}".to_owned(),
            ),
            (
                "stopped_on_purpose",
                "{unit_state: [/bin/echo, failed], host_up_min: 0s, package_manager_locks: []}"
                    .to_owned(),
            ),
            (
                "modules",
                format!(
                    "[{{number: 1, esn: {ESN}, address: 127.0.0.1, reachability: 'tcp:{}'}}]",
                    self.port
                ),
            ),
        ];
        let replaced = |key: &str| {
            more.lines()
                .any(|line| line.starts_with(&format!("{key}:")))
        };
        let kept = defaults.iter().filter(|(key, _)| !replaced(key));
        let lines: Vec<String> = kept.map(|(key, value)| format!("{key}: {value}")).collect();
        fs::write(self.config(), format!("{}\n{more}\n", lines.join("\n"))).unwrap();
        // Whatever the umask is: a file that others can write is not trusted.
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(self.config(), mode).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("host.yaml")
    }

    /// What `enquiry` prints of the module from now on.
    pub(crate) fn set(&self, state: &str) {
        fs::write(
            self.path().join("server.txt"),
            "Server:\n enquiry reply flags  none\n mode                 operational\n\n",
        )
        .unwrap();
        for (name, flags, mode) in [
            ("failed", "Failed", "operational"),
            ("operational", "none", "operational"),
            ("maintenance", "none", "maintenance"),
        ] {
            let text = format!(
                "Module #1:\n enquiry reply flags  {flags}\n serial number        {ESN}\n \
                 mode                 {mode}\n hardware status      OK\n"
            );
            fs::write(self.path().join(format!("{name}.txt")), text).unwrap();
        }
        let from = self.path().join(format!("{state}.txt"));
        fs::copy(from, self.path().join("module.txt")).unwrap();
    }

    pub(crate) fn start_hardserver(&mut self) {
        let path = self.path().join("sockets/nserver");
        let _ = fs::remove_file(&path);
        self.hardserver = Some(UnixListener::bind(path).unwrap());
    }

    /// From now on the hardserver is down until a tool removes the file `down`, and its socket
    /// refuses connections.
    pub(crate) fn stop_hardserver(&mut self) {
        self.hardserver = None;
        fs::write(self.path().join("down"), "").unwrap();
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.start_logging_to(words, Stdio::piped())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is started as its callers start it"
    )]
    pub(crate) fn start_logging_to(&self, words: &[&str], log: Stdio) -> Child {
        Command::new(env!("CARGO_BIN_EXE_vcm-remediator"))
            .arg("host")
            .arg(words[0])
            .arg("--config.file")
            .arg(self.config())
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    pub(crate) fn host(&self, words: &[&str]) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self.start(words).wait_with_output().unwrap();
        let document = serde_json::from_slice(&stdout).unwrap_or_else(|error| {
            let (out, err) = (
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr),
            );
            panic!("{words:?}: {error}: {out:?} {err:?}")
        });
        assert_eq!(
            stdout.iter().filter(|&&b| b == b'\n').count(),
            1,
            "one line"
        );
        Said {
            code: status.code(),
            document,
        }
    }

    pub(crate) fn observe(&self) -> String {
        self.host(&["observe"]).text("observation_id").to_owned()
    }

    /// Orders an attempt on a fresh observation.
    pub(crate) fn run(&self, attempt: &str, tier: &str, more: &[&str]) -> Said {
        let observation = self.observe();
        self.run_on(&observation, attempt, tier, more)
    }

    /// The attempt that the host says it has accepted last, as an order names it.
    pub(crate) fn newest(&self) -> String {
        let said = self.host(&["newest"]);
        let newest = said.document["newest"]["attempt"].as_str();
        newest.unwrap_or("none").to_owned()
    }

    /// Orders an attempt that names the newest one as a remediator does; `more` replaces arguments of the same name, and a flag followed by an
    /// empty word leaves that argument out.
    pub(crate) fn run_on(&self, seen: &str, attempt: &str, tier: &str, more: &[&str]) -> Said {
        let newest = self.newest();
        let mut more = more.to_vec();
        if !more.contains(&"--newest") {
            more.extend(["--newest", &newest]);
        }
        let words = order(seen, attempt, tier, &more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.host(&words)
    }

    pub(crate) fn result(&self, attempt: &str) -> Said {
        self.host(&["result", "--attempt", attempt])
    }

    pub(crate) fn status(&self, attempt: &str) -> String {
        self.result(attempt).text("status").to_owned()
    }

    pub(crate) fn resume(&self, attempt: &str) -> Said {
        self.host(&[
            "resume",
            "--attempt",
            attempt,
            "--epoch",
            "5",
            "--store",
            STORE,
        ])
    }

    /// Rules an attempt out that was decided on the newest look that the host keeps.
    pub(crate) fn tombstone(&self, attempt: &str) -> Said {
        self.tombstone_decided_on(attempt, &self.newest_kept())
    }

    pub(crate) fn tombstone_decided_on(&self, attempt: &str, observation: &str) -> Said {
        self.host(&[
            "tombstone",
            "--attempt",
            attempt,
            "--epoch",
            "5",
            "--store",
            STORE,
            "--observation",
            observation,
        ])
    }

    fn newest_kept(&self) -> String {
        let kept = fs::read_dir(self.path().join("state/observations")).unwrap();
        let names = kept.map(|entry| entry.unwrap().path());
        let newest = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        newest.max().unwrap()
    }

    /// Waits until the attempt has the status, and returns its result.
    pub(crate) fn comes_to(&self, attempt: &str, status: &str, limit: Duration) -> Value {
        eventually(&format!("{attempt} is {status}"), limit, || {
            self.status(attempt) == status
        });
        self.result(attempt).document
    }

    /// Every call that could change anything: when (in milliseconds), which process, and what.
    pub(crate) fn calls(&self) -> Vec<(u64, i32, String)> {
        let Ok(file) = fs::File::open(self.path().join("calls")) else {
            return Vec::new();
        };
        let call = |line: String| {
            let mut words = line.splitn(3, ' ');
            let at = words.next()?.parse().ok()?;
            let pid = words.next()?.parse().ok()?;
            Some((at, pid, words.next()?.trim().to_owned()))
        };
        let changes = |(_, _, words): &(u64, i32, String)| {
            !words.starts_with("enquiry") && !words.starts_with("stattree")
        };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines.filter_map(call).filter(changes).collect()
    }

    /// What was called that could change anything.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.calls()
            .into_iter()
            .map(|(_, _, words)| words)
            .collect()
    }

    pub(crate) fn journal(&self, attempt: &str) -> PathBuf {
        self.path().join(format!("state/attempts/{attempt}.jsonl"))
    }

    /// The names of the records of an attempt.
    pub(crate) fn records(&self, attempt: &str) -> Vec<String> {
        let text = fs::read_to_string(self.journal(attempt)).unwrap_or_default();
        let name = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["entry"]["record"].as_object()?.keys().next().cloned()
        };
        text.lines().filter_map(name).collect()
    }

    /// What the attempt was accepted with.
    pub(crate) fn accepted(&self, attempt: &str) -> Value {
        let text = fs::read_to_string(self.journal(attempt)).unwrap();
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        line["entry"]["record"]["accepted"].clone()
    }

    /// A second module beside the first one, on the same address.
    pub(crate) fn with_second_module(&self) {
        self.tool(
            "bin/enquiry",
            "[ -e down ] && exit 1; cat server.txt module.txt second.txt",
        );
        self.set_section("second.txt", 2, OTHER_ESN, "none");
        let port = self.port;
        self.configure(&format!(
            "modules:\n\
             - {{number: 1, esn: {ESN}, address: 127.0.0.1, reachability: 'tcp:{port}'}}\n\
             - {{number: 2, esn: {OTHER_ESN}, address: 127.0.0.1, reachability: 'tcp:{port}'}}"
        ));
    }

    /// Writes what `enquiry` prints of one module.
    pub(crate) fn set_section(&self, file: &str, number: u8, esn: &str, flags: &str) {
        let text = format!(
            "Module #{number}:\n enquiry reply flags  {flags}\n serial number        {esn}\n \
             mode                 operational\n hardware status      OK\n"
        );
        fs::write(self.path().join(file), text).unwrap();
    }

    /// The process that runs an attempt, or ran it last.
    pub(crate) fn runner(&self, attempt: &str) -> i32 {
        let text = fs::read_to_string(self.journal(attempt)).unwrap();
        let pid = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let record = &line["entry"]["record"];
            let runners = [&record["accepted"]["runner"], &record["resumed"]["runner"]];
            runners.iter().find_map(|runner| runner["pid"].as_i64())
        };
        let pid = text.lines().filter_map(pid).next_back().unwrap();
        i32::try_from(pid).unwrap()
    }
}

/// `-M` puts the module into maintenance, everything else heals it.
pub(crate) const EFFECTS: &str = "case \"$2\" in\n-M) cp maintenance.txt module.txt;;\n\
                                  *) cp operational.txt module.txt;;\nesac\n\
                                  echo 'Module 1, command ClearUnitEx: OK'";

pub(crate) fn order(seen: &str, attempt: &str, tier: &str, more: &[&str]) -> Vec<String> {
    let mut words = vec!["run".to_owned()];
    let defaults = [
        ("--attempt", attempt),
        ("--epoch", "5"),
        ("--store", STORE),
        ("--tier", tier),
        ("--module", "1"),
        ("--esn", ESN),
        ("--observation", seen),
        ("--max-age", "30s"),
        ("--newest", "none"),
    ];
    for (flag, value) in defaults {
        let replaced = more.chunks(2).find(|pair| pair[0] == flag);
        let value = replaced.map_or(value, |pair| pair[1]);
        if !value.is_empty() {
            words.extend([flag.to_owned(), value.to_owned()]);
        }
    }
    let known = |flag: &str| defaults.iter().any(|(known, _)| *known == flag);
    for pair in more.chunks(2).filter(|pair| !known(pair[0])) {
        words.extend(pair.iter().map(|&word| word.to_owned()));
    }
    words
}

pub(crate) const HOST_TARGET: [&str; 4] = ["--module", "", "--esn", "unconfirmed"];

/// Waits until a condition holds.
#[expect(
    clippy::disallowed_methods,
    reason = "polls a condition of another process"
)]
pub(crate) fn eventually(what: &str, limit: Duration, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub(crate) fn kill(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
