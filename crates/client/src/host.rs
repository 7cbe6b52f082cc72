//! The machine that a worker runs on, as far as the server shows it.

use timewright_proto::temporal::api::worker::v1::WorkerHostInfo;

use crate::random;

/// What is asked of the operating system, and what has to be remembered between two questions.
pub(crate) struct Host {
    name: String,
    /// The same for all workers of a client.
    grouping_key: String,
    /// Time of all processors together, when it was asked last: busy, and all.
    processors: Option<(u64, u64)>,
}

impl Default for Host {
    fn default() -> Self {
        Self { name: host_name(), grouping_key: random::request_id(), processors: processor_time() }
    }
}

impl Host {
    /// What is known now. Load is known on Linux only, and since the last question.
    pub(crate) fn info(&mut self) -> WorkerHostInfo {
        let (before, now) = (self.processors, processor_time());
        self.processors = now;
        WorkerHostInfo {
            host_name: self.name.clone(),
            worker_grouping_key: self.grouping_key.clone(),
            process_id: std::process::id().to_string(),
            current_host_cpu_usage: before.zip(now).map_or(0.0, |(before, now)| share(before, now)),
            current_host_mem_usage: memory_usage().unwrap_or(0.0),
        }
    }
}

/// The name of this machine, as far as its environment says it.
pub(crate) fn host_name() -> String {
    let host = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let host = host.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    host.as_deref().map(str::trim).filter(|host| !host.is_empty()).unwrap_or("unknown-host").to_owned()
}

fn share((busy_before, all_before): (u64, u64), (busy, all): (u64, u64)) -> f32 {
    let passed = all.saturating_sub(all_before);
    if passed == 0 { 0.0 } else { busy.saturating_sub(busy_before) as f32 / passed as f32 }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, …
fn processor_time() -> Option<(u64, u64)> {
    parse_processor_time(&std::fs::read_to_string("/proc/stat").ok()?)
}

fn parse_processor_time(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line.split_whitespace().take(8).map_while(|time| time.parse().ok()).collect();
    let all: u64 = times.iter().sum();
    let idle = times.get(3)? + times.get(4)?;
    Some((all.saturating_sub(idle), all))
}

fn memory_usage() -> Option<f32> {
    parse_memory_usage(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse_memory_usage(text: &str) -> Option<f32> {
    let of = |name: &str| -> Option<f32> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse().ok()
    };
    let (total, available) = (of("MemTotal:")?, of("MemAvailable:")?);
    (total > 0.0).then(|| 1.0 - available / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_read_as_linux_writes_it() {
        let before = parse_processor_time("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2").unwrap();
        let now = parse_processor_time("cpu  150 0 50 840 60 0 0 0 0 0\n").unwrap();
        assert_eq!((before, now), ((150, 1000), (200, 1100)));
        assert_eq!(share(before, now), 0.5);
        assert_eq!(share(now, now), 0.0);
        let memory = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\n";
        assert_eq!(parse_memory_usage(memory), Some(0.75));
        for damaged in ["", "cpu", "cpu  1 2", "intr 1"] {
            assert_eq!((parse_processor_time(damaged), parse_memory_usage(damaged)), (None, None), "{damaged}");
        }
    }
}
