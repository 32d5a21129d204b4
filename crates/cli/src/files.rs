//! Documents from files, directories and standard input, with every fault told at once.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use strongroom_domain::document::node::Node;
use strongroom_domain::document::{Document, field_path};
use strongroom_domain::subject::Subject;

use crate::failure::Failure;

/// The most bytes of one file.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Documents, and where each of them was read.
#[derive(Debug)]
pub struct Loaded {
    /// The documents, sorted by subject.
    pub documents: Vec<Document>,
    /// Where they stand, in the same order.
    pub places: Vec<Place>,
}

/// Where a document stands.
#[derive(Debug)]
pub struct Place {
    file: String,
    text: Node,
    /// The revision that it was read from, where its file says so.
    pub revision: Option<u64>,
}

/// The line by which a file says what it was read from; without it nothing is compared.
pub fn read_from(subject: &Subject, revision: u64) -> String {
    format!("# {subject}, revision {revision}")
}

/// The revision of this subject that some line of a text names.
fn revision_in(text: &str, subject: &Subject) -> Option<u64> {
    let start = format!("# {subject}, revision ");
    text.lines().find_map(|line| line.strip_prefix(&start)?.trim().parse().ok())
}

impl Place {
    /// Where in its file a field stands.
    pub fn of(&self, pointer: &str) -> String {
        let line = self.text.line_of(pointer);
        let line = line.map_or_else(String::new, |line| format!(": line {line}"));
        let field = match field_path(pointer) {
            field if field.is_empty() => field,
            field => format!(": {field}"),
        };
        format!("{}{line}{field}", self.file)
    }
}

/// Reads and decodes all documents, sorted by subject.
pub fn load(sources: &[PathBuf]) -> Result<Loaded, Failure> {
    let mut documents: Vec<(Document, Place)> = Vec::new();
    let mut faults = Vec::new();
    for source in expand(sources)? {
        let (name, text) = read(&source)?;
        match Document::from_yaml(&text) {
            Ok(more) => {
                let nodes = Node::from_yaml(&text).unwrap_or_default();
                let placed = more.into_iter().zip(nodes).map(|(document, node)| {
                    let revision = revision_in(&text, &document.subject());
                    (document, Place { file: name.clone(), text: node, revision })
                });
                documents.extend(placed);
            }
            Err(more) => faults.extend(more.iter().map(|fault| format!("{name}: {fault}"))),
        }
    }
    documents.sort_by_key(|(document, _)| document.subject());
    for pair in documents.windows(2) {
        if let [(one, here), (two, there)] = pair
            && one.subject() == two.subject()
        {
            let (here, there) = (here.of(""), there.of(""));
            faults.push(format!("{} is in {here} and again in {there}", one.subject()));
        }
    }
    if !faults.is_empty() {
        let count = crate::render::text::count(faults.len(), "fault", "faults");
        let mut failure = Failure::usage(format!("read the documents: {count}"));
        failure.why = faults;
        return Err(failure.next("correct them; docs/documents.md has every field, with examples"));
    }
    if documents.is_empty() {
        return Err(
            Failure::usage("read the documents").because("there is no document in what was given")
        );
    }
    let (documents, places) = documents.into_iter().unzip();
    Ok(Loaded { documents, places })
}

/// Directories become the YAML files directly in them, by name.
fn expand(sources: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for source in sources {
        if !source.is_dir() {
            files.push(source.clone());
            continue;
        }
        let failed = |error: std::io::Error| unreadable(source, &error);
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(source).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
            if yaml && path.is_file() {
                inside.push(path);
            }
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn read(source: &Path) -> Result<(String, String), Failure> {
    let name = source.display().to_string();
    let mut text = String::new();
    let result = if name == "-" {
        std::io::stdin().lock().take(MAX_FILE + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(source)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
    };
    result.map_err(|error| unreadable(source, &error))?;
    if text.len() as u64 > MAX_FILE {
        return Err(Failure::usage(format!("read {name}")).because("it is larger than 8 MiB"));
    }
    Ok((if name == "-" { "standard input".to_owned() } else { name }, text))
}

fn unreadable(source: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("read {}", source.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests::TEAM;

    #[test]
    fn a_directory_is_read_and_every_fault_of_every_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("b.yaml", TEAM);
        write("notes.txt", "not yaml: [");
        let here = [dir.path().to_path_buf()];
        assert_eq!(load(&here).unwrap().documents[0].subject().to_string(), "team/payments");

        let place = &load(&here).unwrap().places[0];
        assert!(place.of("/spec/mounts/0/name").ends_with("b.yaml: line 8: spec.mounts[0].name"));
        assert!(place.of("/spec/nothing").ends_with("b.yaml: line 4: spec.nothing"));

        write("a.yml", &TEAM.replace("maxVersions: 10", "maxVersions: 0, colour: red"));
        write("c.yaml", "kind: [");
        let failure = load(&here).unwrap_err();
        let text = failure.render();
        assert!(text.contains("a.yml: line 8: spec.mounts[0].colour"), "{text}");
        assert!(text.contains("maxVersions"), "{text}");
        assert!(text.contains("c.yaml: "), "{text}");

        write("a.yml", TEAM);
        std::fs::remove_file(dir.path().join("c.yaml")).unwrap();
        assert!(load(&here).unwrap_err().render().contains("again in"));
        assert!(load(&[dir.path().join("none.yaml")]).is_err());
    }
}
