//! What is swept: for each rung a simulated host whose failure that rung heals, and how far the
//! kill points of its programs go.

use serde_json::{Value, json};

/// A failure, the alert for it, and the rung that heals it.
#[derive(Debug)]
pub(super) struct Ladder {
    pub(super) name: &'static str,
    /// The rung whose host runner is killed, as its order names it.
    pub(super) rung: &'static str,
    pub(super) modules: u32,
    pub(super) knobs: &'static [&'static str],
    /// What cures module 1.
    pub(super) reason: &'static str,
    /// Every call that changes something when nobody is killed.
    pub(super) changes: &'static [&'static str],
    /// The commands of the rung, each with the simulator's knob for it.
    pub(super) effects: &'static [(&'static str, &'static str)],
    /// Syncs of the host runner and of the store when nobody is killed. Only to begin with: the
    /// sweep counts them and goes as far as they go.
    pub(super) syncs: u32,
    pub(super) commits: u32,
    /// Syncs of a process that finishes the critical section; none where there is no section to
    /// sweep.
    pub(super) resume_syncs: u32,
    /// How many hosts run at the same time.
    pub(super) side_by_side: usize,
}

pub(super) const RETRY: Ladder = Ladder {
    name: "retry",
    rung: "retry",
    modules: 2,
    knobs: &["timing.retry=1s", "timing.connect=1s"],
    reason: "needs-retry",
    changes: &["nopclearfail -m1 -r"],
    effects: &[("nopclearfail -m1 -r", "retry")],
    syncs: 9,
    commits: 14,
    resume_syncs: 0,
    side_by_side: 8,
};

pub(super) const RESTART: Ladder = Ladder {
    name: "restart",
    rung: "restart",
    modules: 1,
    knobs: &["timing.retry=1s", "timing.connect=1s"],
    reason: "needs-restart",
    changes: &["nopclearfail -m1 -r", "init.d-ncipher restart"],
    effects: &[("init.d-ncipher restart", "restart")],
    syncs: 8,
    commits: 20,
    resume_syncs: 0,
    side_by_side: 14,
};

pub(super) const LEFT_DOWN: Ladder = Ladder {
    name: "restart, left down",
    rung: "restart",
    modules: 1,
    knobs: &[
        "timing.retry=1s",
        "timing.connect=1s",
        "hardserver.cut_restarts=1",
    ],
    reason: "needs-restart",
    changes: &[
        "nopclearfail -m1 -r",
        "init.d-ncipher restart",
        "init.d-ncipher start",
    ],
    effects: &[
        ("init.d-ncipher restart", "restart"),
        ("init.d-ncipher start", "start"),
    ],
    syncs: 12,
    commits: 18,
    resume_syncs: 5,
    side_by_side: 14,
};

pub(super) const CLEAR: Ladder = Ladder {
    name: "clear",
    rung: "clear",
    modules: 2,
    knobs: &[
        "timing.retry=1s",
        "timing.connect=1s",
        "timing.clear=1s",
        "timing.mode_change=1s",
    ],
    reason: "needs-clear",
    changes: &[
        "nopclearfail -m1 -r",
        "nopclearfail -m1 -M",
        "nopclearfail -m1 -c",
    ],
    effects: &[
        ("nopclearfail -m1 -M", "maintenance"),
        ("nopclearfail -m1 -c", "clear"),
    ],
    syncs: 13,
    commits: 24,
    resume_syncs: 7,
    side_by_side: 32,
};

impl Ladder {
    /// What the alert for module 1 permits.
    pub(super) fn alerts(&self) -> Value {
        json!({"VcmFailed": {"tier": self.rung}})
    }
}

/// Shorter than the lab's policy: nobody here looks on. What is not shortened is the vendor's wait.
pub(super) fn policy() -> Value {
    json!({
        "retry": {"not_before": "1s", "settle": "1s", "verify": "6s"},
        "restart": {"not_before": "1s", "settle": "1s", "verify": "8s"},
        "clear": {"not_before": "1s", "settle": "1s", "verify": "8s"},
        "healthy_for": "2s",
        "verify_poll": "2s",
    })
}
