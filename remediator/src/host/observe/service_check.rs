//! What the site's own check of its service says.

use nshield::runner::{self, Ending, Exit};
use vcm_recovery::observation::ServiceCheck;

use super::Depth;
use crate::host::config::HostConfig;
use crate::host::document::chain;

/// What it prints is not kept, and more than this ends it, in bytes.
const OUTPUT_MAX: usize = 1 << 20;

/// Runs it, where one is configured and everything is looked at.
pub(super) async fn read(config: &HostConfig, depth: Depth) -> Option<ServiceCheck> {
    let command = config.service_check.as_ref()?;
    if depth == Depth::WithoutStatistics {
        return None;
    }
    let deadline = config.deadlines.service_check;
    let invocation = command.invocation(deadline).with_output_limit(OUTPUT_MAX);
    let run = match runner::run(invocation).await {
        Ok(run) => run,
        Err(error) => return Some(ServiceCheck::Unknown(chain(&error))),
    };
    Some(match run.ending {
        Ending::Exited(Exit::Code(0)) => ServiceCheck::Passed,
        Ending::Exited(Exit::Code(code)) => ServiceCheck::Failed(format!("exit status {code}")),
        Ending::Exited(Exit::Signal(signal)) => {
            ServiceCheck::Failed(format!("ended by signal {signal}"))
        }
        Ending::Exited(Exit::Unknown) => ServiceCheck::Unknown("it ended unseen".to_owned()),
        Ending::TimedOut(_) => ServiceCheck::Unknown(format!(
            "it did not end within {}",
            humantime::format_duration(deadline)
        )),
        Ending::OutputLimit(_) => ServiceCheck::Unknown("it printed too much".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::config::FixedCommand;

    #[tokio::test]
    async fn only_exit_status_zero_passes_and_only_an_end_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.yaml");
        std::fs::write(&path, format!("state_dir: {}\n", path.display())).unwrap();
        let mut config = HostConfig::load(&path).unwrap();
        assert_eq!(read(&config, Depth::Full).await, None, "none is configured");
        let failed = |how: &str| ServiceCheck::Failed(how.to_owned());
        for (script, expected) in [
            ("exit 0", ServiceCheck::Passed),
            ("echo token 1234; exit 3", failed("exit status 3")),
            ("kill -9 $$", failed("ended by signal 9")),
            (
                "exec head -c 2000000 /dev/zero",
                ServiceCheck::Unknown("it printed too much".to_owned()),
            ),
        ] {
            let vector = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
            config.service_check = FixedCommand::new(vector);
            assert_eq!(
                read(&config, Depth::Full).await.unwrap(),
                expected,
                "{script}"
            );
        }
        assert_eq!(read(&config, Depth::WithoutStatistics).await, None);
        config.service_check = FixedCommand::new(vec!["/nonexistent/check".to_owned()]);
        let absent = read(&config, Depth::Full).await.unwrap();
        assert!(matches!(&absent, ServiceCheck::Unknown(why) if why.contains("not found")));
        config.service_check = FixedCommand::new(vec!["/bin/sleep".to_owned(), "60".to_owned()]);
        config.deadlines.service_check = Duration::from_millis(200);
        let late = read(&config, Depth::Full).await.unwrap();
        assert!(matches!(&late, ServiceCheck::Unknown(why) if why.contains("200ms")));
    }
}
