//! The failures that a worker itself makes, with the texts that people read in the Web UI.

use std::any::Any;

use timewright_converter::{
    ApplicationFailure, CodecError, ConversionError, DefaultFailureConverter, Failure, FailureConverter,
};
use timewright_proto::failure as proto;
use timewright_protocol::activity::{ActivityOutcome, InvalidActivityTask};
use tower::BoxError;

use crate::error::as_application_failure;

/// As it stands in an [`ActivityOutcome`]: readable by layers, before the user's Failure Converter.
pub(crate) fn plain(failure: &Failure) -> Box<proto::Failure> {
    Box::new(DefaultFailureConverter::default().serialize(failure))
}

pub(crate) fn outcome(failure: ApplicationFailure) -> ActivityOutcome {
    ActivityOutcome::Failed(plain(&failure.into()))
}

/// Nobody has registered this type. Retryable: the next attempt may come to a worker that is newer.
pub(crate) fn unknown_type<'a>(
    activity_type: &str,
    task_queue: &str,
    known: impl Iterator<Item = &'a str>,
) -> ApplicationFailure {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    ApplicationFailure::new(format!(
        "no activity `{activity_type}` is registered on the worker of Task Queue `{task_queue}`; it knows: {known}. Register \
         it there, or call it on the Task Queue of a worker that has it"
    ))
    .with_type("NotFoundError")
}

/// User code panicked. Retryable, as any error of user code.
pub(crate) fn panicked(activity_type: &str, panic: &(dyn Any + Send)) -> ApplicationFailure {
    let text = panic_text(panic);
    ApplicationFailure::new(format!("activity `{activity_type}` panicked: {text}")).with_type(PANIC)
}

/// Something panicked around user code: a Payload Codec or a Failure Converter, say. Retryable, as any other panic.
pub(crate) fn panicked_around(activity: &str, panic: &(dyn Any + Send)) -> ApplicationFailure {
    let text = panic_text(panic);
    ApplicationFailure::new(format!(
        "a Payload Codec, a Failure Converter, or the worker itself panicked around activity {activity}: {text}"
    ))
    .with_type(PANIC)
}

/// The type of failures that panics become.
const PANIC: &str = "Panic";

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(the panic's value is no text)")
}

/// There is no thread for an activity that blocks. Retryable: another worker may have one.
pub(crate) fn no_thread(error: &std::io::Error) -> ApplicationFailure {
    ApplicationFailure::new(format!("no thread could be started for an activity that blocks: {error}"))
        .with_type("NoThread")
}

/// The arguments are not what the activity takes. Caller and implementer disagree; a newer worker may agree.
pub(crate) fn unreadable_input(activity_type: &str, error: &ConversionError) -> ApplicationFailure {
    ApplicationFailure::new(format!("the input of activity `{activity_type}` cannot be read: {error}"))
        .with_type("ConversionError")
}

/// The result cannot be serialised.
pub(crate) fn unwritable_output(activity_type: &str, error: &ConversionError) -> ApplicationFailure {
    ApplicationFailure::new(format!("the result of activity `{activity_type}` cannot be written: {error}"))
        .with_type("ConversionError")
}

/// A Payload Codec failed. Retryable: a key service that is down comes up again.
pub(crate) fn codec(activity_type: &str, what: &str, error: &CodecError) -> ApplicationFailure {
    ApplicationFailure::new(format!("{what} of activity `{activity_type}`: {error}")).with_type("CodecError")
}

/// A layer failed instead of the activity.
pub(crate) fn layer(error: &BoxError) -> Failure {
    as_application_failure(Failure::from_dyn_error(&**error))
}

/// The server's answer was no task.
pub(crate) fn invalid_task(error: &InvalidActivityTask) -> ApplicationFailure {
    ApplicationFailure::new(error.to_string()).with_type("InvalidActivityTask")
}

/// What the attempt has to say is more than the server takes. Retryable, since nothing is lost yet that another attempt, with
/// less to say, could not bring.
pub(crate) fn too_large(activity_type: &str, what: &str, size: Option<usize>, limit: usize) -> ApplicationFailure {
    let size = size.map_or_else(
        || "is larger than the server takes".to_owned(),
        |size| format!("has {size} bytes, but the server takes at most {limit}"),
    );
    ApplicationFailure::new(format!(
        "{what} of activity `{activity_type}` {size}. Store the data elsewhere, and pass a reference to it"
    ))
    .with_type("PayloadsTooLarge")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v10_an_unknown_type_is_told_with_the_known_ones() {
        let failure = unknown_type("Charge", "orders", ["Refund", "Ship"].into_iter());
        assert_eq!(
            failure.to_string(),
            "NotFoundError: no activity `Charge` is registered on the worker of Task Queue `orders`; it knows: `Refund`, \
             `Ship`. Register it there, or call it on the Task Queue of a worker that has it"
        );
        assert!(!failure.is_non_retryable());
        assert!(unknown_type("Charge", "orders", std::iter::empty()).message().contains("it knows: none."));
    }

    #[test]
    fn v11_a_panics_message_is_kept() {
        let shown = |panic: Box<dyn Any + Send>| panicked("Charge", &*panic).to_string();
        assert_eq!(shown(Box::new("at the disco")), "Panic: activity `Charge` panicked: at the disco");
        assert_eq!(shown(Box::new("text".to_owned())), "Panic: activity `Charge` panicked: text");
        assert_eq!(shown(Box::new(7)), "Panic: activity `Charge` panicked: (the panic's value is no text)");
    }
}
