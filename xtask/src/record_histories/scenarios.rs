//! All scenarios. `recipes.md` beside the histories tells what their workflows do.

mod activities;
mod children;
mod endings;
mod local_activities;
mod messages;
mod patches;

use super::scenario::Scenario;

/// All of them, in no order that matters.
pub(crate) fn all() -> Vec<Scenario> {
    let scenarios = [
        activities::scenarios(),
        local_activities::scenarios(),
        children::scenarios(),
        patches::scenarios(),
        messages::scenarios(),
        endings::scenarios(),
    ];
    scenarios.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_scenarios_have_the_same_name() {
        let names: BTreeSet<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
