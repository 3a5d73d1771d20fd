//! What stands in the log, and what never does.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tracing::level_filters::LevelFilter;

use crate::certificates::{Authority, Files, TLS};
use crate::client::{eventually, get};
use crate::server::Server;

/// Every line of all tests of this process, down to the finest.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Starts it with the first test that asks.
    fn of_process() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            log
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Counts the lines with both words.
    fn count(&self, what: &str, of: &str) -> usize {
        let both = |line: &&str| line.contains(what) && line.contains(of);
        self.text().lines().filter(both).count()
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
    let log = Log::of_process();
    let files = Files::new();
    let (user, right, wrong) = ("zebedee", "florence", "dougal");
    let hash = bcrypt::hash(right, 4).unwrap();
    let text = format!("basic_auth_users:\n  {user}: {hash}\n");
    let path = files.put("web.yml", &text);
    let server = Server::start(Some(&path)).await;
    let mut secrets = vec![right.to_owned(), wrong.into(), hash[7..].to_owned()];
    for (password, status) in [(right, 200), (wrong, 401)] {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let header = format!("Authorization: Basic {encoded}");
        let answer = get(server.address, "/", &[&header]).await.unwrap();
        assert_eq!(answer.status, status);
        secrets.push(encoded);
    }
    assert!(!log.text().contains(user));
    // The key of a problem names the user, and nothing quotes the hash.
    files.put("web.yml", &text.replace("$2b$", "2b"));
    let error = server.config.reload().await.unwrap_err();
    let text = format!("{}{error:?}{error}", log.text());
    assert!(text.contains("a login was refused"), "{text}");
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in {text}");
    }
    assert!(!format!("{:?}", server.config).contains(&hash));
}

#[tokio::test]
async fn a_bad_file_is_logged_once_and_so_is_its_repair() {
    let log = Log::of_process();
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
    let path = files.path("web.yml").display().to_string();
    let text = log.text();
    let failed = log.count("cannot reload the web configuration", &path);
    assert_eq!(failed, 1, "{text}");
    assert_eq!(log.count("web configuration reloaded", &path), 1, "{text}");
}

#[tokio::test]
async fn remarks_on_what_is_accepted_and_should_be_known() {
    let log = Log::of_process();
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
