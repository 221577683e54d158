//! How a SCIM value is written as an LDAP attribute value, and read back.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::civil;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::scim::AttributeType;

/// The form of the values of an LDAP attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// UTF-8 as it is.
    #[default]
    Text,
    /// `TRUE` and `FALSE` (RFC 4517 section 3.3.3).
    Boolean,
    /// Digits (RFC 4517 section 3.3.16).
    Integer,
    /// A number with a decimal point, as text.
    Decimal,
    /// `20261224180000Z` (RFC 4517 section 3.3.13) for a SCIM date and time.
    GeneralizedTime,
    /// Active Directory's count of 100 nanoseconds since 1601 for a SCIM date and time.
    FileTime,
    /// Bytes, in SCIM as base64.
    Binary,
    /// A password: written, never read.
    Password,
    /// An e-mail address as Exchange keeps it: `SMTP:` in front of the primary one, `smtp:` in front of others. Values
    /// for other kinds of mail are not read.
    ProxyAddress,
}

/// Base64 as clients send it: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// In front of an address that is not the primary one.
const OTHER: &str = "smtp:";
/// In front of the primary address.
const PRIMARY: &str = "SMTP:";

/// 1601-01-01 in seconds of Unix time.
const FILE_TIME_EPOCH: i64 = -11_644_473_600;

impl Codec {
    /// The words that a row's `as` takes.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("text", Self::Text),
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("decimal", Self::Decimal),
        ("generalized-time", Self::GeneralizedTime),
        ("filetime", Self::FileTime),
        ("base64", Self::Binary),
        ("password", Self::Password),
        ("proxy-address", Self::ProxyAddress),
    ];

    /// The word for this codec in a row's `as`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, codec)| *codec == self).map_or("text", |(name, _)| name)
    }

    /// The SCIM data type of values in this form.
    #[must_use]
    pub const fn attribute_type(self) -> AttributeType {
        match self {
            Self::Text | Self::Password | Self::ProxyAddress => AttributeType::String,
            Self::Boolean => AttributeType::Boolean,
            Self::Integer => AttributeType::Integer,
            Self::Decimal => AttributeType::Decimal,
            Self::GeneralizedTime | Self::FileTime => AttributeType::DateTime,
            Self::Binary => AttributeType::Binary,
        }
    }

    /// The codec that suits a SCIM data type when a row names none.
    #[must_use]
    pub const fn for_type(kind: AttributeType) -> Self {
        match kind {
            AttributeType::Boolean => Self::Boolean,
            AttributeType::Integer => Self::Integer,
            AttributeType::Decimal => Self::Decimal,
            AttributeType::DateTime => Self::GeneralizedTime,
            AttributeType::Binary => Self::Binary,
            AttributeType::String | AttributeType::Reference | AttributeType::Complex => Self::Text,
        }
    }

    /// The LDAP value for a SCIM value, or the reason why there is none, in words for the admin who sent it.
    pub fn encode(self, value: &Value) -> Result<Vec<u8>, String> {
        match self {
            Self::Text => text(value).map(String::into_bytes),
            Self::Boolean => boolean(value).map(|flag| if flag { b"TRUE".to_vec() } else { b"FALSE".to_vec() }),
            Self::Integer => integer(value).map(|number| number.to_string().into_bytes()),
            Self::Decimal => decimal(value).map(String::into_bytes),
            Self::GeneralizedTime => moment(value).map(|moment| generalized_time(moment).into_bytes()),
            Self::FileTime => moment(value).and_then(file_time).map(String::into_bytes),
            Self::Binary => binary(value),
            Self::ProxyAddress => text(value).map(|address| format!("{OTHER}{address}").into_bytes()),
            Self::Password => match value {
                Value::String(password) if !password.is_empty() => Ok(password.clone().into_bytes()),
                _ => Err("it must be a text that is not empty".to_owned()),
            },
        }
    }

    /// The SCIM value of an LDAP value; `None` when it is not of this form, or stands for "none".
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<Value> {
        if self == Self::Binary {
            return Some(Value::String(BASE64.encode(bytes)));
        }
        let text = std::str::from_utf8(bytes).ok()?;
        match self {
            Self::Text => (!has_control_characters(text)).then(|| Value::from(text)),
            Self::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Self::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            Self::Integer => text.trim().parse::<i64>().ok().map(Value::from),
            Self::Decimal => text.trim().parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            Self::GeneralizedTime => parse_generalized_time(text.trim()).map(|moment| Value::from(moment.to_string())),
            Self::FileTime => parse_file_time(text.trim()).map(|moment| Value::from(moment.to_string())),
            Self::ProxyAddress => {
                let (kind, address) = text.split_at_checked(OTHER.len())?;
                kind.eq_ignore_ascii_case(OTHER).then(|| Value::from(address))
            }
            Self::Boolean | Self::Binary | Self::Password => None,
        }
    }
}

