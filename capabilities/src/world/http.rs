//! The one way out to HTTP services, shared by all of them: with time limits, without proxies and redirects, and to addresses
//! that a stranger names only where they are public.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Url};

use crate::world::undelivered::Undelivered;

/// The longest reply that is read.
const REPLY_AT_MOST: usize = 1 << 20;

/// How long a service may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until a connection stands, names looked up and TLS agreed.
    pub connecting: Duration,
    /// Until the reply is read to its end.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connecting: Duration::from_secs(5), whole: Duration::from_secs(20) }
    }
}

/// What a service replied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its HTTP status, 200 to 299.
    pub status: u16,
    /// Its body, of at most a mebibyte.
    pub body: Vec<u8>,
}

/// The clients of all outside services: they share connections and limits.
#[derive(Debug, Clone)]
pub struct Http {
    known: Client,
    strangers: Client,
}

impl Http {
    /// With the names of this machine.
    ///
    /// # Errors
    /// What TLS or the resolver lacks on this machine.
    pub fn new(patience: Patience) -> Result<Self, String> {
        Self::resolving(patience, Arc::new(OfThisMachine))
    }

    /// With names looked up by `names`.
    ///
    /// # Errors
    /// What TLS lacks on this machine.
    pub fn resolving(patience: Patience, names: Arc<dyn Resolve>) -> Result<Self, String> {
        let client = |names: Arc<dyn Resolve>| {
            let builder = Client::builder()
                .connect_timeout(patience.connecting)
                .timeout(patience.whole)
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .user_agent("Frontdesk")
                .dns_resolver(names);
            builder.build().map_err(|error| told(&error))
        };
        Ok(Self { known: client(names.clone())?, strangers: client(Arc::new(PublicOnly(names)))? })
    }

    /// A request to a service that whoever runs the office configured, wherever that is.
    pub fn to(&self, method: Method, url: Url) -> RequestBuilder {
        self.known.request(method, url)
    }

    /// A request to an address that a stranger names: over TLS, and only where anybody could ask. Names are looked up, and
    /// their addresses checked, for each connection, so it does not help to let a name point elsewhere afterwards.
    ///
    /// # Errors
    /// `Never`, where the address is refused by its form alone.
    pub fn to_stranger(&self, method: Method, url: Url) -> Result<RequestBuilder, Undelivered> {
        let refused =
            |why: &str| Undelivered::Never(format!("{} is not asked: {why}", url.origin().ascii_serialization()));
        if url.scheme() != "https" {
            return Err(refused("it has no https address"));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if host.parse().is_ok_and(|address: IpAddr| !is_public(address)) {
            return Err(refused("its address is not a public one"));
        }
        Ok(self.strangers.request(method, url))
    }

    /// Sends a request and reads what comes of it.
    ///
    /// # Errors
    /// `Later`, where the service could not be reached, took too long, is overloaded (408, 429) or broken (5xx); `Never`, where
    /// it refused (other 4xx), sent us elsewhere (3xx) or replied at too great length. The texts hold no body and no query.
    pub async fn send(&self, request: RequestBuilder) -> Result<Reply, Undelivered> {
        let mut response = request.send().await.map_err(sorted)?;
        let status = response.status().as_u16();
        let said = format!("{} replied {status}", response.url().origin().ascii_serialization());
        match status {
            200..=299 => {}
            408 | 429 | 500.. => return Err(Undelivered::Later(said)),
            _ => return Err(Undelivered::Never(said)),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(sorted)? {
            if body.len() + chunk.len() > REPLY_AT_MOST {
                return Err(Undelivered::Never(format!("{said} with more than {REPLY_AT_MOST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body })
    }
}

/// What went wrong, with its causes, and without the address: a path or a query may hold what is secret.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

fn sorted(error: reqwest::Error) -> Undelivered {
    let refused = refusal_in(&error).map(ToString::to_string);
    let hopeless = error.is_builder();
    let error = error.without_url();
    match refused {
        Some(refusal) => Undelivered::Never(refusal),
        None if hopeless => Undelivered::Never(told(&error)),
        None => Undelivered::Later(told(&error)),
    }
}

/// A name that leads to where strangers may not send us.
#[derive(Debug)]
struct NotPublic(String);

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not asked: its address is not a public one", self.0)
    }
}

impl std::error::Error for NotPublic {}

fn refusal_in(error: &reqwest::Error) -> Option<&NotPublic> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref() {
            return Some(refusal);
        }
        cause = inner.source();
    }
    None
}

/// Looks names up as this machine does.
struct OfThisMachine;

impl Resolve for OfThisMachine {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Refuses names of which any address is not public.
struct PublicOnly(Arc<dyn Resolve>);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let asked = name.as_str().to_string();
        let looked_up = self.0.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = looked_up.await?.collect();
            match found.iter().all(|address| is_public(address.ip())) {
                true => Ok(Box::new(found.into_iter()) as Addrs),
                false => Err(NotPublic(asked).into()),
            }
        })
    }
}

