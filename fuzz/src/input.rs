//! A target's input: a script, and what it is about.
//!
//! Two bytes say how long the script is, little-endian; then the script; then the rest, which is a message as protobuf.

use timewright_proto::Message;
use timewright_proto::history::History;

use crate::damage::damage;
use crate::script::Script;

/// Script and message. Every input is one: too long a script is all that is there.
pub(crate) fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = input.split_first_chunk() else { return (&[], input) };
    rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()))
}

pub(crate) fn join(script: &[u8], message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(script.len()).unwrap_or(u16::MAX);
    let script = &script[..length.into()];
    [&length.to_le_bytes(), script, message].concat()
}

/// Changes an input of which `data` holds the first `size` bytes, and says how long it is then: most often its script, else
/// the history behind that. Protobuf whose bytes are changed blindly hardly ever is a history any more.
///
/// `blindly` is the fuzzer's own way: buffer, size, greatest size to new size.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    most: usize,
    seed: u32,
    blindly: impl Fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    let (script, message) = split(&data[..size]);
    let changed = match seed % 8 {
        0 => return blindly(data, size, most),
        1 => {
            let Ok(mut history) = History::decode(message) else { return blindly(data, size, most) };
            let choices = noise(seed);
            damage(&mut history.events, &mut Script::new(&choices));
            join(script, &history.encode_to_vec())
        }
        _ => {
            let room = LONGEST_SCRIPT.max(script.len());
            let mut buffer = script.to_vec();
            buffer.resize(room, 0);
            let length = blindly(&mut buffer, script.len(), room);
            join(&buffer[..length], message)
        }
    };
    let most = most.min(data.len());
    if changed.len() > most {
        return blindly(data, size, most);
    }
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

/// Bytes that the seed alone decides.
pub(crate) fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..64).map(|_| next()).collect()
}

/// What a script may grow to.
const LONGEST_SCRIPT: usize = 512;
