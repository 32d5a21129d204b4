//! Where a caller is: the other end of the connection, or what a proxy says that the configuration
//! trusts.
//!
//! `X-Forwarded-For` is what anybody can write: of it only the part counts that trusted proxies added,
//! read from its end.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where the caller is, seen from here through these proxies.
pub(crate) fn caller(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|net| net.contains(&address));
    let mut last = peer.to_canonical();
    let values: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut hops = values.iter().rev().flat_map(|value| value.rsplit(','));
    while is_proxy(last) {
        // What cannot be read was not written by a proxy of ours, nor is anything before it.
        let Some(hop) = hops.next().and_then(address) else { break };
        last = hop;
    }
    last
}

/// An address as proxies write it: bare, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|both| both.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_trusted_proxies_added_counts() {
        let proxies: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        for (peer, forwarded, expected) in [
            // No proxy of ours: whatever it says.
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"][..], "198.51.100.1"),
            // What the caller wrote itself stands before what the proxy added.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1"][..], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"][..], "198.51.100.1"),
            // Two proxies.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"][..], "198.51.100.1"),
            // Nothing but proxies, and what is no address.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"][..], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1, unknown"][..], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"][..], "10.0.0.2"),
            ("10.0.0.1", &[""][..], "10.0.0.1"),
            // Ports, brackets, and version 4 within version 6.
            ("::ffff:10.0.0.1", &["198.51.100.1:4711"][..], "198.51.100.1"),
            ("fd00::1", &["[2001:db8::7]:4711"][..], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"][..], "2001:db8::7"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let found = caller(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"));
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(caller(peer, &headers, &[]), peer, "nobody is trusted who is not named");
    }
}
