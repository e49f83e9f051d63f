-- Distinct channels: what a password was last set through, until the user has signed in with a factor on another channel.

ALTER TABLE password_credentials ADD COLUMN set_through text;   -- 'email:' and the address's key
