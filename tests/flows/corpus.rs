//! Spellings of a name that look like it, fold to it, decode to it or walk to it, and are not it.
//!
//! One list for everybody who must refuse them: the API, the client and, sent straight to it, the
//! engine. Where the rule of one kind of name takes a spelling, the list says so; everything else
//! is refused.

use Kind::{Account, Binding, Cluster, Group, Mount, Namespace, Path, Team};

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Team,
    Mount,
    Binding,
    Namespace,
    Cluster,
    Account,
    Path,
    Group,
}

/// One spelling.
pub struct Spelling {
    /// What is odd about it.
    pub what: &'static str,
    pub text: String,
    /// The kinds of names that may be spelled so.
    pub fine_for: &'static [Kind],
}

/// Nothing may be spelled so.
const NONE: &[Kind] = &[];
/// A group's name is the provider's, and never part of an engine path.
const GROUP: &[Kind] = &[Group];
/// Segments inside a team's own mount may have capitals, dots and underscores.
const FREE: &[Kind] = &[Path, Group];
/// What Kubernetes itself allows.
const LABEL: &[Kind] = &[Namespace, Cluster, Account, Path, Group];
/// Words that mean something to an engine; in a tenant's own place they do not.
const WORD: &[Kind] = &[Namespace, Account, Path, Group];

