//! Tables of state machines as text: every state against every input.

use std::fmt::Debug;

use super::{Effect, ProtocolError};

/// Compares what `handle` answers for each pair with the lines of `expected`.
pub(crate) fn check<S: Copy + Debug, I: Copy + Debug>(
    states: &[S],
    inputs: &[I],
    handle: impl Fn(S, I) -> Result<(S, Effect), ProtocolError>,
    expected: &str,
) {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let pairs = states.iter().flat_map(|state| inputs.iter().map(move |input| (*state, *input)));
    let actual: Vec<String> = pairs
        .map(|(state, input)| match handle(state, input) {
            Ok((next, Effect::None)) => format!("{state:?} + {input:?} → {next:?}"),
            Ok((next, effect)) => format!("{state:?} + {input:?} → {next:?}, {effect:?}"),
            Err(_) => format!("{state:?} + {input:?} → error"),
        })
        .collect();
    let expected: Vec<String> = expected.lines().map(squeeze).filter(|line| !line.is_empty()).collect();
    assert_eq!(actual, expected);
}
