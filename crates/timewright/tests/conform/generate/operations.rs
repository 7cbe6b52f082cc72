//! Operations by chance, with what makes their ends certain.

use super::Generator;
use crate::program::{
    Activity, Cancellation, LocalActivity, Nexus, NexusCancellation, Note, OnCancel, Run, Step, TASK_TIMEOUT, Timeout,
    ToChild, Work,
};
use crate::support::nexus::Deed;

impl Generator {
    pub(super) fn activity(&mut self, now: &mut u64) -> Activity {
        let plain = Activity { attempts: 1, ..Activity::default() };
        match self.chance.between(1, 100) {
            1..=45 => Activity { work: Work { slow_attempt: 1, takes: self.wait(now), ..Work::default() }, ..plain },
            46..=55 => {
                let for_good = self.chance.percent(50);
                let work = Work { fails: 1, slow_attempt: 1, takes: self.wait(now), for_good, ..Work::default() };
                Activity { attempts: if for_good { 3 } else { 1 }, work, interval: 1, ..plain }
            }
            56..=78 => {
                let fails = self.chance.between(1, 2);
                let gives_up = self.chance.percent(40);
                // No attempt leaves an Event but the last, and yet it matters to a cancellation which one is under way.
                let is_free = |interval: &u64| {
                    (1..=fails).all(|attempt| !self.times.taken.contains(&(*now + attempt * interval)))
                };
                let interval = (1..).find(is_free).unwrap_or(1);
                self.times.taken.extend((1..=fails).map(|attempt| *now + attempt * interval));
                *now += fails * interval;
                let fails = fails as u32;
                let work = Work { fails: if gives_up { fails + 1 } else { fails }, ..Work::default() };
                Activity { attempts: fails + 1, interval, work, ..plain }
            }
            79..=86 => {
                let timeout = Timeout::StartToClose(self.wait(now));
                Activity { work: Work { slow_attempt: 1, takes: 20, ..Work::default() }, timeout, ..plain }
            }
            87..=93 => Activity { nobody: true, timeout: Timeout::ScheduleToStart(self.wait(now)), ..plain },
            _ => Activity { nobody: true, timeout: Timeout::ScheduleToClose(self.wait(now)), ..plain },
        }
    }

    /// One that is cancelled before anybody has taken it, or one that does not care.
    pub(super) fn cancelled_activity(&mut self, now: &mut u64) -> Step {
        let cancellation = self.chance.one_of(&[Cancellation::Try, Cancellation::Wait, Cancellation::Abandon]);
        let plain = Activity { attempts: 1, cancellation, ..Activity::default() };
        if self.chance.percent(40) {
            let mut inner = self.inner(now);
            if !self.times.followed.insert(*now) {
                inner.push(Step::Timer(self.wait(now)));
                self.times.followed.insert(*now);
            }
            return Step::CancelActivity(Activity { nobody: true, ..plain }, inner);
        }
        let began = *now;
        // It has been started by the time of its cancellation.
        let inner = vec![Step::Timer(self.wait(now))];
        let end = self.times.take(*now + self.chance.between(1, 2));
        let work = Work { slow_attempt: 1, takes: end - began, ..Work::default() };
        if cancellation == Cancellation::Wait {
            *now = end;
        }
        Step::CancelActivity(Activity { work, ..plain }, inner)
    }

    /// One that ends at once, in the Workflow Task that asks for it, or goes on over a timer.
    pub(super) fn local_activity(&mut self, now: &mut u64) -> LocalActivity {
        let plain = LocalActivity { work: Work::default(), attempts: 1, interval: 1, durable: false };
        match self.chance.between(1, 3) {
            1 => plain,
            2 => {
                LocalActivity { work: Work { fails: 1, for_good: self.chance.percent(50), ..Work::default() }, ..plain }
            }
            _ => {
                let interval = self.wait(now);
                let fails = if self.chance.percent(30) { 2 } else { 1 };
                LocalActivity { work: Work { fails, ..Work::default() }, attempts: 2, interval, durable: true }
            }
        }
    }

