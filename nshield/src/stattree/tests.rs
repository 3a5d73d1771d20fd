use proptest::prelude::*;

use super::*;

/// Provenance: tests/fixtures/README.md.
const SAMPLE: &str = include_str!("../../tests/fixtures/stattree-one-module.txt");

fn number(number: u16) -> ModuleNumber {
    number.try_into().unwrap()
}

fn check_sample(tree: &StatTree) {
    let server = tree.server().unwrap();
    assert_eq!(server.counter("Uptime"), Some(17_577));
    assert_eq!(server.counter("ClientCount"), Some(9));
    assert_eq!(tree.connections(), Some(2));
    assert_eq!(tree.modules().collect::<Vec<_>>(), [number(1)]);
    let module = tree.module(number(1)).unwrap();
    let job = module.descend(&["ModuleJobStats"]).unwrap();
    assert_eq!(job.counter("CPULoadPercent"), Some(43));
    let env = module.descend(&["ModuleEnvStats"]).unwrap();
    assert_eq!(
        env.esn("SerialNumber"),
        Some("1A2B-03E0-D947".parse().unwrap())
    );
    assert_eq!(env.number("CPUVoltage10"), Some(3.16));
    let cache = module.descend(&["ModuleCacheStats"]).unwrap();
    assert_eq!(
        cache.counter("CacheEntriesInserted"),
        Some(0),
        "a single space before the value"
    );
    let device = tree
        .node(&["PerDevice", "#1", "ModuleServerStats"])
        .unwrap();
    assert_eq!(device.counter("JobsOutstanding"), Some(0));
    assert!(tree.node(&["RemoteServers"]).is_some());
    assert_eq!(tree.unknown().count(), 0);
    assert!(tree.problems.is_empty() && tree.final_newline);
}

#[test]
fn reads_the_vendors_sample() {
    check_sample(&StatTree::parse(SAMPLE.as_bytes()));
}

#[test]
fn takes_windows_line_ends() {
    check_sample(&StatTree::parse(SAMPLE.replace('\n', "\r\n").as_bytes()));
}

#[test]
fn finds_the_same_tree_when_all_indentation_is_lost() {
    let flat: String = SAMPLE
        .lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    check_sample(&StatTree::parse(flat.as_bytes()));
}

#[test]
fn a_failed_module_may_be_missing_or_have_few_children() {
    let tree = StatTree::parse(b"+PerModule:\n   +#2:\n      +ModuleObjStats:\n");
    assert!(tree.module(number(1)).is_none());
    let module = tree.module(number(2)).unwrap();
    assert!(module.descend(&["ModuleJobStats"]).is_none());
    assert_eq!(
        module
            .descend(&["ModuleObjStats"])
            .unwrap()
            .counter("ObjectCount"),
        None
    );
}

#[test]
fn reads_long_ids_and_negative_empty_and_odd_values() {
    let tree = StatTree::parse(
        b"+ServerGlobals:\n   -AVeryLongStatisticIdentifier 5\n   -Negative             -3\n   \
          -Empty                \n   -Bare\n   -Text                 192.0.2.1\n   \
          -Infinite             inf\n   -Huge                 99999999999999999999\n",
    );
    let server = tree.server().unwrap();
    assert_eq!(server.counter("AVeryLongStatisticIdentifier"), Some(5));
    assert_eq!(
        (server.counter("Negative"), server.number("Negative")),
        (None, Some(-3.0))
    );
    assert_eq!(
        (server.text("Empty"), server.number("Empty")),
        (Some(""), None)
    );
    assert_eq!(server.text("Bare"), Some(""));
    assert_eq!(server.number("Text"), None);
    assert_eq!(server.number("Infinite"), None);
    assert_eq!(server.counter("Huge"), None);
    assert_eq!(tree.unknown().count(), 7);
    assert!(tree.problems.is_empty());
}

#[test]
fn counts_thousands_of_connections_without_keeping_them() {
    let mut text = String::from("+Connections:\n");
    for n in 1..=5_000 {
        text.push_str(&format!(
            "   +#{n}:\n      -Uptime               1\n      +Deeper:\n"
        ));
        text.push_str("         -Odd                  1\n");
    }
    text.push_str("+ServerGlobals:\n   -Uptime               3\n");
    let tree = StatTree::parse(text.as_bytes());
    assert_eq!(tree.connections(), Some(5_000));
    assert_eq!(tree.nodes.len(), 3, "root, Connections, ServerGlobals");
    assert_eq!(tree.server().unwrap().counter("Uptime"), Some(3));
    assert_eq!(StatTree::parse(b"+PerModule:\n").connections(), None);
}

