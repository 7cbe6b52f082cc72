//! What each further workflow costs whoever compiles: the CPU time of a program with 101 definitions, less that of one with a
//! single one.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Effort;
use crate::builds;
use crate::contender::Contender;
use crate::notes::{Samples, push};

/// Measures both SDKs in turns.
pub(crate) fn measure(contenders: &[Contender], effort: Effort) -> Result<Samples> {
    println!("compile time of {FURTHER} further workflow definitions");
    let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all = [
        (Contender::Timewright, "bench-timewright", bench.clone(), "timewright", OURS),
        (Contender::Official, "bench-official", bench.join("official"), "worker", OFFICIALS),
    ];
    let mut samples = Samples::new();
    for round in 0..effort.rounds.min(3) {
        for (contender, package, workspace, folder, texts) in &all {
            if !contenders.contains(contender) {
                continue;
            }
            let program = Program { contender: *contender, package, workspace, folder: workspace.join(folder), texts };
            let seconds = program.with_all(|| {
                // What it depends on is compiled before.
                program.compile(1, 0)?;
                let one = program.compile(1, 1)?;
                let all = program.compile(1 + FURTHER, 2)?;
                Ok((all - one) / FURTHER as f64)
            })?;
            println!("  round {round}, {:<12} {seconds:.3} CPU s for each", contender.name());
            push(&mut samples, *contender, EACH, seconds);
        }
    }
    Ok(samples)
}

struct Program<'a> {
    contender: Contender,
    package: &'a str,
    workspace: &'a Path,
    /// Of the package.
    folder: PathBuf,
    texts: &'a Texts,
}

impl Program<'_> {
    /// With an example that is there only meanwhile.
    fn with_all<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let examples = self.folder.join("examples");
        std::fs::create_dir_all(&examples)?;
        let result = act();
        std::fs::remove_dir_all(&examples)?;
        result
    }

    /// CPU seconds.
    fn compile(&self, definitions: usize, version: usize) -> Result<f64> {
        std::fs::write(
            self.folder.join("examples").join(format!("{NAME}.rs")),
            self.texts.program(definitions, version),
        )?;
        let mut build = builds::cargo("build", self.package, self.workspace);
        build.args(["--release", "--quiet", "--locked", "--example", NAME]);
        build.arg("--target-dir").arg(self.contender.folder().join(".."));
        Ok(builds::cpu_of(&mut build)?.as_secs_f64())
    }
}

/// How a program is written. `NUMBER` is each workflow's own.
struct Texts {
    beginning: &'static str,
    workflow: &'static str,
    main: &'static str,
    registration: &'static str,
    end: &'static str,
}

impl Texts {
    fn program(&self, definitions: usize, version: usize) -> String {
        let each = |text: &str| -> String {
            (0..definitions).map(|number| text.replace("NUMBER", &number.to_string())).collect()
        };
        let Self { beginning, workflow, main, registration, end } = self;
        format!("// {version}\n{beginning}{}{main}{}{end}", each(workflow), each(registration))
    }
}

const OURS: Texts = Texts {
    beginning: "use std::time::Duration;
use bench_definitions::Echo;
use timewright::client::{Client, ClientOptions};
use timewright::{query_definition, signal_definition, update_definition, workflow_definition};
use timewright::workflow;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
",
    workflow: r#"
#[workflow_definition(name = "workflow_NUMBER", input = String, output = String)]
pub struct DefinitionNUMBER;
#[signal_definition(name = "add", workflow = DefinitionNUMBER, input = u32)]
pub struct AddNUMBER;
#[query_definition(name = "total", workflow = DefinitionNUMBER, output = u32)]
pub struct TotalNUMBER;
#[update_definition(name = "set", workflow = DefinitionNUMBER, input = u32, output = u32)]
pub struct SetNUMBER;

#[derive(Default)]
pub struct WorkflowNUMBER {
    total: u32,
}

#[workflow(DefinitionNUMBER)]
impl WorkflowNUMBER {
    #[run]
    async fn run(context: WorkflowContext<Self>, name: String) -> Result<String, WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(60));
        let greeting = context.execute_activity(Echo, name, options).await?;
        context.sleep(Duration::from_secs(1)).await?;
        context.wait_condition(|state| state.total > 0).await?;
        Ok(greeting)
    }

    #[signal(AddNUMBER)]
    fn add(&mut self, more: u32) {
        self.total += more;
    }

    #[query(TotalNUMBER)]
    fn total(&self) -> u32 {
        self.total
    }

    #[update(SetNUMBER)]
    fn set(&mut self, total: u32) -> u32 {
        std::mem::replace(&mut self.total, total)
    }
}
"#,
    main: r#"
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(ClientOptions::new("127.0.0.1:7233")).await?;
    let worker = WorkflowWorker::builder(client, "queue")
"#,
    registration: "        .workflow::<WorkflowNUMBER>()\n",
    end: "        .build()?;
    worker.run(std::future::pending()).await?;
    Ok(())
}
",
};

const OFFICIALS: Texts = Texts {
    beginning: "use std::time::Duration;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::{
    ActivityOptions, Runtime, SyncWorkflowContext, Worker, WorkerOptions, WorkflowContext, WorkflowContextView, WorkflowResult,
};

pub struct Activities;

#[activities]
impl Activities {
    #[activity(name = \"echo\")]
    pub async fn echo(_: ActivityContext, value: String) -> Result<String, ActivityError> {
        Ok(value)
    }
}
",
    workflow: r#"
#[workflow]
#[derive(Default)]
pub struct WorkflowNUMBER {
    total: u32,
}

#[workflow_methods]
impl WorkflowNUMBER {
    #[run(name = "workflow_NUMBER")]
    pub async fn run(context: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(60));
        let greeting = context.execute_activity(Activities::echo, name, options).await?;
        context.timer(Duration::from_secs(1)).await;
        context.wait_condition(|state| state.total > 0).await?;
        Ok(greeting)
    }

    #[signal(name = "add")]
    pub fn add(&mut self, _context: &mut SyncWorkflowContext<Self>, more: u32) {
        self.total += more;
    }

    #[query(name = "total")]
    pub fn total(&self, _context: &WorkflowContextView) -> u32 {
        self.total
    }

    #[update(name = "set")]
    pub fn set(&mut self, _context: &mut SyncWorkflowContext<Self>, total: u32) -> u32 {
        std::mem::replace(&mut self.total, total)
    }
}
"#,
    main: r#"
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let target: url::Url = "http://127.0.0.1:7233".parse()?;
    let connection = Connection::connect(ConnectionOptions::new(target).identity("worker").build()).await?;
    let client = Client::new(connection, ClientOptions::new("default").build())?;
    let options = WorkerOptions::new("queue")
        .deployment_options(WorkerDeploymentOptions::from_build_id("bench".to_owned()))
"#,
    registration: "        .register_workflow::<WorkflowNUMBER>()?\n",
    end: r#"        .build();
    Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?.run().await?;
    Ok(())
}
"#,
};

/// CPU seconds.
pub(crate) const EACH: &str = "CPU s for each";
const FURTHER: usize = 100;
const NAME: &str = "further_definitions";
