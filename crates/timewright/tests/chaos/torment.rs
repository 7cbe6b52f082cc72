//! What is done to the server, and to the network between it and its workers.

use std::sync::Arc;
use std::time::Duration;

use timewright_testing::{DevServer, Signal};

use crate::chance::Chance;
use crate::proxy::{Proxy, Weather};
use crate::stage::{Run, Stage};

/// Kills the server, and starts it again; stops it for a while. Gives it back when the chaos is over.
pub(crate) fn torment_server(mut server: DevServer, run: &Run, seed: u64) -> DevServer {
    let mut chance = Chance::new(seed, 2000);
    run.wait_for(Stage::Chaos);
    while run.rest(Stage::Chaos, Duration::from_millis(chance.between(5000, 25_000))) {
        if chance.percent(40) {
            let time = Duration::from_millis(chance.between(500, 4000));
            run.say(format_args!("server: SIGSTOP for {:.1} s", time.as_secs_f64()));
            let process = server.process().expect("it is our own");
            process.signal(Signal::Stop).unwrap_or_else(|error| panic!("{error}"));
            run.rest(Stage::Chaos, time);
            process.signal(Signal::Continue).unwrap_or_else(|error| panic!("{error}"));
        } else {
            run.say("server: SIGKILL");
            server.kill();
            run.rest(Stage::Chaos, Duration::from_millis(chance.between(0, 4000)));
            server.restart().unwrap_or_else(|error| panic!("{error}"));
            run.say("server: serves again");
        }
    }
    server
}

/// Cuts connections, delays what they carry, lets it wait, refuses new ones.
pub(crate) fn torment_network(proxy: &Arc<Proxy>, run: &Run, seed: u64) {
    let mut chance = Chance::new(seed, 3000);
    run.wait_for(Stage::Chaos);
    while run.rest(Stage::Chaos, Duration::from_millis(chance.between(1000, 7000))) {
        let weather = match chance.between(1, 6) {
            1 | 2 => Weather::Slow(Duration::from_millis(chance.between(10, 300))),
            3 => Weather::Silent,
            4 => Weather::Refusing,
            _ => Weather::Fair,
        };
        let cut = matches!(weather, Weather::Fair | Weather::Refusing);
        run.say(format_args!("network: {weather:?}{}", if cut { ", all connections cut" } else { "" }));
        proxy.set_weather(weather);
        if cut {
            proxy.cut();
        }
        run.rest(Stage::Chaos, Duration::from_millis(chance.between(500, 6000)));
        proxy.set_weather(Weather::Fair);
    }
}
