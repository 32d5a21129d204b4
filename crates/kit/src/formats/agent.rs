//! An agent beside the workload, with a configuration file of its own.

use std::fmt::Write as _;

use strongroom_vault_model::object::LoginMethod;

use super::{File, TOKEN_DIR, file};
use crate::kit::Kit;
use crate::text::quoted;

pub fn files(kit: &Kit) -> (Vec<File>, Vec<String>) {
    let (method, token) = match kit.login {
        LoginMethod::Kubernetes => ("kubernetes", "token_path"),
        LoginMethod::Jwt => ("jwt", "path"),
    };
    let has_ca = !kit.engine.ca_pem.trim().is_empty();
    let ca = if has_ca { "  ca_cert = \"ca.crt\"\n" } else { "" };
    let keep = match kit.login {
        LoginMethod::Kubernetes => "",
        LoginMethod::Jwt => "      remove_jwt_after_reading = false\n",
    };
    let mut text = format!(
        "# bao agent -config=agent.hcl (or: vault agent -config=agent.hcl)\n\
         vault {{\n  address = {address}\n{ca}}}\n\n\
         auto_auth {{\n  method \"{method}\" {{\n    mount_path = \"auth/{mount}\"\n    \
         config = {{\n      role = {role}\n      {token} = \"{TOKEN_DIR}/token\"\n{keep}    }}\n  \
         }}\n}}\n",
        address = quoted(&kit.engine.address),
        mount = kit.auth_mount(),
        role = quoted(kit.role()),
    );
    for secret in &kit.secrets {
        let _ = write!(
            text,
            "\ntemplate {{\n  contents = <<EOT\n\
             {{{{ with secret \"{path}\" }}}}{{{{ range $key, $value := .Data.data -}}}}\n\
             {{{{ $key }}}}={{{{ $value }}}}\n\
             {{{{ end }}}}{{{{ end }}}}\nEOT\n  destination = \"secrets/{name}\"\n  \
             error_on_missing_key = true\n}}\n",
            path = secret.data_path(),
            name = secret.name,
        );
    }
    let mut files = vec![file("agent.hcl", text)];
    if has_ca {
        files.push(file("ca.crt", format!("{}\n", kit.engine.ca_pem.trim())));
    }
    let notes = vec![format!(
        "{TOKEN_DIR}/token is a projected token of the account with the audience {}; the files of \
         `injector` and `http` show the volume",
        kit.audience
    )];
    (files, notes)
}
