-- Machines that may ask the API: an API key, of which the hash is kept, or one service account, known
-- by its UID. They read and propose; they sign nothing, and the executor never looks here.
CREATE TABLE machines (
    machine_id        uuid        NOT NULL CONSTRAINT machines_pkey PRIMARY KEY,
    name              text        NOT NULL CONSTRAINT machines_name_length CHECK (length(name) BETWEEN 1 AND 63),
    -- The one team it may see; none: all of them, as the platform does.
    team              text        CONSTRAINT machines_team_length CHECK (length(team) BETWEEN 1 AND 63),
    scope             text        NOT NULL CONSTRAINT machines_scope CHECK (scope IN ('read', 'propose')),
    key_hash          bytea       CONSTRAINT machines_key_hash_key UNIQUE
                                  CONSTRAINT machines_key_hash_length CHECK (octet_length(key_hash) = 32),
    -- The first characters of the key, by which its owner recognises it.
    key_hint          text        CONSTRAINT machines_key_hint_length CHECK (length(key_hint) <= 16),
    account_cluster   text        CONSTRAINT machines_cluster_length CHECK (length(account_cluster) <= 63),
    account_namespace text        CONSTRAINT machines_namespace_length CHECK (length(account_namespace) <= 63),
    account_name      text        CONSTRAINT machines_account_length CHECK (length(account_name) <= 253),
    account_uid       text        CONSTRAINT machines_uid_length CHECK (length(account_uid) BETWEEN 1 AND 100),
    created_issuer    text        NOT NULL CONSTRAINT machines_issuer_length CHECK (length(created_issuer) <= 2000),
    created_person    text        NOT NULL CONSTRAINT machines_person_length CHECK (length(created_person) <= 256),
    created_display   text        NOT NULL CONSTRAINT machines_display_length CHECK (length(created_display) <= 400),
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    last_used_at      timestamptz,
    ended_at          timestamptz,
    -- A time that no program can read would hide all machines from who may see them.
    CONSTRAINT machines_times CHECK (
        created_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' AND expires_at BETWEEN '2000-01-01Z' AND '9000-01-01Z'
        AND last_used_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' AND ended_at BETWEEN '2000-01-01Z' AND '9000-01-01Z'),
    CONSTRAINT machines_one_proof CHECK (
        (key_hash IS NOT NULL AND key_hint IS NOT NULL AND account_cluster IS NULL
            AND account_namespace IS NULL AND account_name IS NULL AND account_uid IS NULL)
        OR (key_hash IS NULL AND key_hint IS NULL AND account_cluster IS NOT NULL
            AND account_namespace IS NOT NULL AND account_name IS NOT NULL AND account_uid IS NOT NULL))
);
-- A name is of one live machine of its team; an account stands for one live machine.
CREATE UNIQUE INDEX machines_live_name ON machines (coalesce(team, ''), name) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX machines_live_account ON machines (account_cluster, account_uid) WHERE ended_at IS NULL;
