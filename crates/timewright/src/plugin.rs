//! Plugins: what sets up clients, workers and replayers, in one line.

use std::sync::Arc;

use timewright_client::{ClientOptions, SetUp};

#[cfg(feature = "activity")]
use timewright_activity_worker::ActivityWorkerBuilder;
#[cfg(feature = "workflow")]
use timewright_workflow_worker::{Replayer, WorkflowWorkerBuilder};

/// Something that sets up clients, workers and replayers: interceptors, propagators, a Data Converter, hooks, defaults. For
/// whoever provides such things to others, as a library or as the platform team of a company.
///
/// Registered with the options of a client, it sets up the client and **all workers that are built with it**:
/// [`WithPlugin::plugin`]. A replayer has no client, so it is registered there, too; and a worker may have plugins of its own.
///
/// A plugin counts by its name: where one of the same name has been registered, further ones do nothing. Plugins are applied in the
/// order in which they were registered, those of the client first, and before anything that is said of a worker otherwise; so whoever builds
/// the worker has the last word.
///
/// ```
/// use std::time::Duration;
/// use timewright::client::{ClientOptions, PropagatedValue};
/// use timewright::workflow::WorkflowWorkerBuilder;
/// use timewright::{Plugin, WithPlugin};
///
/// /// What all programs of our company have in common.
/// struct Platform;
///
/// impl Plugin for Platform {
///     fn name(&self) -> &str {
///         "com.example.platform"
///     }
///
///     fn configure_client(&self, options: ClientOptions) -> ClientOptions {
///         options.propagator(PropagatedValue::<String>::new("tenant"))
///     }
///
///     fn configure_workflow_worker(&self, builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
///         builder.graceful_shutdown_timeout(Duration::from_secs(20)).on_stop(|_| println!("good night"))
///     }
/// }
///
/// let options = ClientOptions::new("http://127.0.0.1:7233").plugin(Platform);
/// ```
pub trait Plugin: Send + Sync + 'static {
    /// Its name, for logs, and so that it is applied once: such as `com.example.platform`.
    fn name(&self) -> &str;

    /// Sets a client up.
    fn configure_client(&self, options: ClientOptions) -> ClientOptions {
        options
    }

    /// Sets a Workflow Worker up.
    #[cfg(feature = "workflow")]
    fn configure_workflow_worker(&self, builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
        builder
    }

    /// Sets an Activity Worker up.
    #[cfg(feature = "activity")]
    fn configure_activity_worker(&self, builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
        builder
    }

    /// Sets a replayer up: with what changes what workflows do, and what they find.
    #[cfg(feature = "workflow")]
    fn configure_replayer(&self, replayer: Replayer) -> Replayer {
        replayer
    }
}

/// What takes a [`Plugin`].
pub trait WithPlugin: Sized {
    /// Lets a plugin set this up; and where it is a client's options, all workers that are built with that client.
    #[must_use]
    fn plugin(self, plugin: impl Plugin) -> Self;
}

impl WithPlugin for ClientOptions {
    fn plugin(self, plugin: impl Plugin) -> Self {
        let plugin: Arc<dyn Plugin> = Arc::new(plugin);
        let name = plugin.name().to_owned();
        self.set_up(&SetUp::new(name, move |options| {
            let options = with_workers(options, &plugin);
            plugin.configure_client(options)
        }))
    }
}

#[cfg(feature = "workflow")]
impl WithPlugin for WorkflowWorkerBuilder {
    fn plugin(self, plugin: impl Plugin) -> Self {
        self.set_up(&of_workflow_worker(Arc::new(plugin)))
    }
}

#[cfg(feature = "activity")]
impl WithPlugin for ActivityWorkerBuilder {
    fn plugin(self, plugin: impl Plugin) -> Self {
        self.set_up(&of_activity_worker(Arc::new(plugin)))
    }
}

#[cfg(feature = "workflow")]
impl WithPlugin for Replayer {
    fn plugin(self, plugin: impl Plugin) -> Self {
        let name = plugin.name().to_owned();
        self.set_up(&SetUp::new(name, move |replayer| plugin.configure_replayer(replayer)))
    }
}

/// Puts aside what sets up the workers that are built with the client.
fn with_workers(options: ClientOptions, plugin: &Arc<dyn Plugin>) -> ClientOptions {
    #[cfg(feature = "workflow")]
    let options = options.extension(of_workflow_worker(Arc::clone(plugin)));
    #[cfg(feature = "activity")]
    let options = options.extension(of_activity_worker(Arc::clone(plugin)));
    let _ = plugin;
    options
}

#[cfg(feature = "workflow")]
fn of_workflow_worker(plugin: Arc<dyn Plugin>) -> SetUp<WorkflowWorkerBuilder> {
    let name = plugin.name().to_owned();
    SetUp::new(name, move |builder| plugin.configure_workflow_worker(builder))
}

#[cfg(feature = "activity")]
fn of_activity_worker(plugin: Arc<dyn Plugin>) -> SetUp<ActivityWorkerBuilder> {
    let name = plugin.name().to_owned();
    SetUp::new(name, move |builder| plugin.configure_activity_worker(builder))
}
