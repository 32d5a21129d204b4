//! The ways to run secrets into a workload, each as files that can be applied as they are.

mod agent;
mod check;
mod ci;
mod csi;
mod eso;
mod http;
mod injector;
mod vso;

pub use check::Reporting;

use crate::kit::{Kit, Secret};
use crate::text::{indented, plain};

/// A way to run secrets into a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The agent injector's annotations on a pod.
    Injector,
    /// An agent's own configuration file.
    Agent,
    /// Vault Secrets Operator.
    Vso,
    /// External Secrets Operator.
    Eso,
    /// Secrets Store CSI driver.
    Csi,
    /// A CI job that runs under the service account.
    Ci,
    /// Plain HTTP.
    Http,
    /// A Job that says whether the account reads what it should.
    Check,
}

impl Format {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Injector,
        Self::Agent,
        Self::Vso,
        Self::Eso,
        Self::Csi,
        Self::Ci,
        Self::Http,
        Self::Check,
    ];

    /// The word on the command line and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Injector => "injector",
            Self::Agent => "agent",
            Self::Vso => "vso",
            Self::Eso => "eso",
            Self::Csi => "csi",
            Self::Ci => "ci",
            Self::Http => "http",
            Self::Check => "check",
        }
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Injector => "agent injector: annotations of a pod",
            Self::Agent => "agent: its own configuration file",
            Self::Vso => "Vault Secrets Operator: into a Kubernetes Secret",
            Self::Eso => "External Secrets Operator: into a Kubernetes Secret",
            Self::Csi => "Secrets Store CSI driver: as files of a pod",
            Self::Ci => "CI job under the service account",
            Self::Http => "plain HTTP, with curl",
            Self::Check => "a Job that says whether the account reads what it should",
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// The files of one way, and what has to be known about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Which way.
    pub format: Format,
    /// The files.
    pub files: Vec<File>,
    /// What the reader has to know, a sentence each.
    pub notes: Vec<String>,
}

/// The files of one way.
pub fn sheet(kit: &Kit, format: Format) -> Sheet {
    let (files, mut notes) = match format {
        Format::Injector => injector::files(kit),
        Format::Agent => agent::files(kit),
        Format::Vso => vso::files(kit),
        Format::Eso => eso::files(kit),
        Format::Csi => csi::files(kit),
        Format::Ci => ci::files(kit),
        Format::Http => http::files(kit),
        Format::Check => check::files(kit, None),
    };
    stand_ins(kit, &mut notes);
    Sheet { format, files, notes }
}

/// A check that reports once.
pub fn check_sheet(kit: &Kit, reporting: &Reporting) -> Sheet {
    let (files, mut notes) = check::files(kit, Some(reporting));
    stand_ins(kit, &mut notes);
    Sheet { format: Format::Check, files, notes }
}

/// What stands for something that the reader knows.
fn stand_ins(kit: &Kit, notes: &mut Vec<String>) {
    for secret in &kit.secrets {
        if let Some(beneath) = &secret.beneath {
            notes.push(format!(
                "{} stands for any secret of {beneath} in {}: put the name of yours in its place",
                secret.path, secret.mount
            ));
        }
    }
}

/// The name of the Kubernetes Secret with the engine's CA.
const CA_SECRET: &str = "strongroom-ca";

/// What has to be known of operators that copy values into the cluster.
const IN_A_SECRET: &str = "the values then stand in a Kubernetes Secret, readable by whoever may \
                           read Secrets in the namespace";

/// Where a pod finds its token for the engine.
const TOKEN_DIR: &str = "/var/run/secrets/strongroom";

fn file(name: &'static str, text: String) -> File {
    File { name, text }
}

/// The name of what holds one secret in the namespace, where other bindings have their own.
fn object_name(kit: &Kit, secret: &Secret) -> String {
    format!("{}-{}", kit.binding, secret.name)
}

/// The Secret with the engine's CA; none where the system's roots do.
fn ca_secret(kit: &Kit) -> Option<File> {
    if kit.engine.ca_pem.trim().is_empty() {
        return None;
    }
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {CA_SECRET}\n  namespace: {}\n\
         stringData:\n  ca.crt: |\n{}",
        plain(kit.namespace.as_str()),
        indented(&kit.engine.ca_pem, 4)
    );
    Some(file("ca.yaml", text))
}

/// The volume with a token that the engine accepts; an ordinary token is for another audience.
fn token_volume(kit: &Kit, spaces: usize) -> String {
    let text = format!(
        "- name: strongroom-token\n  projected:\n    sources:\n      - serviceAccountToken:\n          \
         path: token\n          audience: {}\n          expirationSeconds: 600\n",
        crate::text::quoted(&kit.audience)
    );
    indented(&text, spaces)
}
