//! `kit`: ready files that run a binding's secrets into a workload.
//!
//! They come from the server; where they send a workload is held against what was pinned at the
//! sign-in. A file that is there already is never written over.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use clap::ValueEnum as _;

use crate::api::types::{CheckWish, KitFile, KitSheet, KitView};
use crate::args::{KitArgs, KitFormat, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::text::{clean, clean_block};

/// Shows a kit, or writes the files of one way.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &KitArgs,
) -> Result<Exit, Failure> {
    let named = args.binding.strip_prefix("team/").unwrap_or(&args.binding).split_once('/');
    let Some((team, binding)) = named else {
        return Err(Failure::usage(format!("make the kit of {:?}", args.binding)).next(
            "name TEAM/BINDING, for example payments/api; `strongroom get bindings -t TEAM` lists \
             them",
        ));
    };
    let client = client()?;
    let mut query = Vec::new();
    query.extend(args.account.clone().map(|account| ("account", account)));
    query.extend(args.secret.clone().map(|secret| ("secret", secret)));
    let mut kit = client.api.kit(team, binding, &query).await?;
    same_engine(&client, &kit, "make the kit")?;
    let word = args.format.map(word);
    kit.formats.retain(|sheet| word.as_ref().is_none_or(|word| sheet.format == *word));
    if args.format == Some(KitFormat::Check) && !args.no_report {
        let wish = CheckWish { account: args.account.clone(), secret: args.secret.clone() };
        kit.formats = vec![client.api.check_create(team, binding, &wish).await?.check];
    }
    if let Some(shape) = client.output.as_ref().filter(|shape| shape.is_value()) {
        client.screen.data(&output::value(&kit, shape)?);
        return Ok(Exit::Ok);
    }
    output::refuse(client.output.as_ref(), &[Output::Csv, Output::Name])?;
    match (&args.format, kit.formats.first()) {
        (None, _) => client.screen.data(&summary(&kit)),
        (Some(_), Some(sheet)) => {
            match &args.dir {
                Some(dir) => write(&client, dir, sheet)?,
                None => print(&client, sheet)?,
            }
            for note in &sheet.notes {
                client.screen.say(&format!("note: {}", clean(note)));
            }
            not_attached(&client, &kit);
        }
        (Some(_), None) => {
            return Err(Failure::new(Exit::Failed, "make the kit")
                .because("the server does not know this format")
                .next("`strongroom kit TEAM/BINDING` lists those it knows"));
        }
    }
    Ok(Exit::Ok)
}

fn word(format: KitFormat) -> String {
    format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A server that names another engine would send workloads, with their tokens, to somebody else.
pub(super) fn same_engine(client: &Client, kit: &KitView, what: &str) -> Result<(), Failure> {
    let pinned = &client.pinned(what)?.view.engine;
    if pinned.address == kit.engine.address && pinned.ca_pem == kit.engine.ca_pem {
        return Ok(());
    }
    Err(Failure::new(Exit::Conflict, what)
        .because(format!(
            "the server names the engine {} (or another CA of it), pinned is {}",
            clean(&kit.engine.address),
            clean(&pinned.address)
        ))
        .next(
            "ask the platform team whether the engine moved; if it did, `strongroom login \
             --accept-new-trust`",
        ))
}

fn summary(kit: &KitView) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "{name:<12} {}", clean(text));
    };
    line("binding", &format!("{}/{}", kit.team, kit.binding));
    line("account", &format!("{}/{}/{}", kit.cluster, kit.namespace, kit.account));
    for other in &kit.others {
        line("also for", &format!("{other} (--account {other})"));
    }
    let state = kit.state.as_deref().unwrap_or("not looked at yet");
    match &kit.reason {
        Some(reason) => line("state", &format!("{state}: {reason}")),
        None => line("state", state),
    }
    line("engine", &kit.engine.address);
    line("login", &format!("auth/{} ({})", kit.auth_mount, kit.method));
    line("role", &kit.role);
    line("audience", &kit.audience);
    for secret in &kit.secrets {
        let place = secret.beneath.as_ref().unwrap_or(&secret.path);
        line("reads", &format!("{} in {} ({})", place, secret.mount, secret.level));
    }
    if let Some(secret) = kit.secrets.first() {
        line("first value", &format!("strongroom kv put {} KEY=-", secret.short_path));
    }
    line("in a pod", &check_line(kit));
    out.push('\n');
    for sheet in &kit.formats {
        let _ = writeln!(out, "  --format {:<10} {}", clean(&sheet.format), clean(&sheet.title));
    }
    out
}

