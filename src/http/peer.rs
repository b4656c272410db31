//! Whose network a request comes from.
//!
//! Behind a proxy every connection comes from there, and the proxy writes down whom it serves. What others write into the same
//! header is not believed: only the entry that is nearest to us and not of a proxy counts.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, HeaderMap};

const FORWARDED: &str = "x-forwarded-for";

/// What counts as one client: an IPv4 address, or an IPv6 network, of which everybody has a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

/// Where a request comes from; it stands in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub network: Network,
    /// It comes from this machine, and nobody stands between.
    pub is_local: bool,
}

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl Peer {
    /// The sender of a request; `proxied` says that a proxy may stand before us.
    pub fn of(request: &Request, proxied: bool) -> Self {
        // A request that came by no connection is nobody's, and not of this machine.
        let Some(near) = connected(request.extensions()) else {
            return Self { network: Network::of(Ipv6Addr::UNSPECIFIED.into()), is_local: false };
        };
        let client = if proxied && is_near(near) { forwarded(request.headers()).unwrap_or(near) } else { near };
        Self { network: Network::of(client), is_local: !proxied && near.is_loopback() }
    }
}

fn connected(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// The right-most address that is not of a proxy of ours; the right-most of all, if all could be.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(FORWARDED).iter().map_while(|line| line.to_str().ok()).collect();
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let addresses: Vec<IpAddr> = entries.map_while(|entry| address(entry.trim())).collect();
    addresses.iter().find(|address| !is_near(**address)).or(addresses.first()).copied()
}

/// Some proxies write the port as well.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Whether it is where a proxy of ours may be: this machine or a private network.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn peer(from: &str, forwarded: &[&str], proxied: bool) -> Peer {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(from.parse().unwrap(), 40_000)));
        for line in forwarded {
            request.headers_mut().append(FORWARDED, line.parse().unwrap());
        }
        Peer::of(&request, proxied)
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_nobody_else() {
        for (from, forwarded, proxied, client) in [
            ("127.0.0.1", &["203.0.113.7"][..], true, "203.0.113.7"),
            ("127.0.0.1", &["198.51.100.1, 203.0.113.7"], true, "203.0.113.7"),
            ("127.0.0.1", &["198.51.100.1", "203.0.113.7, 10.0.0.2"], true, "203.0.113.7"),
            ("10.0.0.2", &["203.0.113.7:51000"], true, "203.0.113.7"),
            ("10.0.0.2", &["198.51.100.1, nonsense"], true, "10.0.0.2"),
            ("10.0.0.2", &["10.1.1.1, 10.0.0.9"], true, "10.0.0.9"),
            ("10.0.0.2", &[], true, "10.0.0.2"),
            ("198.51.100.9", &["203.0.113.7"], true, "198.51.100.9"),
            ("127.0.0.1", &["203.0.113.7"], false, "127.0.0.1"),
        ] {
            let network = peer(from, forwarded, proxied).network;
            assert_eq!(network, Network::of(client.parse().unwrap()), "{from} {forwarded:?} {proxied}");
        }
    }

    #[test]
    fn only_this_machine_without_a_proxy_is_local() {
        assert!(peer("127.0.0.1", &[], false).is_local && peer("::1", &[], false).is_local);
        assert!(!peer("127.0.0.1", &[], true).is_local, "a proxy sits on this machine");
        assert!(!peer("10.0.0.2", &[], false).is_local);
        assert!(!Peer::of(&Request::new(Body::empty()), false).is_local);
    }

    #[test]
    fn a_client_is_one_however_many_addresses_of_its_network_it_uses() {
        let network = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
