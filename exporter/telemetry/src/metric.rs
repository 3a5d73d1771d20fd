//! What a metric is, as a constant beside the code that fills it: name, type, labels, help.
//!
//! [`Families`](crate::families::Families) writes samples only under such a constant, with as many
//! label values as it has label names, so that no series can differ from its description. The
//! metric reference is generated from the same constants. What breaks Prometheus' conventions does
//! not compile.

mod check;

/// A type of metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only rises, until it starts at 0 again.
    Counter,
    /// A number.
    Gauge,
    /// Observations by size.
    Histogram,
    /// Text in labels; the value is always 1.
    Info,
    /// One 0/1 series per state, of which exactly one is 1; a gauge for Prometheus.
    States,
}

impl Kind {
    /// Returns the word of the reference.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
            Self::States => "states",
        }
    }
}

/// Everything that is said about a metric, whatever its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The name of its series, with `_total` and `_info`; of a histogram without `_bucket`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels, in the order written, without `le`.
    pub labels: Vec<&'static str>,
    /// The words of the label `state`, for a family of states.
    pub states: Vec<&'static str>,
    /// Its unit, which the name ends with.
    pub unit: Option<&'static str>,
    /// What it means.
    pub help: &'static str,
}

/// A metric that can say everything about itself.
pub trait Described {
    /// Describes the metric.
    fn descriptor(&self) -> Descriptor;
}

/// The parts that all types share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family<const N: usize> {
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [&'static str; N],
    pub(crate) help: &'static str,
}

impl<const N: usize> Family<N> {
    const fn new(
        name: &'static str,
        labels: &'static [&'static str; N],
        help: &'static str,
    ) -> Self {
        assert!(
            check::is_name(name),
            "a name is lower-case words joined by _"
        );
        assert!(
            check::is_help(help),
            "help is one line that needs no escaping"
        );
        let mut index = 0;
        while index < N {
            assert!(
                check::is_name(labels[index]),
                "a label is lower-case words joined by _"
            );
            index += 1;
        }
        Self { name, labels, help }
    }

    /// Returns the name without what OpenMetrics adds to it for each sample, split into what
    /// comes before the unit and the unit.
    pub(crate) fn stem_and_unit(&self) -> (&'static str, Option<&'static str>) {
        let family = self.name.strip_suffix("_total").unwrap_or(self.name);
        let family = family.strip_suffix("_info").unwrap_or(family);
        for unit in ["seconds", "bytes", "celsius", "ratio"] {
            let stem = family.strip_suffix(unit);
            if let Some(stem) = stem.and_then(|stem| stem.strip_suffix('_')) {
                return (stem, Some(unit));
            }
        }
        (family, None)
    }

    fn describe(&self, kind: Kind) -> Descriptor {
        Descriptor {
            name: self.name,
            kind,
            labels: self.labels.to_vec(),
            states: Vec::new(),
            unit: self.stem_and_unit().1,
            help: self.help,
        }
    }
}

/// A gauge with `N` labels.
#[derive(Debug, Clone, Copy)]
pub struct Gauge<const N: usize>(pub(crate) Family<N>);

impl<const N: usize> Gauge<N> {
    /// Describes a gauge.
    ///
    /// # Panics
    ///
    /// If the name is that of another type or anything is not written as Prometheus wants it: a
    /// constant does not compile then.
    #[must_use]
    pub const fn new(
        name: &'static str,
        labels: &'static [&'static str; N],
        help: &'static str,
    ) -> Self {
        assert!(
            check::is_plain(name),
            "_total and _info are no names of gauges"
        );
        Self(Family::new(name, labels, help))
    }
}

impl<const N: usize> Described for Gauge<N> {
    fn descriptor(&self) -> Descriptor {
        self.0.describe(Kind::Gauge)
    }
}

/// A counter with `N` labels.
#[derive(Debug, Clone, Copy)]
pub struct Counter<const N: usize>(pub(crate) Family<N>);

impl<const N: usize> Counter<N> {
    /// Describes a counter; its name ends with `_total`.
    ///
    /// # Panics
    ///
    /// As [`Gauge::new`].
    #[must_use]
    pub const fn new(
        name: &'static str,
        labels: &'static [&'static str; N],
        help: &'static str,
    ) -> Self {
        assert!(
            check::ends_with(name, "_total"),
            "a counter ends with _total"
        );
        Self(Family::new(name, labels, help))
    }
}

