//! What of the wire facts Timewright itself speaks, and so every program that uses it compiles. The rest is behind a feature.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_types::{DescriptorProto, FileDescriptorSet};
use syn::{Attribute, ImplItem, Item, ItemImpl, ItemMod, Type, parse_quote};

use crate::Result;

/// The RPCs of WorkflowService that a crate of Timewright calls. Where one is called that does not stand here, that crate does not compile
/// alone; in the workspace it does, since the model server has them all.
const CALLED: &[&str] = &[
    "CountActivityExecutions",
    "DeleteActivityExecution",
    "DescribeActivityExecution",
    "DescribeNamespace",
    "DescribeWorkerDeployment",
    "DescribeWorkflowExecution",
    "GetSystemInfo",
    "GetWorkflowExecutionHistory",
    "GetWorkflowExecutionHistoryReverse",
    "ListActivityExecutions",
    "PauseActivityExecution",
    "PollActivityExecution",
    "PollActivityTaskQueue",
    "PollNexusTaskQueue",
    "PollWorkflowExecutionUpdate",
    "PollWorkflowTaskQueue",
    "QueryWorkflow",
    "RecordActivityTaskHeartbeat",
    "RecordActivityTaskHeartbeatById",
    "RecordWorkerHeartbeat",
    "RequestCancelActivityExecution",
    "RequestCancelWorkflowExecution",
    "ResetActivityExecution",
    "RespondActivityTaskCanceled",
    "RespondActivityTaskCanceledById",
    "RespondActivityTaskCompleted",
    "RespondActivityTaskCompletedById",
    "RespondActivityTaskFailed",
    "RespondActivityTaskFailedById",
    "RespondNexusTaskCompleted",
    "RespondNexusTaskFailed",
    "RespondQueryTaskCompleted",
    "RespondWorkflowTaskCompleted",
    "RespondWorkflowTaskFailed",
    "SetWorkerDeploymentCurrentVersion",
    "SetWorkerDeploymentRampingVersion",
    "ShutdownWorker",
    "SignalWorkflowExecution",
    "StartActivityExecution",
    "StartWorkflowExecution",
    "TerminateActivityExecution",
    "TerminateWorkflowExecution",
    "UnpauseActivityExecution",
    "UpdateActivityExecutionOptions",
    "UpdateWorkflowExecution",
];
const SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";

/// What travels inside of other messages, as bytes, so that no field names it.
const IN_BYTES: &[&str] = &[
    // in markers, and in the messages of a Workflow Task
    ".temporal.api.update.v1.Acceptance",
    ".temporal.api.update.v1.Rejection",
    ".temporal.api.update.v1.Request",
    ".temporal.api.update.v1.Response",
    // in the server's own Nexus operations
    ".temporal.api.worker.v1.WorkerCommand",
    ".temporal.api.worker.v1.WorkerCommandResult",
    ".temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionRequest",
    ".temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse",
    // what histories that are read from elsewhere are
    ".temporal.api.history.v1.History",
];

