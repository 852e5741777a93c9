//! Which proxy the environment asks for: as Go's client, and so kubectl, understands it.

use std::net::IpAddr;

use http::Uri;

/// Values of the proxy variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyEnv {
    /// `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `HTTP_PROXY`.
    pub http: Option<String>,
    /// `NO_PROXY`.
    pub none: Option<String>,
}

impl ProxyEnv {
    /// Reads the variables, in capitals first.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| env(name).or_else(|| env(&name.to_lowercase())).filter(|v| !v.is_empty());
        Self { https: get("HTTPS_PROXY"), http: get("HTTP_PROXY"), none: get("NO_PROXY") }
    }

    /// The proxy for a server. This host itself is never reached through one.
    pub fn of(&self, server: &Uri) -> Option<Uri> {
        let host = server.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|a| a.is_loopback()) {
            return None;
        }
        let excepted = self.none.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|e| !e.is_empty());
        if excepted.into_iter().any(|entry| meets(entry, &host, address)) {
            return None;
        }
        let proxy = if server.scheme_str() == Some("http") { &self.http } else { &self.https };
        let proxy = proxy.as_deref()?;
        let with_scheme = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        with_scheme.parse().ok()
    }
}

/// `*`, a domain with its subdomains, an address, or a network.
fn meets(entry: &str, host: &str, address: Option<IpAddr>) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Some(address)) = (entry.split_once('/'), address) {
        return matches!((network.parse(), bits.parse()), (Ok(n), Ok(b)) if is_in(address, n, b));
    }
    let name = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
    let name = name.split_once(':').map_or(name.as_str(), |(n, _)| n);
    host == name || host.strip_suffix(name).is_some_and(|front| front.ends_with('.'))
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, n: u128, width: u32| match width.checked_sub(bits) {
        Some(0) => a == n,
        Some(host_bits) if host_bits >= 128 => true,
        Some(host_bits) => a >> host_bits == n >> host_bits,
        None => false,
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => same(u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => same(a.to_bits(), n.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn exceptions_are_judged_by_the_server_and_not_by_the_proxy() {
        let env = ProxyEnv {
            https: Some("proxy.example:3128".into()),
            http: None,
            none: Some("10.0.0.0/8, .corp.example,exact.example:6443".into()),
        };
        let through = |uri: &str| env.of(&uri.parse().unwrap()).map(|p| p.to_string());
        assert_eq!(through("https://k8s.example:6443").as_deref(), Some("http://proxy.example:3128/"));
        for direct in [
            "https://10.1.2.3:6443",
            "https://a.corp.example",
            "https://corp.example",
            "https://exact.example:6443",
            "https://127.0.0.1:6443",
            "https://localhost:6443",
            "https://[::1]:6443",
            "http://plain.example",
        ] {
            assert_eq!(through(direct), None, "{direct}");
        }
        assert!(through("https://11.1.2.3").is_some() && through("https://notcorp.example").is_some());
    }
}