impl<const N: usize> Described for Counter<N> {
    fn descriptor(&self) -> Descriptor {
        self.0.describe(Kind::Counter)
    }
}

/// A histogram with `N` labels besides `le`.
#[derive(Debug, Clone, Copy)]
pub struct Histogram<const N: usize>(pub(crate) Family<N>);

impl<const N: usize> Histogram<N> {
    /// Describes a histogram.
    ///
    /// # Panics
    ///
    /// As [`Gauge::new`].
    #[must_use]
    pub const fn new(
        name: &'static str,
        labels: &'static [&'static str; N],
        help: &'static str,
    ) -> Self {
        assert!(
            check::is_plain(name),
            "_total and _info are no names of histograms"
        );
        Self(Family::new(name, labels, help))
    }
}

impl<const N: usize> Described for Histogram<N> {
    fn descriptor(&self) -> Descriptor {
        self.0.describe(Kind::Histogram)
    }
}

/// An info metric with `N` labels.
#[derive(Debug, Clone, Copy)]
pub struct Info<const N: usize>(pub(crate) Family<N>);

impl<const N: usize> Info<N> {
    /// Describes an info metric; its name ends with `_info`.
    ///
    /// # Panics
    ///
    /// As [`Gauge::new`].
    #[must_use]
    pub const fn new(
        name: &'static str,
        labels: &'static [&'static str; N],
        help: &'static str,
    ) -> Self {
        assert!(
            check::ends_with(name, "_info"),
            "an info metric ends with _info"
        );
        Self(Family::new(name, labels, help))
    }
}

impl<const N: usize> Described for Info<N> {
    fn descriptor(&self) -> Descriptor {
        self.0.describe(Kind::Info)
    }
}

/// A family of states `S` with `N` labels besides `state`.
#[derive(Debug, Clone, Copy)]
pub struct States<S: 'static, const N: usize> {
    pub(crate) family: Family<N>,
    pub(crate) all: &'static [S],
    pub(crate) word: fn(S) -> &'static str,
}

impl<S: Copy, const N: usize> States<S, N> {
    /// Describes a family of states: all of them, in the order written, and the word for each.
    ///
    /// # Panics
    ///
    /// As [`Gauge::new`].
    #[must_use]
    pub const fn new(
        name: &'static str,
        labels: &'static [&'static str; N],
        all: &'static [S],
        word: fn(S) -> &'static str,
        help: &'static str,
    ) -> Self {
        assert!(
            check::is_plain(name),
            "_total and _info are no names of states"
        );
        assert!(!all.is_empty(), "exactly one state is 1");
        Self {
            family: Family::new(name, labels, help),
            all,
            word,
        }
    }
}

impl<S: Copy, const N: usize> Described for States<S, N> {
    fn descriptor(&self) -> Descriptor {
        let mut descriptor = self.family.describe(Kind::States);
        descriptor.labels.push("state");
        descriptor.states = self.all.iter().map(|state| (self.word)(*state)).collect();
        descriptor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_what_the_name_ends_with() {
        for (name, stem, unit) in [
            ("a_wait_seconds", "a_wait", Some("seconds")),
            ("a_cpu_seconds_total", "a_cpu", Some("seconds")),
            ("a_load_ratio", "a_load", Some("ratio")),
            ("a_build_info", "a_build", None),
            ("a_things_total", "a_things", None),
            ("a_kilobytes", "a_kilobytes", None),
        ] {
            let family = Family::new(name, &[], "Help");
            assert_eq!(family.stem_and_unit(), (stem, unit), "{name}");
        }
    }

    #[test]
    fn states_are_described_with_their_label_and_words() {
        const SWITCH: States<bool, 1> = States::new(
            "a_switch",
            &["room"],
            &[true, false],
            |on| if on { "on" } else { "off" },
            "Whether it is on",
        );
        let descriptor = SWITCH.descriptor();
        assert_eq!(descriptor.labels, ["room", "state"]);
        assert_eq!(descriptor.states, ["on", "off"]);
        assert_eq!((descriptor.kind, descriptor.unit), (Kind::States, None));
    }
}
