//! How much sooner workflows that compute are done on two cores than on one.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use timewright::client::{Client, ClientOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;

use crate::Effort;
use crate::contender::Contender;
use crate::load;
use crate::notes::{Samples, push};
use crate::process::Worker;
use crate::work::Work;

/// Measures both SDKs, on one core and on two, in turns.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    ensure!(std::thread::available_parallelism()?.get() >= 2, "this needs a machine of two cores");
    let server = DevServer::start()?;
    let address = server.address().to_string();
    let client = runtime.block_on(Client::connect(ClientOptions::new(address.as_str())))?;
    println!("{WORKFLOWS} workflows that compute, on one core and on two");
    let mut samples = Samples::new();
    for round in 0..effort.rounds {
        for contender in [Contender::Timewright, Contender::Official] {
            if !contenders.contains(&contender) {
                continue;
            }
            let seconds = |cores: &str| {
                let task_queue = format!("cores-{}-{round}-{}", contender.name(), cores.len());
                let command = on_cores(cores, contender.serve(&address, &task_queue, &[]));
                let worker = Worker::start(contender.name(), command)?;
                let took = runtime.block_on(one_round(&client, &task_queue));
                drop(worker);
                took
            };
            let (one, two) = (seconds("0")?.as_secs_f64(), seconds("0,1")?.as_secs_f64());
            println!("  round {round}, {:<12} {one:.2} s, {two:.2} s", contender.name());
            push(&mut samples, contender, SPEED_UP, one / two);
        }
    }
    Ok(samples)
}

async fn one_round(client: &Client, task_queue: &str) -> Result<Duration> {
    load::drive(client, Work::Timer, task_queue, &format!("{task_queue}-warm"), 10, 10).await?;
    let began = Instant::now();
    load::drive(client, Work::Computation, task_queue, task_queue, WORKFLOWS, WORKFLOWS).await?;
    Ok(began.elapsed())
}

/// The same program, which the kernel lets run on these cores only.
fn on_cores(cores: &str, command: Command) -> Command {
    let mut bound = Command::new("taskset");
    bound.args(["--cpu-list", cores]).arg(command.get_program()).args(command.get_args());
    bound
}

/// Time on one core by time on two.
pub(crate) const SPEED_UP: &str = "speed-up";
const WORKFLOWS: usize = 100;
