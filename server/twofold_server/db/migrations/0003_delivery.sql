-- Messages by SMS beside those by e-mail, what they may cost, the numbers of accounts, and texts of a realm's own.
-- The release before knows no channel: a text message that one of its workers takes ends as dead, and its caller is told so.

ALTER TABLE outbox
    ADD COLUMN channel text NOT NULL DEFAULT 'email'
        CONSTRAINT outbox_channel_check CHECK (channel IN ('email', 'sms')),
    ADD COLUMN provider text,                       -- which has it, or may have it: no other one is tried then
    ADD COLUMN refusal text;                        -- why it was refused, as the contract names it
CREATE INDEX outbox_channel_due ON outbox (channel, priority, due_time) WHERE state = 'waiting';
CREATE INDEX outbox_ticket ON outbox (ticket_id, create_time) WHERE ticket_id IS NOT NULL;

CREATE TABLE sms_counts (                           -- what was admitted, by scope and window
    realm_id text NOT NULL,
    scope text NOT NULL,                            -- `day`, `country:CZ`, or `prefix:`, `hour:` and so on with a MAC
    start_time timestamptz NOT NULL,                -- of the hour or the day in UTC
    admitted int NOT NULL,
    CONSTRAINT sms_counts_pkey PRIMARY KEY (realm_id, scope, start_time)
) WITH (fillfactor = 70);
CREATE INDEX sms_counts_start ON sms_counts (start_time);

CREATE TABLE phone_numbers (                        -- the verified number of an account
    account_id uuid CONSTRAINT phone_numbers_pkey PRIMARY KEY
        CONSTRAINT phone_numbers_account_fkey REFERENCES accounts ON DELETE CASCADE,
    realm_id text NOT NULL,
    number bytea NOT NULL,                          -- sealed
    verify_time timestamptz NOT NULL
);

CREATE TABLE realm_texts (                          -- a realm's own wording, in plain {placeholders}
    realm_id text NOT NULL CONSTRAINT realm_texts_realm_fkey REFERENCES realms,
    language_code text NOT NULL,
    text_key text NOT NULL,                         -- such as `sign_in_code.subject`
    content text NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT realm_texts_pkey PRIMARY KEY (realm_id, language_code, text_key)
);
