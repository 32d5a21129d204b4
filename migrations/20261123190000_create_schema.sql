-- The first schema. Bytes that people signed or that hashes are made of are bytea, never jsonb:
-- they must come back unchanged. Bounds stand here as well as in the code, because rows are
-- hostile input to the executor.

CREATE TABLE engines (
    engine_id  uuid        NOT NULL CONSTRAINT engines_pkey PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT engines_name_length CHECK (length(name) BETWEEN 1 AND 100),
    product    text        NOT NULL CONSTRAINT engines_product_length CHECK (length(product) <= 100),
    cluster_id text        NOT NULL CONSTRAINT engines_cluster_length CHECK (length(cluster_id) <= 200),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A slug is used once: subjects are never deleted.
CREATE TABLE subjects (
    kind       text        NOT NULL CONSTRAINT subjects_kind CHECK (kind IN ('platform', 'cluster', 'team')),
    name       text        NOT NULL CONSTRAINT subjects_name_length CHECK (length(name) BETWEEN 1 AND 63),
    managed_by text        NOT NULL CONSTRAINT subjects_managed_by_length CHECK (length(managed_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subjects_pkey PRIMARY KEY (kind, name)
);

CREATE TABLE change_requests (
    request_id        uuid        NOT NULL CONSTRAINT change_requests_pkey PRIMARY KEY,
    state             text        NOT NULL CONSTRAINT change_requests_state CHECK (state IN (
        'submitted', 'in_review', 'approved', 'applying', 'applied', 'failed', 'rejected',
        'withdrawn', 'expired', 'superseded')),
    round             integer     NOT NULL DEFAULT 0 CONSTRAINT change_requests_round CHECK (round BETWEEN 0 AND 10000),
    reason            text        NOT NULL CONSTRAINT change_requests_reason_length CHECK (length(reason) BETWEEN 1 AND 4000),
    attest            text[]      NOT NULL,
    submission        bytea       NOT NULL CONSTRAINT change_requests_submission_length CHECK (octet_length(submission) <= 4194304),
    submission_hash   bytea       NOT NULL CONSTRAINT change_requests_hash_length CHECK (octet_length(submission_hash) = 32),
    submitted_issuer  text        NOT NULL,
    submitted_person  text        NOT NULL,
    submitted_display text        NOT NULL,
    risk              text,
    state_reason      text        CONSTRAINT change_requests_state_reason_length CHECK (length(state_reason) <= 4000),
    plan_hash         bytea,
    version           bigint      NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL
);
CREATE INDEX change_requests_open ON change_requests (created_at)
    WHERE state IN ('submitted', 'in_review', 'approved', 'applying');
CREATE INDEX change_requests_newest ON change_requests (created_at DESC, request_id DESC);

CREATE TABLE revisions (
    kind       text        NOT NULL,
    name       text        NOT NULL,
    number     bigint      NOT NULL CONSTRAINT revisions_number CHECK (number > 0),
    canonical  bytea       NOT NULL CONSTRAINT revisions_canonical_length CHECK (octet_length(canonical) <= 262144),
    hash       bytea       NOT NULL CONSTRAINT revisions_hash_length CHECK (octet_length(hash) = 32),
    author     text        NOT NULL,
    request_id uuid        NOT NULL CONSTRAINT revisions_request_fkey REFERENCES change_requests,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT revisions_pkey PRIMARY KEY (kind, name, number),
    CONSTRAINT revisions_subject_fkey FOREIGN KEY (kind, name) REFERENCES subjects
);

CREATE TABLE change_request_documents (
    request_id    uuid    NOT NULL CONSTRAINT change_request_documents_request_fkey REFERENCES change_requests,
    position      integer NOT NULL,
    kind          text    NOT NULL,
    name          text    NOT NULL,
    revision      bigint  NOT NULL,
    base_revision bigint  NOT NULL,
    base_hash     bytea,
    -- Who may see the request before the team exists: the groups the document names.
    seen_by       text[]  NOT NULL,
    CONSTRAINT change_request_documents_pkey PRIMARY KEY (request_id, position),
    CONSTRAINT change_request_documents_revision_fkey
        FOREIGN KEY (kind, name, revision) REFERENCES revisions
);
CREATE INDEX change_request_documents_subject ON change_request_documents (kind, name);

CREATE TABLE acts (
    act_id          uuid        NOT NULL CONSTRAINT acts_pkey PRIMARY KEY,
    request_id      uuid        NOT NULL CONSTRAINT acts_request_fkey REFERENCES change_requests,
    act             text        NOT NULL CONSTRAINT acts_act CHECK (act IN ('submit', 'approve', 'reject', 'withdraw')),
    id_token        text        NOT NULL CONSTRAINT acts_token_length CHECK (length(id_token) <= 65536),
    token_digest    bytea       NOT NULL CONSTRAINT acts_token_digest_key UNIQUE
                                CONSTRAINT acts_digest_length CHECK (octet_length(token_digest) = 32),
    statement       bytea       NOT NULL CONSTRAINT acts_statement_length CHECK (octet_length(statement) <= 65536),
    comment         text        NOT NULL CONSTRAINT acts_comment_length CHECK (length(comment) <= 4000),
    claimed_display text        NOT NULL,
    received_at     timestamptz NOT NULL
);
CREATE INDEX acts_request ON acts (request_id, received_at);

CREATE TABLE act_receipts (
    act_id     uuid        NOT NULL CONSTRAINT act_receipts_pkey PRIMARY KEY
                           CONSTRAINT act_receipts_act_fkey REFERENCES acts,
    verdict    text        NOT NULL CONSTRAINT act_receipts_verdict CHECK (verdict IN ('counted', 'refused')),
    reason     text        CONSTRAINT act_receipts_reason_length CHECK (length(reason) <= 1000),
    canonical  bytea       NOT NULL,
    signature  bytea       NOT NULL,
    key_id     text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE plans (
    request_id uuid        NOT NULL CONSTRAINT plans_request_fkey REFERENCES change_requests,
    round      integer     NOT NULL,
    canonical  bytea       NOT NULL CONSTRAINT plans_canonical_length CHECK (octet_length(canonical) <= 786432),
    hash       bytea       NOT NULL CONSTRAINT plans_hash_length CHECK (octet_length(hash) = 32),
    signature  bytea       NOT NULL,
    key_id     text        NOT NULL,
    frozen_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT plans_pkey PRIMARY KEY (request_id, round)
);

-- Intent before a write, receipt after it.
CREATE TABLE journal (
    journal_id        bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT journal_pkey PRIMARY KEY,
    engine_id         uuid        NOT NULL,
    request_id        uuid,
    plan_hash         bytea,
    standing_order    text,
    step              integer     NOT NULL,
    phase             text        NOT NULL CONSTRAINT journal_phase CHECK (phase IN ('intent', 'receipt')),
    operation         text        NOT NULL,
    object_kind       text        NOT NULL,
    object_name       text        NOT NULL,
    after_hash        bytea,
    outcome           text,
    engine_request_id text,
    epoch             bigint      NOT NULL,
    at                timestamptz NOT NULL
);
CREATE INDEX journal_request ON journal (request_id, journal_id);

-- A cache for pages of what the heads in the engine say.
CREATE TABLE subject_states (
    kind             text        NOT NULL,
    name             text        NOT NULL,
    engine_id        uuid        NOT NULL,
    applied_revision bigint      NOT NULL,
    applied_hash     bytea,
    applied_document bytea,
    pins             jsonb       NOT NULL,
    state            text        NOT NULL CONSTRAINT subject_states_state CHECK (state IN ('applying', 'applied', 'frozen')),
    request_id       uuid,
    reason           text,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT subject_states_pkey PRIMARY KEY (kind, name)
);

CREATE TABLE binding_states (
    engine_id     uuid        NOT NULL,
    team          text        NOT NULL,
    binding       text        NOT NULL,
    cluster       text        NOT NULL,
    namespace     text        NOT NULL,
    account       text        NOT NULL,
    namespace_uid text,
    account_uid   text,
    state         text        NOT NULL CONSTRAINT binding_states_state CHECK (state IN ('waiting', 'attached', 'suspended')),
    reason        text,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT binding_states_pkey PRIMARY KEY (engine_id, team, binding, cluster, namespace, account)
);

CREATE TABLE inventory_status (
    engine_id uuid        NOT NULL,
    cluster   text        NOT NULL,
    known     boolean     NOT NULL,
    reason    text,
    as_of     timestamptz NOT NULL,
    CONSTRAINT inventory_status_pkey PRIMARY KEY (engine_id, cluster)
);
CREATE TABLE inventory_namespaces (
    engine_id uuid NOT NULL,
    cluster   text NOT NULL,
    name      text NOT NULL,
    uid       text NOT NULL,
    CONSTRAINT inventory_namespaces_pkey PRIMARY KEY (engine_id, cluster, name)
);
CREATE TABLE inventory_service_accounts (
    engine_id uuid NOT NULL,
    cluster   text NOT NULL,
    namespace text NOT NULL,
    name      text NOT NULL,
    uid       text NOT NULL,
    CONSTRAINT inventory_service_accounts_pkey PRIMARY KEY (engine_id, cluster, namespace, name)
);

CREATE TABLE ledger_events (
    sequence       bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT ledger_events_pkey PRIMARY KEY,
    event_id       uuid        NOT NULL CONSTRAINT ledger_events_event_key UNIQUE,
    schema_version integer     NOT NULL,
    at             timestamptz NOT NULL,
    kind           text        NOT NULL,
    request_id     uuid,
    subject        text,
    canonical      bytea       NOT NULL CONSTRAINT ledger_events_canonical_length CHECK (octet_length(canonical) <= 262144),
    hash           bytea       NOT NULL CONSTRAINT ledger_events_hash_length CHECK (octet_length(hash) = 32)
);
CREATE INDEX ledger_events_request ON ledger_events (request_id, sequence);
CREATE INDEX ledger_events_subject ON ledger_events (subject, sequence);

CREATE TABLE outbox (
    outbox_id    bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_pkey PRIMARY KEY,
    topic        text        NOT NULL,
    payload      jsonb       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);

-- Keyed, deduplicated work; claimed with SKIP LOCKED, woken by NOTIFY, found by polling.
CREATE TABLE work (
    kind        text        NOT NULL,
    key         text        NOT NULL,
    generation  bigint      NOT NULL DEFAULT 1,
    due_at      timestamptz NOT NULL DEFAULT now(),
    attempts    integer     NOT NULL DEFAULT 0,
    holder      text,
    lease_until timestamptz,
    last_error  text,
    CONSTRAINT work_pkey PRIMARY KEY (kind, key)
);
CREATE INDEX work_due ON work (due_at);

CREATE TABLE leases (
    name       text        NOT NULL CONSTRAINT leases_pkey PRIMARY KEY,
    holder     text        NOT NULL,
    epoch      bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE sessions (
    session_id      uuid        NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    token_hash      bytea       NOT NULL CONSTRAINT sessions_token_key UNIQUE,
    issuer          text        NOT NULL,
    person          text        NOT NULL,
    display         text        NOT NULL,
    groups          text[]      NOT NULL,
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz NOT NULL,
    idle_expires_at timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    ended_at        timestamptz
);

CREATE TABLE sign_ins (
    sign_in_id   uuid        NOT NULL CONSTRAINT sign_ins_pkey PRIMARY KEY,
    nonce        text        NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    completed_at timestamptz
);

-- People as seen in sign-ins: who is in a group is known only from there.
CREATE TABLE people (
    issuer          text        NOT NULL,
    person          text        NOT NULL,
    display         text        NOT NULL,
    groups          text[]      NOT NULL,
    last_sign_in_at timestamptz NOT NULL,
    CONSTRAINT people_pkey PRIMARY KEY (issuer, person)
);

-- What the executor publishes for clients.
CREATE TABLE published_trust (
    key        text        NOT NULL CONSTRAINT published_trust_pkey PRIMARY KEY,
    value      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER subjects_kept BEFORE DELETE ON subjects FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER revisions_kept BEFORE UPDATE OR DELETE ON revisions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER acts_kept BEFORE UPDATE OR DELETE ON acts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER act_receipts_kept BEFORE UPDATE OR DELETE ON act_receipts FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plans_kept BEFORE UPDATE OR DELETE ON plans FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_kept BEFORE UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_events_kept BEFORE UPDATE OR DELETE ON ledger_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER subjects_not_emptied BEFORE TRUNCATE ON subjects FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER revisions_not_emptied BEFORE TRUNCATE ON revisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER acts_not_emptied BEFORE TRUNCATE ON acts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER act_receipts_not_emptied BEFORE TRUNCATE ON act_receipts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plans_not_emptied BEFORE TRUNCATE ON plans FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_not_emptied BEFORE TRUNCATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_events_not_emptied BEFORE TRUNCATE ON ledger_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
