//! Bytes that choose.

/// Reads choices from bytes. When they are over every choice is 0, which everywhere means: as it should be.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many choices are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => 0,
        }
    }

    /// One of `count` choices; 0 where there are none.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let choice = if count > usize::from(u8::MAX) { self.u16() } else { self.byte().into() };
        choice.checked_rem(count).unwrap_or(0)
    }

    /// Whether to do something out of the ordinary, which one script byte in `one_in` asks for.
    pub(crate) fn rarely(&mut self, one_in: u8) -> bool {
        self.byte() % one_in == one_in - 1
    }

    pub(crate) fn number(&mut self) -> u32 {
        // Small ones are those that mean something.
        match self.byte() {
            255 => u32::MAX,
            254 => u32::MAX - 1,
            byte => u32::from(byte % 8),
        }
    }

    /// Any number that an Event could name: mostly small, sometimes at the edge of what is possible.
    pub(crate) fn event_id(&mut self) -> i64 {
        match self.byte() {
            255 => i64::MAX,
            254 => i64::MIN,
            253 => -1,
            byte => byte.into(),
        }
    }

    pub(crate) fn text(&mut self) -> String {
        self.number().to_string()
    }

    fn u16(&mut self) -> usize {
        u16::from_le_bytes([self.byte(), self.byte()]).into()
    }
}
