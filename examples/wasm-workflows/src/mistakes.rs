//! What the sandbox is for: code that panics, never comes back, wants all memory there is, or reads a clock.

use timewright::workflow;
use timewright::workflow::{WorkflowContext, WorkflowError};

/// Panics.
#[derive(Default)]
pub struct PanickingWorkflow;

#[workflow]
impl PanickingWorkflow {
    /// Does it.
    #[run]
    pub async fn run(context: WorkflowContext<Self>) -> Result<(), WorkflowError> {
        panic!("the order of {} is upside down", context.info().workflow_type);
    }
}

/// Panics when it is asked, and when it is told something.
#[derive(Default)]
pub struct FragileWorkflow {
    is_over: bool,
}

#[workflow]
impl FragileWorkflow {
    /// Waits for its end.
    #[run]
    pub async fn run(context: WorkflowContext<Self>) -> Result<String, WorkflowError> {
        context.wait_condition(|state| state.is_over).await?;
        Ok("whole".to_owned())
    }

    /// Lets it come to its end.
    #[signal]
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether it does.
    #[query]
    pub fn ends(&self) -> bool {
        self.is_over
    }

    /// Panics.
    #[query]
    pub fn look(&self) -> bool {
        panic!("looking at it breaks it: {}", self.is_over);
    }

    /// Panics.
    #[update]
    pub fn touch(&mut self, strength: u64) -> u64 {
        panic!("a touch of {strength} breaks it");
    }
}

/// Never comes back.
#[derive(Default)]
pub struct LoopingWorkflow;

#[workflow]
impl LoopingWorkflow {
    /// Does it.
    #[run]
    pub async fn run(_context: WorkflowContext<Self>) -> Result<u64, WorkflowError> {
        let mut number = 1_u64;
        loop {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}

/// Wants more and more memory.
#[derive(Default)]
pub struct AllocatingWorkflow;

#[workflow]
impl AllocatingWorkflow {
    /// Does it.
    #[run]
    pub async fn run(_context: WorkflowContext<Self>) -> Result<u64, WorkflowError> {
        let mut all = Vec::new();
        loop {
            all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    }
}

/// Reads a clock, which a module does not have.
#[derive(Default)]
pub struct TimeReadingWorkflow;

#[workflow]
impl TimeReadingWorkflow {
    /// Does it.
    #[run]
    #[allow(clippy::disallowed_methods, reason = "it shows what comes of it")]
    pub async fn run(_context: WorkflowContext<Self>) -> Result<u64, WorkflowError> {
        Ok(std::time::SystemTime::now().elapsed()?.as_secs())
    }
}
