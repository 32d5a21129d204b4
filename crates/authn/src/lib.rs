//! OIDC sign-in, sessions, and the provider's discovery and keys.
