//! What stands in the log, and what never does.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;

use crate::certificates::{Authority, Files, TLS};
use crate::client::{eventually, get};
use crate::server::Server;

/// Takes every line of this thread, down to the finest.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_credential_is_ever_logged() {
    let (log, _guard) = Log::start();
    let files = Files::new();
    let hash = bcrypt::hash("correct", 4).unwrap();
    let path = files.put("web.yml", &format!("basic_auth_users:\n  alice: {hash}\n"));
    let server = Server::start(Some(&path)).await;
    // alice:correct, alice:secret
    for encoded in ["YWxpY2U6Y29ycmVjdA==", "YWxpY2U6c2VjcmV0"] {
        let header = format!("Authorization: Basic {encoded}");
        get(server.address, "/", &[&header]).await.unwrap();
        assert!(!log.text().contains(encoded));
    }
    let text = log.text();
    assert!(text.contains("a login was refused"), "{text}");
    for secret in ["alice", "correct", "secret", &hash] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!format!("{:?}", server.config).contains(&hash));
}

#[tokio::test]
async fn a_bad_file_is_logged_once_and_so_is_its_repair() {
    let (log, _guard) = Log::start();
    let authority = Authority::new("servers");
    let files = Files::with_server(&authority.server());
    let server = Server::start(Some(&files.put("web.yml", TLS))).await;
    let looked = |wanted: bool| {
        let server = &server;
        async move || {
            // Refused by TLS, and a look at the files all the same.
            let _ = get(server.address, "/", &[]).await;
            let status = server.config.status().unwrap();
            (status.last_reload_successful == wanted).then_some(())
        }
    };
    for _ in 0..2 {
        // Written again, and no better.
        files.put("web.yml", "tls_server_config: {min_version: TLS12}\n");
        eventually(looked(false)).await;
    }
    files.put("web.yml", TLS);
    eventually(looked(true)).await;
    let text = log.text();
    assert_eq!(
        text.matches("cannot reload the web configuration").count(),
        1,
        "{text}"
    );
    assert_eq!(
        text.matches("web configuration reloaded").count(),
        1,
        "{text}"
    );
}

#[tokio::test]
async fn remarks_on_what_is_accepted_and_should_be_known() {
    let (log, _guard) = Log::start();
    let authority = Authority::new("servers");
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let files = Files::with_server(&authority.sign(params));
    let more = "  min_version: TLS10\n  curve_preferences: [X25519, CurveP521]\n  cert: x\n  \
                cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n";
    let _server = Server::start(Some(&files.put("web.yml", &format!("{TLS}{more}")))).await;
    let text = log.text();
    for remark in [
        "tls_server_config.cert_file: the certificate expired at 2002-01-01",
        "tls_server_config.cert: is not used, for cert_file is given",
        "tls_server_config.min_version: TLS below 1.2 is not offered",
        "tls_server_config.curve_preferences: CurveP521 is not offered",
        "tls_server_config.cipher_suites: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not offered",
    ] {
        assert!(text.contains(remark), "{remark} not in {text}");
    }
}
