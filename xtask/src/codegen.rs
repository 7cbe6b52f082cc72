//! `cargo xtask codegen`: calls the generator, with a dev server where one is needed.

use timewright_testing::DevServer;

use crate::Result;
use crate::arguments::CodegenSource;
use crate::setup;
use crate::steps::run_to_end;
use crate::workspace::cargo;

/// Generates, or compares.
pub(crate) fn run(check: bool, source: CodegenSource) -> Result<()> {
    let server; // outlives the generator
    let address = match source {
        CodegenSource::Definitions => None,
        CodegenSource::Server(address) => Some(address),
        CodegenSource::DevServer => {
            let temporal = setup::temporal_for_tests()?;
            server = DevServer::builder().binary(temporal).start().map_err(|error| error.to_string())?;
            Some(server.address().to_string())
        }
    };
    let mut command = cargo(["run", "--quiet", "--package", "xtask-codegen", "--"]);
    if check {
        command.arg("--check");
    }
    if let Some(address) = address {
        command.args(["--from-server", &address]);
    }
    run_to_end("codegen", command).map_err(|error| format!("codegen: {error}"))
}
