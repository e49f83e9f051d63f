-- A caller's credential before the last, good until the overlap of its rotation ends.

-- The release before knows the last one alone, and refuses this one: rotate once every server has been brought up.
ALTER TABLE callers ADD COLUMN previous_hash bytea; -- SHA-256 of 256 random bits
ALTER TABLE callers ADD COLUMN previous_until timestamptz;
