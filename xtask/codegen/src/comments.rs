//! Our own comments on the wire facts: `proto/comments.txt`, one line a name.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;

/// Full protobuf name (`temporal.api.common.v1.Payload.data`) to the comment that stands above it.
pub(crate) type Comments = BTreeMap<String, String>;

/// Reads lines of the form `full.name: comment`; empty lines and lines that start with `#` say nothing.
pub(crate) fn read(path: &Path) -> Result<Comments> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut comments = Comments::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, comment) = line
            .split_once(": ")
            .ok_or_else(|| format!("{}:{}: expected `full.name: comment`", path.display(), index + 1))?;
        if comments.insert(name.to_owned(), comment.trim().to_owned()).is_some() {
            return Err(format!("{}:{}: {name} has a comment already", path.display(), index + 1));
        }
    }
    Ok(comments)
}
