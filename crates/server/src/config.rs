//! `strongroom config`: documented samples, and files looked at without starting anything.
//!
//! It reads what the file names on this host, says every fault at once, and shows no secret.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use strongroom_config::{
    ConfigError, EXECUTE_SAMPLE, ExecuteConfig, FLOOR_SAMPLE, Floor, SERVE_SAMPLE, ServeConfig,
    file,
};
use strongroom_executor::{ExecutorError, keys_read};

use crate::arguments::{ConfigCommand, ConfigKind};
use crate::listen;

/// Allowed, and worth knowing.
const NO_AUDITOR: &str =
    "engine.auditor is not set: nobody asks the engine what the executor may do";

/// What was looked at, and what is wrong with it.
type Look = (String, Result<(), Vec<String>>);

/// Prints a sample, or checks a file: exit 2 where something is wrong, as with a wrong document.
pub async fn run(command: &ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::Sample { kind } => {
            let text = match kind {
                ConfigKind::Serve => SERVE_SAMPLE,
                ConfigKind::Execute => EXECUTE_SAMPLE,
                ConfigKind::Floor => FLOOR_SAMPLE,
            };
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        ConfigCommand::Check { file, kind } => check(file, *kind).await,
    }
}

async fn check(path: &Path, kind: Option<ConfigKind>) -> ExitCode {
    let looks = match kind.map_or_else(|| kind_of(path), Ok) {
        Ok(ConfigKind::Serve) => serve(path).await,
        Ok(ConfigKind::Execute) => execute(path),
        Ok(ConfigKind::Floor) => vec![floor(path)],
        Err(faults) => vec![(path.display().to_string(), Err(faults))],
    };
    let mut out = std::io::stdout().lock();
    for (what, result) in &looks {
        match result {
            Ok(()) if what == NO_AUDITOR => drop(writeln!(out, "note   {what}")),
            Ok(()) => drop(writeln!(out, "good   {what}")),
            Err(faults) => {
                for fault in faults {
                    let _ = writeln!(out, "wrong  {what}: {fault}");
                }
            }
        }
    }
    if looks.iter().all(|(_, result)| result.is_ok()) {
        let _ = writeln!(
            out,
            "nothing was connected to: whether database, engine, clusters and provider answer is \
             seen at the start"
        );
        return ExitCode::SUCCESS;
    }
    ExitCode::from(2)
}

/// Which of the three it is, by what only one of them has.
fn kind_of(path: &Path) -> Result<ConfigKind, Vec<String>> {
    let value: serde_json::Value = file::read_yaml(path).map_err(|error| told(&error))?;
    let marks = [
        ("listen", ConfigKind::Serve),
        ("engine", ConfigKind::Execute),
        ("deployment", ConfigKind::Floor),
    ];
    let found = marks.into_iter().find(|(field, _)| value.get(field).is_some());
    found.map(|(_, kind)| kind).ok_or_else(|| {
        vec![
            "it has neither `listen` (serve), nor `engine` (execute), nor `deployment` (floor); \
             --kind says which it is to be"
                .to_owned(),
        ]
    })
}

/// An error as sentences, without the path that stands before them anyway.
fn told(error: &ConfigError) -> Vec<String> {
    match error {
        ConfigError::Values { faults, .. } => faults.clone(),
        ConfigError::Shape { message, .. } => vec![message.clone()],
        ConfigError::Read { path, source } => vec![format!("read {}: {source}", path.display())],
    }
}

fn look<T>(what: impl Into<String>, result: Result<T, ConfigError>) -> Look {
    (what.into(), result.map(drop).map_err(|error| told(&error)))
}

async fn serve(path: &Path) -> Vec<Look> {
    let config = match ServeConfig::read(path) {
        Ok(config) => config,
        Err(error) => return vec![(path.display().to_string(), Err(told(&error)))],
    };
    let mut looks = vec![
        (path.display().to_string(), Ok(())),
        look("the database's address", config.database.url(path)),
        look("the issuer's CA", config.issuer.ca_pem(path)),
    ];
    if let Some(files) = &config.tls {
        let read = listen::certificate(files).await.map(drop);
        let told = read.map_err(|error| vec![format!("{error:#}")]);
        looks.push(("the certificate and its key".to_owned(), told));
    }
    for cluster in &config.clusters {
        let what = format!("the keys of cluster {}", cluster.name);
        looks.push((what, keys(&cluster.keys_file)));
    }
    looks
}

