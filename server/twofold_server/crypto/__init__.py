"""Pure mechanism: sealing, hashing, one-time codes and tokens; knows nothing of accounts, calls or the database."""