/// How the account is checked where nobody is signed in.
fn check_line(kit: &KitView) -> String {
    let mut text = format!("strongroom check {}/{}", kit.team, kit.binding);
    let mut add = |option: &str, value: &str| {
        let _ = write!(text, " --{option} {value}");
    };
    add("engine", &kit.engine.address);
    if !kit.engine.ca_pem.trim().is_empty() {
        add("ca-file", "ca.crt");
    }
    add("mount", &kit.auth_mount);
    add("audience", &kit.audience);
    kit.secrets.iter().for_each(|secret| add("path", &secret.short_path));
    text
}

fn is_kind(file: &KitFile, extension: &str) -> bool {
    Path::new(&file.name).extension().is_some_and(|found| found == extension)
}

/// Files as one stream: YAML documents may follow each other, nothing else may.
fn print(client: &Client, sheet: &KitSheet) -> Result<(), Failure> {
    let is_yaml = |file: &KitFile| is_kind(file, "yaml");
    match sheet.files.as_slice() {
        [file] => client.screen.data(&clean_block(&file.text)),
        files if files.iter().all(is_yaml) => {
            let texts: Vec<String> = files
                .iter()
                .map(|file| format!("# {}\n{}", clean(&file.name), clean_block(&file.text)))
                .collect();
            client.screen.data(&texts.join("---\n"));
        }
        files => {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            return Err(Failure::usage(format!("print {}", clean(&names.join(" and "))))
                .because("files of different kinds cannot be one stream")
                .next("write them with --dir DIR"));
        }
    }
    Ok(())
}

fn write(client: &Client, dir: &Path, sheet: &KitSheet) -> Result<(), Failure> {
    let failed =
        |what: String, error: &std::io::Error| Failure::new(Exit::Failed, what).caused_by(error);
    fs::create_dir_all(dir)
        .map_err(|error| failed(format!("make the directory {}", dir.display()), &error))?;
    for file in &sheet.files {
        // A name with a path in it would be written elsewhere.
        let name = Path::new(&file.name).file_name().filter(|name| *name == file.name.as_str());
        let Some(name) = name else {
            return Err(Failure::new(Exit::Failed, format!("write {}", clean(&file.name)))
                .because("the server's name for it is no file name"));
        };
        let path = dir.join(name);
        let mode = if is_kind(file, "sh") { 0o755 } else { 0o644 };
        let mut options = fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(mode).open(&path) {
            Ok(mut opened) => opened
                .write_all(file.text.as_bytes())
                .map_err(|error| failed(format!("write {}", path.display()), &error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if fs::read(&path).is_ok_and(|found| found == file.text.as_bytes()) {
                    client.screen.say(&format!("{} is there already, the same", path.display()));
                    continue;
                }
                return Err(Failure::new(Exit::Conflict, format!("write {}", path.display()))
                    .because("another file is there")
                    .next("take it away, or choose another --dir"));
            }
            Err(error) => return Err(failed(format!("write {}", path.display()), &error)),
        }
        client.screen.data(&path.display().to_string());
    }
    Ok(())
}

fn not_attached(client: &Client, kit: &KitView) {
    if kit.state.as_deref() == Some("attached") {
        return;
    }
    let state = kit.state.as_deref().unwrap_or("not looked at yet");
    let why = kit.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    client.screen.say(&format!(
        "warning: {}/{} is {}{} and reads nothing now",
        clean(&kit.namespace),
        clean(&kit.account),
        clean(state),
        clean(&why)
    ));
}
