//! A module, checked when it is loaded.

use std::path::Path;
use std::sync::Arc;

use timewright_workflow_worker::foreign::{
    Description, FORMAT_VERSION, ForeignProblem, ForeignRun, ForeignWorkflow, ForeignWorkflows,
};
use wasmi::{CompilationMode, Config, Engine, Module};

use crate::error::WasmError;
use crate::limits::WasmLimits;
use crate::run::{FORMAT_VERSION_EXPORT, WasmRun};

/// The workflows of a WebAssembly module, for
/// [`WorkflowWorkerBuilder::foreign_workflows`](timewright_workflow_worker::WorkflowWorkerBuilder::foreign_workflows) and
/// [`Replayer::foreign_workflows`](timewright_workflow_worker::Replayer::foreign_workflows). Clones share the module.
///
/// One process may execute several modules, also several versions of one: each on a Task Queue, or in a version of a Worker
/// Deployment, of its own.
#[derive(Debug, Clone)]
pub struct WasmWorkflows {
    module: Arc<Loaded>,
    limits: WasmLimits,
}

#[derive(Debug)]
pub(crate) struct Loaded {
    /// For errors: its file, say.
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) module: Module,
    workflows: Vec<ForeignWorkflow>,
}

impl WasmWorkflows {
    /// Loads a module from a file.
    ///
    /// # Errors
    /// If it cannot be read, or has no workflows that this worker could execute.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, WasmError> {
        let path = path.as_ref();
        let module = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::from_bytes(module, &bytes),
            Err(error) => Err(WasmError::Unreadable { module, reason: error.to_string() }),
        }
    }

    /// Loads a module from bytes. Errors call it by `name`.
    ///
    /// # Errors
    /// If it has no workflows that this worker could execute.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self, WasmError> {
        let name = name.into();
        let mut config = Config::default();
        // Translated at once: else what is executed for the first time would cost more fuel than the second time.
        config.consume_fuel(true).compilation_mode(CompilationMode::Eager);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, bytes)
            .map_err(|error| WasmError::NotAModule { module: name.clone(), reason: error.to_string() })?;
        let imports: Vec<String> =
            module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect();
        if !imports.is_empty() {
            return Err(WasmError::Imports { module: name, imports });
        }
        if module.get_export(FORMAT_VERSION_EXPORT).is_none() {
            return Err(WasmError::NoWorkflows { module: name, export: FORMAT_VERSION_EXPORT.to_owned() });
        }
        let mut loaded = Loaded { name, engine, module, workflows: Vec::new() };
        loaded.workflows = describe(&loaded)?;
        Ok(Self { module: Arc::new(loaded), limits: WasmLimits::default() })
    }

    /// Sets how much one run may take.
    #[must_use]
    pub fn limits(mut self, limits: WasmLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Which workflows the module has.
    #[must_use]
    pub fn workflow_types(&self) -> Vec<&str> {
        self.module.workflows.iter().map(|workflow| workflow.workflow_type.as_str()).collect()
    }
}

/// Asks the module which workflows it has, in an instance that is dropped.
fn describe(loaded: &Loaded) -> Result<Vec<ForeignWorkflow>, WasmError> {
    let name = &loaded.name;
    let invalid = |problem: ForeignProblem| WasmError::Invalid { module: name.clone(), reason: problem.to_string() };
    let mut run = WasmRun::new(loaded, WasmLimits::default()).map_err(invalid)?;
    let version = run.format_version().map_err(invalid)?;
    if version != FORMAT_VERSION {
        return Err(WasmError::Version { module: name.clone(), version, known: FORMAT_VERSION });
    }
    let description = run.describe().map_err(invalid)?;
    let invalid = |reason: String| WasmError::Invalid { module: name.clone(), reason };
    let description = Description::from_bytes(&description).map_err(|error| invalid(error.to_string()))?;
    match description.problem {
        Some(problem) => Err(invalid(problem)),
        None => Ok(description.workflows),
    }
}

impl ForeignWorkflows for WasmWorkflows {
    fn workflows(&self) -> Vec<ForeignWorkflow> {
        self.module.workflows.clone()
    }

    fn start(&self, _workflow_type: &str) -> Result<Box<dyn ForeignRun>, ForeignProblem> {
        Ok(Box::new(WasmRun::new(&self.module, self.limits)?))
    }
}
