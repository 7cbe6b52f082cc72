//! The `grpc-timeout` header: how long the caller is willing to wait, which the server is told too.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use super::CallKind;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// What the header says; `None` if it is not there, or not understood.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // The specification allows eight digits, which also cannot overflow below.
    let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Says so in the header: in seconds where that is what calls usually have, else in the finest unit that has room for it.
pub(super) fn write(headers: &mut HeaderMap, timeout: Duration) {
    // Most calls say it, so it is not written anew each time.
    let usual = [CallKind::Unary, CallKind::LongPoll].into_iter().find(|kind| kind.deadline() == timeout);
    if let Some(kind) = usual {
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static(kind.deadline_in_header()));
        return;
    }
    const MOST: u128 = 99_999_999;
    let units = [(timeout.as_nanos(), "n"), (timeout.as_micros(), "u"), (timeout.as_millis(), "m")];
    let (number, unit) =
        units.into_iter().find(|(number, _)| *number <= MOST).unwrap_or((u128::from(timeout.as_secs()).min(MOST), "S"));
    let value = HeaderValue::from_str(&format!("{number}{unit}")).expect("digits and a letter are a header");
    headers.insert(GRPC_TIMEOUT, value);
}

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_grpc_says() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(text).unwrap());
            read(&headers)
        };
        for (text, expected) in [
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("4S", Some(Duration::from_secs(4))),
            ("5m", Some(Duration::from_millis(5))),
            ("6u", Some(Duration::from_micros(6))),
            ("7n", Some(Duration::from_nanos(7))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("123456789S", None),
            ("1x", None),
            ("-1S", None),
            ("S", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for timeout in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(99),
            Duration::from_secs(30),
            Duration::from_secs(70),
            Duration::from_secs(90_000_000),
        ] {
            let mut headers = HeaderMap::new();
            write(&mut headers, timeout);
            assert_eq!(read(&headers), Some(timeout));
        }
    }
}
