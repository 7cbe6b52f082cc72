//! Measures how much of the machine is in use.

use std::time::{Duration, Instant};

use sysinfo::System;

use super::cgroup::Cgroups;

/// How much is in use: shares, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceUsage {
    /// Of the memory.
    pub memory: f64,
    /// Of the CPU, since it was measured before.
    pub cpu: f64,
}

/// Says how much of a machine is in use. For those who know it better than the system does, and for tests.
pub trait ResourceMonitor: Send + 'static {
    /// Measures, now. It is called up to five times a second, and must not block.
    fn measure(&mut self) -> ResourceUsage;
}

impl<F: FnMut() -> ResourceUsage + Send + 'static> ResourceMonitor for F {
    fn measure(&mut self) -> ResourceUsage {
        self()
    }
}

/// The container's control group where it has limits, the machine where not.
pub(super) struct SystemMonitor {
    /// `None` on systems that nobody knows to measure: they seem to have nothing to do, so that the maximum of slots counts.
    system: Option<System>,
    cgroups: Cgroups,
    /// The container's CPU time when it was measured last.
    last: Option<(Instant, Duration)>,
}

impl Default for SystemMonitor {
    fn default() -> Self {
        Self { system: System::new().ok(), cgroups: Cgroups::of_this_process(), last: None }
    }
}

impl ResourceMonitor for SystemMonitor {
    fn measure(&mut self) -> ResourceUsage {
        ResourceUsage { memory: self.memory(), cpu: self.cpu(Instant::now()) }
    }
}

impl SystemMonitor {
    fn memory(&mut self) -> f64 {
        if let Some(share) = self.cgroups.memory() {
            return share;
        }
        let Some(system) = &mut self.system else { return 0.0 };
        system.refresh_memory();
        match system.total_memory() {
            0 => 0.0,
            total => 1.0 - system.available_memory() as f64 / total as f64,
        }
    }

    fn cpu(&mut self, now: Instant) -> f64 {
        if let Some((used, cores)) = self.cgroups.cpu() {
            let last = self.last.replace((now, used));
            return last.map_or(0.0, |(at, used_before)| share(used.saturating_sub(used_before), now - at, cores));
        }
        let Some(system) = &mut self.system else { return 0.0 };
        system.refresh_cpu_usage();
        f64::from(system.global_cpu_usage()) / 100.0
    }
}

/// Which part of the time of so many cores was used.
fn share(used: Duration, passed: Duration, cores: f64) -> f64 {
    let most = passed.as_secs_f64() * cores;
    if most > 0.0 { used.as_secs_f64() / most } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_some_memory_in_use_and_not_more_than_there_is() {
        let mut monitor = SystemMonitor::default();
        let ResourceUsage { memory, cpu } = monitor.measure();
        assert!(memory > 0.0 && memory < 1.0, "{memory}");
        assert!((0.0..=1.0).contains(&cpu), "{cpu}");
    }

    #[test]
    fn cpu_is_a_share_of_the_quota() {
        let second = Duration::from_secs(1);
        assert_eq!(share(second, second, 2.0), 0.5);
        assert_eq!(share(second, Duration::ZERO, 2.0), 0.0);
    }
}
