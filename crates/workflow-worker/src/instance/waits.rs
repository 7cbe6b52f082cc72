//! Whether user code waits only for what a replay will bring again.

use timewright_proto::enums::WorkflowTaskFailedCause;

use super::{TaskProblem, WorkflowInstance};
use crate::error::task_failure;
use crate::policy::Origin;
use crate::wait::{Foreign, Polled};
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowInstance<W> {
    /// To be called before anything is polled because it was woken.
    pub(super) fn check_wake_ups(&self) -> Result<(), TaskProblem> {
        self.check(|foreign| foreign == Foreign::WokenFromOutside)
    }

    /// To be called when nothing goes on by itself any more.
    pub(super) fn check_waits(&self) -> Result<(), TaskProblem> {
        self.check(|_| true)
    }

    fn check(&self, is_meant: impl Fn(Foreign) -> bool) -> Result<(), TaskProblem> {
        if !self.detects_foreign_waits {
            return Ok(());
        }
        let run = self.run.as_ref().and_then(Polled::foreign).map(|foreign| ("run".to_owned(), foreign));
        let handlers = self.context.messages().foreign_waits();
        let coroutines = self.coroutines.iter().filter_map(|coroutine| {
            Some((format!("the coroutine that was started at {}", coroutine.location), coroutine.foreign()?))
        });
        match run.into_iter().chain(handlers).chain(coroutines).find(|(_, foreign)| is_meant(*foreign)) {
            Some((what, foreign)) => Err(self.foreign_problem(&what, foreign)),
            None => Ok(()),
        }
    }

    fn foreign_problem(&self, what: &str, foreign: Foreign) -> TaskProblem {
        let info = self.context.info();
        let found = match foreign {
            Foreign::WokenFromOutside => {
                "was woken from outside its Workflow Task, by another thread or by another workflow"
            }
            Foreign::Wait => {
                "waits for something that is not the workflow's own: a channel, lock, timer, task or connection of tokio or \
                 of another library"
            }
            Foreign::NeverWoken => "waits, and nothing that the workflow has started can ever wake it",
        };
        let message = format!(
            "[TMPRL1100] {what} of workflow {:?} (id {:?}) {found}. On a replay that would happen at another time, or not at \
             all. Wait for what the WorkflowContext gives, such as sleep, execute_activity and wait_condition with a signal; \
             do everything that needs the outside world in activities. \
             (WorkflowWorkerBuilder::detect_foreign_waits(false) turns this check off.)",
            info.workflow_type, info.workflow_id
        );
        TaskProblem {
            cause: WorkflowTaskFailedCause::NonDeterministicError,
            failure: Box::new(task_failure("ForeignWait", message)),
            origin: Origin::Nondeterminism,
        }
    }
}
