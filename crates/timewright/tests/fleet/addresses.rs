//! A name with several addresses, which change.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions};
use timewright::workflow::{ActivityOptions, WorkflowWorker};
use timewright_testing::DevServer;
use tokio::net::TcpSocket;

use crate::proxy::{Proxy, Weather};
use crate::support::background::run_both;
use crate::support::definitions::{activity, workflow};
use crate::support::logs::Logs;
use crate::support::{LIMIT, connect, start_options, unique, within};

activity!(Echo: u32 => u32);

workflow!(Echoes: u32 => u32, |context, number| {
    Ok(context.execute_activity(Echo, number, ActivityOptions::start_to_close(LIMIT)).await?)
});

/// What a name stands for now.
#[derive(Clone, Default)]
struct Name(Arc<Mutex<Vec<SocketAddr>>>);

impl Name {
    fn set(&self, addresses: impl Into<Vec<SocketAddr>>) {
        *self.0.lock().unwrap() = addresses.into();
    }

    /// For clients that use it.
    fn options(&self) -> ClientOptions {
        let name = self.clone();
        ClientOptions::new("http://frontends").resolver(move |_| {
            let addresses = name.0.lock().unwrap().clone();
            async move { Ok::<_, Infallible>(addresses) }
        })
    }
}

async fn proxy() -> Arc<Proxy> {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}")).address();
    Proxy::start(server).await.unwrap()
}

async fn check_echo(client: &Client, queue: &str, number: u32) {
    let echoes = client.start_workflow(Echoes, number, start_options(queue)).await.unwrap();
    assert_eq!(within("the result", echoes.result()).await.unwrap(), number);
}

#[tokio::test]
async fn c7_workers_find_the_frontends_that_a_rolling_restart_leaves() {
    let (name, queue) = (Name::default(), unique("rolled"));
    let (old, new) = (proxy().await, proxy().await);
    name.set([old.address()]);
    let client = connect(name.options()).await;
    let echo = async |_: ActivityContext, number: u32| Ok::<_, ActivityError>(number);
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Echoes>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Echo, echo).build().unwrap();
    let worker = run_both(workflows, activities);
    check_echo(&client, &queue, 1).await;

    // All frontends are others now, and one of them is not up yet.
    let vacant = unused_address();
    name.set([vacant.local_addr().unwrap(), new.address()]);
    old.set_weather(Weather::Refusing);
    old.cut();
    check_echo(&client, &queue, 2).await;
    assert!(*new.accepted().borrow() > 0);
    worker.stop().await;
}

#[tokio::test]
async fn c7_a_dead_address_keeps_nobody_from_the_others_and_a_fleet_spreads() {
    let name = Name::default();
    let (one, other) = (proxy().await, proxy().await);
    let vacant = unused_address();
    name.set([one.address(), vacant.local_addr().unwrap(), other.address()]);
    // With 40 of them, one of the two would be left out once in 500 thousand million times.
    for _client in 0..40 {
        connect(name.options()).await;
    }
    let (one, other) = (*one.accepted().borrow(), *other.accepted().borrow());
    assert!(one > 0 && other > 0 && one + other == 40, "{one} and {other}");
}

#[tokio::test]
async fn c7_a_connection_that_nobody_ends_gives_place_to_one_to_another_address() {
    let logs = Logs::capture();
    let name = Name::default();
    let (old, new) = (proxy().await, proxy().await);
    name.set([old.address()]);
    let client = connect(name.options().maximum_connection_age(Duration::from_secs(1))).await;
    name.set([]);
    let line =
        logs.wait_for("no connection could be made to take an old one's place, which goes on", 1).await.remove(0);
    assert!(line.contains("WARN") && line.contains("`frontends` has no address"), "{line}");
    client.check_namespace().await.unwrap();

    name.set([new.address()]);
    within("a connection to the new address", new.accepted().wait_for(|accepted| *accepted > 0)).await.unwrap();
    // What is done now is done over the new one: nothing goes through the old one any more.
    let mut renewed = new.accepted();
    renewed.mark_unchanged();
    within("another connection", renewed.changed()).await.unwrap();
    old.set_weather(Weather::Silent);
    within("an answer", client.check_namespace()).await.unwrap();
}

#[tokio::test]
async fn c6_connections_that_the_server_ends_are_made_anew_and_nobody_notices() {
    let server = tokio::task::spawn_blocking(|| {
        let age = |name: &str, time: &str| format!("--dynamic-config-value=frontend.{name}=\"{time}\"");
        let builder = DevServer::builder().argument(age("keepAliveMaxConnectionAge", "1s"));
        builder.argument(age("keepAliveMaxConnectionAgeGrace", "70s")).start()
    });
    let server = server.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    let (name, queue) = (Name::default(), unique("aged"));
    let proxy = Proxy::start(server.address()).await.unwrap();
    name.set([proxy.address()]);
    let client = connect(name.options()).await;
    let echo = async |_: ActivityContext, number: u32| Ok::<_, ActivityError>(number);
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Echoes>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Echo, echo).build().unwrap();
    let worker = run_both(workflows, activities);
    let mut accepted = proxy.accepted();
    // Its polls stay open on the connection that ends, and what is new goes over the next one.
    let mut number = 0;
    within("connections after those that the server ended", async {
        while *accepted.borrow_and_update() < 4 {
            number += 1;
            check_echo(&client, &queue, number).await;
        }
    })
    .await;
    assert!(worker.is_running());
    worker.stop().await;
}

#[tokio::test]
async fn c8_a_connection_that_has_gone_silent_is_given_up_for_another() {
    let proxy = proxy().await;
    let options = ClientOptions::new(format!("http://{}", proxy.address()));
    let client = connect(options.keep_alive(Duration::from_millis(200), Duration::from_millis(200))).await;
    proxy.set_weather(Weather::Silent);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.check_namespace().await }
    });
    let mut accepted = proxy.accepted();
    // Nobody has closed it, and the call has a deadline of 30 s; pings without an answer tell.
    let other = tokio::time::timeout(Duration::from_secs(20), accepted.wait_for(|accepted| *accepted > 1)).await;
    assert!(other.is_ok_and(|accepted| accepted.is_ok()), "no other connection was made");
    proxy.set_weather(Weather::Fair);
    within("an answer", call).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_cannot_give_place_too_soon() {
    let options = ClientOptions::new("http://frontends").maximum_connection_age(Duration::from_millis(999));
    let error = Client::connect(options).await.unwrap_err().to_string();
    assert_eq!(error, "a connection cannot give place to another after 999ms: 1 s is the least");
}

/// Has an address at which nobody listens, and nobody else can while it lives.
fn unused_address() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}
