//! What a scrape costs to encode, in CPU time: of a host with eight modules, and of 10,000 series.
//! Each in both formats, as it is and with gzip, which Prometheus always asks for.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use vcm_exporter::families::Exposition;
use vcm_telemetry::exposition::{Coding, Format};

#[path = "../tests/reference/full.rs"]
mod full;

/// The CPU time of the whole process, so that what else runs on the machine does not count.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
        Duration::from_secs(tv_sec as u64) + Duration::from_nanos(tv_nsec as u64)
    }

    fn end(&self, started: Duration) -> Duration {
        self.start().saturating_sub(started)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn runtime() -> Runtime {
    #[expect(
        clippy::unwrap_used,
        reason = "a benchmark without a runtime has nothing to say"
    )]
    Builder::new_current_thread().build().unwrap()
}

fn encode(criterion: &mut Criterion<CpuTime>) {
    let runtime = runtime();
    for (host, modules) in [("8 modules", 8), ("10,000 series", 137)] {
        let exposition = Exposition::new(full::shared(modules));
        let mut group = criterion.benchmark_group(host);
        for format in Format::ALL {
            for coding in Coding::ALL {
                let name = format!("{format:?}, {coding:?}");
                let encode = || runtime.block_on(exposition.encoded(format, coding));
                group.bench_function(name, |bencher| bencher.iter(encode));
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = encode
}
criterion_main!(benches);
