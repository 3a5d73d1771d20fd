//! How the tools print what is true: every wording that no capture settles.

use serde::{Deserialize, Serialize};

/// Wording and form of the tools' output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextKnobs {
    /// Lines end with CRLF, as on Windows.
    pub crlf: bool,
    /// A blank line stands before each module section.
    pub blank_lines: bool,
    /// Labels of no known release stand between the others, and one is repeated.
    pub unknown_labels: bool,
    /// Which of the fact sheet's variants (9.2) a failed module shows.
    pub failed: FailedText,
    /// Whether a failed module keeps its `connection info` line.
    pub failed_connection_info: bool,
    /// The `connection status` of a failed module.
    pub failed_connection_status: String,
    /// What a failed module's `hardware status` line shows.
    pub failed_hardware_status: HardwareStatus,
    /// `enquiry reply flags` of a module that is being reset by a clear or a change of mode.
    pub resetting_flags: String,
    /// `enquiry reply flags` of a failed module whose HSM boots (`Failed`; `Offline`).
    pub booting_flags: String,
    /// Spelling of the initialization modes: `initialization` or `initialisation`.
    pub initialization: String,
    /// `enquiry reply flags` of a healthy module (`none`; `UnprivOnly`).
    pub healthy_flags: String,
    /// Exit code of the tools when they cannot reach the hardserver. The real one is not known.
    pub unreachable_exit_code: u8,
    /// Exit code of `nopclearfail` when a line does not say OK. The real one is not known.
    pub refused_exit_code: u8,
    /// What `stattree` prints for a failed module.
    pub failed_statistics: FailedModuleStatistics,
    /// Nodes or ids that `stattree` leaves out everywhere (`ModuleEnvStats`, `CPULoadPercent`).
    pub missing_statistics: Vec<String>,
    /// Added to the module numbers under `PerModule`, so that they disagree with `enquiry`.
    pub statistics_numbered_from: u32,
    /// Statistics of no known release stand between the others.
    pub unknown_statistics: bool,
    /// How many seconds the modules' clocks are ahead of the host's.
    pub module_clock_offset_s: i64,
}

impl Default for TextKnobs {
    fn default() -> Self {
        Self {
            crlf: false,
            blank_lines: true,
            unknown_labels: false,
            failed: FailedText::A,
            failed_connection_info: true,
            failed_connection_status: "ConnectionFailed".to_owned(),
            failed_hardware_status: HardwareStatus::Shown,
            resetting_flags: "Offline".to_owned(),
            booting_flags: "Failed".to_owned(),
            initialization: "initialization".to_owned(),
            healthy_flags: "none".to_owned(),
            unreachable_exit_code: 1,
            refused_exit_code: 1,
            failed_statistics: FailedModuleStatistics::Missing,
            missing_statistics: Vec::new(),
            statistics_numbered_from: 0,
            unknown_statistics: false,
            module_clock_offset_s: 0,
        }
    }
}

/// The fact sheet's variants of a failed module's section (9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailedText {
    /// `serial number unknown`, `mode operational`.
    A,
    /// The serial number kept, `mode failed`.
    B,
    /// Serial number and mode blank.
    C,
}

/// What the `hardware status` line of a failed module shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardwareStatus {
    /// The module's own (`OK`, or what `ctl hardware-status` set).
    Shown,
    /// No such line.
    Missing,
}

/// What `stattree` prints for a failed module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedModuleStatistics {
    /// No node.
    Missing,
    /// A node with few children.
    Few,
    /// Everything, standing still.
    All,
}
