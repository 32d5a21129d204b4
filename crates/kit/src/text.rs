//! Words made safe for the files they stand in.

use strongroom_vault_model::path::SecretPath;

/// As a string in YAML, HCL and JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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

/// A name for Kubernetes objects and files from a secret's path.
pub fn object_name(path: &SecretPath) -> String {
    let text = path.to_string().to_ascii_lowercase();
    let text: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let text: String = text.chars().take(50).collect();
    text.trim_matches('-').to_owned()
}
