-- oldest: 9
-- On PostgreSQL, foreign keys of the log become triggers. Here they are cheap, and
-- there is nothing to change.
SELECT 1;
