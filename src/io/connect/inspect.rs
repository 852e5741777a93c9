//! What a kubeconfig says of a cluster's connection, without making it: for `gonogo doctor`. No secret is in it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Config};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::acting::ActingAs;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;

/// Others may read a file of these modes.
const OTHERS: u32 = 0o077;
/// Larger files are no certificates.
const MOST_BYTES: u64 = 1024 * 1024;

/// A connection as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// The server's URL, without credentials.
    pub server: String,
    /// What it is reached through; absent: nothing.
    pub proxy: Option<String>,
    /// Its certificate is not checked: whoever stands between may read and change everything.
    pub insecure: bool,
    /// Plain HTTP.
    pub plain: bool,
    /// How we say who we are, e.g. `client certificate` or `exec plugin aws`.
    pub credentials: String,
    /// Whom the server is asked to take us for.
    pub acts_as: Option<String>,
    /// Certificates, by what they are, and when they end; an error: they cannot be read, and why.
    pub certificates: Vec<(String, Result<Timestamp, String>)>,
    /// Files with secrets that others of this host may read.
    pub open_files: Vec<String>,
}

pub(super) fn inspected(config: &Config, acting_as: Option<&ActingAs>) -> Inspected {
    let auth = &config.auth_info;
    let (server, proxy) = (&config.cluster_url, config.proxy_url.as_ref());
    let nameless = |uri: &http::Uri| {
        let host = uri.authority().map_or("", |a| a.as_str());
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        safe(&format!("{}://{host}{}", uri.scheme_str().unwrap_or("https"), uri.path().trim_end_matches('/')), 200)
    };
    let mut certificates: Vec<(String, Result<Timestamp, String>)> = Vec::new();
    for (at, der) in config.root_cert.iter().flatten().enumerate() {
        let what =
            if at == 0 { "certificate authority".to_owned() } else { format!("certificate authority {}", at + 1) };
        certificates.push((what, ends(Certificate::from_der(der))));
    }
    if let Some(pem) = client_certificate(auth) {
        let chain = pem.and_then(|pem| {
            Certificate::load_pem_chain(&pem).map_err(|e| safe(&format!("it cannot be read: {e}"), 200))
        });
        certificates.push(("client certificate".to_owned(), chain.and_then(|chain| earliest(&chain))));
    }
    let files = [&auth.client_key, &auth.token_file];
    Inspected {
        server: nameless(server),
        proxy: proxy.map(nameless),
        insecure: config.accept_invalid_certs,
        plain: server.scheme_str() == Some("http"),
        credentials: credentials(auth),
        acts_as: acting_as.map(|a| &a.user).or(auth.impersonate.as_ref()).map(|user| safe(user, 100)),
        certificates,
        open_files: files.into_iter().flatten().filter(|f| is_open(Path::new(f))).cloned().collect(),
    }
}

/// Whether others of this host may read a file.
pub fn is_open(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.permissions().mode() & OTHERS & 0o044 != 0)
}

fn credentials(auth: &AuthInfo) -> String {
    if let Some(exec) = &auth.exec {
        return format!("exec plugin {}", safe(exec.command.as_deref().unwrap_or("?"), 100));
    }
    if auth.client_certificate.is_some() || auth.client_certificate_data.is_some() {
        return "client certificate".to_owned();
    }
    if auth.token_file.is_some() {
        return "token from a file".to_owned();
    }
    if auth.token.is_some() {
        return "token".to_owned();
    }
    if let Some(provider) = &auth.auth_provider {
        return format!("auth-provider {}", safe(&provider.name, 60));
    }
    if auth.username.is_some() { "user and password".to_owned() } else { "none: anonymous".to_owned() }
}

/// The client certificate as PEM, or why it cannot be had; none: there is none.
fn client_certificate(auth: &AuthInfo) -> Option<Result<Vec<u8>, String>> {
    if let Some(data) = &auth.client_certificate_data {
        return Some(STANDARD.decode(data.trim()).map_err(|_| "it is no base64".to_owned()));
    }
    let path = auth.client_certificate.as_ref()?;
    let small = std::fs::metadata(path).is_ok_and(|m| m.len() <= MOST_BYTES);
    let read = || std::fs::read(path).map_err(|e| safe(&format!("{path}: {e}"), 300));
    Some(if small { read() } else { Err(safe(&format!("{path} is not there, or is no certificate"), 300)) })
}

fn earliest(chain: &[Certificate]) -> Result<Timestamp, String> {
    let ends: Result<Vec<Timestamp>, String> = chain.iter().map(|c| ends(Ok(c.clone()))).collect();
    ends?.into_iter().min().ok_or_else(|| "it holds no certificate".to_owned())
}

fn ends(certificate: Result<Certificate, x509_cert::der::Error>) -> Result<Timestamp, String> {
    let certificate = certificate.map_err(|e| safe(&format!("it cannot be read: {e}"), 200))?;
    let seconds = certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    // Certificates without an end are written as 9999-12-31.
    Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn nothing_secret_is_repeated_and_broken_certificates_say_so() {
        let auth: AuthInfo = serde_json::from_value(serde_json::json!({
            "token": "c4n4ry", "client-certificate-data": STANDARD.encode("-----BEGIN CERTIFICATE-----\nAAAA\n"),
        }))
        .unwrap();
        let mut config = Config::new("https://ann:c4n4ry@eu.example:6443/".parse().unwrap());
        config.auth_info = auth;
        config.root_cert = Some(vec![b"c4n4ry".to_vec()]);
        let found = inspected(&config, None);
        assert_eq!(
            (found.server.as_str(), found.credentials.as_str()),
            ("https://eu.example:6443", "client certificate")
        );
        assert_eq!(found.certificates.len(), 2);
        assert!(found.certificates.iter().all(|(_, ends)| ends.is_err()), "{found:?}");
        assert!(!format!("{found:?}").contains("c4n4ry"), "{found:?}");
    }
}
