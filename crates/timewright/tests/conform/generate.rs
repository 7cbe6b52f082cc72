//! Programs by chance, with their times.

mod operations;

use std::collections::BTreeSet;

use timewright::proto::enums::ParentClosePolicy;

use crate::chance::Chance;
use crate::program::{Action, End, OnCancel, Program, Run, Step, Update};

impl Program {
    /// The program of this number under this seed: always the same.
    pub(crate) fn generate(seed: u64, index: u64) -> Self {
        let mut generator = Generator {
            chance: Chance::new(seed, index),
            times: Times::default(),
            signals: 0,
            children: Vec::new(),
            is_cancelled: false,
        };
        let runs = if generator.chance.percent(15) { 2 } else { 1 };
        let mut runs: Vec<Run> = (0..runs).map(|_| generator.run()).collect();
        let end =
            if generator.chance.percent(20) { End::Fail(generator.chance.one_of(&[1, 1, 2])) } else { End::Complete };
        if let Some(last) = runs.last_mut()
            && end == End::Complete
            && generator.chance.percent(20)
        {
            last.main.extend(generator.child_that_is_left());
        }
        Self { runs, children: generator.children, end }
    }
}

struct Generator {
    chance: Chance,
    times: Times,
    /// So many Signals have been sent to this run.
    signals: u32,
    children: Vec<Run>,
    /// The cancellation comes in between, and would come to a Child Workflow at the same time as other things.
    is_cancelled: bool,
}

/// The moments, in slots since the step of `main` began, at which something ends.
#[derive(Debug, Default)]
struct Times {
    taken: BTreeSet<u64>,
    /// Those right after which something happens that the server does by itself, such as the start of a Child Workflow.
    followed: BTreeSet<u64>,
}

impl Times {
    /// The first moment from this one on at which nothing else ends.
    fn take(&mut self, mut at: u64) -> u64 {
        while !self.taken.insert(at) {
            at += 1;
        }
        at
    }

    /// The last moment at which something ends.
    fn last(&self) -> u64 {
        self.taken.last().copied().unwrap_or_default()
    }
}

impl Generator {
    fn run(&mut self) -> Run {
        self.signals = 0;
        self.is_cancelled = false;
        let mut main = Vec::new();
        for _ in 0..self.chance.between(1, 3) {
            self.block(&mut main);
        }
        let mut on_cancel = OnCancel::Ignore;
        if self.chance.percent(25) {
            on_cancel = self.cancel(&mut main);
        } else if self.chance.percent(4) {
            main.push(Step::Act(Action::Terminate, 2));
        }
        Run { main, on_cancel, fails: false }
    }

    /// A step of `main`, with all that belongs to it.
    fn block(&mut self, main: &mut Vec<Step>) {
        self.times = Times::default();
        let mut now = 0;
        match self.chance.between(1, 100) {
            1..=26 => main.push(self.step(&mut now)),
            27..=28 => main.push(Step::Act(Action::Query, 1)),
            29..=30 => main.push(Step::Act(Action::Reset, 1)),
            31..=38 => {
                let update = self.chance.one_of(&[Update::Quick, Update::Fails, Update::Refused, Update::Slow]);
                main.push(Step::Act(Action::Update(update), 1));
            }
            39..=42 => main.push(self.heeding_activity()),
            43..=48 => main.push(Step::LocalActivity(self.long_local_activity())),
            49..=60 => main.push(self.rendezvous()),
            61..=80 => main.push(Step::Join(self.branches(&mut now))),
            _ => main.push(Step::Race(self.branches(&mut now))),
        }
        self.wait_for_the_rest(main);
    }

    /// What goes on after the last step, because nobody waits for it, ends before the next begins.
    fn wait_for_the_rest(&mut self, steps: &mut Vec<Step>) {
        // Of a race only its server knows what has ended, and of an activity that was cancelled.
        let may_go_on = |step: &Step| {
            matches!(step, Step::Race(_) | Step::CancelActivity(..) | Step::CancelNexus(..) | Step::Join(_))
        };
        if steps.last().is_some_and(may_go_on) {
            steps.push(Step::Timer(self.times.last() + 1));
        }
    }

    /// The last steps of a run whose child goes on: it has begun by the time of the run's end.
    fn child_that_is_left(&mut self) -> [Step; 2] {
        use ParentClosePolicy::{Abandon, RequestCancel, Terminate};
        let policy = self.chance.one_of(&[Terminate, Abandon, RequestCancel]);
        let on_cancel = OnCancel::CleanUp(vec![Step::Timer(1)]);
        self.children.push(Run { main: vec![Step::Timer(4)], on_cancel, fails: false });
        [Step::LeaveChild(self.children.len() - 1, policy), Step::Timer(1)]
    }

    fn branches(&mut self, now: &mut u64) -> Vec<Vec<Step>> {
        let begin = *now;
        let branches = (0..self.chance.between(2, 3)).map(|_| {
            let mut now = begin;
            let mut steps: Vec<Step> = (0..self.chance.between(1, 2)).map(|_| self.step(&mut now)).collect();
            if now == begin {
                // A race is not won before all have begun.
                steps.push(Step::Timer(self.wait(&mut now)));
            }
            (steps, now)
        });
        let (branches, ends): (Vec<_>, Vec<_>) = branches.collect();
        *now = ends.into_iter().max().unwrap_or(begin);
        branches
    }

