//! Workflows whose types do not fit.

use timewright::workflow::{WorkflowContext, WorkflowError};
use timewright::{query_definition, signal_definition, workflow, workflow_definition};

#[workflow_definition(input = String, output = String)]
struct Greeting;

#[signal_definition(workflow = Greeting, input = String)]
struct SetLanguage;

#[query_definition(workflow = Greeting, output = String)]
struct Language;

#[signal_definition(input = String)]
struct OfNobody;

#[derive(Default)]
struct WrongInput;

#[workflow(Greeting)]
impl WrongInput {
    #[run]
    async fn run(_context: WorkflowContext<Self>, name: u64) -> Result<String, WorkflowError> {
        Ok(name.to_string())
    }

    #[signal(SetLanguage)]
    fn set_language(&mut self, _language: u64) {}

    #[query(Language)]
    fn language(&self) -> u64 {
        1
    }
}

#[derive(Default)]
struct WrongOutput;

#[workflow(Greeting)]
impl WrongOutput {
    #[run]
    async fn run(_context: WorkflowContext<Self>, _name: String) -> Result<u64, WorkflowError> {
        Ok(1)
    }
}

struct NoDefault;

#[workflow(Greeting)]
impl NoDefault {
    #[run]
    async fn run(_context: WorkflowContext<Self>, name: String) -> Result<String, WorkflowError> {
        Ok(name)
    }
}

fn main() {}
