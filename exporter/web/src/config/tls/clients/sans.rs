//! The names in a client's certificate, written as Go writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Returns the DNS names, e-mail addresses, IP addresses and URIs.
pub(super) fn subject_alternative_names(
    certificate: &CertificateDer<'_>,
) -> Result<Vec<String>, der::Error> {
    let certificate = Certificate::from_der(certificate)?;
    let Some((_, names)) = certificate.tbs_certificate.get::<SubjectAltName>()? else {
        return Ok(Vec::new());
    };
    Ok(names.0.iter().filter_map(written).collect())
}

fn written(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::Rfc822Name(address) => Some(address.to_string()),
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        GeneralName::IpAddress(octets) => ip(octets.as_bytes()).map(|ip| ip.to_string()),
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::RegisteredId(_) => None,
    }
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(octets).ok()?;
    // Go shows an IPv4 address that is written as IPv6 in its short form.
    Some(IpAddr::from(Ipv6Addr::from(v6)).to_canonical())
}
