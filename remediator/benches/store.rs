//! What one operation of the store costs, the commit on the disk under `target/` included.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to say"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::json;
use tokio::runtime::Builder;
use vcm_recovery::alert::Fact;
use vcm_remediator::clock::SystemClock;
use vcm_remediator::store::Store as _;
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;

/// A directory on a real disk; `/tmp` is often memory.
const DISK: &str = env!("CARGO_TARGET_TMPDIR");

fn fact(number: u64, firing: bool, at: i64) -> Fact {
    let fact = json!({
        "fingerprint": format!("{number:016x}"),
        "name": "VcmFailed",
        "target": { "host": format!("tenant-{}", number / 10), "module": number % 10 + 1 },
        "tier": "retry",
        "lowered": null,
        "firing": firing,
        "starts_at": at,
        "ends_at": if firing { None } else { Some(at) },
        "delivered_at": at,
    });
    serde_json::from_value(fact).unwrap()
}

fn accept(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let directory = tempfile::tempdir_in(DISK).unwrap();
    let opened = open(&directory.path().join("store.sqlite")).unwrap();
    let store = SqliteStore::start(opened, Arc::new(SystemClock::resume(None, None))).unwrap();
    let mut at = 1_700_000_000_000_i64;
    let mut group = criterion.benchmark_group("store/accept");
    for count in [1, 100] {
        group.bench_function(format!("{count} delivered again"), |bencher| {
            let body = || {
                (0..count)
                    .map(|number| fact(number, true, 1_000))
                    .collect::<Vec<_>>()
            };
            let accept = |facts| black_box(runtime.block_on(store.accept(facts)).unwrap());
            bencher.iter_batched(body, accept, BatchSize::SmallInput);
        });
        group.bench_function(format!("{count} that change"), |bencher| {
            let body = || {
                at += 1;
                (0..count)
                    .map(|number| fact(number, at % 2 == 0, at))
                    .collect::<Vec<_>>()
            };
            let accept = |facts| black_box(runtime.block_on(store.accept(facts)).unwrap());
            bencher.iter_batched(body, accept, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, accept);
criterion_main!(benches);
