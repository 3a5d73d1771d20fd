//! The section `web.operators`: who may order something, and how each of them is known.
//!
//! The name that stands here is the one that is recorded with every order. A request never says by
//! itself who gave it.

use vcm_recovery::ids::Person;

use super::checker::Checker;
use super::raw::{self, Text};
use super::{Web, site};
use crate::webhook::auth::Token;

/// Everybody who may order something. Empty: nobody may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators(Vec<Operator>);

/// One person, or one program that acts for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name that is recorded.
    pub name: Person,
    /// What they show. Never shown itself.
    pub token: Token,
}

impl Operators {
    /// These and nobody else.
    #[must_use]
    pub const fn new(operators: Vec<Operator>) -> Self {
        Self(operators)
    }

    /// Whether there is nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token the header `Authorization` holds.
    ///
    /// Every token is compared, as hashes: how long that takes says nothing about any of them.
    #[must_use]
    pub fn who(&self, header: Option<&[u8]>) -> Option<&Person> {
        self.0.iter().fold(None, |known, operator| {
            let permitted = operator.token.permits(header);
            if permitted {
                Some(&operator.name)
            } else {
                known
            }
        })
    }
}

/// The operators, each with a name and a token that nobody else has. `webhook` is the token of
/// those who post alerts: it must not operate.
pub(super) fn checked(
    checker: &mut Checker,
    raw: Vec<raw::Operator>,
    webhook: Option<&Token>,
) -> Operators {
    let mut operators: Vec<Operator> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let key = |name: &str| format!("web.operators[{index}].{name}");
        let name = checker.parse::<Person>(&key("name"), &raw.name);
        let token = site::token(checker, &key("token_file"), &raw.token_file);
        if let Some(name) = &name
            && operators.iter().any(|operator| operator.name == *name)
        {
            let message = format!("{name} is listed twice");
            checker.problem_at(&key("name"), &raw.name, message);
        }
        if let Some(token) = &token {
            let file = (key("token_file"), &raw.token_file);
            check_own(checker, file, token, &operators, webhook);
        }
        operators.extend(
            name.zip(token)
                .map(|(name, token)| Operator { name, token }),
        );
    }
    Operators(operators)
}

/// A token names one person, or it names nobody.
fn check_own(
    checker: &mut Checker,
    (key, file): (String, &Text),
    token: &Token,
    operators: &[Operator],
    webhook: Option<&Token>,
) {
    if webhook == Some(token) {
        let message = "holds the token of web.bearer_token_file: who posts alerts must not operate";
        checker.problem_at(&key, file, message);
    }
    if let Some(other) = operators.iter().find(|other| other.token == *token) {
        let message = format!("holds the token of {}", other.name);
        checker.problem_at(&key, file, message);
    }
}

/// Tokens that can be read on their way, as an operator reads it.
pub(super) fn loosened(web: &Web) -> Option<String> {
    let address = web.listen_address;
    let open = !address.ip().to_canonical().is_loopback() && !web.operators.is_empty();
    open.then(|| {
        format!("web.operators: {address} has no TLS, so tokens can be read on their way there")
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tempfile::NamedTempFile;

    use super::super::tests::{load, problems, small_with};
    use super::*;

    fn token(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        writeln!(file, "{text}").unwrap();
        file
    }

    fn operator(name: &str, file: &NamedTempFile) -> String {
        let path = file.path().display();
        format!("    - {{name: {name}, token_file: {path}}}\n")
    }

    #[test]
    fn knows_each_operator_by_the_own_token_and_nobody_else() {
        let (alice, bob) = (token("alice-0123456789"), token("bob-0123456789ab"));
        let list = operator("alice", &alice) + &operator("bob", &bob);
        let config = load(&small_with(&format!("web:\n  operators:\n{list}"))).unwrap();
        let who = |header: Option<&str>| {
            let who = config.web.operators.who(header.map(str::as_bytes));
            who.map(Person::as_str)
        };
        assert_eq!(who(Some("Bearer alice-0123456789")), Some("alice"));
        assert_eq!(who(Some("Bearer bob-0123456789ab")), Some("bob"));
        assert_eq!(who(Some("Bearer alice-012345678")), None);
        assert_eq!(who(Some("Bearer ")), None);
        assert_eq!(who(None), None);
        assert!(!format!("{config:?}").contains("0123456789"));
    }

    #[test]
    fn without_the_section_there_is_nobody() {
        for text in ["", "web: {operators: []}\n"] {
            let operators = load(&small_with(text)).unwrap().web.operators;
            assert!(operators.is_empty());
            assert_eq!(operators.who(Some(b"Bearer ")), None);
        }
    }

    #[test]
    fn names_every_problem_with_its_key_and_line() {
        let (alice, short) = (token("alice-0123456789"), token("short"));
        let list = operator("alice", &alice)
            + &operator("alice", &short)
            + &operator("\"a b\"", &alice)
            + "    - {name: eve, token_file: token}\n";
        let webhook = alice.path().display();
        let text = format!("web:\n  bearer_token_file: {webhook}\n  operators:\n{list}");
        let said = problems(&small_with(&text));
        let expected = [
            "line 9: web.operators[0].token_file: holds the token of web.bearer_token_file",
            "line 10: web.operators[1].token_file: the token is shorter than 16 characters",
            "line 10: web.operators[1].name: alice is listed twice",
            "line 11: web.operators[2].name: name \"a b\"",
            "line 11: web.operators[2].token_file: holds the token of web.bearer_token_file",
            "line 11: web.operators[2].token_file: holds the token of alice",
            "line 12: web.operators[3].token_file: \"token\" is not an absolute path",
        ];
        for beginning in expected {
            let found = said.iter().any(|problem| problem.starts_with(beginning));
            assert!(found, "{beginning} is not in {said:#?}");
        }
    }

    #[test]
    fn a_token_that_no_header_carries_is_refused() {
        let file = token("two\nwords 0123456789");
        let text = format!("web:\n  operators:\n{}", operator("alice", &file));
        let said = problems(&small_with(&text));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("the token is several lines"), "{said:?}");
        assert!(!said[0].contains("words"), "{said:?}");
    }

    #[test]
    fn tokens_over_an_open_network_are_said_loudly() {
        let alice = token("alice-0123456789");
        let list = operator("alice", &alice);
        let text = format!("web:\n  listen_address: 0.0.0.0:9809\n  operators:\n{list}");
        let loosened = load(&small_with(&text)).unwrap().loosened();
        assert!(
            loosened
                .iter()
                .any(|line| line.starts_with("web.operators:"))
        );
    }
}
