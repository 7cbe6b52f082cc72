//! How much one run may take.

use wasmi::ResourceLimiter;
use wasmi_core::LimiterError;

/// How much one run may take.
///
/// ```
/// use timewright_wasm::WasmLimits;
///
/// let limits = WasmLimits::default().memory(16 << 20).fuel(100_000_000);
/// # let _ = limits;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct WasmLimits {
    pub(crate) memory: usize,
    pub(crate) fuel: u64,
}

impl Default for WasmLimits {
    fn default() -> Self {
        Self { memory: 64 << 20, fuel: 100_000_000 }
    }
}

impl WasmLimits {
    /// How many bytes the memory of one run may have. Code of Rust begins with a little more than 1 MiB, most of it stack, and each cached
    /// run has it. Default: 64 MiB.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// How much one Activation may execute: about one for each WebAssembly instruction. When it is spent, the code is interrupted.
    /// It is counted, not measured, so it does not depend on how busy or how fast the machine is. Default: 100 million, which takes about
    /// 0.4 seconds. It must be spent well before the worker's deadlock detector looks, after 2 seconds by default, which gives up the thread.
    pub fn fuel(mut self, instructions: u64) -> Self {
        self.fuel = instructions;
        self
    }
}

/// The memory of one run, and whether it wanted more than it may have.
pub(crate) struct Room {
    pub(crate) most: usize,
    pub(crate) was_refused: bool,
}

/// Tables hold functions; code of Rust needs a few thousand.
const MOST_TABLE_ELEMENTS: usize = 1 << 16;

impl ResourceLimiter for Room {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let fits = desired <= self.most;
        self.was_refused |= !fits;
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(desired <= MOST_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        2
    }

    fn memories(&self) -> usize {
        1
    }
}