/// A JWKS with at least one key that has a name.
fn keys(path: &Path) -> Result<(), Vec<String>> {
    let text = file::read_text(path).map_err(|error| told(&error))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| vec![format!("{} is no JSON: {error}", path.display())])?;
    let keys = value["keys"].as_array().into_iter().flatten();
    let named = keys.filter(|key| key["kid"].is_string()).count();
    if named > 0 {
        return Ok(());
    }
    let path = path.display();
    Err(vec![format!("{path} holds no key with a `kid`: `kubectl get --raw /openid/v1/jwks`")])
}

fn floor(path: &Path) -> Look {
    look(path.display().to_string(), Floor::read(path))
}

fn execute(path: &Path) -> Vec<Look> {
    let config = match ExecuteConfig::read(path) {
        Ok(config) => config,
        Err(error) => return vec![(path.display().to_string(), Err(told(&error)))],
    };
    let mut looks = vec![
        (path.display().to_string(), Ok(())),
        look("the database's address", config.database.url(path)),
        floor(&config.floor_file),
    ];
    if let Ok(floor) = Floor::read(&config.floor_file) {
        let keys = keys_read(&config, &floor).map(drop).map_err(|error| match error {
            ExecutorError::Config(error) => told(&error),
            error => vec![error.to_string()],
        });
        looks.push(("the signing key, among executor_keys of the floor".to_owned(), keys));
    }
    let engine = &config.engine;
    looks.push(look("engine.role_id_file", file::read_secret(&engine.role_id_file)));
    // After the first login it has been replaced by one in the state directory.
    let kept = config.state_dir.join("secret-id");
    if kept.is_file() {
        looks.push(look("the SecretID in state_dir", file::read_secret(&kept)));
    } else {
        looks.push(look("engine.secret_id_file", file::read_secret(&engine.secret_id_file)));
    }
    if let Some(ca) = &engine.ca_file {
        looks.push(look("engine.ca_file", file::read_text(ca)));
    }
    match &engine.auditor {
        Some(auditor) => {
            looks.push(look(
                "engine.auditor.role_id_file",
                file::read_secret(&auditor.role_id_file),
            ));
            let secret = file::read_secret(&auditor.secret_id_file);
            looks.push(look("engine.auditor.secret_id_file", secret));
        }
        None => looks.push((NO_AUDITOR.to_owned(), Ok(()))),
    }
    if let Some(log) = &engine.audit_file {
        let opened = std::fs::File::open(log).map(drop);
        let opened = opened.map_err(|error| vec![format!("open {}: {error}", log.display())]);
        looks.push(("engine.audit_file".to_owned(), opened));
    }
    looks.push(("state_dir".to_owned(), writable(&config.state_dir)));
    looks
}

/// Whether files can be made there. The one that is made is taken away again.
fn writable(dir: &Path) -> Result<(), Vec<String>> {
    let file = dir.join(format!(".check-{}", std::process::id()));
    let tried = std::fs::File::create_new(&file).and_then(|_| std::fs::remove_file(&file));
    tried.map_err(|error| vec![format!("write in {}: {error}", dir.display())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn samples_are_told_apart() {
        for (text, kind) in [
            (SERVE_SAMPLE, ConfigKind::Serve),
            (EXECUTE_SAMPLE, ConfigKind::Execute),
            (FLOOR_SAMPLE, ConfigKind::Floor),
        ] {
            let (_dir, path) = written("x.yaml", text);
            assert_eq!(kind_of(&path), Ok(kind));
        }
        let (_dir, path) = written("x.yaml", "a: 1\n");
        assert!(kind_of(&path).is_err());
    }

    #[test]
    fn every_missing_file_is_told() {
        let (_dir, path) = written("execute.yaml", EXECUTE_SAMPLE);
        let looks = execute(&path);
        let wrong = looks.iter().filter(|(_, result)| result.is_err()).count();
        assert!(looks[0].1.is_ok(), "the file itself is good");
        assert!(wrong >= 5, "{looks:#?}");
    }
}
