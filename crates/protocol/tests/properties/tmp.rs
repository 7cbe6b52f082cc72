//! tmp
use crate::program::{Activity, LocalActivity, Program, Step};
use crate::world::{Action::*, Conditions, World};
#[test]
fn tmp() {
    let la = LocalActivity { kind: 0, cancellation: 0, attempts: 0, schedule_to_close: 0, interval: 4, threshold: 0 };
    let program = Program {
        main: vec![Step::Join(vec![
            vec![Step::Activity(Activity { kind: 0, cancellation: 0, attempts: 0, schedule_to_close: 5, heartbeat: 0 })],
            vec![Step::WaitSignal(0)],
            vec![Step::Timer(0)],
        ])],
        on_signal: [vec![], vec![Step::CancelTimer(0, vec![Step::LocalActivity(la)])]],
        ..Program::default()
    };
    let schedule = [SignalMeanwhile(1), Advance, AdvanceMeanwhile, AdvanceMeanwhile, AdvanceMeanwhile, Advance, AdvanceMeanwhile, Work, Advance, Stall];
    for cache in [100, 0] {
        println!("##### cache {cache}");
        let undisturbed = Conditions::undisturbed(3616671459410981898);
        World::live(&program, Conditions { cache, ..undisturbed }, &schedule);
    }
}
