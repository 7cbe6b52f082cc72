//! The programs that serve the workflows, one for each of Temporal's SDKs.

use std::process::Command;

use crate::workspace::root;
use crate::{Result, setup};

/// One of Temporal's own SDKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    Python,
    Rust,
    TypeScript,
}

impl Sdk {
    pub(crate) const ALL: [Self; 3] = [Self::Python, Self::Rust, Self::TypeScript];

    /// What its folder is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
        }
    }

    /// The program that serves the workflows; it is installed or built where it is not there yet.
    pub(crate) fn worker(self) -> Result<Command> {
        match self {
            Self::Python => python("worker.py"),
            Self::Rust => Ok(Command::new(setup::rust_peer()?)),
            Self::TypeScript => {
                let mut command = Command::new("node");
                command.arg(setup::typescript_peer()?);
                Ok(command)
            }
        }
    }
}

/// The program that serves Nexus Operations for the workflows of all SDKs: one whose SDK has handlers.
pub(crate) fn nexus_handlers() -> Result<Command> {
    let mut command = python("worker.py")?;
    command.arg("--nexus");
    Ok(command)
}

fn python(program: &str) -> Result<Command> {
    let mut command = Command::new(setup::python_peer()?);
    command.arg(root().join("peers/python/histories").join(program));
    Ok(command)
}
