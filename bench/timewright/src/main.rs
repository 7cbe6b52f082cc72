//! The measured worker on Timewright.
//!
//! `bench-timewright serve …` works until SIGTERM; `bench-timewright replay FILE SECONDS` replays a history again and again.

mod replay;
mod serve;
mod workflows;

use anyhow::{Result, bail};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", options @ ..] => serve::run(options).await,
        ["replay", file, seconds] => replay::run(file, seconds.parse()?).await,
        _ => bail!("usage: bench-timewright serve --address A --task-queue Q … | replay FILE SECONDS"),
    }
}
