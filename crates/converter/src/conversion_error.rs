//! What can go wrong between values and Payloads.

/// A value could not be written, or a Payload not be read.
///
/// The text names the Rust type, the encoding that was found and what was expected, but not the values themselves: it ends
/// up in failures, which the server can read even where a codec encrypts all Payloads.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// One argument of a call could not be written or read.
    #[error("argument {position}: {problem}")]
    Argument {
        /// Which argument, counted from 1.
        position: usize,
        /// What was wrong with it.
        problem: Box<ConversionError>,
    },

    /// The Payload's encoding is known, but its data is not such a value. Caller and implementer disagree about the type.
    #[error("a Payload with encoding `{encoding}` cannot be read as {rust_type}: {reason}")]
    Deserialize {
        /// The type that was to be read.
        rust_type: &'static str,
        /// The encoding that the Payload names.
        encoding: &'static str,
        /// Why not, without the values.
        reason: String,
    },

    /// The call has fewer arguments than its implementer needs, and the missing one is of a type without null.
    #[error("argument {position} ({rust_type}) is missing: the call has {given}. Only an Option may be left out")]
    MissingArgument {
        /// The type that was to be read.
        rust_type: &'static str,
        /// Which argument, counted from 1.
        position: usize,
        /// How many arguments the call has.
        given: usize,
    },

    /// The Payload does not say how it is encoded. Whoever made it is at fault.
    #[error(
        "a Payload that names no encoding cannot be read as {rust_type}: expected the metadata key `encoding` with one of \
         json/plain, binary/null, binary/plain"
    )]
    NoEncoding {
        /// The type that was to be read.
        rust_type: &'static str,
    },

    /// The value cannot be written in this encoding.
    #[error("a value of type {rust_type} cannot be written as `{encoding}`: {reason}")]
    Serialize {
        /// The value's type.
        rust_type: &'static str,
        /// The encoding that was tried.
        encoding: &'static str,
        /// Why not.
        reason: String,
    },

    /// The call has more arguments than its implementer takes.
    #[error("the call has {given} arguments, but {rust_type} takes {taken}")]
    TooManyArguments {
        /// The type that was to be read.
        rust_type: &'static str,
        /// How many arguments the call has.
        given: usize,
        /// How many the type takes.
        taken: usize,
    },

    /// The Payload names an encoding that this type cannot be read from; often that of a codec that is missing here.
    #[error(
        "a Payload with encoding `{encoding}` cannot be read as {rust_type}: expected one of json/plain, binary/null, \
         binary/plain. If a Payload Codec wrote it, this Data Converter needs the same codec"
    )]
    UnknownEncoding {
        /// The type that was to be read.
        rust_type: &'static str,
        /// The encoding that the Payload names, escaped where it is no text.
        encoding: String,
    },
}

/// A text of serde's, such as ``invalid type: string "secret", expected u32 at line 1 column 8``, without the quoted value.
///
/// Before `expected` stands what was found, which is user's data; after it, and where there is none (``missing field
/// `name` ``), stand names from the program.
pub(crate) fn without_values(reason: &str) -> String {
    // The last one, since a value may contain these words too.
    let Some((found, expected)) = reason.rsplit_once(", expected ") else {
        return reason.to_owned();
    };
    let described = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{described}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_serde_lose_values_and_keep_names() {
        for (given, shown) in [
            (
                r#"invalid type: string "secret", expected u32 at line 1"#,
                "invalid type: string, expected u32 at line 1",
            ),
            (r#"invalid type: string "a, expected b", expected u32"#, "invalid type: string, expected u32"),
            ("invalid value: integer `300`, expected u8", "invalid value: integer, expected u8"),
            ("invalid type: null, expected u32", "invalid type: null, expected u32"),
            ("unknown variant `secret`, expected `A` or `B`", "unknown variant, expected `A` or `B`"),
            ("missing field `name` at line 1", "missing field `name` at line 1"),
            ("EOF while parsing a value at line 1 column 0", "EOF while parsing a value at line 1 column 0"),
        ] {
            assert_eq!(without_values(given), shown);
        }
    }
}
