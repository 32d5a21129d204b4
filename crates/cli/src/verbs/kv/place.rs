//! Where a secret or a folder is, as people write it.

use strongroom_vault_model::path::{SecretPath, TeamMount};

use crate::failure::Failure;

/// One secret, or one folder with its `/*`, in a team's mount.
#[derive(Debug)]
pub(in crate::verbs) struct Place {
    pub(in crate::verbs) mount: TeamMount,
    pub(in crate::verbs) secret: SecretPath,
}

impl Place {
    pub(in crate::verbs) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::usage(format!("read the path {text:?}")).because(why).next(
                "name TEAM/MOUNT/SECRET without `team/` and `data/`, for example \
                 payments/kv/prod/api/db",
            )
        };
        let mut parts = text.splitn(3, '/');
        let (Some(team), Some(mount), Some(secret)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it has fewer than three parts".to_owned()));
        };
        let mount = TeamMount {
            team: team.parse().map_err(|error| wrong(format!("{error}")))?,
            mount: mount.parse().map_err(|error| wrong(format!("{error}")))?,
        };
        let secret = SecretPath::new(secret).map_err(|error| wrong(format!("{error}")))?;
        if secret.is_beneath() {
            return Err(wrong("it names a folder, not a secret".to_owned()));
        }
        Ok(Self { mount, secret })
    }

    /// `TEAM/MOUNT` or `TEAM/MOUNT/FOLDER`.
    pub(super) fn folder(text: &str) -> Result<Self, Failure> {
        let folder = text.trim_end_matches('/').trim_end_matches("/*");
        let wrong = |why: String| {
            Failure::usage(format!("read the path {text:?}"))
                .because(why)
                .next("name TEAM/MOUNT or TEAM/MOUNT/FOLDER, for example payments/kv/prod")
        };
        let mut parts = folder.splitn(3, '/');
        let (Some(team), Some(mount)) = (parts.next(), parts.next()) else {
            return Err(wrong("it names no mount".to_owned()));
        };
        let beneath = parts.next().map_or_else(|| "*".to_owned(), |folder| format!("{folder}/*"));
        Ok(Self {
            mount: TeamMount {
                team: team.parse().map_err(|error| wrong(format!("{error}")))?,
                mount: mount.parse().map_err(|error| wrong(format!("{error}")))?,
            },
            secret: SecretPath::new(&beneath).map_err(|error| wrong(format!("{error}")))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_path_names_one_secret_in_one_mount() {
        let place = Place::parse("payments/kv/prod/api/db").unwrap();
        assert_eq!(place.mount.to_string(), "team/payments/kv");
        assert_eq!(place.secret.to_string(), "prod/api/db");
        for bad in ["payments/kv", "payments/kv/", "payments/kv/a/*", "Payments/kv/a", "a/b/../c"] {
            assert_eq!(Place::parse(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn a_folder_is_a_mount_or_beneath_it() {
        let folder = |text: &str| Place::folder(text).map(|place| place.secret.to_string());
        assert_eq!(folder("payments/kv").unwrap(), "*");
        assert_eq!(folder("payments/kv/").unwrap(), "*");
        assert_eq!(folder("payments/kv/prod/api/").unwrap(), "prod/api/*");
        for bad in ["payments", "payments/kv/../x", "Payments/kv", "payments/kv/a//b"] {
            assert_eq!(folder(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
