//! Destructors of workflow code, when a Run leaves the cache.

use super::*;

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn say(text: impl Into<String>) {
    SAID.with_borrow_mut(|said| said.push(text.into()));
}

/// Says that it is dropped, asks its context for everything that it can, and panics.
struct Last<W: Workflow> {
    name: &'static str,
    context: WorkflowContext<W>,
}

impl<W: Workflow> Drop for Last<W> {
    fn drop(&mut self) {
        say(self.name);
        drop(self.context.sleep(Duration::from_secs(1)));
        drop(self.context.execute_activity(Echo, "late".into(), options()));
        let cancelled = self.context.cancellation().is_some();
        panic!("{} panics, cancelled: {cancelled}", self.name);
    }
}

struct Dying;

impl Drop for Dying {
    fn drop(&mut self) {
        say("state");
        panic!("the state panics");
    }
}

impl Workflow for Dying {
    type Definition = Definition;

    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, _input: String) -> Result<String, WorkflowError> {
        let _last = Last { name: "run", context: context.clone() };
        context.wait_condition(|_| false).await?;
        Ok(String::new())
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.update_async(Slow, |context, word| async move {
            let _last = Last { name: "a handler", context: context.clone() };
            context.wait_condition(|_| false).await?;
            Ok(word)
        });
    }
}

/// Handlers, `run`, the state, in this order; each has its turn although the one before panicked.
#[test]
fn d12_destructors_run_in_their_order_and_may_panic() {
    let mut instance = start_instance::<Dying>();
    assert_eq!(show(instance.activate(activation(Vec::new()))), "-");
    let update = Job::Update(Box::new(timewright_protocol::workflow::Update {
        protocol_instance_id: "u1".into(),
        id: "u1".into(),
        name: "slow".into(),
        input: vec![payload("x")],
        ..Default::default()
    }));
    assert_eq!(show(instance.activate(activation(vec![update]))), "accept u1");
    instance.close();
    assert_eq!(SAID.take(), ["a handler", "run", "state"]);
}
