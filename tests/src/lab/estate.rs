//! The simulated tenant host of a lab, and the log of every call made to its tools.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{LabError, process, workspace::Workspace};
use crate::arguments;

/// How long `nfast-sim` may take for one command.
const COMMAND: Duration = Duration::from_secs(30);

/// A VCM of the estate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vcm {
    /// Its module number.
    pub module: u32,
    /// Its ESN.
    pub esn: String,
    /// Its HSM.
    pub hsm: String,
    /// Its address.
    pub address: IpAddr,
}

impl Vcm {
    /// The VCM of this module number, on an HSM of its own, at a loopback address that answers
    /// ping by itself.
    #[must_use]
    pub fn numbered(module: u32) -> Self {
        let [_, _, high, low] = module.to_be_bytes();
        Self {
            module,
            esn: format!("{:04X}-{module:04X}-D947", 0x1A2A + module),
            hsm: format!("hsm-{module}"),
            address: IpAddr::V4(Ipv4Addr::new(127, 0, 1 + high, low)),
        }
    }
}

/// A call of one of the vendor's tools, as the simulator logged it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// When, in milliseconds of the boot clock.
    pub boot_ms: u64,
    /// The process that called it.
    pub caller: u32,
    /// The tool and its arguments, the tool without its directory.
    pub words: Vec<String>,
}

impl Call {
    /// Whether it may change anything: everything but the tools that only read.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(
            self.words.first().map(String::as_str),
            Some("enquiry" | "stattree" | "nfkminfo" | "unit-state")
        )
    }

    /// The call as one would type it.
    #[must_use]
    pub fn line(&self) -> String {
        self.words.join(" ")
    }
}

/// Something that happened in the estate.
#[derive(Debug, Clone, Deserialize)]
pub struct Happening {
    /// When, in milliseconds since 1970.
    #[serde(rename = "unix_ms")]
    pub time_ms: u64,
    /// To which module.
    pub module: Option<u32>,
    /// What: `module_failed`, `module_operational`, `hardserver_started`, `damage` ...
    pub event: String,
    /// Its details.
    #[serde(flatten)]
    pub details: Value,
}

/// A simulated host. Its hardserver ends with its workspace.
#[derive(Debug, Clone)]
pub struct Estate {
    root: PathBuf,
    simulator: PathBuf,
    /// Its VCMs.
    pub vcms: Vec<Vcm>,
}

impl Estate {
    /// Installs it below `nfast/` of the workspace, turns `knobs` (`timing.retry=1s`) and
    /// starts its hardserver.
    ///
    /// # Errors
    /// If the simulator refuses.
    pub async fn install(
        workspace: &Workspace,
        vcms: Vec<Vcm>,
        knobs: &[&str],
    ) -> Result<Self, LabError> {
        let entries: Vec<Value> = vcms
            .iter()
            .map(|vcm| {
                json!({
                    "name": format!("vcm{}", vcm.module), "module": vcm.module,
                    "esn": vcm.esn, "address": vcm.address, "hsm": vcm.hsm,
                })
            })
            .collect();
        let file = workspace.write("estate.yaml", &json!({ "vcms": entries }).to_string())?;
        let estate = Self {
            root: workspace.path().join("nfast"),
            simulator: workspace.binaries().nfast_sim.clone(),
            vcms,
        };
        let mut install = arguments![
            "install",
            "--root",
            &estate.root,
            "--estate",
            &file,
            "--start"
        ]
        .to_vec();
        for knob in knobs {
            install.extend(arguments!["--set", knob]);
        }
        process::output(&estate.simulator, &install, COMMAND).await?;
        Ok(estate)
    }

    /// Its directory, laid out like `/opt/nfast`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs a command of the experimenter (`fail`, `heal`, `set` ...).
    ///
    /// # Errors
    /// If the simulator refuses.
    pub async fn ctl(&self, words: &[&str]) -> Result<String, LabError> {
        let mut arguments = arguments!["ctl", "--root", &self.root].to_vec();
        arguments.extend(words.iter().map(std::ffi::OsString::from));
        process::output(&self.simulator, &arguments, COMMAND).await
    }

    /// Every call so far. What the lab does through `ctl` stands in no log.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn calls(&self) -> Result<Vec<Call>, LabError> {
        Ok(self
            .lines("sim/calls.jsonl")?
            .into_iter()
            .filter_map(|line| call(&line))
            .collect())
    }

    /// Every call so far that may have changed something.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn changes(&self) -> Result<Vec<Call>, LabError> {
        Ok(self.calls()?.into_iter().filter(Call::changes).collect())
    }

    /// What has happened so far.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn happenings(&self) -> Result<Vec<Happening>, LabError> {
        let lines = self.lines("sim/events.jsonl")?;
        Ok(lines
            .into_iter()
            .filter_map(|line| serde_json::from_value(line).ok())
            .collect())
    }

    /// The complete lines of a log; a last line that is still being written is left out.
    fn lines(&self, name: &str) -> Result<Vec<Value>, LabError> {
        let path = self.root.join(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LabError::reading(path)(error)),
        };
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }
}

fn call(line: &Value) -> Option<Call> {
    (line["record"] == "start").then_some(())?;
    let mut words: Vec<String> = serde_json::from_value(line["argv"].clone()).ok()?;
    line["tool"].as_str()?.clone_into(words.first_mut()?);
    Some(Call {
        time_ms: line["unix_ms"].as_u64()?,
        boot_ms: line["boot_ms"].as_u64()?,
        caller: line["ppid"].as_u64()?.try_into().ok()?,
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_call_with_the_tools_name_in_place_of_its_path() {
        let line = json!({
            "record": "start", "unix_ms": 5, "boot_ms": 3, "ppid": 42, "tool": "nopclearfail",
            "argv": ["/x/bin/nopclearfail", "-m1", "-r"],
        });
        let call = call(&line).unwrap();
        assert_eq!(call.line(), "nopclearfail -m1 -r");
        assert!(call.changes());
        assert_eq!(super::call(&json!({"record": "end"})), None);
    }

    #[test]
    fn only_the_tools_that_read_count_as_harmless() {
        let changes = |tool: &str| {
            Call {
                words: vec![tool.to_owned()],
                ..Call::default()
            }
            .changes()
        };
        assert!(!changes("enquiry") && !changes("stattree"));
        assert!(changes("nopclearfail") && changes("init.d-ncipher") && changes("anything else"));
    }
}
