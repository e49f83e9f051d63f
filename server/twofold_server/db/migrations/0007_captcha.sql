-- Solved CAPTCHAs, each good once, and the names by which users are reminded of their address.

CREATE TABLE captchas_spent (
    realm_id text NOT NULL CONSTRAINT captchas_spent_realm_fkey REFERENCES realms,
    challenge_hash bytea NOT NULL,                  -- SHA-256 of the challenge's signature
    expire_time timestamptz NOT NULL,               -- from then on its age alone refuses it
    CONSTRAINT captchas_spent_pkey PRIMARY KEY (realm_id, challenge_hash)
);
CREATE INDEX captchas_spent_expire ON captchas_spent (expire_time);

CREATE TABLE resources (
    resource_id uuid CONSTRAINT resources_pkey PRIMARY KEY,
    realm_id text NOT NULL CONSTRAINT resources_realm_fkey REFERENCES realms,
    name_key text NOT NULL,                         -- NFKC and casefold
    name text NOT NULL,                             -- as it was written
    account_id uuid NOT NULL CONSTRAINT resources_account_fkey REFERENCES accounts ON DELETE CASCADE,
    create_time timestamptz NOT NULL,
    CONSTRAINT resources_realm_name_key UNIQUE (realm_id, name_key)
);
CREATE INDEX resources_account ON resources (account_id);