    /// One that takes a while, sometimes longer than a Workflow Task may.
    pub(super) fn long_local_activity(&mut self) -> LocalActivity {
        let takes = if self.chance.percent(30) { TASK_TIMEOUT + 1 } else { self.chance.between(1, 2) };
        let fails = u32::from(self.chance.percent(30));
        let work = Work { fails, slow_attempt: fails + 1, takes, ..Work::default() };
        LocalActivity { work, attempts: 3, interval: 1, durable: false }
    }

    pub(super) fn note(&mut self) -> Note {
        let number = self.chance.between(0, 3) as u8;
        match self.chance.between(1, 8) {
            1 => Note::SideEffect(u32::from(number)),
            8 => Note::MutableSideEffect(number),
            2 => Note::Patch(number),
            3 => Note::Version(number),
            4 => Note::Memo(number),
            5 => Note::ForgetMemo(number),
            6 => Note::SearchAttribute(number),
            _ => Note::ForgetSearchAttribute,
        }
    }

    /// A Child Workflow: its steps end at moments of their own, too.
    pub(super) fn child(&mut self, now: &mut u64) -> Step {
        let (main, to_child) = match self.chance.between(1, 4) {
            1 => {
                let after = self.wait(now);
                self.times.followed.insert(*now);
                (vec![Step::WaitSignals(1), Step::Timer(self.wait(now))], ToChild::Signal(after))
            }
            2 => {
                let after = self.wait(now);
                self.times.followed.insert(*now);
                // It cleans up for a slot, so that it does not end while the request is still being recorded.
                *now = self.times.take(*now + 1);
                (vec![Step::Timer(100)], ToChild::Cancel(after))
            }
            3 => (vec![Step::Timer(self.wait(now)), Step::Note(self.note())], ToChild::Nothing),
            _ => (vec![Step::Timer(self.wait(now)), Step::Activity(self.activity(now))], ToChild::Nothing),
        };
        let fails = to_child == ToChild::Nothing && self.chance.percent(30);
        self.children.push(Run { main, on_cancel: OnCancel::CleanUp(vec![Step::Timer(1)]), fails });
        Step::Child(self.children.len() - 1, to_child)
    }

    /// One that has its outcome when the handler answers.
    pub(super) fn nexus(&mut self, now: &mut u64) -> Nexus {
        let deed = match self.chance.between(1, 6) {
            1 => Deed::Fail,
            2 => Deed::Cancel,
            3 => Deed::Refuse,
            number => Deed::Complete(format!("deed {number}")),
        };
        Nexus { deed, takes: self.wait(now), start_to_close: None }
    }

    /// One that is started at once; it times out, is a workflow that ends, or is cancelled.
    pub(super) fn nexus_that_goes_on(&mut self, now: &mut u64) -> Step {
        match self.chance.between(1, 10) {
            1..=3 => return Step::Nexus(Nexus { deed: Deed::Start, takes: 0, start_to_close: Some(self.wait(now)) }),
            4..=5 => return Step::NexusWorkflow(self.wait(now)),
            _ => {}
        }
        let began = *now;
        let mut inner = self.inner(now);
        // The handler's answer to the request must be alone at that moment.
        while *now != began && !self.times.followed.insert(*now) {
            inner.push(Step::Timer(self.wait(now)));
        }
        use NexusCancellation::{Abandon, Try, WaitCompleted, WaitRequested};
        let mut cancellation = self.chance.one_of(&[Try, WaitRequested, WaitCompleted(0), Abandon]);
        if let WaitCompleted(clean_up) = &mut cancellation {
            // So that it does not end while the request is still being recorded.
            let asked = std::mem::replace(now, self.times.take(*now + 1));
            *clean_up = *now - asked;
        }
        Step::CancelNexus(cancellation, inner)
    }

    /// An activity that hears of its cancellation, which takes an uncertain time: so nothing is beside it.
    pub(super) fn heeding_activity(&mut self) -> Step {
        let work = Work { heeds: true, takes: 40, ..Work::default() };
        let activity = Activity { work, attempts: 1, cancellation: Cancellation::Wait, ..Activity::default() };
        Step::CancelActivity(activity, vec![Step::Timer(self.chance.between(1, 2))])
    }
}
