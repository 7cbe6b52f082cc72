//! What a container may use, and uses: Linux control groups, version 1 and 2.
//!
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>, <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folders of the control groups that this process is in, each with all above it, the innermost first. All are empty where
/// there are none: on other systems, and where they cannot be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroups {
    memory: Folders,
    cpu: Folders,
    cpu_time: Folders,
}

#[derive(Debug, PartialEq, Eq)]
enum Folders {
    V1(Vec<PathBuf>),
    V2(Vec<PathBuf>),
}

impl Default for Folders {
    fn default() -> Self {
        Self::V2(Vec::new())
    }
}

impl Cgroups {
    pub(super) fn of_this_process() -> Self {
        Self::find(Path::new("/"))
    }

    /// Below this root, which is another only in tests.
    fn find(root: &Path) -> Self {
        let read = |file: &str| fs::read_to_string(root.join("proc/self").join(file)).unwrap_or_default();
        let (groups, mounts) = (read("cgroup"), read("mountinfo"));
        let folders = |controller: &str| {
            let v1 = folders(root, &groups, &mounts, Some(controller));
            if v1.is_empty() { Folders::V2(folders(root, &groups, &mounts, None)) } else { Folders::V1(v1) }
        };
        Self { memory: folders("memory"), cpu: folders("cpu"), cpu_time: folders("cpuacct") }
    }

    /// Which part of its memory the tightest of the groups uses, without the cache of files; `None` if none has a limit.
    pub(super) fn memory(&self) -> Option<f64> {
        let (folders, limit, anonymous) = match &self.memory {
            // `total_`: with all groups below.
            Folders::V1(folders) => (folders, "memory.limit_in_bytes", "total_rss"),
            Folders::V2(folders) => (folders, "memory.max", "anon"),
        };
        let shares = folders.iter().filter_map(|folder| {
            let limit = number(folder, limit).filter(|limit| *limit > 0 && *limit < NO_LIMIT)?;
            let used = entry(folder, "memory.stat", anonymous)?;
            Some(used as f64 / limit as f64)
        });
        shares.max_by(f64::total_cmp)
    }

    /// The CPU time that the innermost group has used, and how many cores the tightest of the groups may use; `None` if none has
    /// a limit.
    pub(super) fn cpu(&self) -> Option<(Duration, f64)> {
        let cores = match &self.cpu {
            Folders::V1(folders) => smallest(folders.iter().filter_map(|folder| {
                Some(quota(number(folder, "cpu.cfs_quota_us")?, number(folder, "cpu.cfs_period_us")?))
            })),
            Folders::V2(folders) => smallest(folders.iter().filter_map(|folder| {
                let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
                let (quota_us, period_us) = text.trim().split_once(' ')?;
                Some(quota(quota_us.parse().ok()?, period_us.parse().ok()?))
            })),
        }?;
        let used = match &self.cpu_time {
            Folders::V1(folders) => Duration::from_nanos(number(folders.first()?, "cpuacct.usage")?),
            Folders::V2(folders) => Duration::from_micros(entry(folders.first()?, "cpu.stat", "usage_usec")?),
        };
        Some((used, cores))
    }
}

