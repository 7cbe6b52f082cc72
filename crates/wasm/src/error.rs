//! Modules that cannot be executed.

/// Why a module cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WasmError {
    /// The file cannot be read.
    #[error("the WebAssembly module {module} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        module: String,
        /// What the operating system says.
        reason: String,
    },
    /// The bytes are no module, or one of another kind.
    #[error("{module} is not a WebAssembly module that can be executed here: {reason}")]
    NotAModule {
        /// The module.
        module: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It wants something of the world outside.
    #[error(
        "the WebAssembly module {module} imports {imports:?}, and workflows may import nothing: what they need of the world outside is \
         done by activities. Compile it for wasm32-unknown-unknown, not for WASI, and leave out what reads clocks or random numbers"
    )]
    Imports {
        /// The module.
        module: String,
        /// What it imports.
        imports: Vec<String>,
    },
    /// It was not made with `timewright-wasm-guest`.
    #[error(
        "the WebAssembly module {module} has no workflows: it does not export {export:?}. \
         `timewright_wasm_guest::export_workflows!` does that, once in a crate whose crate-type is \"cdylib\""
    )]
    NoWorkflows {
        /// The module.
        module: String,
        /// What is missing.
        export: String,
    },
    /// It was made with a version of `timewright-wasm-guest` that this worker does not know.
    #[error(
        "the WebAssembly module {module} speaks version {version} of the format between modules and workers, and this worker \
         speaks version {known}: compile the module with the timewright-wasm-guest of the worker's version, or update the worker"
    )]
    Version {
        /// The module.
        module: String,
        /// Which version it has.
        version: u32,
        /// Which version this worker has.
        known: u32,
    },
    /// Its workflows cannot be executed.
    #[error("the WebAssembly module {module}: {reason}")]
    Invalid {
        /// The module.
        module: String,
        /// What is wrong with them.
        reason: String,
    },
}
