//! Starts and stops the real parts on one machine: Postgres, OpenBao, an OIDC provider, a Kubernetes API.
