//! How long a scrape of a host with eight modules takes to encode, in both formats.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use nshield::enquiry::Enquiry;
use nshield::hardserver::LookResult;
use nshield::stattree::StatTree;
use nshield::tools::Installation;
use vcm_exporter::collect::{Schedule, Shared};
use vcm_exporter::config::Config;
use vcm_exporter::families::Exposition;
use vcm_telemetry::exposition::Format;

const MODULES: u16 = 8;
const ENQUIRY: &str = include_str!("../../nshield/tests/fixtures/enquiry-healthy.txt");
const STATTREE: &str = include_str!("../../nshield/tests/fixtures/stattree-one-module.txt");

/// Repeats the module of a fixture, each time with another number and serial number.
fn repeated(text: &str, head: &str, tail: &str) -> String {
    let (before, rest) = text.split_once(head).unwrap_or((text, ""));
    let end = rest
        .find(tail)
        .filter(|_| !tail.is_empty())
        .unwrap_or(rest.len());
    let (module, after) = rest.split_at(end);
    let modules = (1..=MODULES).map(|number| {
        let head = head.replace("#1", &format!("#{number}"));
        head + &module.replace("1A2B", &format!("{number:04X}"))
    });
    before.to_owned() + &modules.collect::<String>() + after
}

fn shared() -> Arc<Shared> {
    let shared = Shared::new(
        Installation::default(),
        Config::default(),
        Schedule::Every(Duration::from_secs(15)),
    );
    let mut state = shared.state();
    state.enquiry_ended(Enquiry::parse(
        repeated(ENQUIRY, "\nModule #1:\n", "").as_bytes(),
    ));
    state.hardserver_looked(LookResult::Up);
    let statistics = repeated(STATTREE, "   +#1:\n      +ModuleObjStats", "+RemoteServers");
    state.stattree_ended(Some(StatTree::parse(statistics.as_bytes())));
    assert_eq!(state.module_statistics().len(), usize::from(MODULES));
    let state_parts = &mut *state;
    state_parts.icmp.current(&state_parts.modules);
    drop(state);
    Arc::new(shared)
}

fn encode(criterion: &mut Criterion) {
    let exposition = Exposition::new(shared());
    let mut group = criterion.benchmark_group("scrape of 8 modules");
    for (name, format) in [
        ("OpenMetrics", Format::OpenMetrics),
        ("text 0.0.4", Format::Text),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| exposition.encode(format)));
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
