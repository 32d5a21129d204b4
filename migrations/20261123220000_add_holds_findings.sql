-- Suspensions are acts of their own: they belong to no request, and name what stands still.
ALTER TABLE acts DROP CONSTRAINT acts_act;
ALTER TABLE acts ADD CONSTRAINT acts_act CHECK (act IN ('submit', 'approve', 'reject', 'withdraw', 'suspend'));
ALTER TABLE acts ALTER COLUMN request_id DROP NOT NULL;
ALTER TABLE acts ADD COLUMN target text CONSTRAINT acts_target_length CHECK (length(target) BETWEEN 1 AND 200);
ALTER TABLE acts ADD CONSTRAINT acts_about CHECK (
    (act = 'suspend') <> (target IS NULL) AND (act = 'suspend') = (request_id IS NULL));
CREATE INDEX acts_suspensions ON acts (received_at) WHERE act = 'suspend';

-- What a request lets go on again; the signed submission holds it too.
ALTER TABLE change_requests ADD COLUMN lift text[] NOT NULL DEFAULT '{}';

-- What stands still, by target, as the head says; for pages.
ALTER TABLE subject_states ADD COLUMN holds jsonb NOT NULL DEFAULT '{}';

ALTER TABLE binding_states DROP CONSTRAINT binding_states_state;
ALTER TABLE binding_states ADD CONSTRAINT binding_states_state
    CHECK (state IN ('waiting', 'attached', 'suspended', 'ended'));

-- What is not as it should be, as last seen. A cache: the next look makes it anew.
CREATE TABLE findings (
    engine_id   uuid        NOT NULL,
    key         text        NOT NULL CONSTRAINT findings_key_length CHECK (length(key) BETWEEN 1 AND 500),
    kind        text        NOT NULL CONSTRAINT findings_kind_length CHECK (length(kind) BETWEEN 1 AND 100),
    severity    text        NOT NULL CONSTRAINT findings_severity CHECK (severity IN ('info', 'warning', 'alarm')),
    subject     text,
    object      text,
    text        text        NOT NULL CONSTRAINT findings_text_length CHECK (length(text) <= 4000),
    next_step   text        NOT NULL CONSTRAINT findings_next_step_length CHECK (length(next_step) <= 2000),
    culprit     text        CONSTRAINT findings_culprit_length CHECK (length(culprit) <= 1000),
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    resolved_at timestamptz,
    CONSTRAINT findings_pkey PRIMARY KEY (engine_id, key)
);
CREATE INDEX findings_open ON findings (engine_id, first_seen) WHERE resolved_at IS NULL;
