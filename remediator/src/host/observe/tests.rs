use std::fs;
use std::path::Path;

use tokio::net::{TcpListener, UnixListener};
use vcm_recovery::observation::{Condition, Network, NetworkLook, ServiceCheck};
use vcm_recovery::tier::Tier;

use super::*;

const SERVER: &str = "Server:\n enquiry reply flags  none\n mode                 operational\n";

fn section(number: u16, flags: &str, serial: &str) -> String {
    format!(
        "Module #{number}:\n enquiry reply flags  {flags}\n serial number        {serial}\n \
         mode                 operational\n connection info      esn = 2B3C-05E0-D947; addr = INET/192.0.2.1/9004\n \
         hardware status      OK\n"
    )
}

/// An nfast root whose tools are scripts.
struct Estate {
    root: tempfile::TempDir,
}

impl Estate {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["bin", "sockets"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        let estate = Self { root };
        estate.tool("stattree", "exit 1");
        estate
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.path().join("bin").join(name);
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake-tool");
        let _ = std::os::unix::fs::symlink(tool, &path);
        fs::write(path.with_extension("script"), script).unwrap();
    }

    fn prints(&self, text: &str) {
        fs::write(self.path().join("enquiry.txt"), text).unwrap();
        self.tool(
            "enquiry",
            &format!("cat {}/enquiry.txt", self.path().display()),
        );
    }

    fn config(&self, more: &str) -> HostConfig {
        let root = self.path().display();
        let text = format!(
            "state_dir: {root}/state\nnfast_root: {root}\nhold_file: {root}/hold\npause_file: {root}/pause\n\
             deadlines: {{enquiry: 1s, enquiry_server: 1s, stattree: 1s, ping: 1s, probe: 1s}}\n{more}"
        );
        let path = self.path().join("host.yaml");
        fs::write(&path, text).unwrap();
        HostConfig::load(&path).unwrap()
    }

    async fn look(&self, more: &str) -> Observation {
        observe(&self.config(more), Depth::Full).await.unwrap()
    }
}

fn module(number: u16) -> nshield::ModuleNumber {
    number.try_into().unwrap()
}

const TWO: &str = "modules: [{number: 1, esn: 1A2B-05E0-D947, reachability: none}, \
                   {number: 2, reachability: none}]\n";

#[tokio::test]
async fn a_whole_answer_is_complete_and_names_each_module() {
    let estate = Estate::new();
    let _socket = UnixListener::bind(estate.path().join("sockets/nserver")).unwrap();
    estate.prints(&format!(
        "{SERVER}{}{}{}",
        section(1, "none", "1A2B-05E0-D947"),
        section(2, "Failed", "unknown"),
        section(7, "none", "7A2B-05E0-D947"),
    ));
    estate.tool("stattree", "printf '%s\\n' '+ServerGlobals:' '   -Uptime               17' '   -ClientCount          9' '+PerModule:' '   +#1:' '      +ModuleObjStats:' '         -ObjectCount          5' '      +ModuleJobStats:' '         -CPULoadPercent       43'");
    let seen = estate.look(TWO).await;
    assert!(seen.complete, "{:?}", seen.sources);
    assert_eq!(seen.hardserver, HardserverLook::Up);
    assert_eq!(seen.sources.enquiry, SourceStatus::Ok);
    assert_eq!(seen.sources.enquiry_server, SourceStatus::NotAsked);
    assert_eq!(seen.sources.stattree, SourceStatus::Ok);
    assert_eq!(seen.module_condition(module(1)), Condition::Healthy);
    assert_eq!(seen.module_condition(module(2)), Condition::Failed);
    let esn = |n| {
        seen.modules[&module(n)]
            .esn
            .as_ref()
            .map(ToString::to_string)
    };
    assert_eq!(esn(1).as_deref(), Some("1A2B-05E0-D947"));
    assert_eq!(
        esn(2).as_deref(),
        Some("2B3C-05E0-D947"),
        "from connection info"
    );
    assert_eq!(seen.modules[&module(7)].kind, None, "not in the inventory");
    assert!(matches!(
        seen.modules[&module(7)].network,
        NetworkLook::Unknown(_)
    ));
    assert_eq!(seen.modules[&module(1)].objects, Some(5));
    assert_eq!(seen.modules[&module(1)].load_percent, Some(43));
    assert_eq!((seen.clients, seen.hardserver_uptime), (Some(9), Some(17)));
    assert_eq!(
        (seen.stop, seen.hold, seen.max_tier),
        (StopSign::None, None, Tier::Retry)
    );
    assert!(seen.finished_boottime >= seen.started_boottime);
}

