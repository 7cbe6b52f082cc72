//! What no workflow may do, and what it may.

use std::collections::BTreeMap;
use std::collections::HashMap; // found: type std::collections::HashMap
use std::time::{Duration, SystemTime};

pub async fn clocks() -> Duration {
    let now = SystemTime::now(); // found: method std::time::SystemTime::now
    now.elapsed().unwrap_or_default() // found: method std::time::SystemTime::elapsed
}

pub async fn waiting() {
    std::thread::sleep(Duration::ZERO); // found: method std::thread::sleep
    tokio::time::sleep(Duration::ZERO).await; // found: method tokio::time::sleep
    let _ = tokio::time::timeout(Duration::ZERO, async {}).await; // found: method tokio::time::timeout
}

pub async fn work_beside() {
    drop(std::thread::spawn(|| ())); // found: method std::thread::spawn
    drop(tokio::spawn(async {})); // found: method tokio::task::spawn
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>(); // found: method tokio::sync::oneshot::channel
    drop(sender);
    let _ = receiver.await;
    let lock = tokio::sync::Mutex::new(()); // found: type tokio::sync::Mutex
    drop(lock.lock().await);
}

pub fn order(map: HashMap<u8, u8>) -> BTreeMap<u8, u8> { // found: type std::collections::HashMap
    map.into_iter().collect()
}

pub fn surroundings() -> Option<String> {
    std::env::var("HOME").ok() // found: method std::env::var
}

pub fn what_is_fine(at: SystemTime, since: SystemTime) -> Duration {
    at.duration_since(since).unwrap_or_default()
}
