//! Basic authentication, on every path.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::certificates::Files;
use crate::client::{Answer, get};
use crate::server::Server;

/// Low, for the tests' time; users have 10 and more.
const COST: u32 = 4;

fn basic(user: &str, password: &str) -> String {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {encoded}")
}

fn users(users: &[(&str, &str, u32)]) -> String {
    let lines = users.iter().map(|(user, password, cost)| {
        let hash = bcrypt::hash(password, *cost).unwrap();
        format!("  {user}: {hash}\n")
    });
    format!("basic_auth_users:\n{}", lines.collect::<String>())
}

async fn server(text: &str) -> (Files, Server) {
    let files = Files::new();
    let path = files.put("web.yml", text);
    let server = Server::start(Some(&path)).await;
    (files, server)
}

async fn ask(server: &Server, header: &str) -> Answer {
    get(server.address, "/", &[header]).await.unwrap()
}

#[tokio::test]
async fn lets_in_who_has_the_password_and_nobody_else() {
    let (_files, server) = server(&users(&[
        ("alice", "correct", COST),
        ("bob", "horse", COST),
    ]))
    .await;
    for (header, status) in [
        (basic("alice", "correct"), 200),
        (basic("alice", "correct"), 200),
        (basic("bob", "horse"), 200),
        (basic("alice", "horse"), 401),
        (basic("alice", "correct "), 401),
        (basic("alice", ""), 401),
        (basic("Alice", "correct"), 401),
        (basic("", ""), 401),
        (basic("mallory", "correct"), 401),
        ("Authorization: Basic".to_owned(), 401),
        ("Authorization: Basic !!!".to_owned(), 401),
        ("Authorization: Bearer correct".to_owned(), 401),
        ("X-None: 1".to_owned(), 401),
    ] {
        assert_eq!(ask(&server, &header).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn two_authorization_headers_are_none() {
    let (_files, server) = server(&users(&[("alice", "correct", COST)])).await;
    let (right, wrong) = (basic("alice", "correct"), basic("alice", "wrong"));
    let answer = get(server.address, "/", &[&right, &wrong]).await.unwrap();
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn asks_for_a_login_on_every_path() {
    let text = users(&[("alice", "correct", COST)]);
    let text = format!("{text}http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n");
    let (_files, server) = server(&text).await;
    for path in ["/", "/none", "/panic", "/-/healthy", "//", "/%2e%2e/"] {
        let answer = get(server.address, path, &[]).await.unwrap();
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Basic"));
        assert_eq!(answer.header("X-Frame-Options"), Some("deny"));
        assert_eq!(answer.body, "Unauthorized\n");
    }
}

#[tokio::test]
async fn takes_the_hashes_that_other_tools_write() {
    let hash = bcrypt::hash("correct", COST).unwrap();
    for version in ["$2a$", "$2b$", "$2y$"] {
        let hash = hash.replace("$2b$", version);
        let (_files, server) = server(&format!("basic_auth_users:\n  alice: {hash}\n")).await;
        let right = ask(&server, &basic("alice", "correct")).await;
        let wrong = ask(&server, &basic("alice", "wrong")).await;
        assert_eq!((right.status, wrong.status), (200, 401), "{version}");
    }
}

/// A check of cost 11 takes a hundred times as long as a request without one, so that a median
/// tells them apart also on a busy machine.
#[tokio::test]
async fn remembers_an_accepted_login_and_makes_unknown_users_wait_as_long() {
    let (_files, server) = server(&users(&[("alice", "correct", 11)])).await;
    let time = async |header: &str| {
        let begin = Instant::now();
        ask(&server, header).await;
        begin.elapsed()
    };
    let first = time(&basic("alice", "correct")).await;
    let mut again: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        again.push(time(&basic("alice", "correct")).await);
    }
    again.sort();
    assert!(again[2] * 4 < first, "first {first:?}, then {again:?}");
    let unknown = time(&basic("mallory", "correct")).await;
    assert!(
        again[2] * 4 < unknown,
        "unknown {unknown:?}, remembered {again:?}"
    );
}

#[tokio::test]
async fn who_is_remembered_does_not_wait_behind_those_who_guess() {
    let (_files, server) = server(&users(&[("alice", "correct", 8)])).await;
    assert_eq!(ask(&server, &basic("alice", "correct")).await.status, 200);
    let mut guesses = tokio::task::JoinSet::new();
    for guess in 0..60 {
        let (address, header) = (server.address, basic("alice", &guess.to_string()));
        guesses.spawn(async move { get(address, "/", &[&header]).await.unwrap().status });
    }
    let mut statuses = Vec::new();
    let mut while_guessing = 0;
    while let Some(status) = guesses.join_next().await {
        statuses.push(status.unwrap());
        assert_eq!(ask(&server, &basic("alice", "correct")).await.status, 200);
        while_guessing += usize::from(!guesses.is_empty());
    }
    assert!(while_guessing > 0);
    // Those who guess are told no or later, and some were told later.
    assert!(statuses.iter().all(|status| [401, 503].contains(status)));
    assert!(statuses.contains(&503), "{statuses:?}");
}

/// Scrapers that all start with the service. A check of cost 11 lasts longer than it takes them to
/// arrive; at worst, the last of them finds the login remembered.
#[tokio::test]
async fn the_same_login_is_one_check_however_many_bring_it() {
    let (_files, server) = server(&users(&[("alice", "correct", 11)])).await;
    for (password, expected) in [("correct", 200), ("wrong", 401)] {
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (address, header) = (server.address, basic("alice", password));
            requests.spawn(async move { get(address, "/", &[&header]).await.unwrap().status });
        }
        let statuses = requests.join_all().await;
        assert_eq!(statuses, [expected; 50], "{password}");
    }
}
