//! Lists for people.

use std::fmt::Write as _;

use jiff::Timestamp;

/// Lines in columns, each as wide as its longest cell; the last one ends where it ends.
pub(super) fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let is_last = column + 1 == N;
            let width = if is_last { 0 } else { width(column).unwrap_or(0) };
            // Writing to a string can't fail.
            let _ = write!(text, "{cell:width$}{}", if is_last { "\n" } else { "  " });
        }
    }
    text
}

/// A text that stays on its line.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A time for people and programs, to the second.
pub(super) fn time(milliseconds: i64) -> String {
    Timestamp::from_second(milliseconds.div_euclid(1000)).map_or_else(|_| "?".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_the_last_is_not_filled_up() {
        let lines = [["a", "bcd", "é"], ["äöü", "b", "x y"]].map(|line| line.map(str::to_owned));
        assert_eq!(columns(&lines), "a    bcd  é\näöü  b    x y\n");
        assert_eq!(columns::<2>(&[]), "");
    }
}
