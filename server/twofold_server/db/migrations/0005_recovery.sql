-- Recovery: the channel that last set a password, and second factors that go when a realm's wait is over.

-- MAC of the mailbox by whose link it was set; NULL: set in a session or at sign-up.
ALTER TABLE password_credentials ADD COLUMN IF NOT EXISTS set_by bytea;

-- Looked at every few seconds, and nearly always empty.
CREATE INDEX tickets_pending_recovery ON tickets (expire_time) WHERE purpose = 'recovery_pending' AND spent_time IS NULL;
