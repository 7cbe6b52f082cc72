//! A folder of text files as a map from relative path to content: read, written, or compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Result;

/// Relative path (with `/`) to content.
pub(crate) type Files = BTreeMap<String, String>;

/// All files below `directory` whose extension is `extension`.
pub(crate) fn read(directory: &Path, extension: &str) -> Result<Files> {
    let mut files = Files::new();
    let mut pending: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(folder) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let relative = path.strip_prefix(directory).map_err(|error| error.to_string())?;
                files.insert(relative.to_string_lossy().replace('\\', "/"), text);
            }
        }
    }
    Ok(files)
}

/// Makes the files below `directory` equal to `files`; with `check` it changes nothing and names the differences.
pub(crate) fn write_or_check(directory: &Path, files: &Files, extension: &str, check: bool) -> Result<()> {
    let present = read(directory, extension)?;
    let mut differences = Vec::new();
    for (name, text) in files {
        if present.get(name) != Some(text) {
            differences.push(format!("{name} {}", if present.contains_key(name) { "differs" } else { "is missing" }));
            if !check {
                let path = directory.join(name);
                let folder = path.parent().unwrap_or(directory);
                std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
                std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
    }
    for name in present.keys().filter(|name| !files.contains_key(*name)) {
        differences.push(format!("{name} should not be there"));
        if !check {
            std::fs::remove_file(directory.join(name)).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    if check && !differences.is_empty() {
        let shown = differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
        return Err(format!(
            "{} files below {} are not what codegen writes:\n  {shown}\nrun `cargo xtask codegen` and commit the result",
            differences.len(),
            directory.display(),
        ));
    }
    Ok(())
}

/// Makes one file of bytes equal to `content`; with `check` it changes nothing and names the difference.
pub(crate) fn write_or_check_file(path: &Path, content: &[u8], check: bool) -> Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    if check {
        return Err(format!("{} is not what codegen writes; run `cargo xtask codegen` and commit it", path.display()));
    }
    std::fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}
