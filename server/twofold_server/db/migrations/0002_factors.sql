-- Further kinds of second factor: what is sent for a challenge, how strong a factor is, and what a session has proven.

ALTER TABLE tickets ADD COLUMN code_mac bytea;      -- HMAC of a short code, compared in the statement that judges it
ALTER TABLE tickets ADD COLUMN answer text;         -- of the phone that was asked: asked, approved, denied, not_me, wrong_number

-- 1 e-mail, 2 SMS, 3 what needs a thing in hand. Every factor of before is one of the last.
ALTER TABLE factors ADD COLUMN strength smallint NOT NULL DEFAULT 3;
ALTER TABLE factors ADD COLUMN credential_hash bytea;   -- of a passkey's id: the search key of a sign-in without a password
CREATE UNIQUE INDEX factors_credential_key ON factors (realm_id, credential_hash) WHERE credential_hash IS NOT NULL;

-- Of the factor whose proof second_factor_time dates. What the release before writes counts as weak until it is proven again.
ALTER TABLE sessions ADD COLUMN factor_strength smallint NOT NULL DEFAULT 0;
UPDATE sessions SET factor_strength = 3 WHERE second_factor_time IS NOT NULL;

-- Shown to their owner, who may end them.
ALTER TABLE devices ADD COLUMN user_agent text NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN ip_address text NOT NULL DEFAULT '';
