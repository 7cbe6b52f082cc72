//! One instance of a module: one run of a workflow.

use timewright_workflow_worker::foreign::{ForeignProblem, ForeignRun};
use wasmi::{Error, Instance, Linker, Memory, Store, TrapCode, WasmParams, WasmResults};

use crate::limits::{Room, WasmLimits};
use crate::module::Loaded;

/// One instance of a module, with its memory.
pub(crate) struct WasmRun {
    module: String,
    store: Store<Room>,
    instance: Instance,
    memory: Memory,
    limits: WasmLimits,
    /// With what the instance has ended.
    ended: Option<String>,
}

impl WasmRun {
    pub(crate) fn new(loaded: &Loaded, limits: WasmLimits) -> Result<Self, ForeignProblem> {
        let module = loaded.name.clone();
        let mut store = Store::new(&loaded.engine, Room { most: limits.memory, was_refused: false });
        store.limiter(|room| room);
        refuel(&mut store, limits.fuel)?;
        let instance = match Linker::new(&loaded.engine).instantiate_and_start(&mut store, &loaded.module) {
            Ok(instance) => instance,
            Err(_) if store.data().was_refused => return Err(ForeignProblem::Broken(no_room(&module, limits))),
            Err(error) => return Err(ForeignProblem::Broken(format!("the module {module} does not start: {error}"))),
        };
        let memory = instance.get_memory(&store, "memory").ok_or_else(|| {
            ForeignProblem::Broken(format!("the module {module} does not export its memory as \"memory\""))
        })?;
        Ok(Self { module, store, instance, memory, limits, ended: None })
    }

    pub(crate) fn format_version(&mut self) -> Result<u32, ForeignProblem> {
        self.call(FORMAT_VERSION_EXPORT, ())
    }

    pub(crate) fn describe(&mut self) -> Result<Vec<u8>, ForeignProblem> {
        let place = self.call("timewright_describe", ())?;
        self.read(place)
    }

    /// Calls a function of the module. Whatever interrupts it ends the instance: its memory may be in the middle of something.
    fn call<P: WasmParams, R: WasmResults>(&mut self, export: &str, parameters: P) -> Result<R, ForeignProblem> {
        let function = self.instance.get_typed_func::<P, R>(&self.store, export).map_err(|error| {
            ForeignProblem::Broken(format!(
                "the module {} has no function {export:?} as it should be: {error}",
                self.module
            ))
        })?;
        function.call(&mut self.store, parameters).map_err(|error| {
            let problem = self.problem(&error);
            self.ended = Some(problem.to_string());
            problem
        })
    }

    fn problem(&mut self, error: &Error) -> ForeignProblem {
        let Self { module, limits, .. } = self;
        let (module, limits) = (module.clone(), *limits);
        if error.as_trap_code() == Some(TrapCode::OutOfFuel) {
            return ForeignProblem::Interrupted(format!(
                "code of the module {module} did not come back within {} instructions (WasmLimits::fuel), and was interrupted: \
                 look for a loop without end, or let it wait for something in between",
                limits.fuel
            ));
        }
        if error.as_trap_code() == Some(TrapCode::StackOverflow) {
            // How deep calls may go is the interpreter's affair, so no policy for panics ends the workflow.
            return ForeignProblem::Broken(format!(
                "calls in the code of the module {module} went deeper than it may: look for a recursion without end, or for values \
                 that hold each other many times"
            ));
        }
        if self.store.data().was_refused {
            // Code panics of it. But it is the worker's limit, so no policy for panics ends the workflow.
            return ForeignProblem::Broken(no_room(&module, limits));
        }
        match self.panic_message() {
            Some(panic) => ForeignProblem::Panicked(format!("in the module {module}: {panic}")),
            None => ForeignProblem::Panicked(format!("the module {module} trapped: {error}")),
        }
    }

    /// What the code has noted of its panic, where it was one. It is asked for only to be shown, so whatever fails here is nothing.
    fn panic_message(&mut self) -> Option<String> {
        refuel(&mut self.store, 10_000_000).ok()?;
        let function = self.instance.get_typed_func::<(), u64>(&self.store, "timewright_panic_message").ok()?;
        let place = function.call(&mut self.store, ()).ok()?;
        let message = String::from_utf8(self.read(place).ok()?).ok()?;
        (!message.is_empty()).then_some(message)
    }

    /// What lies at a place that the module has named.
    fn read(&self, place: u64) -> Result<Vec<u8>, ForeignProblem> {
        let (start, length) = ((place >> 32) as usize, (place & 0xffff_ffff) as usize);
        if length > MOST_BYTES {
            let module = &self.module;
            return Err(ForeignProblem::Broken(format!(
                "the module {module} answers with {length} bytes; at most {MOST_BYTES} are read"
            )));
        }
        let bytes = self.memory.data(&self.store).get(start..start.saturating_add(length));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| {
            ForeignProblem::Broken(format!(
                "the module {} names {length} bytes at {start}, outside of its memory",
                self.module
            ))
        })
    }
}

impl ForeignRun for WasmRun {
    fn activate(&mut self, request: &[u8]) -> Result<Vec<u8>, ForeignProblem> {
        if let Some(problem) = &self.ended {
            return Err(ForeignProblem::Broken(format!(
                "the instance of the module {} has ended before, so the run is executed from its history again. It ended with: \
                 {problem}",
                self.module
            )));
        }
        refuel(&mut self.store, self.limits.fuel)?;
        // What was refused before, the code has lived with.
        self.store.data_mut().was_refused = false;
        let length = u32::try_from(request.len())
            .map_err(|_| ForeignProblem::Broken("what is new is too large for a module's memory".to_owned()))?;
        let start: u32 = self.call("timewright_allocate", length)?;
        self.memory.write(&mut self.store, start as usize, request).map_err(|_| {
            ForeignProblem::Broken(format!("the module {} gives room outside of its memory", self.module))
        })?;
        let place = self.call("timewright_activate", ())?;
        self.read(place)
    }

    fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}

fn refuel(store: &mut Store<Room>, fuel: u64) -> Result<(), ForeignProblem> {
    store.set_fuel(fuel).map_err(|error| ForeignProblem::Broken(error.to_string()))
}

fn no_room(module: &str, limits: WasmLimits) -> String {
    format!(
        "code of the module {module} wanted more memory than the {} bytes that one run may have (WasmLimits::memory)",
        limits.memory
    )
}

/// What says that a module has workflows, and in which form they speak.
pub(crate) const FORMAT_VERSION_EXPORT: &str = "timewright_format_version";

/// The most bytes of one answer: twice what a server takes in one message.
const MOST_BYTES: usize = 8 << 20;
