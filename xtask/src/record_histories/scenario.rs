//! What happens to one workflow, told once for all SDKs.

use super::peers::Sdk;

/// A workflow, what is done to it from outside, and the shape that its history must have.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its Workflow Id, and the name of its file.
    pub(crate) name: &'static str,
    /// Its type, under which `recipes.md` tells what it does.
    pub(crate) workflow: &'static str,
    pub(crate) shows: &'static str,
    /// More arguments of `temporal workflow start`.
    pub(crate) start: &'static str,
    /// What is done before a worker runs, so that the first Workflow Task finds it.
    pub(crate) before_worker: Vec<Step>,
    pub(crate) steps: Vec<Step>,
    pub(crate) worker: WorkerKind,
    pub(crate) run: Run,
    shape: &'static str,
    other_shapes: Vec<(Sdk, &'static str)>,
    without: Vec<Sdk>,
}

/// Something that is done from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A call of Temporal's CLI that must succeed. `{id}` is the workflow's Workflow Id, `{completed:2}` the id of its
    /// second WorkflowTaskCompleted.
    Cli(&'static str),
    /// One that must fail, with this in what it says.
    Fails(&'static str, &'static str),
    /// One that ends only later, while the next steps are done.
    Begin(&'static str),
    /// Waits until the history has so many events of this type.
    Until(&'static str, usize),
}

/// Which worker serves a scenario's workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerKind {
    Plain,
    /// One with a Worker Deployment Version, under which workflows are pinned.
    Versioned,
}

/// Which run's history is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    First,
    Last,
}

/// A workflow of the type `name`, which is just started.
pub(crate) fn scenario(name: &'static str, shows: &'static str, shape: &'static str) -> Scenario {
    Scenario {
        name,
        workflow: name,
        shows,
        start: "",
        before_worker: Vec::new(),
        steps: Vec::new(),
        worker: WorkerKind::Plain,
        run: Run::Last,
        shape,
        other_shapes: Vec::new(),
        without: Vec::new(),
    }
}

impl Scenario {
    /// The workflow's type, where several scenarios have the same.
    pub(crate) fn of(mut self, workflow: &'static str) -> Self {
        self.workflow = workflow;
        self
    }

    pub(crate) fn start(mut self, arguments: &'static str) -> Self {
        self.start = arguments;
        self
    }

    pub(crate) fn before_worker(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.before_worker.extend(steps);
        self
    }

    pub(crate) fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    pub(crate) fn versioned(mut self) -> Self {
        self.worker = WorkerKind::Versioned;
        self
    }

    pub(crate) fn first_run(mut self) -> Self {
        self.run = Run::First;
        self
    }

    /// The shape under an SDK that does it another way.
    pub(crate) fn shape_in(mut self, sdk: Sdk, shape: &'static str) -> Self {
        self.other_shapes.push((sdk, shape));
        self
    }

    /// Not for an SDK, which cannot do it.
    pub(crate) fn not_in(mut self, sdk: Sdk) -> Self {
        self.without.push(sdk);
        self
    }

    pub(crate) fn is_for(&self, sdk: Sdk) -> bool {
        !self.without.contains(&sdk)
    }

    /// The shape that the history must have.
    pub(crate) fn shape(&self, sdk: Sdk) -> &'static str {
        self.other_shapes.iter().find(|(other, _)| *other == sdk).map_or(self.shape, |(_, shape)| shape)
    }
}
