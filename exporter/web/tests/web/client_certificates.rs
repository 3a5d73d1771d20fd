//! The five ways of asking a client for a certificate, and the names that are let in.

use rcgen::SanType;

use crate::certificates::{Authority, Files, Identity, TLS};
use crate::client::TlsClient;
use crate::server::Server;

struct Setup {
    servers: Authority,
    clients: Authority,
    strangers: Authority,
    files: Files,
}

impl Setup {
    fn new() -> Self {
        let servers = Authority::new("servers");
        let clients = Authority::new("clients");
        let files = Files::with_server(&servers.server());
        files.put("clients.crt", &clients.pem);
        Self {
            servers,
            clients,
            strangers: Authority::new("strangers"),
            files,
        }
    }

    async fn server(&self, more: &str) -> Server {
        let path = self.files.put("web.yml", &format!("{TLS}{more}"));
        Server::start(Some(&path)).await
    }

    /// Whether a client is served, over both versions of TLS.
    async fn served(&self, server: &Server, identity: Option<&Identity>) -> bool {
        let client = TlsClient::trusting(&self.servers.pem);
        let client = match identity {
            Some(identity) => client.showing(identity),
            None => client,
        };
        let old = client.clone().tls12().get(server.address, &[]).await;
        let new = client.tls13().get(server.address, &[]).await;
        assert_eq!(old.is_ok(), new.is_ok(), "{old:?} {new:?}");
        new.is_ok_and(|answer| answer.status == 200)
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

#[tokio::test]
async fn each_type_lets_in_just_whom_it_names() {
    let setup = Setup::new();
    let ours = setup.clients.client(vec![dns("prometheus")]);
    let theirs = setup.strangers.client(vec![dns("prometheus")]);
    let authority = "  client_ca_file: clients.crt\n";
    for (kind, authority, without, with_ours, with_theirs) in [
        ("NoClientCert", "", true, true, true),
        ("RequestClientCert", "", true, true, true),
        ("RequestClientCert", authority, true, true, true),
        ("RequireAnyClientCert", "", false, true, true),
        ("RequireClientCert", "", false, true, true),
        ("VerifyClientCertIfGiven", authority, true, true, false),
        ("RequireAndVerifyClientCert", authority, false, true, false),
    ] {
        let more = format!("  client_auth_type: {kind}\n{authority}");
        let server = setup.server(&more).await;
        let served = (
            setup.served(&server, None).await,
            setup.served(&server, Some(&ours)).await,
            setup.served(&server, Some(&theirs)).await,
        );
        assert_eq!(served, (without, with_ours, with_theirs), "{kind}");
    }
}

#[tokio::test]
async fn every_kind_of_name_may_let_a_client_in() {
    let setup = Setup::new();
    for (san, written) in [
        (dns("prometheus.example"), "prometheus.example"),
        (
            SanType::Rfc822Name("a@b.example".try_into().unwrap()),
            "a@b.example",
        ),
        (
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            "192.0.2.7",
        ),
        (
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
            "2001:db8::7",
        ),
        (
            SanType::URI("spiffe://example/p".try_into().unwrap()),
            "spiffe://example/p",
        ),
    ] {
        let more = format!(
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n  \
             client_allowed_sans: [other, \"{written}\"]\n"
        );
        let server = setup.server(&more).await;
        let named = setup.clients.client(vec![dns("first"), san.clone()]);
        assert!(setup.served(&server, Some(&named)).await, "{written}");
        let other = setup.clients.client(vec![dns("x.prometheus.example")]);
        assert!(!setup.served(&server, Some(&other)).await, "{written}");
        let nameless = setup.clients.client(Vec::new());
        assert!(!setup.served(&server, Some(&nameless)).await, "{written}");
        let stranger = setup.strangers.client(vec![san]);
        assert!(!setup.served(&server, Some(&stranger)).await, "{written}");
    }
}

#[tokio::test]
async fn an_empty_list_of_names_lets_nobody_in() {
    let setup = Setup::new();
    let more = "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: []\n";
    let server = setup.server(more).await;
    let ours = setup.clients.client(vec![dns("prometheus")]);
    assert!(!setup.served(&server, Some(&ours)).await);
}

#[tokio::test]
async fn takes_the_authority_from_the_file_itself() {
    let setup = Setup::new();
    let pem = setup.clients.pem.replace('\n', "\n    ");
    let more =
        format!("  client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\n    {pem}\n");
    let server = setup.server(&more).await;
    let ours = setup.clients.client(vec![dns("prometheus")]);
    assert!(setup.served(&server, Some(&ours)).await);
    let theirs = setup.strangers.client(vec![dns("prometheus")]);
    assert!(!setup.served(&server, Some(&theirs)).await);
}
