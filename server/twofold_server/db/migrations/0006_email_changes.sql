-- A change of address that was taken back, and the User-Agent of a session that goes on.

-- By the link that the address before was mailed: until then no session changes address, number, password or factors. NULL: never, or over.
ALTER TABLE accounts ADD COLUMN changes_frozen_until timestamptz;

-- The event of the last change of User-Agent: of two refreshes that show the same change one finds its own id here, and tells of it.
ALTER TABLE sessions ADD COLUMN user_agent_event_id uuid;
