//! The Events of Updates as text, and what a worker says of itself beside its Commands.

use timewright_proto::enums::VersioningBehavior;
use timewright_proto::history::WorkflowTaskCompletedEventAttributes;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::update::v1::{Request, outcome};

use super::line::{Line, failure_text, joined, name};

/// `false` for Events of other families.
pub(super) fn describe(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(a) => {
            let meta = a.request.as_ref().and_then(|request| request.meta.as_ref());
            line.text("update", name(meta.map(|meta| &meta.update_id)));
            line.text("name", update_name(a.request.as_ref()));
            line.text("origin", &format!("{:?}", a.origin()));
        }
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
            line.text("update", &a.protocol_instance_id);
            line.text("message", &a.accepted_request_message_id);
            line.number("sequencing", a.accepted_request_sequencing_event_id);
            line.text("name", update_name(a.accepted_request.as_ref()));
        }
        Attributes::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
            line.text("update", name(a.meta.as_ref().map(|meta| &meta.update_id)));
            line.number("accepted", a.accepted_event_id);
            match a.outcome.as_ref().and_then(|outcome| outcome.value.as_ref()) {
                Some(outcome::Value::Success(result)) => line.payloads("outcome", Some(result)),
                Some(outcome::Value::Failure(failure)) => {
                    line.text("outcome", &format!("failed {}", failure_text(failure)));
                }
                None => (),
            }
        }
        _ => return false,
    }
    true
}

pub(super) fn describe_worker(line: &mut Line, completed: &WorkflowTaskCompletedEventAttributes) {
    if let Some(sdk) = &completed.sdk_metadata {
        line.text("sdk", &sdk.sdk_name);
        line.text("sdk-version", &sdk.sdk_version);
        line.text("flags", &joined(sdk.lang_used_flags.iter().map(u32::to_string)));
    }
    let metering = completed.metering_metadata.as_ref();
    let more_attempts = metering.map_or(0, |metering| metering.nonfirst_local_activity_execution_attempts);
    line.number("more-attempts", more_attempts);
    line.text("deployment", &completed.worker_deployment_name);
    line.text("build", name(completed.deployment_version.as_ref().map(|version| &version.build_id)));
    if completed.versioning_behavior() != VersioningBehavior::Unspecified {
        line.text("behavior", &format!("{:?}", completed.versioning_behavior()));
    }
}

fn update_name(request: Option<&Request>) -> &str {
    name(request.and_then(|request| request.input.as_ref()).map(|input| &input.name))
}
