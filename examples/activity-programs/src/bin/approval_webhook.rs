//! An activity that waits for a person, without a worker waiting for them: whoever approves calls a webhook, and that completes the
//! activity.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program shows what it does")]

use std::time::Duration;

use activity_programs::{connect, task_queue};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{ActivityReference, Client, StartActivityOptions, random_id};
use timewright::converter::ApplicationFailure;
use timewright::definition::ActivityDefinition;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Asks somebody whether an order may be shipped; gives who approved it.
struct Approve;

impl ActivityDefinition for Approve {
    const NAME: &'static str = "Approve";
    type Input = String;
    type Output = String;
}

/// Sends the question away, with the token by which it is answered. The worker's slot is free then, however long the answer takes.
async fn approve(context: ActivityContext, order: String, webhook: String) -> Result<String, ActivityError> {
    let token: String = context.task_token().iter().map(|byte| format!("{byte:02x}")).collect();
    send_mail(&order, &format!("http://{webhook}/approvals/{token}/Ada"));
    Err(ActivityError::will_complete_asynchronously())
}

/// Instead of a mail: somebody who approves of everything after a moment.
fn send_mail(order: &str, link: &str) {
    println!("may {order} be shipped?");
    let link = link.to_owned();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (address, path) = link.trim_start_matches("http://").split_once('/').unwrap_or_default();
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(format!("POST /{path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await
    });
}

/// The webhook. A real one is a route of your web framework; all that matters is [`answer`].
async fn serve(listener: TcpListener, client: Client) -> std::io::Result<()> {
    loop {
        let (mut connection, _) = listener.accept().await?;
        let mut request = String::new();
        BufReader::new(&mut connection).read_line(&mut request).await?;
        let path = request.split(' ').nth(1).unwrap_or_default();
        let status = match answer(&client, path).await {
            Ok(()) => "204 No Content".to_owned(),
            Err(error) => {
                eprintln!("{error}");
                "404 Not Found".to_owned()
            }
        };
        connection.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    }
}

/// Completes the activity that the token in the path is of. Any process with a client can, whoever executed the activity.
async fn answer(client: &Client, path: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut parts = path.trim_start_matches('/').split('/');
    let (Some("approvals"), Some(token), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("no such page".into());
    };
    let bytes = (0..token.len() / 2).map(|at| u8::from_str_radix(token.get(2 * at..2 * at + 2).unwrap_or(""), 16));
    let token = bytes.collect::<Result<Vec<u8>, _>>()?;
    let approval = client.activity_completion_handle::<Approve>(ActivityReference::task_token(token));
    // Too late, or a second time: a typed `NotFound`, which the caller gets as a 404.
    match name {
        "nobody" => approval.fail(ApplicationFailure::new("refused").non_retryable()).await?,
        name => approval.complete(name.to_owned()).await?,
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, task_queue) = (connect().await?, task_queue("approval-webhook"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let webhook = listener.local_addr()?.to_string();
    let worker = ActivityWorker::builder(client.clone(), &task_queue)
        .activity(Approve, move |context, order| approve(context, order, webhook.clone()))
        .build()?;
    // The timeout is how long a person may take.
    let hours = Duration::from_secs(8 * 3600);
    let options = StartActivityOptions::start_to_close(&task_queue, format!("approval-{}", random_id()), hours);
    tokio::select! {
        ended = worker.run(timewright::shutdown_signal()) => ended?,
        ended = serve(listener, client.clone()) => ended?,
        approved = client.execute_activity(Approve, "order 17".to_owned(), options) => {
            println!("approved by {}", approved?);
        }
    }
    Ok(())
}
