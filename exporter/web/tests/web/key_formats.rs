//! Keys as openssl writes them, which is where users have theirs from.

use std::path::Path;

use tokio::process::Command;
use vcm_web::WebConfig;

use crate::certificates::{Files, TLS};

/// Runs openssl; nothing if there is none on this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "makes test data, is no vendor tool"
)]
async fn openssl(dir: &Path, command: &str) -> Option<()> {
    let output = Command::new("openssl")
        .args(command.split(' '))
        .current_dir(dir)
        .output()
        .await;
    let Ok(output) = output else {
        println!("skipped: there is no openssl here");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {command}: {said}");
    Some(())
}

/// Loads a server with the key that a command wrote to `server.key`.
async fn load(command: &str) -> Option<Result<WebConfig, String>> {
    let files = Files::new();
    openssl(&files.dir(), command).await?;
    let pass = "-passin pass:x";
    let request = format!("req -x509 -new -key server.key {pass} -subj /CN=a -out server.crt");
    openssl(&files.dir(), &request).await?;
    let path = files.put("web.yml", TLS);
    let loaded = WebConfig::load(Some(&path));
    Some(loaded.map_err(|error| error.lines().collect()))
}

#[tokio::test]
async fn takes_the_keys_that_openssl_writes() {
    for command in [
        "genrsa -out server.key 2048",
        "genrsa -traditional -out server.key 2048",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out server.key",
        "ecparam -name prime256v1 -genkey -out server.key",
        "ecparam -name secp384r1 -genkey -noout -out server.key",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out server.key",
        "genpkey -algorithm ed25519 -out server.key",
    ] {
        let Some(loaded) = load(command).await else {
            return;
        };
        assert!(loaded.is_ok(), "{command}: {loaded:?}");
    }
}

#[tokio::test]
async fn says_why_a_key_cannot_be_used() {
    for (command, why) in [
        ("genrsa -out server.key 1024", "is no key that can be used"),
        (
            "ecparam -name secp521r1 -genkey -out server.key",
            "is no key that can be used",
        ),
        (
            "genrsa -aes128 -passout pass:x -out server.key 2048",
            "is encrypted",
        ),
        (
            "genrsa -traditional -aes128 -passout pass:x -out server.key 2048",
            "is encrypted",
        ),
    ] {
        let Some(loaded) = load(command).await else {
            return;
        };
        let error = loaded.unwrap_err();
        assert!(error.contains(why), "{command}: {error}");
    }
}
