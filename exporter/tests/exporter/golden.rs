//! Compares expositions with the files in `tests/golden`, in both formats, and checks what every
//! exposition must be. `tests/prometheus` lets a real Prometheus scrape the same files.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vcm-exporter --test exporter`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nshield::runner::{Invocation, run};
use vcm_exporter::collect::Shared;
use vcm_exporter::families::reference;
use vcm_telemetry::exposition::Format;
use vcm_telemetry::lint;

use crate::host::exposition;

/// Prometheus' own check is quick; this only guards against one that hangs.
const PROMTOOL_DEADLINE: Duration = Duration::from_secs(60);

/// One exposition in both formats, without what differs from run to run.
pub(crate) struct Exposed {
    pub(crate) text: String,
    pub(crate) open_metrics: String,
}

impl Exposed {
    /// What is exposed now. It must pass our own check and Prometheus', and be the same series in
    /// both formats.
    pub(crate) async fn by(shared: &Arc<Shared>) -> Self {
        let text = exposition(shared, Format::Text);
        let open_metrics = exposition(shared, Format::OpenMetrics);
        let described = reference();
        for exposed in [&text, &open_metrics] {
            assert_eq!(lint::problems(exposed, &described), [] as [&str; 0]);
        }
        assert!(open_metrics.ends_with("\n# EOF\n") && !text.contains("# EOF"));
        assert_eq!(
            series(&text),
            series(&open_metrics),
            "the formats differ in their series"
        );
        assert_promtool_is_silent(&text).await;
        Self {
            text: stable(&text),
            open_metrics: stable(&open_metrics),
        }
    }

    /// Both formats are byte for byte what the files say.
    pub(crate) fn equals(self, name: &str) -> Self {
        assert_file(&format!("{name}.txt"), &self.text);
        assert_file(&format!("{name}.openmetrics.txt"), &self.open_metrics);
        self
    }

    /// These samples are there, each as a whole line.
    pub(crate) fn shows(self, samples: &[&str]) -> Self {
        for sample in samples {
            assert!(
                self.text.lines().any(|line| line == *sample),
                "{sample} is missing:\n{}",
                self.text
            );
        }
        self
    }

    /// No sample contains any of these.
    pub(crate) fn hides(self, parts: &[&str]) -> Self {
        let samples = || self.text.lines().filter(|line| !line.starts_with('#'));
        for part in parts {
            let found = samples().find(|line| line.contains(part));
            assert_eq!(found, None, "{part} is shown");
        }
        self
    }
}

/// Every series in the order printed.
fn series(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect()
}

fn assert_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text
        .lines()
        .zip(expected.lines())
        .find(|(new, old)| new != old);
    assert!(
        text == expected,
        "{path:?} differs, first at (new, old): {differs:#?}"
    );
}

async fn assert_promtool_is_silent(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let script = format!("exec promtool check metrics < {}", file.path().display());
    let check = Invocation::new("/bin/sh", ["-c", &script], PROMTOOL_DEADLINE);
    let run = run(check).await.unwrap();
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(
        run.succeeded() && said.is_empty(),
        "promtool (of the package prometheus): {said}"
    );
}

/// Replaces the values of times, durations and the process by a star.
fn stable(text: &str) -> String {
    const VARYING: [&str; 7] = [
        "_start_time_seconds",
        "_timestamp_seconds",
        "_duration_seconds",
        "_clock_offset_seconds",
        "nshield_exporter_build_info",
        "process_",
        "_rtt_seconds",
    ];
    const BUILD: &str = "nshield_exporter_build_info{version=\"*\",revision=\"*\",rustc=\"*\"}";
    let mut lines = String::new();
    for line in text.lines() {
        let varies = !line.starts_with('#') && VARYING.iter().any(|part| line.contains(part));
        match line.rsplit_once(' ').filter(|_| varies) {
            None => lines.push_str(line),
            Some((series, _)) if series.contains("_build_info{") => {
                lines.push_str(&format!("{BUILD} *"));
            }
            Some((series, _)) => lines.push_str(&format!("{series} *")),
        }
        lines.push('\n');
    }
    lines
}
