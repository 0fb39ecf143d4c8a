-- oldest: 9
-- On PostgreSQL, how far readings were forwarded. Here they have a file of their own, with a schema of its own.
SELECT 1;
