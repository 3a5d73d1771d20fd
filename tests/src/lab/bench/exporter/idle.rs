//! Question `idle`: what the exporter costs while nobody asks, as shipped and without echoes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Plan, chain,
    icmp::precise,
    programs::{Host, Peer, Setup},
    table::{Figure, Row, Unit},
    usage::Usage,
};
use crate::{
    lab::{LabError, bench::records, estate::Estate},
    sim::{
        call_log::CallRecord,
        clock::{self, At},
    },
};

/// How often the processor time is looked at, to tell the runs of the tools from the time between.
const LOOK: Duration = Duration::from_secs(1);

/// What the exporter may still do after a tool has ended: read its output, parse, publish.
const AFTERMATH: Duration = Duration::from_millis(500);

pub(super) async fn rows(plan: &Plan) -> Result<Vec<Row>, LabError> {
    let mut shipped = Host::start(&setup(json!({}))).await?;
    let mut silent = Host::start(&setup(json!({"icmp": {"discover": false}}))).await?;
    let mut peer = Peer::start("blackbox-exporter", Some(&json!({"modules": {}}))).await;
    let watched = watch(plan, [&mut shipped, &mut silent]).await?;
    let peer: Figure = match &mut peer {
        Ok(peer) => peer
            .program
            .usage()
            .map(|usage| precise(usage.resident))
            .map_err(|error| chain(&error)),
        Err(error) => Err(chain(error)),
    };
    let [shipped, silent] = watched;
    let how = format!(
        "3 modules, interval 15 s, {} s after the first run of the tools, nobody scrapes",
        plan.idle.as_secs()
    );
    let mut rows = vec![Row::compared(
        "idle, as shipped: resident memory",
        Unit::Megabytes,
        &Ok(precise(shipped.last.resident)),
        &[("blackbox_exporter", peer)],
        &format!("VmRSS; {how}"),
    )];
    rows.extend(shipped.rows("idle, as shipped (3 echoes a second)", &how));
    rows.extend(silent.rows("idle, without echoes", &how));
    Ok(rows)
}

fn setup(config: Value) -> Setup {
    Setup {
        modules: 3,
        knobs: Vec::new(),
        config,
        interval: "15s",
        ready: "/-/ready",
    }
}

/// Both exporters at once: each of them does next to nothing.
async fn watch<const N: usize>(
    plan: &Plan,
    mut hosts: [&mut Host; N],
) -> Result<[Watched; N], LabError> {
    let until = clock::now() + plan.idle;
    let mut looks: [Vec<(At, Usage)>; N] = std::array::from_fn(|_| Vec::new());
    loop {
        for (host, looks) in hosts.iter_mut().zip(&mut looks) {
            looks.push((clock::now(), host.exporter.usage()?));
        }
        if clock::now() >= until {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut watched = Vec::new();
    for (host, looks) in hosts.iter().zip(&looks) {
        watched.extend(Watched::of(looks, &busy(&host.estate)?));
    }
    <[Watched; N]>::try_from(watched).map_err(|_| LabError::NotPermitted("no look".to_owned()))
}

/// When a tool ran, or had ended just before.
type Span = (At, At);

fn busy(estate: &Estate) -> Result<Vec<Span>, LabError> {
    let spans = records(estate)?
        .into_iter()
        .filter_map(|record| match record {
            CallRecord::End {
                boot_ms,
                duration_ms,
                ..
            } => {
                let end = At(boot_ms);
                Some((end - Duration::from_millis(duration_ms), end + AFTERMATH))
            }
            CallRecord::Start { .. } => None,
        });
    Ok(spans.collect())
}

/// What was seen of one exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watched {
    took: Duration,
    cpu: Duration,
    children: Duration,
    /// The time between the runs of tools, and what was used in it.
    quiet: (Duration, Duration),
    last: Usage,
}

impl Watched {
    fn of(looks: &[(At, Usage)], busy: &[Span]) -> Option<Self> {
        let ((began, first), (ended, last)) = (looks.first()?, looks.last()?);
        let mut quiet = (Duration::ZERO, Duration::ZERO);
        for pair in looks.windows(2) {
            let [(from, before), (to, after)] = pair else {
                continue;
            };
            if !busy.iter().any(|(start, end)| start < to && end > from) {
                quiet.0 += to.since(*from);
                quiet.1 += after.cpu.saturating_sub(before.cpu);
            }
        }
        Some(Self {
            took: ended.since(*began),
            cpu: last.cpu.saturating_sub(first.cpu),
            children: last.children_cpu.saturating_sub(first.children_cpu),
            quiet,
            last: *last,
        })
    }

    fn rows(&self, what: &str, how: &str) -> Vec<Row> {
        let share = |cpu: Duration, time: Duration| {
            let ticks = 1_000 / rustix::param::clock_ticks_per_second();
            let resolution = 100.0 * precise(ticks) / 1e3 / time.as_secs_f64();
            let percent = 100.0 * cpu.as_secs_f64() / time.as_secs_f64();
            if time.is_zero() {
                return "not measured: no second without a tool".to_owned();
            }
            format!("{percent:.2} % (one tick is {resolution:.2} %)")
        };
        let between = format!("{what}: share of one core between the runs of tools");
        let all = format!("{what}: share of one core in all");
        let children = format!("{what}: the tools themselves");
        vec![
            Row::alone(
                &between,
                share(self.quiet.1, self.quiet.0),
                &format!(
                    "utime + stime in {} s in which no tool ran or had just ended; {how}",
                    self.quiet.0.as_secs()
                ),
            ),
            Row::alone(
                &all,
                share(self.cpu, self.took),
                "utime + stime of the whole time",
            ),
            Row::alone(
                &children,
                share(self.children, self.took),
                "cutime + cstime of the same time, simulated tools",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at_ms: u64, cpu_ms: u64) -> (At, Usage) {
        let usage = Usage {
            cpu: Duration::from_millis(cpu_ms),
            children_cpu: Duration::ZERO,
            resident: 0,
            peak: 0,
            threads: 1,
            descriptors: 3,
        };
        (At(at_ms), usage)
    }

    #[test]
    fn the_time_of_a_run_does_not_count_as_quiet() {
        let looks = [look(0, 0), look(1_000, 1), look(2_000, 50), look(3_000, 52)];
        let watched = Watched::of(&looks, &[(At(1_400), At(1_900))]).unwrap();
        let ms = Duration::from_millis;
        assert_eq!(watched.quiet, (ms(2_000), ms(3)));
        assert_eq!((watched.took, watched.cpu), (ms(3_000), ms(52)));
        assert_eq!(Watched::of(&[], &[]), None);
    }
}
