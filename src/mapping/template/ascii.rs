//! Filters that spell text with ASCII letters.

/// Letters with accents and what they become; what is neither here nor ASCII is left out.
const LETTERS: [(&str, &str); 28] = [
    ("àáâãäåāăąǎ", "a"),
    ("æ", "ae"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņňŉŋ", "n"),
    ("òóôõöøōŏőǒ", "o"),
    ("œ", "oe"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ß", "ss"),
    ("ţťŧț", "t"),
    ("þ", "th"),
    ("ùúûüũūŭůűųǔ", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    ("\u{2018}\u{2019}", "'"),
    ("\u{201c}\u{201d}", "\""),
    ("\u{2010}\u{2011}\u{2013}\u{2014}", "-"),
    ("\u{a0}", " "),
    ("ẞ", "SS"),
];

/// `Zoë Ångström` becomes `Zoe Angstrom`.
pub(super) fn ascii(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            spelt.push(c);
            continue;
        }
        let lower = c.to_lowercase().next().unwrap_or(c);
        let find = |c: char| LETTERS.iter().find(|(letters, _)| letters.contains(c)).map(|(_, plain)| *plain);
        match (find(c), find(lower)) {
            (Some(plain), _) => spelt.push_str(plain),
            (None, Some(plain)) => {
                let mut letters = plain.chars();
                spelt.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                spelt.extend(letters);
            }
            (None, None) => {}
        }
    }
    spelt
}

/// `Zoë van der Ångström` becomes `zoe-van-der-angstrom`.
pub(super) fn slug(text: &str) -> String {
    let spelt = ascii(text).to_ascii_lowercase();
    let words: Vec<&str> = spelt.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_go_and_letters_stay() {
        assert_eq!(ascii("Zoë Ångström-Łuczak, Æsop, Straße"), "Zoe Angstrom-Luczak, Aesop, Strasse");
        assert_eq!(ascii("李 Li"), " Li");
        assert_eq!(slug("  Zoë van der Ångström's "), "zoe-van-der-angstrom-s");
    }
}
