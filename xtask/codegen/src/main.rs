//! Derives `proto/definitions` from a Temporal Server's gRPC reflection, and the Rust code of `timewright-proto` from
//! those definitions.
//!
//! Called through `cargo xtask codegen`:
//!
//! - no flag: definitions → Rust, written to `proto/src/generated`;
//! - `--from-server ADDRESS`: first reflection → definitions, written to `proto/definitions`;
//! - `--check`: writes nothing, fails when what would be written differs from what is there.
#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod comments;
mod generate;
mod payloads;
mod print;
mod reflect;
mod surface;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

/// What goes wrong here is read by a contributor on a terminal, so a text is all that is needed.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("codegen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let proto = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"));
    let definitions_directory = proto.join("definitions");
    let generated_directory = proto.join("src/generated");

    let definitions = match &arguments.from_server {
        Some(address) => {
            let files = reflect::fetch(address)?;
            let comments = comments::read(&proto.join("comments.txt"))?;
            let definitions = print::print_files(&files, &comments)?;
            tree::write_or_check(&definitions_directory, &definitions, "proto", arguments.check)
                .map_err(|error| format!("{error}; the definitions do not say what the server at {address} says"))?;
            definitions
        }
        None => tree::read(&definitions_directory, "proto")?,
    };
    let generated = generate::generate(&definitions_directory, definitions.keys())?;
    tree::write_or_check(&generated_directory, &generated, "rs", arguments.check)?;
    let descriptors = generate::history_descriptors(&definitions_directory)?;
    tree::write_or_check_file(&generated_directory.join("history.binpb"), &descriptors, arguments.check)?;

    let rpcs: usize = definitions.values().map(|text| text.matches("\n  rpc ").count()).sum();
    Ok(format!(
        "codegen: {} definitions with {rpcs} RPCs, {} generated files, {}",
        definitions.len(),
        generated.len(),
        if arguments.check { "as committed" } else { "written" },
    ))
}

struct Arguments {
    from_server: Option<String>,
    check: bool,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self { from_server: None, check: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--check" => parsed.check = true,
                "--from-server" => {
                    let address = arguments.next().ok_or("--from-server needs an address, such as 127.0.0.1:7233")?;
                    parsed.from_server = Some(address);
                }
                other => return Err(format!("unknown argument {other}; there are --check and --from-server ADDRESS")),
            }
        }
        Ok(parsed)
    }
}
