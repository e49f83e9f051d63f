-- The ground: realms and callers, accounts and what they prove themselves with, sessions, tickets, outbox, events, revocations.
-- Times and UUIDv7 ids come from the application. A bucket is an array subscript: 1 unknown devices, 2 known ones.
-- fillfactor leaves room in the page, so that counting and rotating stay HOT: they touch no index.

CREATE TABLE realms (
    realm_id text CONSTRAINT realms_pkey PRIMARY KEY,
    display_name text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',           -- what differs from the defaults
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

CREATE TABLE callers (
    caller_id uuid CONSTRAINT callers_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT callers_name_key UNIQUE,
    credential_hash bytea NOT NULL,                 -- SHA-256 of 256 random bits
    create_time timestamptz NOT NULL,
    end_time timestamptz
);

CREATE TABLE caller_grants (
    caller_id uuid NOT NULL CONSTRAINT caller_grants_caller_fkey REFERENCES callers,
    realm_id text NOT NULL CONSTRAINT caller_grants_realm_fkey REFERENCES realms,
    role text NOT NULL CONSTRAINT caller_grants_role_check CHECK (role IN ('frontend', 'verifier', 'support', 'admin')),
    may_state_client boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL,
    CONSTRAINT caller_grants_pkey PRIMARY KEY (caller_id, realm_id, role)
);

CREATE TABLE accounts (
    account_id uuid CONSTRAINT accounts_pkey PRIMARY KEY,
    realm_id text NOT NULL CONSTRAINT accounts_realm_fkey REFERENCES realms,
    email text NOT NULL,                            -- as it was written
    email_key text NOT NULL,                        -- NFKC and casefold
    display_name text NOT NULL DEFAULT '',
    language_code text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'active' CONSTRAINT accounts_state_check CHECK (state IN ('active', 'locked')),
    epoch int NOT NULL DEFAULT 1,                   -- only rises; what carries an older one is dead
    second_factor boolean NOT NULL DEFAULT false,   -- any enrolled? here, so that the lock on this row covers it
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT accounts_realm_email_key UNIQUE (realm_id, email_key)
) WITH (fillfactor = 80);

CREATE TABLE password_credentials (
    account_id uuid CONSTRAINT password_credentials_pkey PRIMARY KEY
        CONSTRAINT password_credentials_account_fkey REFERENCES accounts ON DELETE CASCADE,
    realm_id text NOT NULL,
    hash bytea NOT NULL,                            -- sealed
    scheme text NOT NULL,                           -- algorithm and cost in the open, for the proportions of decoys
    failures smallint[] NOT NULL DEFAULT '{0,0}',
    wait_until timestamptz[] NOT NULL DEFAULT '{epoch,epoch}',
    update_time timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX password_credentials_realm ON password_credentials (realm_id);

CREATE TABLE factors (
    factor_id uuid CONSTRAINT factors_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT factors_account_fkey REFERENCES accounts ON DELETE CASCADE,
    realm_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    preferred boolean NOT NULL DEFAULT false,
    secret bytea NOT NULL,                          -- sealed
    last_step bigint NOT NULL DEFAULT 0,            -- TOTP: a step at or below it is used
    create_time timestamptz NOT NULL,
    last_use_time timestamptz
) WITH (fillfactor = 70);
CREATE INDEX factors_account ON factors (account_id);

CREATE TABLE factor_budgets (                       -- one count for all factors of a kind
    account_id uuid NOT NULL CONSTRAINT factor_budgets_account_fkey REFERENCES accounts ON DELETE CASCADE,
    kind text NOT NULL,
    failures smallint[] NOT NULL DEFAULT '{0,0}',
    wait_until timestamptz[] NOT NULL DEFAULT '{epoch,epoch}',
    CONSTRAINT factor_budgets_pkey PRIMARY KEY (account_id, kind)
) WITH (fillfactor = 70);

CREATE TABLE backup_codes (
    account_id uuid NOT NULL CONSTRAINT backup_codes_account_fkey REFERENCES accounts ON DELETE CASCADE,
    slot text NOT NULL,
    set_id uuid NOT NULL,                           -- the ten that were made together
    realm_id text NOT NULL,
    hash bytea NOT NULL,                            -- sealed
    create_time timestamptz NOT NULL,
    spent_time timestamptz,
    CONSTRAINT backup_codes_pkey PRIMARY KEY (account_id, slot)
);

-- Inlined by the planner. 0 failures: no wait.
CREATE FUNCTION wait_end(failures int, now timestamptz, waits interval[]) RETURNS timestamptz LANGUAGE sql STABLE
    RETURN coalesce(now + waits[least(failures, cardinality(waits))], 'epoch');
-- A count whose last failure is 30 days old is forgotten, for an account as for an identifier without one.
CREATE FUNCTION live_failures(failures int, wait_until timestamptz, now timestamptz) RETURNS int LANGUAGE sql STABLE
    RETURN CASE WHEN wait_until < now - interval '30 days' THEN 0 ELSE failures END;

CREATE TABLE unknown_identifiers (
    identifier_mac bytea CONSTRAINT unknown_identifiers_pkey PRIMARY KEY,   -- over realm and identifier
    failures smallint NOT NULL,
    wait_until timestamptz NOT NULL,
    expire_time timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE network_failures (
    realm_id text NOT NULL,
    network text NOT NULL,
    hour timestamptz NOT NULL,
    failures int NOT NULL,
    CONSTRAINT network_failures_pkey PRIMARY KEY (realm_id, network, hour)
) WITH (fillfactor = 70);

CREATE TABLE devices (
    device_id uuid CONSTRAINT devices_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT devices_account_fkey REFERENCES accounts ON DELETE CASCADE,
    realm_id text NOT NULL,
    epoch int NOT NULL,
    salt bytea NOT NULL,
    generation int NOT NULL DEFAULT 0,
    trusted_until timestamptz,
    create_time timestamptz NOT NULL,
    last_use_time timestamptz NOT NULL,
    end_time timestamptz
) WITH (fillfactor = 70);
CREATE INDEX devices_account ON devices (account_id);

CREATE TABLE sessions (
    session_id uuid CONSTRAINT sessions_pkey PRIMARY KEY,
    realm_id text NOT NULL,
    account_id uuid NOT NULL CONSTRAINT sessions_account_fkey REFERENCES accounts ON DELETE CASCADE,
    device_id uuid,
    client_id text NOT NULL,                        -- the caller that it was issued to
    epoch int NOT NULL,
    salt bytea NOT NULL,
    generation int NOT NULL DEFAULT 0,
    audience text NOT NULL,
    amr text[] NOT NULL,
    aal smallint NOT NULL,
    auth_time timestamptz NOT NULL,
    second_factor_time timestamptz,
    ip_address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL,
    rotated_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,               -- moved on by a refresh, never past the next
    absolute_expire_time timestamptz NOT NULL,
    end_time timestamptz
) WITH (fillfactor = 70);
CREATE INDEX sessions_account ON sessions (account_id, session_id);

CREATE TABLE tickets (
    ticket_id uuid CONSTRAINT tickets_pkey PRIMARY KEY,
    realm_id text NOT NULL CONSTRAINT tickets_realm_fkey REFERENCES realms,
    purpose text NOT NULL,
    subject text NOT NULL,
    slot smallint,                                  -- 1 single, 1..3 bounded, NULL unbounded (NULLs never collide)
    handle_hash bytea NOT NULL CONSTRAINT tickets_handle_key UNIQUE,
    binding_hash bytea,
    account_id uuid CONSTRAINT tickets_account_fkey REFERENCES accounts ON DELETE CASCADE,
    epoch int,
    session_id uuid,                                -- the session that it steps up, or that it became
    device_id uuid,
    client_id text,
    payload bytea NOT NULL,                         -- sealed
    attempts smallint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    spent_time timestamptz,
    spent_proof bytea,                              -- MAC of the code that spent it, for a lost answer's repeat
    CONSTRAINT tickets_slot_key UNIQUE (realm_id, purpose, subject, slot)
) WITH (fillfactor = 80);
CREATE INDEX tickets_account ON tickets (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX tickets_expire ON tickets (expire_time);

CREATE TABLE resend_waits (                         -- keyed by what was presented, so that what exists can't be told from what does not
    key_mac bytea CONSTRAINT resend_waits_pkey PRIMARY KEY,
    next_time timestamptz NOT NULL,
    sends smallint NOT NULL,
    expire_time timestamptz NOT NULL
);

CREATE TABLE outbox (
    outbox_id uuid CONSTRAINT outbox_pkey PRIMARY KEY,
    realm_id text NOT NULL,
    account_id uuid,
    ticket_id uuid,
    kind text NOT NULL,
    address_mac bytea,                              -- of the address, for its budget
    payload bytea,                                  -- sealed; erased when sent, expired or superseded
    priority smallint NOT NULL,                     -- 1 codes and links, 5 notices
    create_time timestamptz NOT NULL,
    due_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    claim uuid,
    attempts smallint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'waiting'
        CONSTRAINT outbox_state_check CHECK (state IN ('waiting', 'sent', 'expired', 'superseded', 'over_budget', 'dead')),
    failure text,                                   -- why the last attempt failed; never the body or the address
    end_time timestamptz
) WITH (fillfactor = 70);
CREATE INDEX outbox_due ON outbox (priority, due_time) WHERE state = 'waiting';
CREATE INDEX outbox_address ON outbox (realm_id, address_mac, end_time) WHERE state = 'sent';
CREATE INDEX outbox_account ON outbox (account_id) WHERE account_id IS NOT NULL;

CREATE TABLE events (
    event_id uuid CONSTRAINT events_pkey PRIMARY KEY,
    realm_id text NOT NULL,
    account_id uuid,
    kind text NOT NULL,
    client_id text,
    create_time timestamptz NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',            -- nothing personal, nothing secret
    personal jsonb,                                 -- address and user agent; erased with the account
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint                                 -- given by the sealer
);
CREATE INDEX events_account ON events (account_id, event_id);

CREATE TABLE revocations (
    revocation_id uuid CONSTRAINT revocations_pkey PRIMARY KEY,
    realm_id text NOT NULL,
    kind text NOT NULL CONSTRAINT revocations_kind_check CHECK (kind IN ('account', 'session', 'api_key', 'signing_key', 'realm')),
    subject text NOT NULL,
    epoch int,                                      -- of an account: below it all is dead
    expire_time timestamptz NOT NULL,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX revocations_tx ON revocations (tx);

CREATE TABLE signing_keys (                         -- one set for the deployment
    key_id text CONSTRAINT signing_keys_pkey PRIMARY KEY,
    private_key bytea NOT NULL,                     -- sealed PKCS #8
    public_key bytea NOT NULL,                      -- SubjectPublicKeyInfo, DER
    publish_time timestamptz NOT NULL,
    sign_time timestamptz NOT NULL,
    retire_time timestamptz
);

INSERT INTO realms (realm_id, display_name, create_time, update_time) VALUES ('default', 'Twofold', now(), now());