/// The messages, enums and RPCs that only the feature `all-rpcs` has.
pub(crate) struct Surface {
    /// Rust's names of types, and of the modules of what is nested in them, by package.
    kept: BTreeMap<String, BTreeSet<String>>,
    /// Names of modules of clients, by package, with the Rust names of the RPCs that are called.
    clients: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Surface {
    pub(crate) fn of(descriptors: &FileDescriptorSet) -> Result<Self> {
        let mut pending: Vec<String> = IN_BYTES.iter().map(ToString::to_string).collect();
        let mut clients = BTreeMap::new();
        let mut uncalled: BTreeSet<&str> = CALLED.iter().copied().collect();
        let services =
            descriptors.file.iter().flat_map(|file| file.service.iter().map(|found| (file.package(), found)));
        for (package, service) in services {
            let mut called = BTreeSet::new();
            if format!("{package}.{}", service.name()) == SERVICE {
                for method in service.method.iter().filter(|method| uncalled.remove(method.name())) {
                    called.insert(method.name().to_snake_case());
                    pending.extend([method.input_type().to_owned(), method.output_type().to_owned()]);
                }
            }
            clients.insert((package.to_owned(), format!("{}_client", service.name().to_snake_case())), called);
        }
        if let Some(name) = uncalled.first() {
            return Err(format!("{SERVICE} has no RPC {name}"));
        }
        Ok(Self { kept: kept(descriptors, pending)?, clients })
    }

    /// Puts what is not needed behind the feature.
    pub(crate) fn gate(&self, package: &str, file: &mut syn::File) {
        leave_names_out(package, &mut file.items);
        file.items.iter_mut().for_each(|item| self.gate_item(package, item));
    }

    fn gate_item(&self, package: &str, item: &mut Item) {
        let kept = |name: &syn::Ident| self.kept.get(package).is_some_and(|kept| kept.contains(&bare(name)));
        match item {
            Item::Struct(item) if !kept(&item.ident) => item.attrs.insert(0, gate()),
            Item::Enum(item) if !kept(&item.ident) => item.attrs.insert(0, gate()),
            Item::Impl(item) => {
                let Type::Path(of) = &*item.self_ty else { return };
                if of.path.segments.last().is_some_and(|segment| !kept(&segment.ident)) {
                    item.attrs.insert(0, gate());
                }
            }
            Item::Mod(item) => match self.clients.get(&(package.to_owned(), item.ident.to_string())) {
                Some(called) if !called.is_empty() => gate_calls(item, called),
                Some(_) => item.attrs.insert(0, gate()),
                None if !kept(&item.ident) => item.attrs.insert(0, gate()),
                None => (),
            },
            _ => (),
        }
    }

    /// As [`gate`](Self::gate), for implementations that stand elsewhere: `impl Trait for crate::package::Type`.
    pub(crate) fn gate_implementations(&self, file: &mut syn::File) {
        for item in &mut file.items {
            let Item::Impl(item) = item else { continue };
            let Type::Path(of) = &*item.self_ty else { continue };
            let names: Vec<_> = of.path.segments.iter().skip(1).map(|segment| bare(&segment.ident)).collect();
            // Behind the package stands a type, or the module of what is nested in one.
            let kept = |at: usize| self.kept.get(&names[..at].join(".")).is_some_and(|kept| kept.contains(&names[at]));
            if !(0..names.len()).any(kept) {
                item.attrs.insert(0, gate());
            }
        }
    }
}

/// Rust's names of all that is reached, and of the modules of what is nested in it, by package.
fn kept(descriptors: &FileDescriptorSet, mut pending: Vec<String>) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut messages = BTreeMap::new();
    let mut enums = BTreeSet::new();
    for file in &descriptors.file {
        messages.extend(file.message_type.iter().map(|found| ((file.package(), found.name()), found)));
        enums.extend(file.enum_type.iter().map(|found| (file.package(), found.name())));
    }
    let mut kept: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(name) = pending.pop() {
        // What is nested belongs to what it is nested in.
        let names: Vec<_> = name.trim_start_matches('.').split('.').collect();
        let found = (1..names.len()).find_map(|at| {
            let key = (names[..at].join("."), names[at]);
            let message = messages.get(&(key.0.as_str(), key.1)).copied();
            (message.is_some() || enums.contains(&(key.0.as_str(), key.1))).then_some((key.0, key.1, message))
        });
        let (package, name, message) = found.ok_or_else(|| format!("{name} is defined nowhere"))?;
        let names = kept.entry(package).or_default();
        if names.insert(name.to_upper_camel_case())
            && let Some(message) = message
        {
            names.insert(name.to_snake_case());
            mentioned(message, &mut pending);
        }
    }
    Ok(kept)
}

fn mentioned(message: &DescriptorProto, names: &mut Vec<String>) {
    names.extend(message.field.iter().filter_map(|field| field.type_name.clone()));
    message.nested_type.iter().for_each(|nested| mentioned(nested, names));
}

/// The client itself stays, and what it calls.
fn gate_calls(client: &mut ItemMod, called: &BTreeSet<String>) {
    let items = client.content.iter_mut().flat_map(|(_, items)| items);
    for item in items {
        let Item::Impl(item) = item else { continue };
        for function in &mut item.items {
            if let ImplItem::Fn(function) = function
                && function.sig.asyncness.is_some()
                && !called.contains(&bare(&function.sig.ident))
            {
                function.attrs.extend([parse_quote!(#[doc = " Needs the feature `all-rpcs`."]), gate()]);
            }
        }
    }
}

/// Leaves out what says the names of messages, but of those that travel as bytes: nobody asks others for theirs.
fn leave_names_out(scope: &str, items: &mut Vec<Item>) {
    items.retain(|item| name_of(item).is_none_or(|name| IN_BYTES.contains(&&*format!(".{scope}.{name}"))));
    for item in items {
        if let Item::Mod(ItemMod { ident, content: Some((_, nested)), .. }) = item {
            leave_names_out(&format!("{scope}.{ident}"), nested);
        }
    }
}

/// Of which message this says the name, if it does.
fn name_of(item: &Item) -> Option<String> {
    let Item::Impl(ItemImpl { trait_: Some((_, of, _)), self_ty, .. }) = item else { return None };
    let Type::Path(message) = &**self_ty else { return None };
    (of.segments.last()?.ident == "Name").then(|| message.path.segments.last().map(|name| name.ident.to_string()))?
}

fn gate() -> Attribute {
    parse_quote!(#[cfg(feature = "all-rpcs")])
}

/// Without what makes a keyword an identifier.
fn bare(ident: &syn::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}