#[tokio::test]
async fn what_is_cut_short_failed_or_lacks_a_module_is_not_complete() {
    let estate = Estate::new();
    let _socket = UnixListener::bind(estate.path().join("sockets/nserver")).unwrap();
    let one = section(1, "none", "1A2B-05E0-D947");
    let two = section(2, "Failed", "unknown");
    let whole = format!("{SERVER}{one}{two}");
    for cut in [
        whole.trim_end(),
        &format!("{SERVER}{one}"),
        &format!("{one}{two}"),
    ] {
        estate.prints(cut);
        let seen = estate.look(TWO).await;
        assert!(!seen.complete);
        assert!(
            matches!(seen.sources.enquiry, SourceStatus::Failed(_)),
            "{cut}"
        );
        assert_eq!(seen.module_condition(module(2)), Condition::Unknown);
    }
    estate.prints(&whole);
    estate.tool(
        "enquiry",
        &format!("cat {}/enquiry.txt; exit 3", estate.path().display()),
    );
    let seen = estate.look(TWO).await;
    assert!(
        !seen.complete && seen.hardserver == HardserverLook::Up,
        "{seen:?}"
    );
    assert_eq!(
        seen.sources.enquiry,
        SourceStatus::Failed("exit status 3".to_owned())
    );
}

#[tokio::test]
async fn a_dead_socket_and_a_failing_enquiry_look_like_down_and_the_signs_are_read() {
    let estate = Estate::new();
    estate.tool("enquiry", "exit 1");
    let unread = estate.look(TWO).await;
    assert_eq!(unread.hardserver, HardserverLook::SuspectedDown);
    assert!(matches!(unread.stop, StopSign::Unknown(_)));
    let probe = "stopped_on_purpose: {unit_state: [/bin/echo, WORD], host_up_min: 0s, package_manager_locks: []}\n";
    let died = estate
        .look(&format!("{TWO}{}", probe.replace("WORD", "failed")))
        .await;
    assert_eq!(died.stop, StopSign::None);
    let stopped = estate
        .look(&format!("{TWO}{}", probe.replace("WORD", "inactive")))
        .await;
    assert!(matches!(stopped.stop, StopSign::OnPurpose(_)));
}

#[tokio::test]
async fn a_slow_full_enquiry_is_told_from_a_hardserver_that_does_not_answer() {
    let estate = Estate::new();
    let _socket = UnixListener::bind(estate.path().join("sockets/nserver")).unwrap();
    fs::write(estate.path().join("server.txt"), SERVER).unwrap();
    let server = format!(
        "[ \"$1\" = -m0 ] && exec cat {}/server.txt; exec sleep 60",
        estate.path().display()
    );
    let config = |estate: &Estate| {
        let mut config = estate.config(TWO);
        config.deadlines.enquiry = std::time::Duration::from_secs(3);
        config
    };
    estate.tool("enquiry", &server);
    let seen = observe(&config(&estate), Depth::WithoutStatistics)
        .await
        .unwrap();
    assert_eq!(seen.hardserver, HardserverLook::Up);
    assert!(!seen.complete);
    assert_eq!(seen.sources.enquiry, SourceStatus::TimedOut);
    assert_eq!(seen.sources.enquiry_server, SourceStatus::Ok);
    assert_eq!(seen.sources.stattree, SourceStatus::NotAsked);
    estate.tool("enquiry", "exec sleep 60");
    let seen = observe(&config(&estate), Depth::WithoutStatistics)
        .await
        .unwrap();
    assert_eq!(seen.hardserver, HardserverLook::Unresponsive);
}

