//! Client certificates: `client_auth_type`, `client_ca`, `client_allowed_sans`.

mod sans;

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use vcm_yaml::{Section, text, text_as};

use self::sans::subject_alternative_names;
use super::certificate::certificates;
use super::pem::{self, Keys};
use crate::config::file::Reading;

const CLIENT_CA: Keys = Keys {
    inline: "client_ca",
    in_file: "client_ca_file",
};

/// What is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::config) struct Clients {
    /// A certificate is asked for.
    requested: bool,
    /// Without a certificate nobody is let in.
    required: bool,
    /// A certificate must be of the given authority.
    verified: bool,
    /// Only certain names are let in.
    named: bool,
}

impl Clients {
    /// Returns which key's protection would be lost with `new`.
    pub(in crate::config) fn lost_in(self, new: Self) -> Option<&'static str> {
        if (self.required && !new.required) || (self.verified && !new.verified) {
            return Some("tls_server_config.client_auth_type");
        }
        let lost = self.named && !new.named;
        lost.then_some("tls_server_config.client_allowed_sans")
    }

    /// Takes one of Go's words.
    fn parse(word: &str) -> Result<Self, String> {
        let (requested, required, verified) = match word {
            "" | "NoClientCert" => (false, false, false),
            "RequestClientCert" => (true, false, false),
            // The second is what the toolkit called it first.
            "RequireAnyClientCert" | "RequireClientCert" => (true, true, false),
            "VerifyClientCertIfGiven" => (true, false, true),
            "RequireAndVerifyClientCert" => (true, true, true),
            _ => {
                return Err(
                    "is not NoClientCert, RequestClientCert, RequireAnyClientCert, \
                            VerifyClientCertIfGiven or RequireAndVerifyClientCert"
                        .to_owned(),
                );
            }
        };
        Ok(Self {
            requested,
            required,
            verified,
            named: false,
        })
    }
}

/// What was read.
pub(super) struct ClientAuth {
    policy: Clients,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientAuth {
    pub(super) fn policy(&self) -> Clients {
        self.policy
    }

    pub(super) fn verifier(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.verifier.clone()
    }
}

/// Reads the three keys.
pub(super) fn read(
    section: &mut Section<'_>,
    provider: &Arc<CryptoProvider>,
    reading: &mut Reading,
) -> Option<ClientAuth> {
    let policy = section.optional("client_auth_type", text_as(Clients::parse));
    let authority = pem::read(section, CLIENT_CA, false, reading);
    let names = section.sequence("client_allowed_sans", text);
    if policy.is_none() && section.contains("client_auth_type") {
        return None;
    }
    let mut policy = policy.unwrap_or_default();
    policy.named = names.is_some();
    let roots = match authority {
        Some(pem) => Some((pem.key, certificates(section, &pem)?)),
        None => None,
    };
    fits(section, policy, roots.as_ref().map(|(key, _)| *key))?;
    let chain = match roots {
        Some((key, roots)) if policy.verified => {
            Some(chain_verifier(section, key, roots, provider)?)
        }
        _ => None,
    };
    let verifier = Verifier {
        chain,
        required: policy.required,
        names,
        algorithms: provider.signature_verification_algorithms,
    };
    Some(ClientAuth {
        policy,
        verifier: policy.requested.then(|| Arc::new(verifier) as _),
    })
}

/// Notes what does not go together.
fn fits(section: &mut Section<'_>, policy: Clients, authority: Option<&str>) -> Option<()> {
    if let (Some(key), false) = (authority, policy.requested) {
        section.problem(
            key,
            "is given without a client_auth_type that asks for certificates",
        );
        return None;
    }
    // Go would take the system's authorities: any certificate that anybody can buy.
    if policy.verified && authority.is_none() {
        let unreadable = section.contains("client_ca_file") || section.contains("client_ca");
        if !unreadable {
            section.problem("client_auth_type", "needs client_ca_file or client_ca");
        }
        return None;
    }
    if policy.named && !policy.required {
        section.problem(
            "client_allowed_sans",
            "needs client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert",
        );
        return None;
    }
    Some(())
}

fn chain_verifier(
    section: &mut Section<'_>,
    key: &str,
    authorities: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        if let Err(error) = roots.add(authority) {
            section.problem(
                key,
                format!("has a certificate that is no authority: {error}"),
            );
            return None;
        }
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    match builder.build() {
        Ok(verifier) => Some(verifier),
        Err(error) => {
            section.problem(key, format!("cannot be used: {error}"));
            None
        }
    }
}

/// Checks a client's certificate. That the client has its key is checked always.
#[derive(Debug)]
struct Verifier {
    /// Absent where any certificate will do.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    required: bool,
    names: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain
            .as_ref()
            .map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        if let Some(allowed) = &self.names {
            let names = subject_alternative_names(end_entity)
                .map_err(|_| Error::from(CertificateError::BadEncoding))?;
            if !names.iter().any(|name| allowed.contains(name)) {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
