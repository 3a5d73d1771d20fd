//! What `stattree` prints, as a tree with typed access.
//!
//! The exporter reads HSM load and counters from it, the remediator the objects loaded and the
//! uptime. Every statistic is optional: which of them a tenant sees of a VCM is not known.
//!
//! Layout of the text (measured on the vendor's sample): node lines `+Name:`, leaf lines
//! `-Id` padded to 20 columns, one space, value; three spaces more per level. Indentation is the
//! truth. Some extractions lose all of it; then the known names of nodes decide.

mod known;
mod parse;

use crate::{Esn, ModuleNumber};

/// One run of `stattree`, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatTree {
    /// The first is the root; a node comes after its parent.
    nodes: Vec<Node>,
    /// Client connections seen; they are counted and not kept, there can be thousands.
    connections: Option<usize>,
    /// Lines that could not be placed, at most [`PROBLEMS_KEPT`].
    pub problems: Vec<Problem>,
    /// How many problems there were beyond those kept.
    pub further_problems: usize,
    /// Whether the text ended with a newline: without one it was cut short.
    pub final_newline: bool,
}

/// The most problems that are kept with their text; the rest is only counted.
pub const PROBLEMS_KEPT: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Node {
    name: String,
    nodes: Vec<usize>,
    statistics: Vec<Statistic>,
}

/// One leaf of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistic {
    /// The id as printed, such as `CPULoadPercent`.
    pub id: String,
    /// The value as printed; may be empty.
    pub value: String,
}

/// A line that could not be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ProblemKind,
    /// The line as printed; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// Neither a node nor a leaf.
    Unreadable,
    /// A leaf that belongs to no node.
    OutsideNode,
    /// A node that was printed before at the same place; its leaves are added to the first.
    RepeatedNode,
    /// A leaf that was printed before in the same node; the first is kept.
    RepeatedStatistic,
    /// Bytes that are not UTF-8, replaced.
    NotUtf8,
}

impl StatTree {
    /// Parses the standard output of `stattree`.
    #[must_use]
    pub fn parse(output: &[u8]) -> Self {
        parse::parse(output)
    }

    /// Returns the node at a path such as `["PerModule", "#1", "ModuleJobStats"]`.
    #[must_use]
    pub fn node(&self, path: &[&str]) -> Option<NodeRef<'_>> {
        self.root().descend(path)
    }

    /// Returns the hardserver's own totals.
    #[must_use]
    pub fn server(&self) -> Option<NodeRef<'_>> {
        self.node(&["ServerGlobals"])
    }

    /// Returns the statistics of one module, `PerModule #n`.
    #[must_use]
    pub fn module(&self, number: ModuleNumber) -> Option<NodeRef<'_>> {
        self.node(&["PerModule", &format!("#{number}")])
    }

    /// Returns the module numbers below `PerModule`, in the order printed.
    pub fn modules(&self) -> impl Iterator<Item = ModuleNumber> {
        self.per_module().map(|(number, _)| number)
    }

    /// Returns the statistics of every module below `PerModule`, in the order printed.
    pub fn per_module(&self) -> impl Iterator<Item = (ModuleNumber, NodeRef<'_>)> {
        let nodes = self
            .node(&["PerModule"])
            .into_iter()
            .flat_map(NodeRef::nodes);
        nodes.filter_map(|node| Some((node.name().strip_prefix('#')?.parse().ok()?, node)))
    }

    /// Returns how many client connections there are; `None` where they are not printed.
    #[must_use]
    pub fn connections(&self) -> Option<usize> {
        self.connections
    }

    /// Returns the statistics whose id or place is not known, with the name of their node.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.nodes.iter().flat_map(|node| {
            let ids = node
                .statistics
                .iter()
                .map(|statistic| statistic.id.as_str());
            let unknown = ids.filter(|id| !known::is_statistic(&node.name, id));
            unknown.map(|id| (node.name.as_str(), id))
        })
    }

    fn root(&self) -> NodeRef<'_> {
        NodeRef {
            tree: self,
            index: 0,
        }
    }
}

/// A node of the tree.
#[derive(Debug, Clone, Copy)]
pub struct NodeRef<'a> {
    tree: &'a StatTree,
    index: usize,
}

impl<'a> NodeRef<'a> {
    /// Returns the name as printed, without `+` and colon.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.inner().map_or("", |node| &node.name)
    }

    /// Returns the nodes directly below, in the order printed.
    pub fn nodes(self) -> impl Iterator<Item = NodeRef<'a>> {
        let below = self.inner().map_or([].as_slice(), |node| &node.nodes);
        below.iter().map(move |index| NodeRef {
            index: *index,
            ..self
        })
    }

    /// Returns the leaves of this node, in the order printed.
    pub fn statistics(self) -> impl Iterator<Item = &'a Statistic> {
        self.inner()
            .map_or([].as_slice(), |node| &node.statistics)
            .iter()
    }

    /// Returns the node at a path below this one.
    #[must_use]
    pub fn descend(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |node, name| {
            node.nodes().find(|below| below.name() == *name)
        })
    }

    /// Returns a statistic as printed.
    #[must_use]
    pub fn text(self, id: &str) -> Option<&'a str> {
        let statistic = self.statistics().find(|statistic| statistic.id == id)?;
        Some(&statistic.value)
    }

    /// Returns a counter; `None` where it is missing or not a whole number from 0.
    #[must_use]
    pub fn counter(self, id: &str) -> Option<u64> {
        self.text(id)?.parse().ok()
    }

    /// Returns a finite number, whole or with decimals; `None` where it is missing or is none.
    #[must_use]
    pub fn number(self, id: &str) -> Option<f64> {
        let text = self.text(id)?;
        let plain = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+'));
        text.parse()
            .ok()
            .filter(|number: &f64| plain && number.is_finite())
    }

    /// Returns a serial number.
    #[must_use]
    pub fn esn(self, id: &str) -> Option<Esn> {
        self.text(id)?.parse().ok()
    }

    fn inner(self) -> Option<&'a Node> {
        self.tree.nodes.get(self.index)
    }
}

#[cfg(test)]
mod tests;
