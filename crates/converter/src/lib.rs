//! Values to Payloads and back: Payload Converters, Failure Converters, Payload Codecs.
#![forbid(unsafe_code)]
