//! The network between workers and server: a TCP proxy that can misbehave.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the network behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Everything takes so much longer.
    Slow(Duration),
    /// Connections stay open, and nothing goes through.
    Silent,
    /// New connections are closed at once.
    Refusing,
}

/// Passes on what comes, in whatever weather.
pub(crate) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Counted up, all connections end.
    cuts: watch::Sender<u64>,
    /// Connections that were made until now.
    accepted: watch::Receiver<u64>,
}

impl Proxy {
    /// Begins to listen, for connections to this server. Ends with the runtime.
    pub(crate) async fn start(server: SocketAddr) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (weather, forecast) = watch::channel(Weather::Fair);
        let (cuts, cut) = watch::channel(0);
        let (count, accepted) = watch::channel(0);
        let proxy = Arc::new(Self { address: listener.local_addr()?, weather, cuts, accepted });
        tokio::spawn(async move {
            loop {
                // An error is about one connection that went away while it was accepted.
                let Ok((worker, _)) = listener.accept().await else { continue };
                if *forecast.borrow() == Weather::Refusing {
                    continue;
                }
                count.send_modify(|accepted| *accepted += 1);
                tokio::spawn(pass(worker, server, forecast.clone(), cut.clone()));
            }
        });
        Ok(proxy)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made until now.
    pub(crate) fn accepted(&self) -> watch::Receiver<u64> {
        self.accepted.clone()
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(
    worker: TcpStream,
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
    mut cuts: watch::Receiver<u64>,
) {
    cuts.mark_unchanged();
    let Ok(server) = TcpStream::connect(server).await else { return };
    for stream in [&worker, &server] {
        let _ = stream.set_nodelay(true); // slower without, but not wrong
    }
    let (from_worker, to_worker) = worker.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_worker, to_server, weather.clone()) => (),
        () = copy(from_server, to_worker, weather) => (),
        _ = cuts.changed() => (),
    }
}

/// Until either side ends.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let now = *weather.borrow();
        if let Weather::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if weather.wait_for(|weather| *weather != Weather::Silent).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
