//! What is on this machine: the context file, who may change it, and which server it is for.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use url::Url;

use super::report::Report;
use crate::api::types::EngineView;
use crate::args::Globals;
use crate::failure::Failure;
use crate::trust::Trust;
use crate::{client, context, machine};

/// What is known without asking anybody.
#[derive(Debug)]
pub(super) struct Here {
    /// The server that is asked.
    pub(super) server: Option<Url>,
    /// What was pinned for that server.
    pub(super) pinned: Option<Trust>,
}

impl Here {
    /// The engine that the pinned trust names.
    pub(super) fn engine(&self) -> Option<&EngineView> {
        self.pinned.as_ref().map(|trust| &trust.view.engine)
    }
}

/// Looks at it. Only a wrong command line is a failure.
pub(super) fn look(globals: &Globals, report: &mut Report) -> Result<Here, Failure> {
    let machine = machine::named(globals)?;
    let given = globals.server.as_deref().map(client::server).transpose()?;
    let path = context::path(globals)?;
    let known = match context::read(&path) {
        Ok(Some(known)) => {
            modes(&path, report);
            Some(known)
        }
        Ok(None) if machine.is_some() => {
            let text = "there is none, so nothing is pinned here and no plan can be checked";
            report.unknown("context", text);
            None
        }
        Ok(None) => {
            let text = format!("{} is not there yet", path.display());
            report.red("context", text, "run `strongroom login --server URL`");
            None
        }
        Err(failure) => {
            report.failed("context", &failure);
            None
        }
    };
    let server = machine.map(|machine| machine.server).or(given);
    let server = server.or_else(|| known.as_ref().map(|known| known.server.clone()));
    let known = known.filter(|known| Some(&known.server) == server.as_ref());
    let pinned = known.map(|known| context::check(&path, known.trust)).transpose();
    let pinned = pinned.unwrap_or_else(|failure| {
        report.failed("context", &failure);
        None
    });
    Ok(Here { server, pinned })
}

/// The file itself is read only when it is its owner's alone; whoever may write its folder could put
/// another one, with other trust, in its place.
fn modes(path: &Path, report: &mut Report) {
    let mode =
        |path: &Path| std::fs::metadata(path).map(|found| found.permissions().mode() & 0o7777);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match (mode(path), mode(folder)) {
        (Ok(file), Ok(around)) => {
            // In a sticky folder only the owner takes a file away.
            if around & 0o022 != 0 && around & 0o1000 == 0 {
                let text = format!(
                    "others may replace {}: its folder has mode {around:o}",
                    path.display()
                );
                report.red("context", text, format!("run `chmod go-w {}`", folder.display()));
            } else {
                report.green("context", format!("{}, mode {file:o}", path.display()));
            }
        }
        _ => report.unknown("context", format!("the modes of {} cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};

    use clap::Parser as _;
    use strongroom_acts::SigningKey;

    use super::super::report::Verdict;
    use super::*;
    use crate::context::Context;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        globals: Globals,
    }

    fn looked(context: &Path, server: Option<&str>) -> (Here, Report) {
        let mut globals = Line::parse_from(["x"]).globals;
        globals.context = Some(context.to_path_buf());
        globals.server = server.map(str::to_owned);
        globals.api_key_file = None;
        let mut report = Report::default();
        let here = look(&globals, &mut report).unwrap();
        (here, report)
    }

    #[test]
    fn a_context_that_others_may_replace_is_red() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state");
        let path = folder.join("context.json");
        let (here, report) = looked(&path, None);
        assert!(here.server.is_none() && here.engine().is_none());
        assert_eq!(report.checks[0].verdict, Verdict::Red);
        assert!(report.checks[0].next.as_ref().unwrap().contains("strongroom login"));

        let key = SigningKey::generate().unwrap().public();
        let server: Url = "https://strongroom.example.com".parse().unwrap();
        let trust = crate::trust::tests::view(&[key]);
        context::write(&path, &Context::new(server.clone(), trust, None)).unwrap();
        let (here, report) = looked(&path, None);
        assert_eq!(here.server, Some(server));
        assert_eq!(here.engine().unwrap().address, "https://engine.example.com:8200");
        assert_eq!(report.checks[0].verdict, Verdict::Green);
        assert!(report.checks[0].text.ends_with("context.json, mode 600"));

        set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let (_, report) = looked(&path, None);
        assert_eq!(report.checks[0].verdict, Verdict::Red);
        assert!(report.checks[0].text.contains("its folder has mode 777"));
        set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(looked(&path, None).1.checks[0].verdict, Verdict::Green);

        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let (here, report) = looked(&path, None);
        assert!(here.pinned.is_none());
        assert!(report.checks[0].next.as_ref().unwrap().contains("chmod 600"));
    }

    #[test]
    fn what_was_pinned_for_one_server_says_nothing_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("context.json");
        let key = SigningKey::generate().unwrap().public();
        let server: Url = "https://strongroom.example.com".parse().unwrap();
        let trust = crate::trust::tests::view(&[key]);
        context::write(&path, &Context::new(server, trust, None)).unwrap();
        let (here, _) = looked(&path, Some("https://other.example.com"));
        assert_eq!(here.server.unwrap().host_str(), Some("other.example.com"));
        assert!(here.pinned.is_none());
    }
}
