//! `strongroom engine bootstrap`: what Strongroom needs in an engine that others use already.
//!
//! It shows every write before it makes one, and makes none while anything at one of its places is
//! somebody else's. The administrator's token is used for these calls and kept nowhere.

mod secrets;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use similar::TextDiff;
use strongroom_config::file;
use strongroom_engine::auth::Login;
use strongroom_engine::sys::{self, About};
use strongroom_engine::{EngineAddress, EngineClient, Session};
use strongroom_vault_model::bootstrap::compare::{Standing, compare, is_listed, read_at};
use strongroom_vault_model::bootstrap::{
    Bootstrap, BootstrapRequest, EXECUTOR_ROLE, forbidden_paths,
};

use crate::arguments::EngineBootstrap;
use crate::logging;
use secrets::Secrets;

/// Something at one of our places is somebody else's.
const CONFLICT: u8 = 6;

/// What the executor must be able to do, one path of each kind.
const NEEDED: &[&str] = &[
    "sys/policies/acl/team.x.owner",
    "sys/mounts/team/x/kv",
    "auth/k8s/x/role/y",
    "identity/group/name/team.x.owner",
    "identity/entity/name/sa.x.y.z",
    "strongroom/data/heads/x",
    "sys/audit",
];

/// One request and how the engine stands to it.
type Look = (BootstrapRequest, Standing);

/// Shows what is needed; writes it where that was asked for.
pub async fn bootstrap(options: &EngineBootstrap) -> ExitCode {
    match run(options).await {
        Ok(code) => code,
        Err(error) => logging::fail(&error),
    }
}

async fn run(options: &EngineBootstrap) -> Result<ExitCode> {
    let (session, about) = connect(options).await?;
    let mut secrets = Secrets::read(&options.secrets_dir)?;
    for (role, place) in secrets.role_ids() {
        // One that the engine has stays: it is no secret, and others may have been told it.
        let path = format!("auth/approle/role/{role}/role-id");
        if let Some(read) = session.read(&path, "auth/approle/role/{role}/role-id").await?
            && let Some(id) = read.get("role_id").and_then(Value::as_str)
        {
            place.take(id);
        }
    }
    let needs = bootstrap_of(options, &secrets)?;
    let mut looks = Vec::new();
    for request in needs.requests() {
        let standing = look(&session, &request).await?;
        looks.push((request, standing));
    }
    role_ids_stay(&mut looks);
    print(&shown(&session, &about, &looks).await?);
    if looks.iter().any(|(_, standing)| matches!(standing, Standing::Foreign(_))) {
        print("nothing was written: what is somebody else's must be moved or renamed first\n");
        return Ok(ExitCode::from(CONFLICT));
    }
    let due = looks.iter().filter(|(_, standing)| *standing != Standing::Same);
    let todo: Vec<&BootstrapRequest> = due.map(|(request, _)| request).collect();
    if !options.apply {
        print(&match todo.len() {
            0 => "all of it is there; nothing to write\n".to_owned(),
            count => format!("nothing was written; --apply makes these {count} writes\n"),
        });
        return Ok(ExitCode::SUCCESS);
    }
    // First the files: a SecretID that the engine knows and nobody else would be of no use.
    let names: Vec<&str> = todo.iter().map(|request| request.name).collect();
    secrets.write(&names).context("keep the RoleIDs and SecretIDs")?;
    for request in &todo {
        let written = session.write(&request.path, "{bootstrap}", &request.data).await;
        written.with_context(|| {
            format!("write {}; run it again: what was written is seen then", request.path)
        })?;
        print(&format!("wrote      {}\n", request.path));
    }
    verify(&session, &needs).await?;
    audit_devices(&session).await;
    print(&format!("all of it is there; execute.yaml names {}\n", options.secrets_dir.display()));
    Ok(ExitCode::SUCCESS)
}

/// Whoever logs in with a role already would not be able to any more: only a role that nobody has a
/// `SecretID` of takes another `RoleID`.
fn role_ids_stay(looks: &mut [Look]) {
    let in_use: Vec<&str> = looks
        .iter()
        .filter(|(_, standing)| *standing == Standing::Same)
        .filter_map(|(request, _)| request.name.strip_suffix("-secret-id"))
        .collect();
    for (request, standing) in looks {
        let of = request.name.strip_suffix("-role-id");
        if of.is_some_and(|of| in_use.contains(&of)) && matches!(standing, Standing::Differs(_)) {
            *standing = Standing::Foreign(
                "the file has another RoleID than the engine, and the role is in use: is this another \
                 engine's --secrets-dir?"
                    .to_owned(),
            );
        }
    }
}

async fn connect(options: &EngineBootstrap) -> Result<(Session, About)> {
    let token = match &options.token_file {
        Some(path) => file::read_secret(path)?,
        None => std::env::var("BAO_TOKEN")
            .or_else(|_| std::env::var("VAULT_TOKEN"))
            .map(SecretString::from)
            .context("no administrator's token: set BAO_TOKEN or name a --token-file")?,
    };
    for name in ["BAO_NAMESPACE", "VAULT_NAMESPACE"] {
        let set = std::env::var(name).is_ok_and(|value| !value.is_empty());
        ensure!(!set, "{name} is set: Strongroom is prepared in the root namespace; unset it");
    }
    let ca_pem = options.ca_file.as_ref().map(|path| file::read_text(path)).transpose()?;
    let address = EngineAddress { url: options.address.clone(), ca_pem };
    let client = EngineClient::new(&address, Duration::from_secs(20))?;
    let about = sys::about(&client).await.context("ask the engine what it is")?;
    about.ensure_supported(false)?;
    let login = Login { token, ttl_seconds: 3600, entity_id: String::new(), policies: Vec::new() };
    Ok((Session::with_login(client, login), about))
}

