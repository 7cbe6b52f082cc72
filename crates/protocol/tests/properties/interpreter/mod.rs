//! Plays the part of user code: a program, executed by polling futures to a fixed point.

mod operations;
mod shared;
mod steps;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use timewright_protocol::workflow::{Activation, Command, Job, QueryAnswer};

use crate::program::Program;
use shared::{Handler, Shared, payload};
pub use shared::{hash, search_attribute};

/// The Task Queue on which activities are scheduled.
pub const ACTIVITIES: &str = "activities";

/// The endpoint at which Nexus operations are scheduled, and its Task Queue.
pub const NEXUS: &str = "nexus";

/// User code's state of one Run.
///
/// Within an Activation the handlers of signals and Updates go on first, in the order in which they came, then the main
/// part, until nothing changes any more. The same Activations always give the same Commands.
pub struct Interpreter {
    shared: Rc<RefCell<Shared>>,
    program: Rc<Program>,
    main: Option<Pin<Box<dyn Future<Output = ()>>>>,
    handlers: Vec<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Interpreter {
    /// `seed` decides what values come from outside: a Run that is executed anew gets others, unless they are recorded.
    pub fn new(program: Rc<Program>, seed: u64) -> Self {
        let shared = Rc::new(RefCell::new(Shared::new(seed)));
        let main = Box::pin(steps::main(shared.clone(), program.clone()));
        Self { shared, program, main: Some(main), handlers: Vec::new() }
    }

    /// Takes in the jobs, goes on as far as possible, and says what to ask for.
    pub fn activate(&mut self, activation: &Activation) -> Vec<Command> {
        if let [Job::Query(query)] = activation.jobs.as_slice() {
            let digest = self.shared.borrow().digest;
            let answer = QueryAnswer::Succeeded(Some(payload(&digest.to_string())));
            return vec![Command::AnswerQuery { id: query.id.clone(), answer }];
        }
        self.shared.borrow_mut().begin(activation);
        for job in &activation.jobs {
            self.shared.borrow_mut().hear(job);
        }
        self.go_on();
        std::mem::take(&mut self.shared.borrow_mut().commands)
    }

    fn go_on(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let before = self.shared.borrow().digest;
            let unhandled = std::mem::take(&mut self.shared.borrow_mut().unhandled);
            for handler in unhandled {
                let shared = self.shared.clone();
                self.handlers.push(match handler {
                    Handler::Signal(signal) => {
                        let place = steps::Place { era: self.program.era, handles_signal: true };
                        steps::run(shared, self.program.on_signal[signal].clone(), place)
                    }
                    Handler::Update(update) => Box::pin(steps::handle_update(shared, self.program.clone(), *update)),
                });
            }
            self.handlers.retain_mut(|handler| handler.as_mut().poll(&mut context).is_pending());
            let main_goes_on = match &mut self.main {
                Some(main) => main.as_mut().poll(&mut context).is_pending(),
                None => false,
            };
            if !main_goes_on && self.main.take().is_some() {
                if self.program.handlers_run_on {
                    self.handlers.retain_mut(|handler| handler.as_mut().poll(&mut context).is_pending());
                }
                break;
            }
            if self.main.is_none() || self.shared.borrow().digest == before {
                break;
            }
        }
        if self.main.is_none() {
            self.shared.borrow_mut().closed = true;
            self.handlers.clear();
        }
    }
}

impl Drop for Interpreter {
    /// Eviction: what is dropped now asks for nothing.
    fn drop(&mut self) {
        self.shared.borrow_mut().closed = true;
    }
}
