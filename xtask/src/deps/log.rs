//! What the libraries can say in the log as a warning or an error has a row in `docs/operating.md`, which says what to do.

use std::fs;

use super::hygiene;
use crate::Result;
use crate::tree::Member;
use crate::workspace::root;

/// One line for each warning that the page does not explain, and for each row that nothing says.
pub(crate) fn violations(members: &[Member]) -> Result<Vec<String>> {
    let path = root().join("docs/operating.md");
    let page = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = rows(&page);
    let mut texts = Vec::new();
    for member in members.iter().filter(|member| member.name.starts_with("timewright")) {
        for (path, text) in hygiene::own_code(member)? {
            texts.extend(said(&text).into_iter().map(|said| (path.clone(), said)));
        }
    }
    let unexplained = texts.iter().filter(|(_, said)| said.alarms && !rows.iter().any(|row| said.matches(row)));
    let unexplained = unexplained.map(|(path, said)| {
        format!("{path} can log `{}`, and no row of docs/operating.md says what that means", said.text)
    });
    let unsaid = rows.iter().filter(|row| !texts.iter().any(|(_, said)| said.matches(row)));
    let unsaid = unsaid.map(|row| format!("docs/operating.md explains `{row}`, which nothing says"));
    Ok(unexplained.chain(unsaid).collect())
}

/// A text that the program can say: a message of the log, or an error.
#[derive(Debug, PartialEq)]
struct Said {
    /// As a format string.
    text: String,
    /// Whether it is a warning or an error in the log.
    alarms: bool,
}

impl Said {
    /// Whether a row is about it: what the row says, without what is left out there, is said in this order.
    fn matches(&self, row: &str) -> bool {
        let mut rest = self.text.as_str();
        row.split('…').map(str::trim).all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

/// The texts in the first column of the table of the log, each in a code span.
fn rows(page: &str) -> Vec<String> {
    let table = page.split_once("## What the log says").map_or("", |(_, table)| table);
    let rows = table.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| code_spans(row.split(" | ").next().unwrap_or(row))).collect()
}

fn code_spans(mut text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    while let Some(begin) = text.find('`') {
        let fence = if text[begin..].starts_with("``") { "``" } else { "`" };
        let inner = &text[begin + fence.len()..];
        let Some(end) = inner.find(fence) else { break };
        spans.push(inner[..end].trim().to_owned());
        text = &inner[end + fence.len()..];
    }
    spans
}

/// What a file can say, its tests left out.
fn said(code: &str) -> Vec<Said> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let kinds =
        [("tracing::warn!(", true), ("tracing::error!(", true), ("tracing::info!(", false), ("#[error(", false)];
    let mut said = Vec::new();
    for (begin, alarms) in kinds {
        for (at, _) in code.match_indices(begin) {
            // The message is the longest text among its arguments. What is nothing but another's text is found there.
            let text = strings(&code[at + begin.len()..]).into_iter().max_by_key(String::len).unwrap_or_default();
            if outside_of_braces(&text).any(char::is_alphabetic) {
                said.push(Said { text, alarms });
            }
        }
    }
    said
}

/// The string literals up to the parenthesis that closes.
fn strings(code: &str) -> Vec<String> {
    let (mut strings, mut depth) = (Vec::new(), 1);
    let mut rest = code.chars();
    while let Some(c) = rest.next() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => break,
            ')' => depth -= 1,
            '"' => strings.push(string(&mut rest)),
            _ => (),
        }
    }
    strings
}

fn string(rest: &mut std::str::Chars<'_>) -> String {
    let mut string = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => match rest.next() {
                Some('\n') => *rest = rest.as_str().trim_start().chars(),
                Some(escaped) => string.push(escaped),
                None => break,
            },
            c => string.push(c),
        }
    }
    string
}

fn outside_of_braces(text: &str) -> impl Iterator<Item = char> {
    text.split('{').flat_map(|part| part.rsplit('}').next().unwrap_or_default().chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_code() {
        let code = r#"
            tracing::warn!(
                run_id, %error, name = "short",
                "the worker \
                 waits for {} (with \"them\")", count(1)
            );
            tracing::error!("{error}");
            tracing::info!("it goes on");
            #[error("it has ended: {0}")]
        "#;
        let expected =
            [("the worker waits for {} (with \"them\")", true), ("it goes on", false), ("it has ended: {0}", false)];
        let expected = expected.map(|(text, alarms)| Said { text: text.to_owned(), alarms });
        assert_eq!(said(code), expected);
        let tests = "\n#[cfg(test)]\nmod tests {\n tracing::warn!(\"not for users\") }";
        assert_eq!(said(&format!("{code}{tests}")), expected);
    }

    #[test]
    fn rows_leave_out_what_differs() {
        let page = "`no row`\n## What the log says\n\n| text | level |\n|---|---|\n| `polling … fails`, `it goes on` | warn |\n\
                    | `` the supplier `…` failed `` | error |\n\n## More\n| `elsewhere` | |";
        let rows = rows(page);
        assert_eq!(rows, ["polling … fails", "it goes on", "the supplier `…` failed"]);
        let said = |text: &str| Said { text: text.to_owned(), alarms: true };
        assert!(said("polling {polls} fails, and is given up").matches(&rows[0]));
        assert!(said("the supplier `{}` failed: {error}").matches(&rows[2]));
        assert!(!said("what fails is polling {polls}").matches(&rows[0]), "in this order");
    }
}
