//! Exported documents as files of a directory.
//!
//! Everything is compared before anything is written, and a file with other content is written over
//! only when somebody said yes to it. Each file is written whole or not at all.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Exported;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::text::count;
use crate::screen::Screen;

/// What has to be done with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Same,
    Other,
}

/// Writes them, and names on standard output what was written.
pub(super) async fn write(
    screen: Screen,
    dir: &Path,
    documents: &[Exported],
) -> Result<(), Failure> {
    fs::create_dir_all(dir)
        .map_err(|error| failed(&format!("make the directory {}", dir.display()), &error))?;
    let mut files = Vec::new();
    for each in documents {
        let path = dir.join(each.file_name());
        files.push((found(&path, &each.text)?, path, each.text.as_str()));
    }
    let others: Vec<String> = files
        .iter()
        .filter(|(found, ..)| *found == Found::Other)
        .map(|(_, path, _)| path.display().to_string())
        .collect();
    if !others.is_empty() {
        let number = count(others.len(), "file holds", "files hold");
        screen.show(&format!("{number} something else now:\n  {}", others.join("\n  ")));
        screen.confirm("Write over what is there?").await.map_err(|failure| {
            match failure.exit {
                Exit::Usage => failure.next("take it away, choose another --dir, or give `--yes`"),
                _ => failure,
            }
        })?;
    }
    for (found, path, text) in &files {
        if *found == Found::Same {
            screen.say(&format!("{} is there already, the same", path.display()));
            continue;
        }
        replace(path, text)?;
        screen.data(&path.display().to_string());
    }
    Ok(())
}

fn found(path: &Path, text: &str) -> Result<Found, Failure> {
    match fs::read(path) {
        Ok(there) if there == text.as_bytes() => Ok(Found::Same),
        Ok(_) => Ok(Found::Other),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(failed(&format!("read {}", path.display()), &error)),
    }
}

fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = beside(path);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(&format!("write {}", path.display()), &error)
    })
}

/// A name that `apply -f DIR` does not read, should it stay behind.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", uuid::Uuid::new_v4()));
    path.with_file_name(name)
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, what).caused_by(error)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use strongroom_domain::subject::Subject;

    use super::*;
    use crate::args::Globals;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        globals: Globals,
    }

    fn screen(yes: bool) -> Screen {
        let words: &[&str] = if yes { &["x", "--yes", "--quiet"] } else { &["x", "--quiet"] };
        Screen::new(&Line::parse_from(words).globals)
    }

    fn platform(text: &str) -> [Exported; 1] {
        [Exported { subject: Subject::Platform, text: text.to_owned() }]
    }

    #[tokio::test]
    async fn what_was_edited_is_written_over_only_with_yes() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        let file = deep.join("platform.yaml");
        write(screen(false), &deep, &platform("one\n")).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\n");
        // The same again is nothing to ask about.
        write(screen(false), &deep, &platform("one\n")).await.unwrap();

        fs::write(&file, "edited\n").unwrap();
        let cluster =
            Exported { subject: "cluster/prod-eu".parse().unwrap(), text: "c\n".to_owned() };
        let both = [platform("two\n").to_vec(), vec![cluster]].concat();
        if !screen(false).has_person() {
            let refused = write(screen(false), &deep, &both).await.unwrap_err();
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.render().contains("give `--yes`"), "{}", refused.render());
            // Nothing of it is written, what does not differ included.
            assert_eq!(fs::read_to_string(&file).unwrap(), "edited\n");
            assert!(!deep.join("cluster-prod-eu.yaml").exists());
        }
        write(screen(true), &deep, &both).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two\n");
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 2);
    }
}