#[test]
fn keeps_the_first_of_what_is_repeated_and_says_so() {
    let tree = StatTree::parse(
        b"+PerModule:\n   +#1:\n      -A                    1\n      -A                    2\n   \
          +#1:\n      -B                    3\n-C 4\nnonsense\n- D\n+:\n",
    );
    let module = tree.module(number(1)).unwrap();
    assert_eq!(
        (module.counter("A"), module.counter("B")),
        (Some(1), Some(3))
    );
    let kinds: Vec<_> = tree.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(
        kinds,
        [
            ProblemKind::RepeatedStatistic,
            ProblemKind::RepeatedNode,
            ProblemKind::OutsideNode,
            ProblemKind::Unreadable,
            ProblemKind::Unreadable,
            ProblemKind::Unreadable,
        ]
    );
}

#[test]
fn garbage_of_megabytes_is_read_in_linear_time() {
    let lines = (0..300_000).map(|n| format!("   -x{n} 1\n+n{n}:\n"));
    let text: String = std::iter::once("+Top:\n".to_owned()).chain(lines).collect();
    assert_eq!(StatTree::parse(text.as_bytes()).unknown().count(), 300_000);
}

/// A generated module: objects, load, and an id that no release prints yet.
#[derive(Debug, Clone)]
struct Generated {
    numbers: std::collections::BTreeSet<u16>,
    values: Vec<(String, String)>,
}

fn generated() -> impl Strategy<Value = Generated> {
    let numbers = proptest::collection::btree_set(1_u16..=500, 0..12);
    let value = prop_oneof![
        "[0-9]{1,12}",
        "-?[0-9]{1,4}\\.[0-9]{2}",
        Just(String::new()),
        "[!-~]{1,30}"
    ];
    let values = proptest::collection::btree_map("[A-Za-z][A-Za-z0-9]{0,30}", value, 1..12);
    (numbers, values).prop_map(|(numbers, values)| Generated {
        numbers,
        values: values.into_iter().collect(),
    })
}

impl Generated {
    fn print(&self) -> String {
        let mut text = String::from("+PerModule:\n");
        for number in &self.numbers {
            text.push_str(&format!("   +#{number}:\n      +ModuleJobStats:\n"));
            for (id, value) in &self.values {
                text.push_str(&format!("         -{id:<20} {value}\n"));
            }
        }
        text
    }
}

proptest! {
    #[test]
    fn takes_any_bytes(output in proptest::collection::vec(any::<u8>(), 0..600)) {
        let tree = StatTree::parse(&output);
        let _ = (tree.unknown().count(), tree.modules().count(), tree.connections());
    }

    #[test]
    fn takes_any_lines(lines in proptest::collection::vec("[ ]{0,9}[-+]?[#A-Za-z0-9]{0,24}:?[ ]{0,3}[0-9]{0,3}", 0..40)) {
        let _ = StatTree::parse(lines.join("\n").as_bytes()).unknown().count();
    }

    #[test]
    fn loses_nothing_of_what_was_printed(document in generated()) {
        let tree = StatTree::parse(document.print().as_bytes());
        let numbers: Vec<u16> = tree.modules().map(ModuleNumber::get).collect();
        prop_assert_eq!(&numbers, &document.numbers.iter().copied().collect::<Vec<_>>());
        for (_, module) in tree.per_module() {
            let job = module.descend(&["ModuleJobStats"]).unwrap();
            let values: Vec<_> =
                job.statistics().map(|s| (s.id.clone(), s.value.clone())).collect();
            prop_assert_eq!(&values, &document.values);
        }
        prop_assert!(tree.problems.is_empty());
    }

    #[test]
    fn is_never_whole_when_cut_inside_a_line(cut in 0..SAMPLE.len()) {
        let tree = StatTree::parse(&SAMPLE.as_bytes()[..cut]);
        prop_assert_eq!(tree.final_newline, cut > 0 && SAMPLE.as_bytes()[cut - 1] == b'\n');
    }
}
