//! What holds for every history of a program.

use timewright::proto::history::History;
use timewright::workflow::ReplayError;

use super::scenarios::Scenario;
use super::workflows::replayer;

/// Today's program agrees with the history, and the changed one disagrees, where and how the scenario says.
pub(crate) async fn check(scenario: &Scenario, what: &str, history: History) {
    if let Err(error) = replayer::<false>().replay(what, history.clone()).await {
        panic!("{error}");
    }
    let Err(error) = replayer::<true>().replay(what, history).await else {
        panic!("{what}: the changed program agrees with the history");
    };
    let ReplayError::Nondeterminism { workflow_id, disagreement } = &error else { panic!("{error}") };
    assert_eq!(workflow_id, what);
    // Both sides, as whoever has to mend it reads them.
    let sides = format!(
        "workflow {what:?}: nondeterminism at event {}: the history recorded {}, the workflow code issued {}",
        disagreement.event_id, scenario.recorded, scenario.issued
    );
    assert!(error.to_string().starts_with(&sides), "{error}\ndoes not begin with\n{sides}");
}
