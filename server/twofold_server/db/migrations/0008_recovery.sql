-- Recovery: second factors that go when a realm's wait is over.

-- Looked at every few seconds, and nearly always empty.
CREATE INDEX tickets_pending_recovery ON tickets (expire_time) WHERE purpose = 'recovery_pending' AND spent_time IS NULL;
