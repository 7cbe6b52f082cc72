//! A download that goes on where the last attempt had got to. Its heartbeats say how far that is: to the server, which notices when
//! they stop, and to the next attempt.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program shows what it does")]

use std::time::Duration;

use activity_programs::{connect, task_queue};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{RetryPolicy, StartActivityOptions, random_id};
use timewright::converter::ApplicationFailure;
use timewright::definition::ActivityDefinition;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Downloads from an address, and gives how many bytes each attempt had to fetch.
struct Download;

impl ActivityDefinition for Download {
    const NAME: &'static str = "Download";
    type Input = String;
    type Output = String;
}

/// Where the file is; a real one would be on a disk that all workers see, or in a session.
static FILE: tokio::sync::Mutex<Vec<u8>> = tokio::sync::Mutex::const_new(Vec::new());

async fn download(context: ActivityContext, address: String) -> Result<String, ActivityError> {
    // What the attempt before this one heartbeated last.
    let start: u64 = context.previous_heartbeat_details()?.unwrap_or(0);
    let mut server = TcpStream::connect(&address).await?;
    server.write_u64(start).await?;
    let mut chunk = [0; 1024];
    let mut file = FILE.lock().await;
    file.truncate(usize::try_from(start)?);
    loop {
        let length = tokio::select! {
            length = server.read(&mut chunk) => length?,
            reason = context.cancelled() => {
                println!("stopping: {reason}");
                return Err(ActivityError::cancelled());
            }
        };
        if length == 0 {
            break;
        }
        file.extend_from_slice(&chunk[..length]);
        // Cheap: the worker sends the newest details now and then, and the last ones with a failure.
        context.heartbeat(file.len() as u64)?;
    }
    if file.len() < SIZE {
        return Err(ApplicationFailure::new(format!("the connection broke after {} bytes", file.len())).into());
    }
    Ok(format!("{} bytes, of which attempt {} fetched {}", file.len(), context.info().attempt, SIZE as u64 - start))
}

const SIZE: usize = 10_000;

/// A server that breaks its first connection halfway.
async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let mut end = SIZE / 2;
    loop {
        let (mut connection, _) = listener.accept().await?;
        let start = usize::try_from(connection.read_u64().await?).unwrap_or(SIZE).min(end);
        connection.write_all(&vec![7; end - start]).await?;
        connection.shutdown().await?;
        end = SIZE;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, task_queue) = (connect().await?, task_queue("resumable-download"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let worker = ActivityWorker::builder(client.clone(), &task_queue).activity(Download, download).build()?;
    // No workflow is needed for one activity.
    let options =
        StartActivityOptions::start_to_close(&task_queue, format!("download-{}", random_id()), Duration::from_secs(60))
            .heartbeat_timeout(Duration::from_secs(5))
            .retry_policy(RetryPolicy::default().initial_interval(Duration::from_millis(100)));
    tokio::select! {
        ended = worker.run(timewright::shutdown_signal()) => ended?,
        ended = serve(listener) => ended?,
        downloaded = client.execute_activity(Download, address, options) => println!("{}", downloaded?),
    }
    Ok(())
}
