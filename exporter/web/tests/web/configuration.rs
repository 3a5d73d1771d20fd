//! The web configuration file: what is taken, and everything that is wrong with it.

use rcgen::{CertificateParams, KeyPair};
use vcm_web::WebConfig;

use crate::certificates::{Authority, Files, TLS};

/// The problems of a file, without the path before them.
fn problems(files: &Files, text: &str) -> Vec<String> {
    let path = files.put("web.yml", text);
    match WebConfig::load(Some(&path)) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let prefix = format!("{}:", path.display());
            error
                .lines()
                .map(|line| line.replace(&prefix, ""))
                .collect()
        }
    }
}

fn server() -> Files {
    Files::with_server(&Authority::new("servers").server())
}

#[test]
fn tells_all_problems_together_with_line_and_key() {
    let files = server();
    let text = "tls_server_config:
  cert_file: missing.crt
  key_file: server.crt
  client_auth_type: Sometimes
  min_version: TLS14
  cipher_suites: [TLS_NONE]
  curve_preferences: [Curve25519]
http_server_config:
  http2: maybe
  headers:
    X-Frame-Options: allow
    X-Other: 1
basic_auth_users:
  alice: secret
rate_limit:
  interval: 1
unknown: 1
";
    assert_eq!(
        problems(&files, text),
        [
            "2: tls_server_config.cert_file: cannot be read: No such file or directory (os error 2)",
            "3: tls_server_config.key_file: has no private key (in PEM)",
            "4: tls_server_config.client_auth_type: is not NoClientCert, RequestClientCert, \
             RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert",
            "5: tls_server_config.min_version: is not TLS10, TLS11, TLS12 or TLS13",
            "6: tls_server_config.cipher_suites[0]: is not a cipher suite that Go calls secure",
            "7: tls_server_config.curve_preferences[0]: is not CurveP256, CurveP384, CurveP521 or X25519",
            "9: http_server_config.http2: is not true or false",
            "11: http_server_config.headers.X-Frame-Options: is not one of: deny, sameorigin",
            "12: http_server_config.headers.X-Other: is not a header that can be set: \
             Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, \
             X-Frame-Options, X-XSS-Protection",
            "14: basic_auth_users.alice: is not a bcrypt hash, such as htpasswd -nB makes",
            "16: rate_limit.interval: is not a duration such as 100ms, 1s or 1m30s",
            "17: unknown: is not a known key; known here: http_server_config, tls_server_config, \
             basic_auth_users, rate_limit",
        ]
    );
}

#[test]
fn each_unusable_setting_is_refused_under_its_key() {
    let files = server();
    let other = KeyPair::generate().unwrap();
    files.put("other.key", &other.serialize_pem());
    files.put("empty", "");
    files.put(
        "text",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    files.put(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (more, key) in [
        ("  max_version: TLS11\n", "max_version"),
        (
            "  min_version: TLS13\n  max_version: TLS12\n",
            "min_version",
        ),
        (
            "  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
            "cipher_suites",
        ),
        (
            "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n",
            "cipher_suites",
        ),
        ("  curve_preferences: [CurveP521]\n", "curve_preferences"),
        ("  client_ca_file: server.crt\n", "client_ca_file"),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n",
            "client_auth_type",
        ),
        (
            "  client_auth_type: VerifyClientCertIfGiven\n",
            "client_auth_type",
        ),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: empty\n",
            "client_ca_file",
        ),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: none\n",
            "client_ca_file",
        ),
        (
            "  client_auth_type: RequestClientCert\n  client_allowed_sans: [a]\n",
            "client_allowed_sans",
        ),
        ("  client_allowed_sans: [a]\n", "client_allowed_sans"),
        ("rate_limit: {interval: 1s}\n", "rate_limit.burst"),
        ("rate_limit: {interval: 1s, burst: 0}\n", "rate_limit.burst"),
        ("basic_auth_users: {\"a:b\": x}\n", "basic_auth_users.?"),
        (
            "http_server_config: {headers: {X-XSS-Protection: \"a\\nb\"}}\n",
            "X-XSS-Protection",
        ),
    ] {
        let found = problems(&files, &format!("{TLS}{more}"));
        assert_eq!(found.len(), 1, "{more}: {found:?}");
        assert!(found[0].contains(key), "{more}: {found:?}");
    }
    for (cert, key, problem) in [
        (
            "server.crt",
            "other.key",
            "key_file: does not belong to the certificate",
        ),
        (
            "empty",
            "server.key",
            "cert_file: has no certificate (in PEM)",
        ),
        (
            "server.crt",
            "empty",
            "key_file: has no private key (in PEM)",
        ),
        ("text", "server.key", "cert_file: is not valid PEM"),
        (
            "server.crt",
            "encrypted.key",
            "key_file: is encrypted; a server",
        ),
        ("server.crt", "", "key_file: is required, or key"),
        ("\"\"", "server.key", "cert_file: is required, or cert"),
    ] {
        let text = format!("tls_server_config:\n  cert_file: {cert}\n  key_file: {key}\n");
        let found = problems(&files, &text);
        assert_eq!(found.len(), 1, "{cert} {key}: {found:?}");
        assert!(found[0].contains(problem), "{cert} {key}: {found:?}");
    }
}

#[test]
fn no_problem_repeats_a_secret() {
    let files = server();
    let text = "basic_auth_users:\n  alice: hunter2\ntls_server_config:\n  key: hunter2\n  cert: hunter2\n";
    let found = problems(&files, text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(!found.concat().contains("hunter2"), "{found:?}");
}

#[test]
fn a_file_that_is_missing_or_no_text_is_refused() {
    let files = Files::new();
    let error = WebConfig::load(Some(&files.path("none.yml"))).unwrap_err();
    let line: String = error.lines().collect();
    assert!(line.contains("none.yml: cannot be read"), "{line}");
    let path = files.path("binary.yml");
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert!(WebConfig::load(Some(&path)).is_err());
}

#[test]
fn takes_what_the_toolkit_takes() {
    let files = server();
    for more in [
        "  prefer_server_cipher_suites: true\n  cipher_suites: []\n  client_allowed_sans:\n",
        "  client_auth_type: \"\"\n  client_ca_file: \"\"\n",
        "  min_version: TLS11\n  max_version: TLS13\n",
        "  cert: not used\n",
        "http_server_config: {http2: no, headers: {X-XSS-Protection: \"\"}}\n",
        "rate_limit: {interval: 0, burst: 0}\n",
        "rate_limit: {interval: 500ms, burst: 1}\n",
    ] {
        assert_eq!(problems(&files, &format!("{TLS}{more}")), [""; 0], "{more}");
    }
}

#[test]
fn an_expired_certificate_is_taken() {
    let authority = Authority::new("servers");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let files = Files::with_server(&authority.sign(params));
    assert_eq!(problems(&files, TLS), [""; 0]);
}
