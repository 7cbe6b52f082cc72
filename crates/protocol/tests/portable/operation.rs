//! What a workflow has asked for, to be waited for or cancelled.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::Poll;

use serde_json::Value;
use timewright_protocol::workflow::{Command, ExternalWorkflow, ScheduleLocalActivity, StartTimer};

use crate::context::{Context, Done, Stop};

/// Numbers of each kind count up by themselves; Local Activities are counted with activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Timer,
    Activity,
    LocalActivity,
    ChildStart,
    Child,
    Signal,
    Cancellation,
    NexusStart,
    Nexus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) Kind, pub(crate) u32);

/// Something that has or will have an outcome.
pub(crate) struct Operation {
    context: Context,
    /// A Local Activity that is tried again gets another number.
    key: Cell<Key>,
    /// How to schedule a Local Activity again.
    schedule: RefCell<Option<ScheduleLocalActivity>>,
    is_shielded: bool,
    cancelled: Cell<bool>,
}

impl Operation {
    pub(crate) fn new(context: &Context, key: Key) -> Self {
        Self {
            context: context.clone(),
            key: Cell::new(key),
            schedule: RefCell::default(),
            is_shielded: false,
            cancelled: Cell::new(false),
        }
    }

    pub(crate) fn local(context: &Context, key: Key, schedule: ScheduleLocalActivity) -> Self {
        Self { schedule: RefCell::new(Some(schedule)), ..Self::new(context, key) }
    }

    /// Not cancelled with its workflow.
    pub(crate) fn shielded(self) -> Self {
        Self { is_shielded: true, ..self }
    }

    pub(crate) fn cancel(&self) {
        self.cancel_because("");
    }

    pub(crate) fn cancel_because(&self, reason: &str) {
        if self.is_done() || self.cancelled.replace(true) {
            return;
        }
        let key @ Key(kind, sequence) = self.key.get();
        self.context.issue(match kind {
            Kind::Timer => {
                self.context.shared.borrow_mut().outcomes.insert(key, Err(Stop::Cancelled));
                Command::CancelTimer { sequence }
            }
            Kind::Activity => Command::RequestCancelActivity { sequence },
            Kind::LocalActivity => Command::CancelLocalActivity { sequence },
            Kind::ChildStart | Kind::Child => Command::CancelChildWorkflow { sequence, reason: reason.to_owned() },
            Kind::Signal => Command::CancelSignalExternalWorkflow { sequence },
            Kind::NexusStart | Kind::Nexus => Command::RequestCancelNexusOperation { sequence },
            Kind::Cancellation => return,
        });
    }

    pub(crate) fn is_done(&self) -> bool {
        self.context.shared.borrow().outcomes.contains_key(&self.key.get())
    }

    /// Waits for its outcome.
    pub(crate) async fn outcome(&self) -> Done {
        loop {
            let backoff = match self.next().await {
                Err(Stop::Backoff(backoff)) => backoff,
                done => return done,
            };
            let timer = StartTimer { duration: backoff.delay, ..StartTimer::default() };
            self.context.start_timer(timer).next().await?;
            let schedule = self.schedule.take().expect("only Local Activities back off");
            let again = self.context.schedule_local(ScheduleLocalActivity {
                attempt: backoff.attempt,
                original_schedule_time: Some(backoff.original_schedule_time),
                ..schedule
            });
            self.key.set(again.key.get());
            self.schedule.replace(again.schedule.take());
        }
    }

    /// Waits for whatever comes of it.
    async fn next(&self) -> Done {
        poll_fn(|_| self.poll()).await
    }

    fn poll(&self) -> Poll<Done> {
        if !self.is_shielded && self.context.shared.borrow().cancel_requested {
            self.cancel();
        }
        let shared = self.context.shared.borrow();
        shared.outcomes.get(&self.key.get()).cloned().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Waits until one of them has an outcome.
pub(crate) async fn first(operations: &[&Operation]) {
    poll_fn(|_| match operations.iter().any(|operation| operation.is_done()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// Waits for all of them, and gives their results in their order.
pub(crate) async fn all(operations: &[Operation]) -> Done {
    let mut results = Vec::new();
    for operation in operations {
        results.push(operation.outcome().await?);
    }
    Ok(Value::Array(results))
}

/// A Child Workflow.
pub(crate) struct Child {
    workflow_id: String,
    start: Operation,
    result: Operation,
}

impl Child {
    pub(crate) fn new(context: &Context, sequence: u32, workflow_id: String) -> Self {
        let start = Operation::new(context, Key(Kind::ChildStart, sequence));
        let result = Operation::new(context, Key(Kind::Child, sequence));
        Self { workflow_id, start, result }
    }

    /// Waits until it has been started.
    pub(crate) async fn started(&self) -> Done {
        self.start.outcome().await
    }

    /// Waits until it has been started and has ended.
    pub(crate) async fn outcome(&self) -> Done {
        self.started().await?;
        self.result.outcome().await
    }

    pub(crate) fn cancel(&self, reason: &str) {
        self.result.cancel_because(reason);
    }

    /// Sends a Signal, and waits until it has arrived.
    pub(crate) async fn signal(&self, name: &str, argument: &str) -> Done {
        let workflow = ExternalWorkflow {
            workflow_id: self.workflow_id.clone(),
            child_workflow_only: true,
            ..ExternalWorkflow::default()
        };
        self.start.context.signal(workflow, name, argument).outcome().await
    }
}

/// A Nexus operation.
pub(crate) struct NexusOperation {
    start: Operation,
    result: Operation,
}

impl NexusOperation {
    pub(crate) fn new(context: &Context, sequence: u32) -> Self {
        let start = Operation::new(context, Key(Kind::NexusStart, sequence));
        let result = Operation::new(context, Key(Kind::Nexus, sequence));
        Self { start, result }
    }

    /// Waits until it has been started.
    pub(crate) async fn started(&self) -> Done {
        self.start.outcome().await
    }

    /// Waits until it has been started and has ended.
    pub(crate) async fn outcome(&self) -> Done {
        self.started().await?;
        self.result.outcome().await
    }

    pub(crate) fn cancel(&self) {
        self.result.cancel();
    }
}
