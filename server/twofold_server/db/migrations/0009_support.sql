-- The support desk: cases, and what accounts and messages are looked up by.

CREATE TABLE cases (                                -- a change to an account that two agents make together
    case_id uuid CONSTRAINT cases_pkey PRIMARY KEY, -- also the id of the ticket whose link cancels it
    realm_id text NOT NULL CONSTRAINT cases_realm_fkey REFERENCES realms,
    account_id uuid NOT NULL CONSTRAINT cases_account_fkey REFERENCES accounts ON DELETE CASCADE,
    opener_id uuid NOT NULL,                        -- agents: accounts of the realm `support`, which may be gone since
    approver_id uuid,
    request_id uuid NOT NULL,
    request_mac bytea NOT NULL,                     -- of the whole request: it holds what could be guessed from a plain hash
    action text NOT NULL CONSTRAINT cases_action_check CHECK (action IN ('reset_two_factor', 'correct_email', 'correct_phone')),
    payload bytea NOT NULL,                         -- sealed: reason, evidence, the new address or number
    owner_unreachable boolean NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CONSTRAINT cases_state_check CHECK (state IN ('open', 'approved', 'rejected', 'cancelled', 'executed', 'expired')),
    create_time timestamptz NOT NULL,
    confirm_time timestamptz,                       -- of the new address or number, by whoever reads there
    approve_time timestamptz,
    wait interval,                                  -- after the approval, as the realm had it then
    expire_time timestamptz NOT NULL,
    end_time timestamptz,
    CONSTRAINT cases_request_key UNIQUE (opener_id, request_id)
);
CREATE UNIQUE INDEX cases_open_key ON cases (account_id) WHERE state IN ('open', 'approved');
CREATE INDEX cases_account ON cases (account_id, case_id);
CREATE INDEX cases_realm ON cases (realm_id, case_id);
CREATE INDEX cases_expire ON cases (expire_time) WHERE state IN ('open', 'approved');

-- The release before sets a number without it: then it is the MAC of the number before, so what it finds is compared.
ALTER TABLE phone_numbers ADD COLUMN number_mac bytea;
CREATE INDEX phone_numbers_mac ON phone_numbers (realm_id, number_mac) WHERE number_mac IS NOT NULL;

CREATE INDEX outbox_of_address ON outbox (realm_id, address_mac, outbox_id) WHERE address_mac IS NOT NULL;

-- Since support has reset its second factor it owes another one: with support's code until then, with another case afterwards.
ALTER TABLE accounts ADD COLUMN reenroll_by timestamptz;
