//! Column names as words: split at word boundaries, abbreviations expanded, synonyms unified.

use super::vocabulary;

/// A name, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Name {
    text: String,
    /// Its letters and digits in lower case, without the affixes that systems add to names.
    joined: String,
    /// Its words, in order.
    words: Vec<String>,
}

impl Name {
    pub(super) fn of(text: &str) -> Self {
        let bare = vocabulary::SUFFIXES
            .iter()
            .find_map(|suffix| text.strip_suffix(suffix))
            .unwrap_or(text);
        let mut parts = split(bare);
        while parts.len() > 1 && vocabulary::is_prefix(&parts[0]) {
            parts.remove(0);
        }
        let joined = parts.concat();
        let whole = vocabulary::field(&joined).or_else(|| vocabulary::abbreviation(&joined));
        let mut words: Vec<String> = match whole {
            Some(words) => canonical(words),
            None => parts.iter().flat_map(|part| written_out(part)).collect(),
        };
        if words.len() > 1 {
            words.retain(|word| !vocabulary::is_filler(word));
        }
        Self {
            text: text.to_owned(),
            joined,
            words,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the two are spellings of one name, differing in case or separators.
    pub(super) fn is_spelling_of(&self, other: &Self) -> bool {
        !self.joined.is_empty() && self.joined == other.joined
    }

    /// The words without those of the stream's name, which columns often repeat; all words if
    /// nothing else is left.
    fn words_within(&self, stream: &Self) -> Vec<&str> {
        let own: Vec<&str> = self
            .words
            .iter()
            .filter(|word| !stream.words.iter().any(|of| stem(of) == stem(word)))
            .map(String::as_str)
            .collect();
        if own.is_empty() {
            self.words.iter().map(String::as_str).collect()
        } else {
            own
        }
    }
}

fn written_out(part: &str) -> Vec<String> {
    // Technical names have at least five letters; shorter ones are words.
    let technical = vocabulary::field(part).filter(|_| part.len() >= 5);
    canonical(
        technical
            .or_else(|| vocabulary::abbreviation(part))
            .unwrap_or(part),
    )
}

fn canonical(words: &str) -> Vec<String> {
    words
        .split(' ')
        .map(|word| vocabulary::synonym(word).to_owned())
        .collect()
}

/// Splits at non-alphanumeric characters, at a capital after a lower-case letter, before the last
/// of several capitals, and between letters and digits. Returns lower case.
fn split(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut parts: Vec<String> = Vec::new();
    let mut here = String::new();
    for (index, one) in characters.iter().enumerate() {
        if !one.is_alphanumeric() {
            parts.extend((!here.is_empty()).then(|| std::mem::take(&mut here)));
            continue;
        }
        let before = index.checked_sub(1).map(|index| characters[index]);
        let after = characters.get(index + 1);
        let begins = before.is_some_and(|before| {
            (before.is_lowercase() && one.is_uppercase())
                || (before.is_numeric() != one.is_numeric())
                || (before.is_uppercase()
                    && one.is_uppercase()
                    && after.is_some_and(|after| after.is_lowercase()))
        });
        if begins && !here.is_empty() {
            parts.push(std::mem::take(&mut here));
        }
        here.extend(one.to_lowercase());
    }
    parts.extend((!here.is_empty()).then_some(here));
    parts
}

/// The similarity of two names of a stream's columns, 0 to 1.
pub(super) fn likeness(one: &Name, other: &Name, stream: &Name) -> f64 {
    if one.is_spelling_of(other) {
        return 1.0;
    }
    let (mine, theirs) = (one.words_within(stream), other.words_within(stream));
    if mine == theirs || mine.concat() == theirs.concat() {
        return 0.97;
    }
    if is_acronym(&one.joined, &other.words) || is_acronym(&other.joined, &one.words) {
        return 0.88;
    }
    aligned(&mine, &theirs)
}

/// Whether the letters are the initials of the words.
fn is_acronym(letters: &str, words: &[String]) -> bool {
    words.len() > 1
        && letters.len() >= 3
        && words
            .iter()
            .filter_map(|word| word.chars().next())
            .eq(letters.chars())
}

/// Matches words one to one; a remainder on one side is a qualifier, on both sides a different
/// meaning.
fn aligned(mine: &[&str], theirs: &[&str]) -> f64 {
    let mut candidates = Vec::new();
    for (i, one) in mine.iter().enumerate() {
        for (j, other) in theirs.iter().enumerate() {
            let alike = words_alike(one, other);
            if alike > 0.0 {
                candidates.push((alike, i, j));
            }
        }
    }
    candidates.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
    });
    let mut matched: Vec<(usize, usize)> = Vec::new();
    let mut sum = 0.0;
    for (alike, i, j) in candidates {
        if matched.iter().all(|(a, b)| *a != i && *b != j) {
            matched.push((i, j));
            sum += alike;
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let rest = |words: &[&str], taken: Vec<usize>| -> Vec<(usize, String)> {
        let left = words.iter().enumerate();
        left.filter(|(index, _)| !taken.contains(index))
            .map(|(index, word)| (index, (*word).to_owned()))
            .collect()
    };
    let (left, right) = (
        rest(mine, matched.iter().map(|pair| pair.0).collect()),
        rest(theirs, matched.iter().map(|pair| pair.1).collect()),
    );
    let mean = sum / matched.len() as f64;
    matched.sort_unstable();
    let turned = matched.windows(2).any(|pair| pair[0].1 > pair[1].1);
    let mean = if turned { mean - 0.04 } else { mean };
    let telling =
        |rest: &[(usize, String)]| rest.iter().any(|(_, word)| !vocabulary::is_generic(word));
    if telling(&left) && telling(&right) {
        return 0.4 * mean * matched.len() as f64 / mine.len().max(theirs.len()) as f64;
    }
    let cost = |rest: &[(usize, String)], length: usize| -> f64 {
        let each = rest.iter().map(|(index, word)| {
            if vocabulary::is_generic(word) {
                0.08
            } else if word.chars().all(char::is_numeric) || vocabulary::is_telling(word) {
                0.5
            } else if *index + 1 == length {
                0.45
            } else {
                0.2
            }
        });
        each.sum()
    };
    (mean - cost(&left, mine.len()) - cost(&right, theirs.len())).max(0.0)
}

/// The similarity of two words: equal, an abbreviation, an inflection, a typo.
fn words_alike(one: &str, other: &str) -> f64 {
    if one == other {
        return 1.0;
    }
    if vocabulary::are_opposites(one, other) {
        return 0.0;
    }
    if stem(one) == stem(other) {
        return 0.97;
    }
    if one.chars().any(char::is_numeric) || other.chars().any(char::is_numeric) {
        return 0.0;
    }
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if short.len() >= 3 && long.starts_with(short) {
        return 0.9;
    }
    if short.len() >= 2 && is_shortened(short, long) {
        return 0.86;
    }
    let slips = strsim::osa_distance(short, long);
    match short.len() {
        5..=7 if slips == 1 => 0.9,
        8.. if slips <= 2 => 0.88,
        _ => 0.0,
    }
}

/// Whether the short word consists of the long one's first letter and, in order, some of its other
/// consonants.
fn is_shortened(short: &str, long: &str) -> bool {
    let vowel = |letter: &char| "aeiou".contains(*letter);
    if short.chars().next() != long.chars().next() || long.len() < short.len() + 1 {
        return false;
    }
    if short.chars().skip(1).any(|letter| vowel(&letter)) {
        return false;
    }
    let mut letters = long.chars();
    short.chars().all(|letter| letters.any(|one| one == letter))
}

/// The word without endings of number and tense.
fn stem(word: &str) -> &str {
    for ending in ["ies", "ing", "ed", "es", "s", "y", "e", "d"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 3
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_names_at_word_boundaries() {
        let cases = [
            ("BillingPostalCode", "billing postal code"),
            ("HTTPServerURL2", "http server url 2"),
            ("Acct_Name__c", "acct name c"),
            ("created-at", "created at"),
        ];
        for (name, words) in cases {
            assert_eq!(split(name).join(" "), words);
        }
    }

    #[test]
    fn opposites_and_different_numbers_are_never_similar() {
        let alike = |a, b| likeness(&Name::of(a), &Name::of(b), &Name::of("orders"));
        for (one, other) in [
            ("billing_street", "shipping_street"),
            ("line1", "line2"),
            ("weight_kg", "weight_lb"),
            ("min_price", "max_price"),
        ] {
            assert!(alike(one, other) < 0.5, "{one} {other}");
        }
        for (one, other) in [
            ("qty", "quantity"),
            ("order_total", "total"),
            ("dob", "date_of_birth"),
            ("totalPrice", "total_price"),
            ("adress", "address"),
        ] {
            assert!(alike(one, other) > 0.8, "{one} {other}");
        }
    }
}
