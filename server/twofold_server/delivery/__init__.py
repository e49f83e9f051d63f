"""What the clock calls to bring messages to people: the outbox's worker, its senders and its templates."""
