//! Short forms for what tests define by the dozen. Only the boilerplate is hidden; a workflow's code stands where it is.

/// `activity!(Charge: u64 => String)`: an activity's definition.
macro_rules! activity {
    ($name:ident: $input:ty => $output:ty) => {
        struct $name;
        impl timewright::definition::ActivityDefinition for $name {
            const NAME: &'static str = stringify!($name);
            type Input = $input;
            type Output = $output;
        }
    };
}

/// `signal!(Approve of Order: String)`: a signal's definition.
macro_rules! signal {
    ($name:ident of $workflow:ty: $input:ty) => {
        struct $name;
        impl timewright::definition::SignalDefinition for $name {
            const NAME: &'static str = stringify!($name);
            type Workflow = $workflow;
            type Input = $input;
        }
    };
}

/// `query!(Status of Order: () => String)`: a query's definition.
macro_rules! query {
    ($name:ident of $workflow:ty: $input:ty => $output:ty) => {
        struct $name;
        impl timewright::definition::QueryDefinition for $name {
            const NAME: &'static str = stringify!($name);
            type Workflow = $workflow;
            type Input = $input;
            type Output = $output;
        }
    };
}

/// `update!(Rename of Order: String => usize)`: an update's definition.
macro_rules! update {
    ($name:ident of $workflow:ty: $input:ty => $output:ty) => {
        struct $name;
        impl timewright::definition::UpdateDefinition for $name {
            const NAME: &'static str = stringify!($name);
            type Workflow = $workflow;
            type Input = $input;
            type Output = $output;
        }
    };
}

/// `workflow_definition!(Order: u64 => String)`: a workflow's definition.
macro_rules! workflow_definition {
    ($name:ident: $input:ty => $output:ty) => {
        struct $name;
        impl timewright::definition::WorkflowDefinition for $name {
            const NAME: &'static str = stringify!($name);
            type Input = $input;
            type Output = $output;
        }
    };
}

/// `workflow!(Order: u64 => String, |context, amount| { … })`: a workflow without state and handlers, whose definition is the
/// type itself. The block is the body of `run`.
macro_rules! workflow {
    ($name:ident: $input:ty => $output:ty, |$context:pat_param, $argument:pat_param| $run:block) => {
        crate::support::definitions::workflow_definition!($name: $input => $output);
        impl timewright::workflow::Workflow for $name {
            type Definition = Self;
            fn init(_info: &timewright::workflow::WorkflowInfo, _input: &$input) -> Self {
                Self
            }
            async fn run(
                $context: timewright::workflow::WorkflowContext<Self>,
                $argument: $input,
            ) -> Result<$output, timewright::workflow::WorkflowError> {
                $run
            }
        }
    };
}

pub(crate) use {activity, query, signal, update, workflow, workflow_definition};
