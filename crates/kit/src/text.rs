//! Words made safe for the files they stand in.

use strongroom_vault_model::path::SecretPath;

/// As a string in YAML, HCL and JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Words that a reader of YAML takes for a truth value or for nothing.
const TAKEN: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// A name as a string in YAML, quoted only where a reader would take it for something else: the
/// namespace `007` is legal and so is the account `no`.
pub fn plain(name: &str) -> String {
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !TAKEN.iter().any(|word| name.eq_ignore_ascii_case(word));
    if is_word { name.to_owned() } else { quoted(name) }
}

/// As one word of a POSIX shell.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A block of lines, each with so many spaces before it.
pub fn indented(text: &str, spaces: usize) -> String {
    let pad = " ".repeat(spaces);
    text.trim_end().lines().flat_map(|line| [pad.as_str(), line, "\n"]).collect()
}

/// The longest name for a secret. The longest word that it stands behind in the key of an annotation
/// is `agent-inject-template-`, the key has 63 characters, and a number may follow the name.
const LONGEST: usize = 38;

/// A name for Kubernetes objects and files from a secret's path. Of a long path it is the end, from
/// the beginning of a word, which tells more than the start.
pub fn object_name(path: &SecretPath) -> String {
    let text = path.to_string().to_ascii_lowercase();
    let text: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let text = text.trim_matches('-');
    // Only ASCII is left, so that a byte is a character.
    let end = text.get(text.len().saturating_sub(LONGEST)..).unwrap_or(text);
    let name = match end.split_once('-') {
        Some((_, words)) if end.len() < text.len() => words.trim_matches('-'),
        _ => end,
    };
    if name.is_empty() { "secret".to_owned() } else { name.to_owned() }
}
