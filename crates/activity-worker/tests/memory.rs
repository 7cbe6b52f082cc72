//! Nothing is kept of an activity that has ended. A program of its own, since it looks at the memory of the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{FakeServer, Text, task, while_running};
use timewright_activity_worker::ActivityContext;
use tokio::sync::Notify;

/// What has been executed, and by whom that is heard.
#[derive(Default)]
struct Done {
    count: AtomicUsize,
    more: Notify,
}

/// Physical memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this test reads Linux's account of its process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Has the worker execute so many.
async fn execute(server: &FakeServer, done: &Done, count: usize) {
    let before = done.count.load(Ordering::Relaxed);
    for batch in 0..count.div_ceil(BATCH) {
        for _ in 0..BATCH {
            server.give(task("Text", "x".repeat(100)));
        }
        while done.count.load(Ordering::Relaxed) < before + (batch + 1) * BATCH {
            done.more.notified().await;
        }
        server.forget();
    }
}

#[tokio::test]
async fn nothing_is_kept_of_activities_that_have_ended() {
    let server = FakeServer::new();
    let done = Arc::new(Done::default());
    let counting = Arc::clone(&done);
    let builder = server.worker().activity(Text, move |_context: ActivityContext, text: String| {
        let done = Arc::clone(&counting);
        async move {
            done.count.fetch_add(1, Ordering::Relaxed);
            done.more.notify_one();
            Ok(text)
        }
    });
    let grown = while_running(builder, async {
        // What allocators and channels keep for the next is there then.
        execute(&server, &done, WARM_UP).await;
        let before = resident();
        execute(&server, &done, COUNT).await;
        resident().saturating_sub(before)
    })
    .await;
    let each = grown / COUNT;
    assert!(each < MOST_BYTES_EACH, "{COUNT} activities have left {grown} bytes, {each} each");
}

const BATCH: usize = 100;
const WARM_UP: usize = 1_000;
/// So many that what they may leave, 2 MB, is far more than a process grows by for other reasons.
const COUNT: usize = 20_000;
/// Less than any entry about an activity would take: its task token, its type, its id.
const MOST_BYTES_EACH: usize = 100;