    /// A step that can stand in a branch.
    fn step(&mut self, now: &mut u64) -> Step {
        match self.chance.between(1, 100) {
            1..=18 => Step::Timer(self.wait(now)),
            19..=28 => Step::Note(self.note()),
            // What ends or goes on at once must be alone at that moment.
            29..=36 if self.times.followed.insert(*now) => Step::LocalActivity(self.local_activity(now)),
            37..=44 if self.may_be_followed(*now) => self.child(now),
            45..=48 if self.may_be_followed(*now) => Step::TellNobody { cancel: self.chance.percent(50) },
            49..=54 if self.may_be_followed(*now) => self.nexus_that_goes_on(now),
            55..=60 if !self.is_cancelled => Step::Nexus(self.nexus(now)),
            61..=66 => {
                let inner = self.inner(now);
                Step::CancelTimer(inner)
            }
            67..=90 => Step::Activity(self.activity(now)),
            _ => self.cancelled_activity(now),
        }
    }

    fn may_be_followed(&mut self, now: u64) -> bool {
        !self.is_cancelled && self.times.followed.insert(now)
    }

    /// Something short.
    fn inner(&mut self, now: &mut u64) -> Vec<Step> {
        match self.chance.between(1, 3) {
            1 => Vec::new(),
            2 => vec![Step::Timer(self.wait(now))],
            _ => vec![Step::Activity(self.activity(now))],
        }
    }

    /// Slots until a moment at which nothing else ends; then it is `now`.
    fn wait(&mut self, now: &mut u64) -> u64 {
        let end = self.times.take(*now + self.chance.between(1, 3));
        end - std::mem::replace(now, end)
    }

    /// Some wait for Signals, which others send.
    fn rendezvous(&mut self) -> Step {
        let mut sender = Vec::new();
        let mut waiter = Vec::new();
        let (mut sent, mut heard) = (0, 0);
        for _ in 0..self.chance.between(1, 2) {
            sender.push(Step::Timer(self.wait(&mut sent)));
            heard = heard.max(sent);
            let began = sent;
            let slots = self.wait(&mut sent);
            sender.push(Step::Act(Action::Signal, slots));
            self.signals += 1;
            waiter.push(Step::WaitSignals(self.signals));
            heard = heard.max(began);
        }
        // The activity that has sent the last Signal may still go on.
        if self.chance.percent(60) {
            waiter.push(Step::Timer(self.wait(&mut heard)));
        }
        Step::Join(if self.chance.percent(50) { vec![sender, waiter] } else { vec![waiter, sender] })
    }

    /// Somebody asks for the cancellation while other things go on.
    fn cancel(&mut self, main: &mut Vec<Step>) -> OnCancel {
        self.times = Times::default();
        self.is_cancelled = true;
        let mut now = 0;
        let mut canceller = vec![Step::Timer(self.wait(&mut now))];
        let slots = self.wait(&mut now);
        canceller.push(Step::Act(Action::Cancel, slots));
        let mut branches = vec![canceller];
        for _ in 0..self.chance.between(0, 2) {
            let mut now = 0;
            let step = self.step(&mut now);
            branches.push(vec![step, Step::WaitSignals(self.signals + 1)]);
        }
        let rest = Step::Timer(self.times.last() + 2);
        let ignores = self.chance.percent(30);
        if ignores {
            // Nobody would end them.
            for branch in &mut branches[1..] {
                branch.pop();
            }
        }
        main.push(Step::Join(branches));
        main.push(rest.clone());
        if ignores {
            return OnCancel::Ignore;
        }
        let mut clean_up = Vec::new();
        if self.chance.percent(70) {
            clean_up.push(rest);
            self.times = Times::default();
            let mut now = 0;
            clean_up.push(self.step(&mut now));
            self.wait_for_the_rest(&mut clean_up);
        }
        OnCancel::CleanUp(clean_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_repeated_and_differ() {
        assert_eq!(Program::generate(7, 3), Program::generate(7, 3));
        let different: BTreeSet<String> = (0..100).map(|index| format!("{:?}", Program::generate(7, index))).collect();
        assert!(different.len() > 95, "{} different programs", different.len());
    }

    #[test]
    fn every_kind_of_step_comes_up() {
        let all: String = (0..200).map(|index| format!("{:?}", Program::generate(1, index))).collect();
        for kind in [
            "Timer(",
            "CancelTimer(",
            "Activity(",
            "CancelActivity(",
            "Signal",
            "Query",
            "Cancel,",
            "Terminate",
            "WaitSignals(",
            "Reset",
            "fails: true",
            "LeaveChild(0, Terminate",
            "Nexus(",
            "CancelNexus(Try",
            "CancelNexus(WaitRequested",
            "CancelNexus(WaitCompleted",
            "CancelNexus(Abandon",
            "deed: Complete",
            "deed: Fail",
            "deed: Cancel",
            "deed: Refuse",
            "deed: Start",
            "NexusWorkflow(",
            "Join(",
            "Race(",
            "Ignore",
            "CleanUp([])",
            "CleanUp([Timer",
            "Fail(2)",
            "nobody: true",
            "for_good: true",
            "heeds: true",
            "Abandon",
            "StartToClose",
            "ScheduleToStart",
            "ScheduleToClose",
        ] {
            assert!(all.contains(kind), "no {kind} in 200 programs");
        }
    }
}
