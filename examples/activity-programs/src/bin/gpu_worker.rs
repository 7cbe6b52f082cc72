//! An activity-only worker for a machine with a GPU. Only one training at a time has the machine: that is its session.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_programs::{LoadData, TrainEpoch, connect, task_queue};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::converter::ApplicationFailure;

/// What is in the GPU's memory.
#[derive(Default)]
struct Gpu {
    samples: Mutex<Vec<f64>>,
}

impl Gpu {
    async fn load(self: Arc<Self>, _context: ActivityContext, data_set: String) -> Result<u64, ActivityError> {
        let samples: Vec<f64> = data_set.bytes().map(f64::from).collect();
        let count = samples.len() as u64;
        *self.samples.lock().map_err(|_| "the GPU is in an unknown state")? = samples;
        Ok(count)
    }

    /// Computes, so it blocks: it gets a thread of its own, on which heartbeats and cancellation work all the same.
    fn train(&self, context: &ActivityContext, epoch: u32) -> Result<f64, ActivityError> {
        let samples = self.samples.lock().map_err(|_| "the GPU is in an unknown state")?;
        if samples.is_empty() {
            // Outside of a session it would be on whatever machine is free.
            return Err(ApplicationFailure::new("nothing is loaded on this machine").non_retryable().into());
        }
        let mut loss = 0.0;
        for (step, sample) in samples.iter().enumerate() {
            context.heartbeat(step as u64)?;
            if context.is_cancelled() {
                return Err(ActivityError::cancelled());
            }
            loss += sample / f64::from(epoch + 1);
        }
        Ok(loss / samples.len() as f64)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Arc::new(Gpu::default());
    let training = Arc::clone(&gpu);
    let worker = ActivityWorker::builder(connect().await?, task_queue("gpu"))
        .activity_with_state(LoadData, gpu, Gpu::load)
        .blocking_activity(TrainEpoch, move |context, epoch| training.train(&context, epoch))
        .maximum_concurrent_sessions(1)
        .graceful_shutdown_timeout(Duration::from_secs(5))
        .build()?;
    worker.run(timewright::shutdown_signal()).await?;
    Ok(())
}
