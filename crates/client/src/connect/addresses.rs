//! From a server's name to its addresses, for each connection anew.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::{BoxError, Service, ServiceExt};

use crate::caught::caught;
use crate::random;

/// Who knows the addresses behind a name: the operating system, if nobody else.
///
/// Of several addresses, each connection takes them in another order, so that a fleet spreads over all of them. Operating systems sort
/// them, and all machines alike.
#[derive(Clone, Default)]
pub(crate) struct Addresses(Option<Arc<Resolve>>);

type Resolve = dyn Fn(String) -> Resolving + Send + Sync;
type Resolving = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, BoxError>> + Send>>;

impl Addresses {
    pub(crate) fn from<F, Fut, E>(resolver: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<SocketAddr>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Some(Arc::new(move |name| {
            let addresses = resolver(name);
            Box::pin(async move { addresses.await.map_err(Into::into) })
        })))
    }

    fn resolve(&self, name: Name) -> Resolving {
        match &self.0 {
            Some(resolve) => resolve(name.as_str().to_owned()),
            None => Box::pin(async move { Ok(GaiResolver::new().oneshot(name).await?.collect()) }),
        }
    }
}

impl Service<Name> for Addresses {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.clone();
        Box::pin(async move {
            // The connection is made by a task that all calls share: whoever panics there ends the client.
            let addresses = caught("the resolver of ClientOptions", || addresses.resolve(name.clone())).await?;
            if addresses.is_empty() {
                return Err(format!("`{name}` has no address").into());
            }
            Ok(shuffled(addresses).into_iter())
        })
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Addresses(own)" } else { "Addresses(of the system)" })
    }
}

/// In a random order, but those of the first one's family before the others: which of IPv4 and IPv6 is better here, whoever resolved
/// the name knows.
fn shuffled(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    addresses.sort_by_cached_key(|address| (address.is_ipv6() != is_preferred, random::seed()));
    addresses
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn c7_the_order_is_random_within_the_family_that_comes_first() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"]);
        let orders: BTreeSet<_> = (0..1000).map(|_| shuffled(given.clone())).collect();
        assert_eq!(orders.len(), 3 * 2 * 2, "3! orders of the one family, 2! of the other");
        for order in orders {
            assert!(order[..3].iter().all(SocketAddr::is_ipv6), "{order:?}");
            assert_eq!(order.iter().collect::<BTreeSet<_>>(), given.iter().collect());
        }
    }

    #[tokio::test]
    async fn whoever_resolves_names_is_asked_each_time_and_an_error_is_passed_on() {
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let resolver = {
            let asked = Arc::clone(&asked);
            move |name: String| {
                let mut asked = asked.lock().unwrap();
                asked.push(name);
                let answer = match asked.len() {
                    1 => Ok(vec![SocketAddr::from(([127, 0, 0, 1], 7233))]),
                    2 => Ok(vec![]),
                    _ => Err("the registry is down"),
                };
                async move { answer }
            }
        };
        let mut addresses = Addresses::from(resolver);
        let name: Name = "frontends".parse().unwrap();
        assert_eq!(addresses.call(name.clone()).await.unwrap().count(), 1);
        assert_eq!(addresses.call(name.clone()).await.unwrap_err().to_string(), "`frontends` has no address");
        assert_eq!(addresses.call(name).await.unwrap_err().to_string(), "the registry is down");
        assert_eq!(*asked.lock().unwrap(), ["frontends"; 3]);
    }

    #[tokio::test]
    async fn a_panic_of_whoever_resolves_names_is_an_error() {
        let asked = AtomicU32::new(0);
        let mut addresses = Addresses::from(move |_| {
            let asked = asked.fetch_add(1, Ordering::Relaxed);
            assert!(asked > 0, "at once");
            async move {
                assert!(asked > 1, "later");
                Ok::<_, BoxError>(vec![SocketAddr::from(([127, 0, 0, 1], 7233))])
            }
        });
        let name: Name = "frontends".parse().unwrap();
        for when in ["at once", "later"] {
            let error = addresses.call(name.clone()).await.unwrap_err().to_string();
            let whose = "the resolver of ClientOptions panicked, which is a defect of the application";
            assert_eq!(error, format!("{whose}: {when}"));
        }
        assert_eq!(addresses.call(name).await.unwrap().count(), 1);
    }

    #[tokio::test]
    async fn the_operating_system_resolves_names_if_nobody_else_does() {
        let mut addresses = Addresses::default().call("localhost".parse().unwrap()).await.unwrap();
        assert!(addresses.all(|address| address.ip().is_loopback()));
    }
}
