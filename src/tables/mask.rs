//! Hides secrets in text that is about to be shown, without moving anything else.

use std::ops::Range;

/// True for keys (and variables) whose value is a secret, misspelt ones included; a key that names a file isn't one.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let part_is_secret = |part: &str| {
        let near = |word, most| strsim::damerau_levenshtein(part, word) <= most;
        part.contains("pass") || part.contains("pwd") || near("password", 3) || near("secret", 2) || near("token", 1)
    };
    name.split(['_', '-']).any(part_is_secret) && !name.ends_with("_file") && !name.ends_with("_sync")
}

/// The text of a TOML file with stars for its secrets; as long as before, byte for byte.
pub(super) fn document(text: &str) -> String {
    let mut masked = text.as_bytes().to_vec();
    for value in secret_values(text).into_iter().chain(url_passwords(text)) {
        for byte in masked.get_mut(value).into_iter().flatten().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
            *byte = b'*';
        }
    }
    String::from_utf8_lossy(&masked).into_owned()
}

/// The value of an environment variable, all stars when its name promises a secret.
pub(super) fn variable(name: &str, value: &str) -> String {
    if is_secret_name(name) { "*".repeat(value.len()) } else { document(value) }
}

/// The spans of all values that follow `secret_name =`, also on lines that aren't valid TOML.
fn secret_values(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (equals, _) in text.match_indices('=') {
        let before = text.get(..equals).unwrap_or_default().trim_end_matches([' ', '\t', '"', '\'']);
        let start = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).map_or(0, |at| at + 1);
        let name = before.get(start..).or_else(|| before.get(start + 1..)).unwrap_or_default();
        if is_secret_name(name) {
            found.push(value_after(text, equals + 1));
        }
    }
    found
}

/// The span of the value that starts behind `from`, without its quotes.
fn value_after(text: &str, from: usize) -> Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    let start = from + rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let value = text.get(start..).unwrap_or_default();
    for quote in ["\"\"\"", "'''", "\"", "'"] {
        if let Some(inner) = value.strip_prefix(quote) {
            return start + quote.len()..start + quote.len() + end_of_string(inner, quote);
        }
    }
    start..start + value.find(['\n', '\r']).unwrap_or(value.len())
}

/// Where a string that was opened with `quote` ends; a one-line string that is never closed ends with its line.
fn end_of_string(inner: &str, quote: &str) -> usize {
    let escapes = quote.starts_with('"');
    let one_line = quote.len() == 1;
    let mut skip = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if skip => skip = false,
            '\\' if escapes => skip = true,
            '\n' if one_line => return at,
            _ if inner.get(at..).is_some_and(|rest| rest.starts_with(quote)) => return at,
            _ => {}
        }
    }
    inner.len()
}

/// The spans of passwords inside URLs (`scheme://user:password@host`).
fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let start = at + separator.len();
        let rest = text.get(start..).unwrap_or_default();
        let authority = rest.split(['/', '"', '\'', ' ', '\n']).next().unwrap_or_default();
        let Some((user_info, _)) = authority.rsplit_once('@') else { continue };
        if let Some((user, password)) = user_info.split_once(':') {
            let from = start + user.len() + 1;
            found.push(from..from + password.len());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_starred_and_nothing_moves() {
        let text = "a = 1\nbind_password = \"geheim\" # why\nb = 2\n";
        assert_eq!(document(text), "a = 1\nbind_password = \"******\" # why\nb = 2\n");
    }

    #[test]
    fn secrets_in_inline_tables_and_behind_typing_errors_are_starred() {
        assert_eq!(document("{ token = 'abc', name = \"x\" }"), "{ token = '***', name = \"x\" }");
        assert_eq!(document("bind_pasword = \"abc"), "bind_pasword = \"***");
        assert_eq!(document("bind_pass = \"a\\\"bc"), "bind_pass = \"*****");
        assert_eq!(document("password = geheim\nx = 1"), "password = ******\nx = 1");
        assert_eq!(document("token = \"\"\"a\nbc\"\"\" # x"), "token = \"\"\"*\n**\"\"\" # x");
        assert_eq!(document("secrét_token = \"ü\""), "secrét_token = \"**\"");
    }

    #[test]
    fn file_names_stay_readable() {
        assert_eq!(document("bind_password_file = \"/x\""), "bind_password_file = \"/x\"");
        assert_eq!(variable("SCIM2LDAP__A__PASSWORD_FILE", "/x"), "/x");
        assert_eq!(variable("SCIM2LDAP__A__PASSWORD", "abc"), "***");
    }

    #[test]
    fn passwords_in_urls_are_starred() {
        assert_eq!(document("url = \"postgres://me:abc@db/x\""), "url = \"postgres://me:***@db/x\"");
        assert_eq!(document("url = \"ldaps://host:636\""), "url = \"ldaps://host:636\"");
    }
}
