//! The same once more with curl, whose TLS and HTTP/2 are nobody's Rust.

use std::ffi::OsStr;

use tokio::process::Command;

use crate::certificates::{Authority, Files, TLS};
use crate::server::Server;

/// Runs curl; nothing if there is none on this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "a client of the tests, not a vendor tool"
)]
async fn curl(args: &[&OsStr]) -> Option<(bool, String)> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(["--write-out", "%{http_code} %{http_version}"])
        .args(args)
        .output()
        .await;
    match output {
        Ok(output) => Some((
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )),
        Err(_) => {
            println!("skipped: there is no curl here");
            None
        }
    }
}

#[tokio::test]
async fn curl_is_served_over_http_1_and_2_with_certificate_and_password() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let files = Files::with_server(&servers.server());
    let authority = files.put("servers.crt", &servers.pem);
    files.put("clients.crt", &clients.pem);
    let client = clients.client(Vec::new());
    let certificate = files.put("client.crt", &client.certificate);
    let key = files.put("client.key", &client.key);
    let hash = bcrypt::hash("correct", 4).unwrap();
    let text = format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n\
         basic_auth_users: {{alice: {hash}}}\n"
    );
    let server = Server::start(Some(&files.put("web.yml", &text))).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let mut args: Vec<&OsStr> = vec!["--ipv4".as_ref(), "--cacert".as_ref(), authority.as_ref()];
    args.push(url.as_ref());
    let Some((served, _)) = curl(&args).await else {
        return;
    };
    assert!(!served, "without a certificate");
    args.extend(["--cert".as_ref(), certificate.as_os_str()]);
    args.extend(["--key".as_ref(), key.as_os_str()]);
    for (more, answer) in [
        (["--http1.1", "--user", "alice:correct"], "hello200 1.1"),
        (["--http2", "--user", "alice:correct"], "hello200 2"),
        (
            ["--http1.1", "--user", "alice:wrong"],
            "Unauthorized\n401 1.1",
        ),
        (
            ["--http2", "--user", "mallory:correct"],
            "Unauthorized\n401 2",
        ),
        (["--tlsv1.2", "--tls-max", "1.2"], "Unauthorized\n401 2"),
    ] {
        let more = more.map(OsStr::new);
        let answered = curl(&[args.as_slice(), &more].concat()).await;
        assert_eq!(answered, Some((true, answer.to_owned())), "{more:?}");
    }
}
