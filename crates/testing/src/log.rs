//! The file that a dev server logs to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A file that the user named, or a temporary one, which goes with this unless it is kept.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    temporary: bool,
    /// Where in the file the present run of the server begins.
    run_starts_at: u64,
}

impl Log {
    /// `port` makes the name of a temporary file tell servers apart.
    pub(crate) fn new(named: Option<PathBuf>, port: u16) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        match named {
            Some(path) => Self { path, temporary: false, run_starts_at: 0 },
            None => {
                let count = COUNT.fetch_add(1, Ordering::Relaxed);
                let name = format!("temporal-dev-server-{}-{count}-port-{port}.log", std::process::id());
                Self { path: std::env::temp_dir().join(name), temporary: true, run_starts_at: 0 }
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// For the next run of the server, which goes on in the same file.
    pub(crate) fn open(&mut self) -> io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.run_starts_at = file.metadata()?.len();
        Ok(file)
    }

    /// From now on the file stays. Returns where it is.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.temporary = false;
        self.path.clone()
    }

    /// What the present run of the server has logged.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        // A log that cannot be read has nothing to say; whoever asks has something worse to tell.
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::Start(self.run_starts_at)).is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of it, for an error's text; of a server that panicked, what it panicked with and the first lines after that.
    pub(crate) fn tail(&self) -> String {
        last_lines(&self.text())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.temporary {
            // A temporary file that cannot be removed, or never came to be, is nobody's trouble.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(TAIL_LINES);
    let panic = lines.iter().position(|line| line.starts_with("panic: "));
    let begin = panic.map_or(last, |panic| panic.min(last));
    lines[begin..].iter().take(TAIL_LINES).copied().collect::<Vec<_>>().join("\n")
}

const TAIL_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_panicked_with_is_shown_however_long_its_stack_is() {
        let lines = |count: usize| (0..count).map(|number| format!("line {number}\n")).collect::<String>();
        assert_eq!(last_lines(&lines(3)), "line 0\nline 1\nline 2");
        let last = last_lines(&lines(50));
        assert!(last.starts_with("line 30\n") && last.ends_with("line 49"), "{last}");
        let stack = last_lines(&format!("{}panic: nil\n{}", lines(9), lines(50)));
        assert!(stack.starts_with("panic: nil\nline 0\n") && stack.ends_with("line 18"), "{stack}");
        let short = last_lines(&format!("{}panic: nil\n{}", lines(50), lines(2)));
        assert!(short.starts_with("line 33\n") && short.ends_with("panic: nil\nline 0\nline 1"), "{short}");
    }
}
