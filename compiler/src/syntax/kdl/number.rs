//! Which bare words are numbers, and which only look like one.

/// Says whether a word is a number as KDL 2 writes it; the keywords `#inf`, `#-inf` and `#nan` are not words.
pub(super) fn is_number(word: &str) -> bool {
    let unsigned = without_sign(word);
    let after_prefix = unsigned.get(2..).unwrap_or_default();
    match unsigned.as_bytes() {
        [b'0', b'x', ..] => is_digits(after_prefix, |byte| byte.is_ascii_hexdigit()),
        [b'0', b'o', ..] => is_digits(after_prefix, |byte| matches!(byte, b'0'..=b'7')),
        [b'0', b'b', ..] => is_digits(after_prefix, |byte| matches!(byte, b'0' | b'1')),
        _ => is_decimal(unsigned),
    }
}

/// Says whether a word begins like a number, and so cannot be a string without quotes.
pub(super) fn begins_like_number(word: &str) -> bool {
    match without_sign(word).as_bytes() {
        [b'.', second, ..] => second.is_ascii_digit(),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

fn without_sign(word: &str) -> &str {
    word.strip_prefix(['+', '-']).unwrap_or(word)
}

fn is_decimal(word: &str) -> bool {
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(without_sign(exponent))),
        None => (word, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    [Some(integer), fraction, exponent]
        .into_iter()
        .flatten()
        .all(|part| is_digits(part, |byte| byte.is_ascii_digit()))
}

/// Says whether `word` is a digit, followed by digits and underscores.
fn is_digits(word: &str, is_digit: impl Fn(u8) -> bool) -> bool {
    let begins_with_digit = word.bytes().next().is_some_and(&is_digit);
    begins_with_digit && word.bytes().all(|byte| byte == b'_' || is_digit(byte))
}

#[cfg(test)]
mod tests {
    use super::{begins_like_number, is_number};

    #[track_caller]
    fn check(words: &str, expected: &str) {
        for word in words.split(' ') {
            let found = match (is_number(word), begins_like_number(word)) {
                (true, true) => "number",
                (false, true) => "neither",
                (false, false) => "word",
                (true, false) => "a number that does not begin like one",
            };
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn decimals_have_a_sign_a_fraction_and_an_exponent_if_they_like() {
        check("0 007 12 -12 +12 1.5 -1.50 1e3 1E3 1e+3 1e-3 1.5e3 +1.5E-3", "number");
    }

    #[test]
    fn other_radices_have_a_prefix_in_lower_case() {
        check("0xfF -0x0 +0xdead 0o17 0b101", "number");
        check("0X1 0O7 0B1 0o8 0b2 0xg 0x 0o 0b 0x0x1", "neither");
    }

    #[test]
    fn underscores_follow_a_digit() {
        check("1_000 1__0_ 1.0_0 1e1_0_ 0x1_ 0b1_0", "number");
        check("0x_1 0o_7 0b_1 1._0 1e_1", "neither");
    }

    #[test]
    fn half_a_number_is_neither_number_nor_word() {
        check("1. .1 -.1 +.1 1e 1e+ 1.e1 1.2.3 1e2.5 1e2e3 1v2 -1em 0.0.0.0:80 10s 16M", "neither");
    }

    #[test]
    fn signs_and_points_alone_are_words() {
        check("- + -- . .. ..1 -. +.x --1 -a _1 e3 x0", "word");
    }
}