#[tokio::test]
async fn tcp_reachability_tells_served_from_refused_and_unknown() {
    let estate = Estate::new();
    estate.tool("enquiry", "exit 1");
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (open_port, closed_port) = (
        open.local_addr().unwrap().port(),
        closed.local_addr().unwrap().port(),
    );
    drop(closed);
    let seen = estate
        .look(&format!(
            "modules:\n  - {{number: 1, address: 127.0.0.1, reachability: 'tcp:{open_port}'}}\n  \
             - {{number: 2, address: 127.0.0.1, reachability: 'tcp:{closed_port}'}}\n  \
             - {{number: 3, reachability: none}}\n  - {{number: 4}}\n"
        ))
        .await;
    let classes: Vec<Network> = seen.modules.values().map(|m| m.network.class()).collect();
    assert_eq!(
        classes,
        [
            Network::Good,
            Network::Bad,
            Network::NotApplicable,
            Network::Unknown
        ]
    );
}

#[tokio::test]
async fn pause_hold_and_the_hold_of_a_module_are_three_files() {
    let estate = Estate::new();
    estate.tool("enquiry", "exit 1");
    let texts = async || {
        let look = estate.look(TWO).await;
        let modules = look.modules.values().map(|module| module.hold.clone());
        let all: Vec<_> = [look.pause, look.hold].into_iter().chain(modules).collect();
        all
    };
    assert_eq!(texts().await, [None, None, None, None]);
    for (index, name) in ["pause", "hold", "hold.1", "hold.2"]
        .into_iter()
        .enumerate()
    {
        let path = estate.path().join(name);
        fs::write(&path, "firmware upgrade\x1b[2J, jd until Friday\n").unwrap();
        let found = texts().await;
        assert_eq!(found.iter().flatten().count(), 1, "{name}");
        assert_eq!(
            found[index].as_deref(),
            Some("firmware upgrade[2J, jd until Friday"),
            "{name}"
        );
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn tells_how_long_the_host_is_up_and_how_it_reaches_its_modules() {
    let estate = Estate::new();
    estate.tool("enquiry", "exit 1");
    let modules = "modules: [{number: 1, address: 127.0.0.1}, {number: 2}]\n\
                   service_check: [/bin/false]\n";
    let look = estate.look(modules).await;
    let up = std::time::Duration::from_secs(look.host_uptime.unwrap());
    let now = std::time::Duration::from_millis(look.finished_boottime);
    assert!(up <= now && now - up < std::time::Duration::from_secs(20));
    let [one, two] = [1, 2].map(|n: u16| &look.modules[&n.try_into().unwrap()]);
    assert_eq!(one.path.as_ref().unwrap().interface.as_deref(), Some("lo"));
    assert_eq!(two.path, None);
    assert!(matches!(look.service_check, Some(ServiceCheck::Failed(_))));
}

#[tokio::test]
async fn statistics_follow_the_serial_number_and_not_the_number() {
    let estate = Estate::new();
    estate.prints(&format!(
        "{SERVER}{}{}",
        section(1, "none", "1A2B-05E0-D947"),
        section(2, "none", "3C4D-05E0-D947"),
    ));
    estate.tool("stattree", "printf '%s\\n' '+PerModule:' '   +#1:' '      +ModuleObjStats:' '         -ObjectCount          22' '      +ModuleEnvStats:' '         -SerialNumber         3C4D-05E0-D947' '   +#2:' '      +ModuleObjStats:' '         -ObjectCount          99' '      +ModuleEnvStats:' '         -SerialNumber         9999-05E0-D947'");
    let seen = estate.look(TWO).await;
    let objects = |n| seen.modules[&module(n)].objects;
    assert_eq!((objects(1), objects(2)), (None, Some(22)));
}

#[tokio::test]
async fn keeps_the_newest_observations_and_finds_them_by_id() {
    let estate = Estate::new();
    estate.tool("enquiry", "exit 1");
    let state = estate.path().join("state");
    let first = estate.look(TWO).await;
    kept::keep(&state, &first).unwrap();
    assert_eq!(kept::load(&state, first.observation_id).unwrap(), first);
    for _ in 0..kept::KEPT_MAX {
        let id = ObservationId::from_bits(Uuid::now_v7().as_u128());
        kept::keep(
            &state,
            &Observation {
                observation_id: id,
                ..first.clone()
            },
        )
        .unwrap();
    }
    assert!(matches!(
        kept::load(&state, first.observation_id),
        Err(kept::KeptError::Read { .. })
    ));
    let newest = ObservationId::from_bits(Uuid::now_v7().as_u128());
    fs::write(state.join(format!("observations/{newest}.json")), b"{}").unwrap();
    assert!(matches!(
        kept::load(&state, newest),
        Err(kept::KeptError::Corrupt { .. })
    ));
}
