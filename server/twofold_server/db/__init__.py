"""The ground floor's SQL: one module per noun, one async function per statement; asyncpg is known here alone."""
