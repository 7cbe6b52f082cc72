//! A process that ends another process when we are gone.
//!
//! `Drop` is not enough: it does not run when we are killed, when a test runner ends us for being slow, or on Ctrl-C.
//! What the operating system does in all these cases is to close our files. So the guard, a shell, reads from a pipe
//! whose other end only we hold: a line means that all is well, the end of the file that we are gone.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Asks first and forces after five seconds. `$1` is a process id, or a process group's with a minus before it.
const SCRIPT: &str = r#"
read -r all_is_well && exit 0
kill -s TERM -- "$1" 2>/dev/null || exit 0
tries=50
while [ "$tries" -gt 0 ]; do
    kill -s 0 -- "$1" 2>/dev/null || exit 0
    sleep 0.1
    tries=$((tries - 1))
done
kill -s KILL -- "$1" 2>/dev/null
"#;

/// Watches over one process, or one process group, until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// `target` as the `kill` command takes it: a process id, or `-` and a process group's id.
    pub(crate) fn watch(target: &str) -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "timewright-guard", target])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // what ends our group, Ctrl-C for example, must not end the guard
            .spawn()?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    /// Call this only when the watched process is known to have ended.
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // Should the guard be gone already, there is nobody to tell.
            let _ = pipe.write_all(b"all is well\n");
        }
        let _ = self.shell.wait();
    }
}
