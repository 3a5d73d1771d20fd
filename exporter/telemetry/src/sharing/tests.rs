use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

/// Guards against a hang; nothing takes so long.
const LONG: Duration = Duration::from_secs(30);

/// Work that waits to be let through, and counts.
fn gated() -> (Sharing<u64>, mpsc::Receiver<u64>, mpsc::Sender<()>) {
    let (begun, runs) = mpsc::channel();
    let (gate, passes) = mpsc::channel();
    let (count, passes) = (AtomicU64::new(0), Mutex::new(passes));
    let sharing = Sharing::new(move || {
        let run = count.fetch_add(1, Ordering::SeqCst) + 1;
        begun.send(run).unwrap();
        passes.lock().unwrap().recv_timeout(LONG).unwrap();
        run
    });
    (sharing, runs, gate)
}

/// Polls a future until it waits in line.
macro_rules! asks {
    ($sharing:expr) => {{
        let mut asking = Box::pin($sharing.next());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(asking.as_mut().poll(&mut context).is_pending());
        asking
    }};
}

#[tokio::test]
async fn who_comes_while_a_run_goes_on_shares_the_next() {
    let (sharing, runs, gate) = gated();
    let first = asks!(sharing);
    assert_eq!(runs.recv_timeout(LONG), Ok(1));
    let later: Vec<_> = (0..50).map(|_| asks!(sharing)).collect();
    assert!(runs.try_recv().is_err(), "one run at a time");
    gate.send(()).unwrap();
    assert_eq!(first.await, Some(1));
    gate.send(()).unwrap();
    for asking in later {
        assert_eq!(
            asking.await,
            Some(2),
            "all share one that began after they came"
        );
    }
    let next = asks!(sharing);
    gate.send(()).unwrap();
    assert_eq!(next.await, Some(3));
}

#[tokio::test]
async fn nobody_works_for_those_who_have_gone() {
    let (sharing, runs, gate) = gated();
    let first = asks!(sharing);
    assert_eq!(runs.recv_timeout(LONG), Ok(1));
    drop(asks!(sharing));
    gate.send(()).unwrap();
    assert_eq!(first.await, Some(1));
    let next = asks!(sharing);
    gate.send(()).unwrap();
    assert_eq!(next.await, Some(2));
}

#[tokio::test]
async fn a_panic_is_no_answer_and_ends_nothing() {
    let count = AtomicU64::new(0);
    let sharing = Sharing::new(move || {
        let run = count.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(run > 1, "the first run panics, as this test wants");
        run
    });
    assert_eq!(sharing.next().await, None);
    assert_eq!(sharing.next().await, Some(2));
}

/// Whatever is true when somebody asks is in what they get.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_answer_is_fresh_and_shared_by_many() {
    let (truth, runs) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (seen, counted) = (Arc::clone(&truth), Arc::clone(&runs));
    let sharing = Arc::new(Sharing::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let now = seen.load(Ordering::SeqCst);
        std::thread::yield_now();
        now
    }));
    let askers = (0..50).map(|_| {
        let (sharing, truth) = (Arc::clone(&sharing), Arc::clone(&truth));
        async move {
            for _ in 0..100 {
                let before = truth.fetch_add(1, Ordering::SeqCst) + 1;
                let answer = sharing.next().await.unwrap();
                assert!(answer >= before, "{answer} is older than {before}");
            }
        }
    });
    #[expect(clippy::disallowed_methods, reason = "a test waits for every task")]
    let tasks: Vec<_> = askers.map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(runs.load(Ordering::SeqCst) <= 5_000);
}