impl Codec {
    /// Marks the first of `values`, which is the primary one, where the form has a mark for it.
    pub(super) fn mark_primary(self, values: &mut [Vec<u8>]) {
        if let (Self::ProxyAddress, Some(first)) = (self, values.first_mut()) {
            first.splice(..OTHER.len(), PRIMARY.bytes());
        }
    }
}

/// The generalized times of the whole seconds before and after a SCIM date and time, for comparing it with stamps that
/// have no fractions; `None` when `text` is no date and time.
#[must_use]
pub fn seconds_around(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = moment(&Value::from(text)).ok()?;
    let second = |offset| Timestamp::from_second(at.as_second().checked_add(offset)?).ok();
    let written = |at| generalized_time(at).into_bytes();
    Some((written(second(-1)?), written(second(1)?)))
}

/// Characters that no directory string and no JSON client can do anything with; tab and line ends are fine.
fn has_control_characters(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

fn text(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err("it must be a text".to_owned()),
    };
    if has_control_characters(&text) {
        return Err("it contains a control character (such as NUL)".to_owned());
    }
    Ok(text)
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("it must be true or false".to_owned()),
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| "it must be a whole number".to_owned())
}

fn decimal(value: &Value) -> Result<String, String> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let finite = number.filter(|number| number.is_finite());
    finite.map(|number| number.to_string()).ok_or_else(|| "it must be a number".to_owned())
}

fn moment(value: &Value) -> Result<Timestamp, String> {
    let parsed = value.as_str().and_then(|text| {
        let text = text.trim();
        // A date and time without a zone is taken as UTC.
        text.parse().ok().or_else(|| TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok())
    });
    parsed.ok_or_else(|| "it must be a date and time such as 2026-12-24T18:00:00Z".to_owned())
}

fn binary(value: &Value) -> Result<Vec<u8>, String> {
    let compact: Option<String> = value.as_str().map(|text| text.split_ascii_whitespace().collect());
    compact.and_then(|text| BASE64.decode(text).ok()).ok_or_else(|| "it must be base64".to_owned())
}

fn generalized_time(moment: Timestamp) -> String {
    let moment = TimeZone::UTC.to_datetime(moment);
    let fraction = format!("{:09}", moment.subsec_nanosecond());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}Z", moment.strftime("%Y%m%d%H%M%S"))
}

/// RFC 4517 section 3.3.13: minutes and seconds may be left out, a fraction belongs to the last part given.
fn parse_generalized_time(text: &str) -> Option<Timestamp> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (body, zone) = text.split_at_checked(zone_at)?;
    let (digits, fraction) = body.split_once(['.', ',']).unwrap_or((body, ""));
    if !digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) || digits.len() % 2 != 0 {
        return None;
    }
    let part = |at: usize, len: usize| digits.get(at..at + len).and_then(|part| part.parse::<i8>().ok());
    let unit = match digits.len() {
        10 => 3600,
        12 => 60,
        14 => 1,
        _ => return None,
    };
    // jiff knows no leap seconds; the second before is near enough.
    let second = part(12, 2).unwrap_or(0).min(59);
    let year = digits.get(..4)?.parse().ok()?;
    let civil =
        civil::DateTime::new(year, part(4, 2)?, part(6, 2)?, part(8, 2)?, part(10, 2).unwrap_or(0), second, 0).ok()?;
    let offset = parse_zone(zone)?;
    let nanoseconds = fraction_of(fraction, unit)?;
    offset.to_timestamp(civil).ok()?.checked_add(SignedDuration::from_nanos(nanoseconds)).ok()
}