/// Every spelling of a slug with an `s` and a hyphen in it.
pub fn spellings(name: &str) -> Vec<Spelling> {
    let n = name;
    let first = &n[..1];
    let rest = &n[1..];
    let wide: String = n.chars().map(full_width).collect();
    let dash = |with: &str| n.replacen('-', with, 1);
    let letter = |with: &str| n.replacen('s', with, 1);
    let mut all: Vec<(&'static str, String, &'static [Kind])> = vec![
        ("upper case", n.to_uppercase(), FREE),
        ("a capital", format!("{}{rest}", first.to_uppercase()), FREE),
        ("a trailing dot", format!("{n}."), FREE),
        ("two trailing dots", format!("{n}.."), FREE),
        ("a leading dot", format!(".{n}"), GROUP),
        ("an inner dot", dash("."), &[Account, Path, Group]),
        ("an empty label", dash(".."), FREE),
        ("one dot", ".".into(), GROUP),
        ("two dots", "..".into(), GROUP),
        ("up and here", format!("../{n}"), GROUP),
        ("here and up", format!("{n}/.."), GROUP),
        ("here", format!("./{n}"), GROUP),
        ("a dot inside", format!("{n}/./{n}"), GROUP),
        ("a slash before", format!("/{n}"), GROUP),
        ("a slash after", format!("{n}/"), GROUP),
        ("an inner slash", dash("/"), FREE),
        ("two slashes", dash("//"), GROUP),
        ("a backslash", dash("\\"), NONE),
        ("up by backslash", format!("..\\{n}"), NONE),
        ("an escaped slash", dash("%2f"), GROUP),
        ("an escaped slash, capital", dash("%2F"), GROUP),
        ("an escaped slash, twice", dash("%252f"), GROUP),
        ("an escaped up", format!("%2e%2e%2f{n}"), GROUP),
        ("an escaped letter", format!("%{:02x}{rest}", first.as_bytes()[0]), GROUP),
        ("an escaped NUL", format!("{n}%00"), GROUP),
        ("an escaped newline", format!("{n}%0a"), GROUP),
        ("a NUL", format!("{n}\0"), NONE),
        ("a NUL inside", dash("\0"), NONE),
        ("a newline", format!("{n}\n"), NONE),
        ("a carriage return", format!("{n}\r"), NONE),
        ("a tab", format!("{n}\t"), NONE),
        ("a backspace", format!("{n}x\u{8}"), NONE),
        ("a delete", format!("{n}\u{7f}"), NONE),
        ("a trailing space", format!("{n} "), NONE),
        ("a leading space", format!(" {n}"), NONE),
        ("an inner space", dash(" "), GROUP),
        ("two inner spaces", dash("  "), NONE),
        ("a no-break space", format!("{n}\u{a0}"), NONE),
        ("an ideographic space", format!("{n}\u{3000}"), NONE),
        ("a soft hyphen", format!("{first}\u{ad}{rest}"), NONE),
        ("another hyphen", dash("\u{2010}"), NONE),
        ("a zero-width space", format!("{first}\u{200b}{rest}"), NONE),
        ("a zero-width joiner", format!("{first}\u{200d}{rest}"), NONE),
        ("a word joiner", format!("{n}\u{2060}"), NONE),
        ("a byte order mark", format!("\u{feff}{n}"), NONE),
        ("written from the right", format!("\u{202e}{n}"), NONE),
        ("a right-to-left mark", format!("{n}\u{200f}"), NONE),
        ("an isolate", format!("\u{2067}{n}\u{2069}"), NONE),
        ("full width", wide, NONE),
        ("composed", letter("\u{15b}"), NONE),
        ("decomposed", letter("s\u{301}"), NONE),
        ("a long s", letter("\u{17f}"), NONE),
        ("a Cyrillic letter", letter("\u{455}"), NONE),
        ("a ligature", letter("\u{fb06}"), NONE),
        ("a symbol", format!("{n}\u{1f511}"), NONE),
        ("empty", String::new(), NONE),
        ("one letter", "a".into(), LABEL),
        ("33 letters", "a".repeat(33), LABEL),
        ("64 letters", "a".repeat(64), FREE),
        ("129 letters", "a".repeat(129), &[Path]),
        ("254 letters", "a".repeat(254), &[Path]),
        ("513 letters", "a".repeat(513), NONE),
        ("5000 letters", "a".repeat(5000), NONE),
        ("a leading hyphen", format!("-{n}"), GROUP),
        ("a trailing hyphen", format!("{n}-"), FREE),
        ("two hyphens", dash("--"), LABEL),
        ("a leading digit", format!("1{n}"), LABEL),
        ("an underscore", dash("_"), FREE),
        ("anything", "*".into(), &[Path]),
        ("anything after", format!("{n}*"), NONE),
        ("anything before", format!("*{n}"), NONE),
        ("any segment", "+".into(), GROUP),
        ("any segment inside", format!("{n}/+/{n}"), GROUP),
        ("two names", dash(","), NONE),
        ("a template", "{{identity.entity.id}}".into(), GROUP),
        ("a variable", format!("${{{n}}}"), GROUP),
        ("a quote", format!("{n}\""), NONE),
        ("a parameter", dash(";"), GROUP),
        ("a query", dash("?"), GROUP),
        ("a fragment", dash("#"), GROUP),
        (
            "Kubernetes' own",
            "kube-system".into(),
            &[Team, Mount, Binding, Cluster, Account, Path, Group],
        ),
    ];
    let words = [
        "admin",
        "audit",
        "auth",
        "cubbyhole",
        "default",
        "identity",
        "people",
        "platform",
        "response-wrapping",
        "root",
        "sa",
        "strongroom",
        "sys",
        "team",
    ];
    all.extend(words.map(|word| ("a reserved word", word.to_owned(), WORD)));
    let spelling = |(what, text, fine_for)| Spelling { what, text, fine_for };
    all.into_iter().map(spelling).collect()
}

fn full_width(c: char) -> char {
    char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)
}

/// Ways from a place that one may be in to one that one may not.
pub fn walks(from: &str, to: &str) -> Vec<String> {
    let up = from.split('/').count();
    let by = |step: &str| format!("{from}/{}{to}", step.repeat(up));
    vec![
        by("../"),
        by("./../"),
        by("..//"),
        by("%2e%2e/"),
        by("%2E%2E/"),
        by(".%2e/"),
        by("..%2f"),
        by("%2e%2e%2f"),
        by("..%252f"),
        by("%252e%252e%252f"),
        by("..%5c"),
        by("..\\"),
        by("..;/"),
        by("..%00/"),
        by("%c0%ae%c0%ae/"),
        by("\u{ff0e}\u{ff0e}/"),
        format!("{from}/{}{}", "../".repeat(up), to.replace('/', "//")),
        format!("/{to}"),
        format!("./{to}"),
        format!("%2f{to}"),
        to.replace('/', "//"),
        to.replace('/', "/./"),
        to.replace('/', "%2f"),
        format!("{to}/"),
        format!("{to}//"),
        format!("{to}/."),
        format!("{to}%00"),
        format!("{to}%20"),
        format!("{to}?list=true"),
    ]
}
