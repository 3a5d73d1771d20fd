use std::future::poll_fn;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::Poll;

use nshield::icmp::Received;
use tokio::time::{sleep, timeout};

use super::*;
use crate::icmp::{Lookup, Target};

/// Guards against a hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// Arrivals in each turn of the flood. Between two turns of the engine it has 60 and thus sends more
/// than the 128 that a task may take out of a channel before it lets others run.
const AT_A_TIME: usize = 3;

pub(super) fn engine(targets: Vec<Target>) -> (Engine, Board) {
    let config = IcmpConfig {
        targets,
        ..IcmpConfig::default()
    };
    let board = Board::new(&config);
    let start = Start {
        board: board.clone(),
        config,
        modules: BTreeMap::new(),
        lookup: Lookup::default(),
    };
    (Engine::new(start), board)
}

pub(super) fn target(name: &str, address: &str) -> Target {
    Target {
        name: name.to_owned(),
        module: None,
        destination: Destination::Address(address.parse().unwrap()),
        echo: IcmpConfig::default().echo,
    }
}

/// Ends when nobody takes it in any more.
async fn flood(arriving: UnboundedSender<Arrival>) {
    let from = Ipv4Addr::LOCALHOST;
    let arrival = move || Arrival {
        socket: SocketId(1),
        packet: Received {
            message: Message::Reply { token: None },
            from: SocketAddr::from((from, 0)),
            target: from.into(),
            ident: 1,
            sequence: 1,
            hop_limit: None,
        },
        at: Instant::now(),
    };
    loop {
        for _ in 0..AT_A_TIME {
            if arriving.send(arrival()).is_err() {
                return;
            }
        }
        at_once_again().await;
    }
}

/// Lets others run, but does not wait until all have, as `yield_now` does.
async fn at_once_again() {
    let mut again = false;
    poll_fn(|context| {
        if mem::replace(&mut again, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_arrivals_holds_up_no_slot() {
    let (engine, board) = engine(vec![target("a", "127.0.0.1")]);
    let (commands, received) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(flood(engine.arriving.clone()));
    tasks.spawn(engine.run(received));
    let slots = async {
        for _ in 0..3 {
            let before = board.progress();
            while board.progress() == before {
                sleep(Duration::from_millis(1)).await;
            }
        }
    };
    timeout(DEADLINE, slots).await.expect("no slot completed");
    assert_eq!(tasks.len(), 2);
    drop(commands);
    let ended = timeout(DEADLINE, tasks.join_all()).await;
    ended.expect("no command was obeyed");
}