/// `0.FRACTION` of a unit of so many seconds, in nanoseconds.
fn fraction_of(fraction: &str, unit: i64) -> Option<i64> {
    let nine: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    nine.parse::<i64>().ok()?.checked_mul(unit)
}

fn parse_zone(zone: &str) -> Option<Offset> {
    if zone == "Z" {
        return Some(Offset::UTC);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let hours: i32 = zone.get(1..3)?.parse().ok()?;
    let minutes: i32 = match zone.get(3..)? {
        "" => 0,
        minutes if minutes.len() == 2 => minutes.parse().ok()?,
        _ => return None,
    };
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

fn file_time(moment: Timestamp) -> Result<String, String> {
    let seconds = moment.as_second() - FILE_TIME_EPOCH;
    let ticks = i128::from(seconds) * 10_000_000 + i128::from(moment.subsec_nanosecond() / 100);
    if ticks <= 0 || ticks >= i128::from(i64::MAX) {
        return Err("it must be a date after 1601".to_owned());
    }
    Ok(ticks.to_string())
}

/// 0 and the largest number both mean that no time is set.
fn parse_file_time(text: &str) -> Option<Timestamp> {
    let ticks: i64 = text.parse().ok()?;
    if ticks <= 0 || ticks == i64::MAX {
        return None;
    }
    let nanoseconds = i32::try_from(ticks % 10_000_000 * 100).ok()?;
    Timestamp::new(ticks / 10_000_000 + FILE_TIME_EPOCH, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn round(codec: Codec, scim: &Value, ldap: &str) {
        assert_eq!(codec.encode(scim).map(|bytes| String::from_utf8(bytes).unwrap()), Ok(ldap.to_owned()));
        assert_eq!(codec.decode(ldap.as_bytes()).as_ref(), Some(scim));
    }

    #[test]
    fn values_go_there_and_come_back() {
        round(Codec::Text, &json!("Zoë  O'Hara"), "Zoë  O'Hara");
        round(Codec::Boolean, &json!(true), "TRUE");
        round(Codec::Boolean, &json!(false), "FALSE");
        round(Codec::Integer, &json!(-7), "-7");
        round(Codec::Decimal, &json!(1.5), "1.5");
        round(Codec::GeneralizedTime, &json!("2026-12-24T18:00:05Z"), "20261224180005Z");
        round(Codec::GeneralizedTime, &json!("2026-12-24T18:00:05.25Z"), "20261224180005.25Z");
        round(Codec::FileTime, &json!("2026-12-24T18:00:05Z"), "134426088050000000");
        assert_eq!(Codec::Binary.encode(&json!("/wA=")), Ok(vec![0xff, 0]));
        assert_eq!(Codec::Binary.encode(&json!("/w A")), Ok(vec![0xff, 0]));
        assert_eq!(Codec::Binary.decode(&[0xff, 0]), Some(json!("/wA=")));
    }

    #[test]
    fn what_clients_send_instead_is_taken() {
        assert_eq!(Codec::Boolean.encode(&json!("True")), Ok(b"TRUE".to_vec()));
        assert_eq!(Codec::Integer.encode(&json!(" 12")), Ok(b"12".to_vec()));
        assert_eq!(Codec::Text.encode(&json!(4711)), Ok(b"4711".to_vec()));
        assert_eq!(Codec::GeneralizedTime.encode(&json!("2026-01-01T01:00:00+02:00")), Ok(b"20251231230000Z".to_vec()));
        assert_eq!(Codec::GeneralizedTime.encode(&json!("2026-01-01T01:00:00")), Ok(b"20260101010000Z".to_vec()));
    }

    #[test]
    fn what_fits_no_directory_value_is_refused_with_the_reason() {
        assert_eq!(Codec::Text.encode(&json!("a\0b")), Err("it contains a control character (such as NUL)".to_owned()));
        assert_eq!(Codec::Boolean.encode(&json!("yes")), Err("it must be true or false".to_owned()));
        assert_eq!(Codec::Integer.encode(&json!(1.5)), Err("it must be a whole number".to_owned()));
        assert_eq!(Codec::Binary.encode(&json!("?")), Err("it must be base64".to_owned()));
        assert!(Codec::FileTime.encode(&json!("1600-01-01T00:00:00Z")).unwrap_err().contains("1601"));
        assert!(Codec::GeneralizedTime.encode(&json!("tomorrow")).unwrap_err().contains("2026-12-24T18:00:00Z"));
        assert!(Codec::Password.encode(&json!("")).is_err());
    }

    #[test]
    fn generalized_time_is_read_in_every_form_of_the_rfc() {
        let read = |text: &str| Codec::GeneralizedTime.decode(text.as_bytes());
        assert_eq!(read("2026122418Z"), Some(json!("2026-12-24T18:00:00Z")));
        assert_eq!(read("202612241830Z"), Some(json!("2026-12-24T18:30:00Z")));
        assert_eq!(read("2026122418.5Z"), Some(json!("2026-12-24T18:30:00Z")));
        assert_eq!(read("20261224180000,125+0130"), Some(json!("2026-12-24T16:30:00.125Z")));
        assert_eq!(read("20261224180000-05"), Some(json!("2026-12-24T23:00:00Z")));
        assert_eq!(read("20161231235960Z"), Some(json!("2016-12-31T23:59:59Z")));
        for wrong in
            ["", "Z", "20261324180000Z", "20261224180000", "2026-12-24T18:00:00Z", "2026122418000Z", "x\u{e9}Z"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn of_the_addresses_that_exchange_keeps_those_for_other_mail_are_not_read() {
        let mut stored = vec![Codec::ProxyAddress.encode(&json!("a@x.test")).unwrap(); 2];
        Codec::ProxyAddress.mark_primary(&mut stored);
        assert_eq!(stored, [b"SMTP:a@x.test", b"smtp:a@x.test"]);
        for value in &stored {
            assert_eq!(Codec::ProxyAddress.decode(value), Some(json!("a@x.test")));
        }
        for other in ["X500:/o=x", "sip:a@x.test", "smt", "öööö"] {
            assert_eq!(Codec::ProxyAddress.decode(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn no_time_and_passwords_read_as_nothing() {
        assert_eq!(Codec::FileTime.decode(b"0"), None);
        assert_eq!(Codec::FileTime.decode(b"9223372036854775807"), None);
        assert_eq!(Codec::Password.decode(b"{SSHA}x"), None);
        assert_eq!(Codec::Text.decode(&[0xff, 0xfe]), None);
        assert_eq!(Codec::Text.decode(b"a\0"), None);
        assert_eq!(Codec::Boolean.decode(b"yes"), None);
    }

    proptest! {
        #[test]
        fn no_stored_value_makes_a_codec_panic(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            for (_, codec) in Codec::NAMES {
                let _ = codec.decode(&bytes);
            }
        }

        #[test]
        fn times_keep_100_nanoseconds(second in -11_000_000_000i64..250_000_000_000, tick in 0i32..10_000_000) {
            let moment = Timestamp::new(second, tick * 100).unwrap();
            let scim = Value::from(moment.to_string());
            for codec in [Codec::GeneralizedTime, Codec::FileTime] {
                let stored = codec.encode(&scim).unwrap();
                prop_assert_eq!(codec.decode(&stored), Some(scim.clone()));
            }
        }
    }
}
