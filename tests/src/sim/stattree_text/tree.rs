//! A tree of statistics and its printed form.

use std::fmt::Write;

/// A node with its leaves and its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// `Name`, or `#n` for an instance.
    name: String,
    leaves: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

impl Node {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            leaves: Vec::new(),
            children: Vec::new(),
        }
    }

    pub(super) fn instance(number: usize) -> Self {
        Self::new(&format!("#{number}"))
    }

    pub(super) fn add(&mut self, child: Node) {
        self.children.push(child);
    }

    pub(super) fn leaf(&mut self, id: &'static str, value: String) {
        self.leaves.push((id, value));
    }

    pub(super) fn count(&mut self, id: &'static str, value: u64) {
        self.leaf(id, value.to_string());
    }

    /// The child of this name; instances are asked for without their `#`.
    pub(super) fn child(&self, name: &str) -> Option<&Node> {
        self.children
            .iter()
            .find(|child| child.name.trim_start_matches('#') == name)
    }

    /// Removes nodes and leaves of these names, wherever they stand.
    pub(super) fn remove(&mut self, names: &[String]) {
        self.leaves
            .retain(|(id, _)| !names.iter().any(|name| name == id));
        self.children.retain(|child| !names.contains(&child.name));
        self.children
            .iter_mut()
            .for_each(|child| child.remove(names));
    }

    /// The printed form; the root of the whole tree has no line of its own.
    pub(super) fn print(&self, is_root: bool) -> String {
        let mut text = String::new();
        if is_root {
            self.children
                .iter()
                .for_each(|child| child.print_below(&mut text, 0));
        } else {
            self.print_below(&mut text, 0);
        }
        text
    }

    fn print_below(&self, text: &mut String, level: usize) {
        let indent = INDENT * level;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:indent$}+{}:", "", self.name);
        let indent = indent + INDENT;
        for (id, value) in &self.leaves {
            let _ = writeln!(text, "{:indent$}-{id:<20} {value}", "");
        }
        self.children
            .iter()
            .for_each(|child| child.print_below(text, level + 1));
    }
}

/// Spaces of each further level.
const INDENT: usize = 3;