/// Whether anybody could ask there: not among the special-purpose addresses of IANA's registries (RFC 6890), nor an IPv6
/// form that carries an IPv4 address which is.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Global unicast is 2000::/3; the rest is loopback, local, multicast, mapped, translated or not assigned.
    let [a, b, ..] = address.segments();
    let special = a == 0x2001 && (b < 0x0200 || b == 0x0db8) || a == 0x2002 || a == 0x3fff;
    (0x2000..0x4000).contains(&a) && !special
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: Patience = Patience { connecting: Duration::from_secs(2), whole: Duration::from_millis(300) };

    /// A service on loopback that replies the same to everything, or nothing, and counts who came.
    async fn service(reply: Option<String>) -> (Url, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/secret?key=4711", listener.local_addr().unwrap()).parse().unwrap();
        let came = Arc::<AtomicUsize>::default();
        let counted = came.clone();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(reply) = &reply {
                    let mut request = [0; 1024];
                    drop(stream.read(&mut request).await);
                    drop(stream.write_all(reply.as_bytes()).await);
                }
                kept.push(stream);
            }
        });
        (url, came)
    }

    async fn ask(url: Url) -> Result<Reply, Undelivered> {
        let http = Http::new(SHORT).unwrap();
        http.send(http.to(Method::GET, url)).await
    }

    fn with_status(line: &str) -> Option<String> {
        Some(format!("HTTP/1.1 {line}\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"))
    }

    #[tokio::test]
    async fn what_a_service_replies_is_sorted_into_done_later_and_never() {
        let reply = ask(service(with_status("200 OK")).await.0).await.unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"ok"[..]));
        for line in ["429 Slow Down", "408 Timeout", "500 Broken", "503 Down"] {
            let error = ask(service(with_status(line)).await.0).await.unwrap_err();
            assert!(matches!(error, Undelivered::Later(_)), "{line}: {error:?}");
        }
        for line in ["400 Bad", "402 Payment", "404 Nothing"] {
            let error = ask(service(with_status(line)).await.0).await.unwrap_err();
            assert!(matches!(error, Undelivered::Never(_)), "{line}: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_service_that_says_nothing_or_is_not_there_is_asked_again_later_and_its_query_is_not_told() {
        let silent = ask(service(None).await.0).await.unwrap_err();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gone = ask(format!("http://{gone}/secret?key=4711").parse().unwrap()).await.unwrap_err();
        for error in [silent, gone] {
            let Undelivered::Later(why) = error else { panic!("{error:?}") };
            assert!(!why.contains("4711") && !why.contains("secret"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (elsewhere, came) = service(with_status("200 OK")).await;
        let reply = format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
        let error = ask(service(Some(reply)).await.0).await.unwrap_err();
        assert!(matches!(error, Undelivered::Never(_)), "{error:?}");
        assert_eq!(came.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_reply_without_end_is_given_up() {
        let reply = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(REPLY_AT_MOST + 1));
        let (url, _) = service(Some(reply)).await;
        let http = Http::new(Patience::default()).unwrap();
        let error = http.send(http.to(Method::GET, url)).await.unwrap_err();
        assert!(matches!(&error, Undelivered::Never(why) if why.contains("bytes")), "{error:?}");
    }

    /// Names that lead to one address after the other, and to the last one from then on.
    struct Changing(Mutex<Vec<&'static str>>);

    impl Resolve for Changing {
        fn resolve(&self, _: Name) -> Resolving {
            let mut left = self.0.lock().unwrap();
            let next = if left.len() > 1 { left.remove(0) } else { left[0] };
            let address = SocketAddr::new(next.parse().unwrap(), 0);
            Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
        }
    }

    #[tokio::test]
    async fn a_stranger_cannot_have_us_ask_within_the_house() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let names = Arc::new(Changing(Mutex::new(vec!["10.0.0.1", "127.0.0.1"])));
        let http = Http::resolving(SHORT, names).unwrap();
        for _ in 0..2 {
            let url = format!("https://stranger.example:{port}/").parse().unwrap();
            let error = http.send(http.to_stranger(Method::GET, url).unwrap()).await.unwrap_err();
            let Undelivered::Never(why) = &error else { panic!("{error:?}") };
            assert_eq!(why, "stranger.example is not asked: its address is not a public one");
        }
        for url in ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "http://stranger.example/"] {
            let refused = http.to_stranger(Method::GET, url.parse().unwrap());
            assert!(matches!(refused, Err(Undelivered::Never(_))), "{url}");
        }
        let came = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(came.is_err(), "nobody came");
    }

    #[test]
    fn special_addresses_are_not_public() {
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
        ];
        for address in special {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