/// The folders of a controller, or of version 2 if none is named.
fn folders(root: &Path, groups: &str, mounts: &str, controller: Option<&str>) -> Vec<PathBuf> {
    // `4:memory:/a/b`, `0::/a/b`
    let group = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_it = match controller {
            Some(controller) => controllers.split(',').any(|known| known == controller),
            None => number == "0" && controllers.is_empty(),
        };
        is_it.then_some(path)
    });
    // `35 31 0:32 /root /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`
    let mount = mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let (kind, options) = (filesystem.next()?, filesystem.nth(1)?);
        let is_it = match controller {
            Some(controller) => kind == "cgroup" && options.split(',').any(|known| known == controller),
            None => kind == "cgroup2",
        };
        let mut mount = mount.split(' ').skip(3);
        is_it.then_some((mount.next()?, mount.next()?))
    });
    let (Some(group), Some((mounted, mount_point))) = (group, mount) else { return Vec::new() };
    let mount_point = root.join(mount_point.trim_start_matches('/'));
    // A container sees its own group as the root, whatever the path says.
    let below = Path::new(group).strip_prefix(mounted).unwrap_or(Path::new(""));
    let innermost = Some(mount_point.join(below)).filter(|folder| folder.is_dir()).unwrap_or(mount_point.clone());
    innermost.ancestors().take_while(|folder| folder.starts_with(&mount_point)).map(Path::to_owned).collect()
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// The number behind this word.
fn entry(folder: &Path, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// In cores.
fn quota(quota_us: u64, period_us: u64) -> f64 {
    quota_us as f64 / period_us.max(1) as f64
}

fn smallest(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    numbers.min_by(f64::total_cmp)
}

/// How version 1 says it, give or take a page.
const NO_LIMIT: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use super::*;

    /// Files below a root of their own, which is removed with them.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("timewright-cgroups-{name}-{}", std::process::id()));
            for (file, text) in files {
                let file = root.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn x13_version_2_counts_anonymous_memory_and_not_the_cache_of_files() {
        let root = Root::new(
            "v2",
            &[
                ("proc/self/cgroup", "0::/pod/container\n"),
                ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"),
                ("sys/fs/cgroup/pod/memory.max", "4000\n"),
                ("sys/fs/cgroup/pod/memory.stat", "anon 2800\nfile 100\n"),
                ("sys/fs/cgroup/pod/cpu.max", "50000 100000\n"),
                ("sys/fs/cgroup/pod/container/memory.max", "1000\n"),
                ("sys/fs/cgroup/pod/container/memory.current", "990\n"),
                ("sys/fs/cgroup/pod/container/memory.stat", "anon 250\nfile 740\nanon_thp 7\n"),
                ("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n"),
                ("sys/fs/cgroup/pod/container/cpu.stat", "usage_usec 2500000\nuser_usec 1\n"),
            ],
        );
        let cgroups = Cgroups::find(&root.0);
        assert_eq!(cgroups.memory(), Some(0.7), "the pod is fuller than the container");
        assert_eq!(cgroups.cpu(), Some((Duration::from_millis(2500), 0.5)));
    }

    #[test]
    fn x13_version_1_counts_anonymous_memory_and_not_the_cache_of_files() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let root = Root::new(
            "v1",
            &[
                ("proc/self/cgroup", "4:memory:/job\n1:cpu,cpuacct:/job\n0::/\n"),
                ("proc/self/mountinfo", mounts),
                ("sys/fs/cgroup/unified/cgroup.procs", ""),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/memory.stat", "total_rss 99999\n"),
                ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1000\n"),
                ("sys/fs/cgroup/memory/job/memory.stat", "cache 700\nrss 9\ntotal_cache 700\ntotal_rss 300\n"),
                ("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "150000\n"),
                ("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/cpu/job/cpuacct.usage", "3000000000\n"),
            ],
        );
        let cgroups = Cgroups::find(&root.0);
        assert_eq!(cgroups.memory(), Some(0.3));
        assert_eq!(cgroups.cpu(), Some((Duration::from_secs(3), 1.5)));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let root = Root::new(
            "container",
            &[
                ("proc/self/cgroup", "0::/kubepods/pod7/abc\n"),
                ("proc/self/mountinfo", "30 23 0:26 /kubepods/pod7/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"),
                ("sys/fs/cgroup/memory.max", "1000\n"),
                ("sys/fs/cgroup/memory.stat", "anon 100\n"),
            ],
        );
        assert_eq!(Cgroups::find(&root.0).memory(), Some(0.1));
    }

    #[test]
    fn without_limits_or_without_groups_there_is_nothing_to_say() {
        let root = Root::new(
            "unlimited",
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
                ("sys/fs/cgroup/memory.max", "max\n"),
                ("sys/fs/cgroup/memory.stat", "anon 100\n"),
                ("sys/fs/cgroup/cpu.max", "max 100000\n"),
                ("sys/fs/cgroup/cpu.stat", "usage_usec 1\n"),
            ],
        );
        let cgroups = Cgroups::find(&root.0);
        assert_eq!((cgroups.memory(), cgroups.cpu()), (None, None));
        let nothing = Cgroups::find(Path::new("/nowhere"));
        assert_eq!(nothing, Cgroups::default());
        assert_eq!((nothing.memory(), nothing.cpu()), (None, None));
    }
}
