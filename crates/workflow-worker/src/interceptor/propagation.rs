//! Context values on their way through workflows: an interceptor around all others.

use timewright_definition::ContextPropagators;

use super::{InboundCall, InterceptorContext, OutboundCall, WorkflowInterceptor};
use crate::error::{Kind, WorkflowError, task_failure};

pub(super) struct Propagation(pub(super) ContextPropagators);

impl WorkflowInterceptor for Propagation {
    fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        let mut values = context.values().clone();
        self.0.extract(&call.header, &mut values).map_err(|error| {
            let InterceptorContext { info, .. } = &*context;
            broken(format!(
                "the header of {:?} {:?}, for workflow {:?} (id {:?}), has a context value that cannot be read: {error}",
                call.kind(),
                call.name(),
                info.workflow_type,
                info.workflow_id,
            ))
        })?;
        context.set_values(values);
        Ok(())
    }

    fn outbound(&self, context: &InterceptorContext, call: &mut OutboundCall<'_>) -> Result<(), WorkflowError> {
        if context.values().is_empty() {
            return Ok(());
        }
        let written = match (call.header_mut(), context.values()) {
            (Some(header), values) => self.0.inject(values, header),
            (None, values) => match call.nexus_header_mut() {
                Some(header) => self.0.inject_nexus(values, header),
                None => Ok(()),
            },
        };
        written.map_err(|error| broken(format!("a context value cannot be written: {error}")))
    }
}

/// Code or data can be mended, and nothing is to go on without what was to go along.
fn broken(message: String) -> WorkflowError {
    WorkflowError(Kind::Task(Box::new(task_failure("ConversionError", message))))
}
