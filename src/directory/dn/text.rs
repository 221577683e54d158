//! How values stand in a distinguished name, written and folded.

use std::fmt::Write as _;

/// Writes `value` so that it can stand after the equals sign (RFC 4514 section 2.4).
pub(super) fn escape(value: &[u8], out: &mut String) {
    let mut at = 0;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let end = at + character.len_utf8();
            escape_character(character, at == 0, end == value.len(), out);
            at = end;
        }
        at += chunk.invalid().len();
        write_hex(chunk.invalid(), out);
    }
}

fn escape_character(character: char, first: bool, last: bool, out: &mut String) {
    match character {
        // The equals sign may be escaped, and Samba takes no name where it is not.
        '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => out.extend(['\\', character]),
        ' ' if first || last => out.push_str("\\ "),
        '#' if first => out.push_str("\\#"),
        // Only NUL must be escaped; other control characters would not survive logs and terminals.
        character if character.is_ascii_control() => write_hex(&[character as u8], out),
        character => out.push(character),
    }
}

/// Writes the form of `value` that two equal values share: lower case, no blanks at the ends, single blanks inside
/// (RFC 4518 section 2.6.1), and a comma, plus or backslash only in hexadecimal.
pub(super) fn fold(value: &[u8], out: &mut String) {
    let start = out.len();
    let mut blank = false;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == ' ' {
                blank = out.len() > start;
            } else {
                write_blank(&mut blank, out);
                fold_character(character, out.len() == start, out);
            }
        }
        if !chunk.invalid().is_empty() {
            write_blank(&mut blank, out);
            write_hex(chunk.invalid(), out);
        }
    }
}

fn write_blank(blank: &mut bool, out: &mut String) {
    if std::mem::take(blank) {
        out.push(' ');
    }
}

fn fold_character(character: char, first: bool, out: &mut String) {
    match character {
        ',' | '+' | '\\' => write_hex(&[character as u8], out),
        '#' if first => write_hex(b"#", out),
        character if character.is_ascii_control() => write_hex(&[character as u8], out),
        character => out.extend(character.to_lowercase()),
    }
}

/// Writes a value that is kept in its BER encoding.
pub(super) fn write_encoded(value: &[u8], out: &mut String) {
    out.push('#');
    for byte in value {
        let _ = write!(out, "{byte:02x}");
    }
}

fn write_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "\\{byte:02x}");
    }
}

/// The short name of an attribute type that is common in names (RFC 4514 section 3, RFC 4519), else the type itself.
pub(super) fn short_name(attribute: &str) -> &str {
    const SAME: [(&str, &str, &str); 10] = [
        ("cn", "commonName", "2.5.4.3"),
        ("sn", "surname", "2.5.4.4"),
        ("c", "countryName", "2.5.4.6"),
        ("l", "localityName", "2.5.4.7"),
        ("st", "stateOrProvinceName", "2.5.4.8"),
        ("street", "streetAddress", "2.5.4.9"),
        ("o", "organizationName", "2.5.4.10"),
        ("ou", "organizationalUnitName", "2.5.4.11"),
        ("uid", "userid", "0.9.2342.19200300.100.1.1"),
        ("dc", "domainComponent", "0.9.2342.19200300.100.1.25"),
    ];
    // Every long name and OID is longer than six characters, most types in names are shorter.
    if attribute.len() < 6 {
        return attribute;
    }
    let same = SAME.iter().find(|(_, long, oid)| attribute.eq_ignore_ascii_case(long) || attribute == *oid);
    same.map_or(attribute, |(short, ..)| short)
}
