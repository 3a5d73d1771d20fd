use std::io::Read as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::GzDecoder;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::*;
use crate::families::Families;
use crate::metric::Gauge;

/// Counts how often it is encoded; waits while a test holds the gate.
#[derive(Debug, Clone, Default)]
struct Counting {
    runs: Arc<AtomicU64>,
    gate: Arc<Mutex<()>>,
}

impl Collector for Counting {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        const RUNS: Gauge<0> = Gauge::new("a_runs", &[], "Runs");
        let _passed = self.gate.lock().unwrap();
        let runs = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        Families::new(encoder).gauge(&RUNS, [([], runs as f64)])
    }
}

fn scrapes() -> (Scrapes, Counting) {
    let mut registry = Registry::default();
    let counting = Counting::default();
    registry.register_collector(Box::new(counting.clone()));
    (Scrapes::new(&Arc::new(registry)), counting)
}

#[tokio::test]
async fn each_format_comes_in_each_coding() {
    let (scrapes, _) = scrapes();
    let mut texts = Vec::new();
    for format in Format::ALL {
        for coding in Coding::ALL {
            let body = scrapes.encoded(format, coding).await.unwrap().to_vec();
            let mut text = String::new();
            match coding {
                Coding::Identity => text.push_str(std::str::from_utf8(&body).unwrap()),
                Coding::Gzip => {
                    GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
                }
            }
            texts.push(text);
        }
    }
    let text = |run: u8, unit: &str| {
        format!("# HELP a_runs Runs\n# TYPE a_runs gauge\na_runs {run}\n{unit}")
    };
    assert_eq!(
        texts,
        [
            text(1, "# EOF\n"),
            text(2, "# EOF\n"),
            text(3, ""),
            text(4, "")
        ]
    );
}

#[tokio::test]
async fn fifty_scrapes_at_once_take_two_encodings_at_most() {
    let (scrapes, counting) = scrapes();
    let gate = counting.gate.lock().unwrap();
    let mut asking: Vec<_> = (0..50)
        .map(|_| Box::pin(scrapes.encoded(Format::Text, Coding::Identity)))
        .collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for asking in &mut asking {
        assert!(asking.as_mut().poll(&mut context).is_pending());
    }
    drop(gate);
    for asking in asking {
        asking.await.unwrap();
    }
    assert!(counting.runs.load(Ordering::SeqCst) <= 2);
}
