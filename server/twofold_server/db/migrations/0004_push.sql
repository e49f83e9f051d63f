-- Approvers: the phones that approve, what they have proven themselves with, and how often they were asked.

-- Who answered: an approval counts while this phone is paired, and goes with it.
ALTER TABLE tickets ADD COLUMN approver_id uuid;
ALTER TABLE tickets DROP CONSTRAINT IF EXISTS tickets_answer_check;
ALTER TABLE tickets ADD CONSTRAINT tickets_answer_check
    CHECK (answer IN ('asked', 'approved', 'denied', 'not_me', 'wrong_number'));
-- Small, as what is asked lasts a minute. No other change of a ticket touches it.
CREATE INDEX tickets_asked ON tickets (account_id) WHERE answer = 'asked';

-- To the operator's push service.
ALTER TABLE outbox DROP CONSTRAINT IF EXISTS outbox_channel_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_channel_check CHECK (channel IN ('email', 'sms', 'hook'));

CREATE TABLE approvers (
    approver_id uuid CONSTRAINT approvers_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT approvers_account_fkey REFERENCES accounts ON DELETE CASCADE,
    realm_id text NOT NULL,
    enrollment_id uuid NOT NULL CONSTRAINT approvers_enrollment_key UNIQUE,    -- the enrolment's ticket: one phone each
    -- NULL until the enrolment is finished: such a one may nothing yet. Whatever removes the factor unpairs the phone.
    factor_id uuid CONSTRAINT approvers_factor_key UNIQUE CONSTRAINT approvers_factor_fkey REFERENCES factors ON DELETE CASCADE,
    public_key bytea NOT NULL,                      -- SubjectPublicKeyInfo, DER
    algorithm text NOT NULL CONSTRAINT approvers_algorithm_check CHECK (algorithm IN ('ES256', 'Ed25519')),
    name text NOT NULL,
    wake_up_token bytea,                            -- sealed; NULL: not woken
    create_time timestamptz NOT NULL,
    last_use_time timestamptz
) WITH (fillfactor = 80);
ALTER TABLE tickets ADD CONSTRAINT tickets_approver_fkey FOREIGN KEY (approver_id) REFERENCES approvers ON DELETE CASCADE;
CREATE INDEX tickets_approver ON tickets (approver_id) WHERE approver_id IS NOT NULL;
CREATE INDEX approvers_account ON approvers (account_id);
CREATE INDEX approvers_unfinished ON approvers (create_time) WHERE factor_id IS NULL;

CREATE TABLE approver_proofs (                      -- a proof is good once: its row is what the second use meets
    approver_id uuid NOT NULL CONSTRAINT approver_proofs_approver_fkey REFERENCES approvers ON DELETE CASCADE,
    proof_hash bytea NOT NULL,                      -- SHA-256 of its jti
    expire_time timestamptz NOT NULL,               -- from then on its age alone refuses it
    CONSTRAINT approver_proofs_pkey PRIMARY KEY (approver_id, proof_hash)
);
CREATE INDEX approver_proofs_expire ON approver_proofs (expire_time);

CREATE TABLE approval_limits (                      -- when phones were asked and nobody approved
    account_id uuid NOT NULL CONSTRAINT approval_limits_account_fkey REFERENCES accounts ON DELETE CASCADE,
    bucket smallint NOT NULL,                       -- 1 unknown devices, 2 known ones
    asked_times timestamptz[] NOT NULL,
    CONSTRAINT approval_limits_pkey PRIMARY KEY (account_id, bucket)
) WITH (fillfactor = 70);
