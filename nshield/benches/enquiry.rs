//! How long a full `enquiry` of a large host takes to parse.
//!
//! 200 modules of about 2 KB, one in ten failed, as the largest estate that the tests know.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nshield::enquiry::Enquiry;

const MODULES: u16 = 200;
const HEALTHY: &str = include_str!("../tests/fixtures/enquiry-healthy.txt");

fn large_host() -> String {
    let (server, module) = HEALTHY
        .split_once("\nModule #1:\n")
        .unwrap_or((HEALTHY, ""));
    let flags = "HasRTC HasNVRAM HasSEE HasKLF ".repeat(20);
    let mut text = server.to_owned();
    for number in 1..=MODULES {
        let esn = format!("{number:04X}-03E0-D947");
        let section = module.replace("1A2B-03E0-D947", &esn);
        let section = if number % 10 == 0 {
            section.replacen("none", "Failed", 1)
        } else {
            section
        };
        text.push_str(&format!(
            "\nModule #{number}:\n{section} level four flags     {flags}\n"
        ));
    }
    text
}

fn parse(criterion: &mut Criterion) {
    let text = large_host();
    let mut group = criterion.benchmark_group("enquiry");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse 200 modules", |bencher| {
        bencher.iter(|| {
            let enquiry = Enquiry::parse(std::hint::black_box(text.as_bytes()));
            assert_eq!(enquiry.modules.len(), usize::from(MODULES));
            enquiry
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
