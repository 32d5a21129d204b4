//! What is known of the binding: from the server's kit, or from the command line where nobody is
//! signed in, as in a pod.

use std::path::Path;

use strongroom_engine::EngineAddress;

use super::token::Claims;
use crate::api::types::{KitSecret, KitView};
use crate::args::CheckArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::verbs::doctor::Report;
use crate::verbs::kit::same_engine;
use crate::verbs::kv::{Place, variable};

/// What the workload has to know, and what its token is held against.
#[derive(Debug)]
pub(super) struct Facts {
    /// `TEAM/BINDING`.
    pub(super) binding: String,
    pub(super) team: String,
    pub(super) engine: EngineAddress,
    pub(super) mount: String,
    pub(super) role: String,
    pub(super) audience: Option<String>,
    pub(super) namespace: Option<String>,
    /// Nothing where they are not known.
    pub(super) accounts: Vec<String>,
    pub(super) paths: Vec<Asked>,
    /// How the account stands by the server, and why.
    standing: Option<(Option<String>, Option<String>)>,
}

/// A path that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// `team/TEAM/MOUNT`.
    pub(super) mount: String,
    pub(super) secret: String,
    /// As people read it: the secret, or the folder that is granted.
    pub(super) name: String,
    /// Whether it stands for any secret of a folder.
    pub(super) is_example: bool,
}

impl Facts {
    /// From the command line: no server is asked.
    pub(super) fn given(
        args: &CheckArgs,
        (team, binding): (&str, &str),
        mount: &str,
        claims: Option<&Claims>,
    ) -> Result<Self, Failure> {
        let what = format!("check {team}/{binding} without the server");
        let missing = |name: &str| {
            Failure::usage(&what)
                .because(format!("there is no {name}"))
                .next(format!("`strongroom kit {team}/{binding}` tells the whole line"))
        };
        if args.paths.is_empty() {
            return Err(missing("--path"));
        }
        let role = args.role.clone().or_else(|| claims.map(|claims| claims.namespace.clone()));
        let url = args.engine.clone().or_else(|| variable(["BAO_ADDR", "VAULT_ADDR"]));
        let url = url.ok_or_else(|| missing("--engine"))?;
        let ca = variable(["BAO_CACERT", "VAULT_CACERT"]);
        let ca_pem =
            args.ca_file.as_deref().or(ca.as_deref().map(Path::new)).map(pem).transpose()?;
        Ok(Self {
            team: team.to_owned(),
            binding: format!("{team}/{binding}"),
            engine: EngineAddress { url: url.trim_end_matches('/').to_owned(), ca_pem },
            mount: mount.trim_start_matches("auth/").trim_matches('/').to_owned(),
            // A role is called like its namespace.
            namespace: args.role.clone(),
            role: role.unwrap_or_default(),
            audience: args.audience.clone(),
            accounts: Vec::new(),
            paths: places(&args.paths)?,
            standing: None,
        })
    }

    /// From the server's kit.
    pub(super) async fn from_server(
        client: impl FnOnce() -> Result<Client, Failure>,
        (team, binding): (&str, &str),
        args: &CheckArgs,
        claims: Option<&Claims>,
    ) -> Result<Self, Failure> {
        let client = client().map_err(|failure| match failure.exit {
            Exit::LoginNeeded => failure.next(format!(
                "run `strongroom login`; in a pod, where nobody is signed in, give --mount, --engine \
                 and --path: `strongroom kit {team}/{binding}` tells the whole line"
            )),
            _ => failure,
        })?;
        let what = format!("check {team}/{binding}");
        let mut kit = client.api.kit(team, binding, &[]).await?;
        // How a binding stands is told of one account.
        let other = claims.map(|claims| &claims.account);
        if let Some(account) = other.filter(|account| kit.others.contains(account)) {
            kit = client.api.kit(team, binding, &[("account", account.clone())]).await?;
        }
        same_engine(&client, &kit, &what)?;
        let paths = match args.paths.as_slice() {
            [] => kit.secrets.iter().map(asked).collect(),
            some => places(some)?,
        };
        Ok(Self::of_kit(kit, paths))
    }

    fn of_kit(kit: KitView, paths: Vec<Asked>) -> Self {
        let ca_pem = Some(kit.engine.ca_pem).filter(|pem| !pem.trim().is_empty());
        Self {
            binding: format!("{}/{}", kit.team, kit.binding),
            team: kit.team,
            engine: EngineAddress { url: kit.engine.address, ca_pem },
            mount: kit.auth_mount,
            role: kit.role,
            audience: Some(kit.audience),
            namespace: Some(kit.namespace),
            accounts: std::iter::once(kit.account).chain(kit.others).collect(),
            paths,
            standing: Some((kit.state, kit.reason)),
        }
    }

    /// The option that makes a token for the engine.
    pub(super) fn wanted(&self) -> String {
        self.audience.as_ref().map(|word| format!(" --audience {word}")).unwrap_or_default()
    }

    /// How the binding stands, as far as the server says.
    pub(super) fn tell_standing(&self, report: &mut Report) {
        match &self.standing {
            None => {}
            Some((None, _)) => report.unknown("binding", "not looked at yet by the executor"),
            Some((Some(state), _)) if state == "attached" => report.green("binding", "attached"),
            Some((Some(state), reason)) => {
                let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                report.red("binding", format!("{state}{why}"), self.look());
            }
        }
    }

    /// Where to look at how a binding stands.
    pub(super) fn look(&self) -> String {
        format!(
            "`strongroom get bindings --team {} -o wide` tells how it stands and why",
            self.team
        )
    }
}

fn pem(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Exit::Failed, format!("read the CA {}", file.display())).caused_by(&error)
    })
}

fn places(paths: &[String]) -> Result<Vec<Asked>, Failure> {
    let one = |text: &String| {
        let place = Place::parse(text)?;
        Ok(Asked {
            mount: place.mount.to_string(),
            secret: place.secret.to_string(),
            name: text.clone(),
            is_example: false,
        })
    };
    paths.iter().map(one).collect()
}

fn asked(secret: &KitSecret) -> Asked {
    let mount = secret.mount.strip_prefix("team/").unwrap_or(&secret.mount);
    let name = secret.beneath.as_ref().map(|folder| format!("{mount}/{folder}"));
    Asked {
        mount: secret.mount.clone(),
        secret: secret.path.clone(),
        is_example: name.is_some(),
        name: name.unwrap_or_else(|| secret.short_path.clone()),
    }
}

#[cfg(test)]
pub(super) mod tests;
