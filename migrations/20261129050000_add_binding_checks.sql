-- Checks that run once in a cluster, as the account of a binding, and what they said of themselves.
-- It is the word of whoever held the ticket: people see it, nothing is decided by it, and the
-- executor never looks here.
CREATE TABLE binding_checks (
    ticket_hash     bytea       NOT NULL CONSTRAINT binding_checks_pkey PRIMARY KEY
                                CONSTRAINT binding_checks_hash_length CHECK (octet_length(ticket_hash) = 32),
    team            text        NOT NULL CONSTRAINT binding_checks_team_length CHECK (length(team) BETWEEN 1 AND 63),
    binding         text        NOT NULL CONSTRAINT binding_checks_binding_length CHECK (length(binding) BETWEEN 1 AND 63),
    cluster         text        NOT NULL CONSTRAINT binding_checks_cluster_length CHECK (length(cluster) BETWEEN 1 AND 63),
    namespace       text        NOT NULL CONSTRAINT binding_checks_namespace_length CHECK (length(namespace) BETWEEN 1 AND 63),
    account         text        NOT NULL CONSTRAINT binding_checks_account_length CHECK (length(account) BETWEEN 1 AND 253),
    created_issuer  text        NOT NULL CONSTRAINT binding_checks_issuer_length CHECK (length(created_issuer) <= 2000),
    created_person  text        NOT NULL CONSTRAINT binding_checks_person_length CHECK (length(created_person) <= 256),
    created_display text        NOT NULL CONSTRAINT binding_checks_display_length CHECK (length(created_display) <= 400),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    reported_at     timestamptz,
    -- Canonical JSON: the status of each answer that the engine gave, never a value.
    report          text        CONSTRAINT binding_checks_report_length CHECK (length(report) <= 100000),
    CONSTRAINT binding_checks_reported CHECK ((reported_at IS NULL) = (report IS NULL)),
    -- A time that no program can read would hide a team's bindings from who may see them.
    CONSTRAINT binding_checks_times CHECK (
        created_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' AND expires_at BETWEEN '2000-01-01Z' AND '9000-01-01Z'
        AND reported_at BETWEEN '2000-01-01Z' AND '9000-01-01Z')
);
CREATE INDEX binding_checks_place ON binding_checks (team, binding);
