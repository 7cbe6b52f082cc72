//! The model server as a program: `timewright-model-front [PORT]`. It prints its address, and serves until it is killed.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "who starts it reads the address from its standard output")]

use std::error::Error;
use std::net::Ipv4Addr;

use timewright_model_front::{ModelServer, ServerOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("`{port}` is no port; give one, or nothing for any"))?,
        None => 0,
    };
    let server = ModelServer::start_at((Ipv4Addr::LOCALHOST, port).into(), ServerOptions::default())?;
    println!("{}", server.address());
    std::future::pending().await
}
