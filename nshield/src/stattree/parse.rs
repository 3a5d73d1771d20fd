//! Builds the tree from the lines of `stattree`.

use std::collections::{HashMap, HashSet};

use super::{Node, PROBLEMS_KEPT, Problem, ProblemKind, StatTree, Statistic, known};

/// Where the statistics of client connections are; they are counted and not kept.
const CONNECTIONS: &str = "Connections";

pub(super) fn parse(output: &[u8]) -> StatTree {
    let lines: Vec<Line> = output
        .split(|byte| *byte == b'\n')
        .map(Line::read)
        .collect();
    let flat = lines.iter().all(|line| line.indent == 0)
        && lines
            .iter()
            .any(|line| matches!(line.content, Content::Leaf { .. }));
    let mut builder = Builder::new(output.last() == Some(&b'\n'));
    for (index, (line, raw)) in lines
        .iter()
        .zip(output.split(|byte| *byte == b'\n'))
        .enumerate()
    {
        builder.at = (index + 1, raw);
        if std::str::from_utf8(raw).is_err() {
            builder.problem(ProblemKind::NotUtf8);
        }
        match &line.content {
            Content::Blank => {}
            Content::Unreadable => builder.problem(ProblemKind::Unreadable),
            Content::Node { name } if flat => builder.node_by_name(name),
            Content::Node { name } => builder.node_by_indent(line.indent, name),
            Content::Leaf { id, value } => {
                if !flat {
                    builder.leave(line.indent);
                }
                builder.leaf(id, value);
            }
        }
    }
    builder.tree
}

struct Line {
    indent: usize,
    content: Content,
}

enum Content {
    Blank,
    Node { name: String },
    Leaf { id: String, value: String },
    Unreadable,
}

impl Line {
    fn read(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let body = text.trim_start_matches(' ');
        let indent = text.len() - body.len();
        Self {
            indent,
            content: Content::read(body.trim_end()),
        }
    }
}

impl Content {
    fn read(body: &str) -> Self {
        if body.is_empty() {
            return Self::Blank;
        }
        let name = body
            .strip_prefix('+')
            .map(|name| name.strip_suffix(':').unwrap_or(name));
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return Self::Node {
                name: name.to_owned(),
            };
        }
        let Some(leaf) = body
            .strip_prefix('-')
            .filter(|leaf| !leaf.starts_with([' ', '\t']))
        else {
            return Self::Unreadable;
        };
        let (id, value) = leaf.split_once([' ', '\t']).unwrap_or((leaf, ""));
        if id.is_empty() {
            return Self::Unreadable;
        }
        Self::Leaf {
            id: id.to_owned(),
            value: value.trim().to_owned(),
        }
    }
}

struct Builder<'a> {
    tree: StatTree,
    /// Indentation and node of each open level below the root.
    open: Vec<(usize, Place)>,
    /// The node of the client connections.
    connections: Option<usize>,
    /// Every node by its parent and name, and every statistic by its node and id: output is capped
    /// at megabytes, and looking through lists for repetitions would take for ever on garbage.
    nodes: HashMap<(usize, String), usize>,
    statistics: HashSet<(usize, String)>,
    /// Number and text of the line at hand.
    at: (usize, &'a [u8]),
}

/// Where a line belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Node(usize),
    /// Somewhere below `Connections`.
    Uncounted,
}

/// The levels of a flat text: a top node, an instance `#n`, a group of statistics.
const TOP: usize = 0;
const INSTANCE: usize = 1;
const GROUP: usize = 2;

impl<'a> Builder<'a> {
    fn new(final_newline: bool) -> Self {
        let tree = StatTree {
            nodes: vec![Node::default()],
            connections: None,
            problems: Vec::new(),
            further_problems: 0,
            final_newline,
        };
        Self {
            tree,
            open: Vec::new(),
            connections: None,
            nodes: HashMap::new(),
            statistics: HashSet::new(),
            at: (0, &[]),
        }
    }

    /// In a flat text the level follows from the name alone.
    fn node_by_name(&mut self, name: &str) {
        let level = if known::is_top(name) {
            TOP
        } else if name.starts_with('#') {
            INSTANCE
        } else {
            GROUP
        };
        self.node_by_indent(level, name);
    }

    fn node_by_indent(&mut self, indent: usize, name: &str) {
        self.leave(indent);
        let place = match self.open.last() {
            None => Place::Node(self.top(name)),
            Some((_, Place::Uncounted)) => Place::Uncounted,
            Some((_, Place::Node(parent))) if Some(*parent) == self.connections => {
                *self.tree.connections.get_or_insert(0) += 1;
                Place::Uncounted
            }
            Some((_, Place::Node(parent))) => Place::Node(self.child(*parent, name)),
        };
        self.open.push((indent, place));
    }

    fn top(&mut self, name: &str) -> usize {
        let index = self.child(0, name);
        if name == CONNECTIONS {
            self.connections = Some(index);
            self.tree.connections.get_or_insert(0);
        }
        index
    }

    /// Closes every level that a line with this indentation does not lie below.
    fn leave(&mut self, indent: usize) {
        while self.open.last().is_some_and(|(level, _)| *level >= indent) {
            self.open.pop();
        }
    }

    fn child(&mut self, parent: usize, name: &str) -> usize {
        let key = (parent, name.to_owned());
        if let Some(existing) = self.nodes.get(&key).copied() {
            self.problem(ProblemKind::RepeatedNode);
            return existing;
        }
        let index = self.tree.nodes.len();
        self.tree.nodes.push(Node {
            name: name.to_owned(),
            ..Node::default()
        });
        if let Some(parent) = self.tree.nodes.get_mut(parent) {
            parent.nodes.push(index);
        }
        self.nodes.insert(key, index);
        index
    }

    fn leaf(&mut self, id: &str, value: &str) {
        let index = match self.open.last() {
            None => return self.problem(ProblemKind::OutsideNode),
            Some((_, Place::Uncounted)) => return,
            Some((_, Place::Node(index))) => *index,
        };
        if !self.statistics.insert((index, id.to_owned())) {
            return self.problem(ProblemKind::RepeatedStatistic);
        }
        if let Some(node) = self.tree.nodes.get_mut(index) {
            node.statistics.push(Statistic {
                id: id.to_owned(),
                value: value.to_owned(),
            });
        }
    }

    fn problem(&mut self, kind: ProblemKind) {
        if self.tree.problems.len() < PROBLEMS_KEPT {
            let text = String::from_utf8_lossy(self.at.1).trim_end().to_owned();
            self.tree.problems.push(Problem {
                line: self.at.0,
                kind,
                text,
            });
        } else {
            self.tree.further_problems += 1;
        }
    }
}
