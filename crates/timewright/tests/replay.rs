//! Histories are replayed: those of today, right after they were made, and those that the repository keeps for ever.
//! Each agrees with the program that made it, and disagrees with the same program after a change.

mod programs;
mod support;

mod replay {
    mod live;
    mod recorded;

    use timewright::proto::history::History;
    use timewright::workflow::ReplayError;

    use crate::programs::scenarios::Scenario;
    use crate::programs::workflows::replayer;

    /// Replays a history with today's program, and with the changed one.
    async fn check(scenario: &Scenario, what: &str, history: History) {
        if let Err(error) = replayer::<false>().replay(what, history.clone()).await {
            panic!("{what}: {error}");
        }
        let error = replayer::<true>().replay(what, history).await.expect_err("the program has changed");
        let ReplayError::Nondeterminism { workflow_id, disagreement } = &error else { panic!("{what}: {error}") };
        assert_eq!(workflow_id, what);
        // Both sides, as whoever has to mend it reads them.
        let sides = format!(
            "workflow {what:?}: nondeterminism at event {}: the history recorded {}, the workflow code issued {}",
            disagreement.event_id, scenario.recorded, scenario.issued
        );
        assert!(error.to_string().starts_with(&sides), "{what}: {error}\nis not\n{sides}");
    }
}