fn bootstrap_of(options: &EngineBootstrap, secrets: &Secrets) -> Result<Bootstrap> {
    let client_secret = file::read_secret(&options.client_secret_file)?;
    Ok(Bootstrap {
        oidc_discovery_url: options.issuer.clone(),
        oidc_client_id: options.client_id.clone(),
        oidc_client_secret: client_secret.expose_secret().to_owned(),
        executor_role_id: secrets.executor_role_id.value.clone(),
        executor_secret_id: secrets.executor_secret_id.value.clone(),
        auditor_role_id: secrets.auditor_role_id.value.clone(),
        auditor_secret_id: secrets.auditor_secret_id.value.clone(),
        executor_addresses: options.executor_address.clone(),
    })
}

async fn look(session: &Session, request: &BootstrapRequest) -> Result<Standing> {
    let path = read_at(request);
    let read = if is_listed(request) {
        // What is beneath a role that is not there is told by a sentence, not by 404.
        let no_role = |said: &str| said.starts_with("role \"") && said.ends_with("does not exist");
        match session.list(&path, "{bootstrap}").await {
            Err(error) if error.is_refused_with(no_role) => Ok(Some(json!([]))),
            names => names.map(|names| Some(json!(names))),
        }
    } else {
        session.read(&path, "{bootstrap}").await
    };
    Ok(compare(request, read.with_context(|| format!("read {path}"))?.as_ref()))
}

/// One line for each, with the text of what is new or another: an administrator sees what they let in.
async fn shown(session: &Session, about: &About, looks: &[Look]) -> Result<String> {
    let mut out = format!("{} {}\n", about.product, about.version);
    for (request, standing) in looks {
        let (word, why) = match standing {
            Standing::Same => ("there", String::new()),
            Standing::New if is_listed(request) => ("new", " (its value stays in a file)".into()),
            Standing::New => ("new", String::new()),
            Standing::Differs(why) => ("changes", format!(": {}", why.join("; "))),
            Standing::Foreign(why) => ("foreign", format!(": {why}")),
        };
        let _ = writeln!(out, "{word:<10} {}{why}", request.path);
        let policy = request.data.get("policy").and_then(Value::as_str);
        if let Some(policy) = policy.filter(|_| *standing != Standing::Same) {
            let read = session.read(&request.path, "{bootstrap}").await?;
            let old =
                read.as_ref().and_then(|read| read.get("policy")?.as_str()).unwrap_or_default();
            for change in TextDiff::from_lines(old, policy).iter_all_changes() {
                let _ = write!(out, "           {}{change}", change.tag());
            }
        }
    }
    Ok(out)
}

/// Everything is read back, and the engine is asked what a token with the executor's policy may do.
async fn verify(session: &Session, needs: &Bootstrap) -> Result<()> {
    for request in needs.requests() {
        match look(session, &request).await? {
            Standing::Same => {}
            other => bail!("{} is not as it was written: {other:?}", request.path),
        }
    }
    let body = json!({
        "policies": [EXECUTOR_ROLE], "no_default_policy": true, "ttl": "1m", "renewable": false,
    });
    // An orphan: a child would have what the administrator's own entity has besides.
    let path = "auth/token/create-orphan";
    let made = session.write(path, path, &body).await;
    let made = made.context("make a token of one minute with the executor's policy")?;
    let accessor = made.auth.get("accessor").and_then(Value::as_str).unwrap_or_default();
    let forbidden = forbidden_paths(&[]);
    let asked: Vec<String> =
        forbidden.iter().cloned().chain(NEEDED.iter().map(ToString::to_string)).collect();
    let told = sys::capabilities_of(session, accessor, &asked).await;
    let revoke = json!({ "accessor": accessor });
    let path = "auth/token/revoke-accessor";
    session.write(path, path, &revoke).await.context("take that token back")?;
    for (path, words) in told.context("ask what it may do")? {
        let denied = words.iter().all(|word| word == "deny");
        match (forbidden.contains(&path), denied) {
            (true, false) => bail!("the executor could {} at {path}", words.join(", ")),
            (false, true) => bail!("the executor may do nothing at {path}, which it must"),
            _ => {}
        }
    }
    print(&format!("verified   {} capabilities, as the executor has them\n", asked.len()));
    Ok(())
}

/// The executor writes nothing without two audit devices.
async fn audit_devices(session: &Session) {
    let note = match session.read("sys/audit", "sys/audit").await {
        Ok(devices) => {
            match devices.as_ref().and_then(Value::as_object).map_or(0, serde_json::Map::len) {
                0 | 1 => {
                    "the engine has fewer than two audit devices, and Strongroom writes nothing \
                          then: enable another one"
                        .to_owned()
                }
                _ => return,
            }
        }
        Err(error) => format!("whether the engine has two audit devices is not known: {error}"),
    };
    print(&format!("note       {note}\n"));
}

fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
