-- oldest: 9
-- On PostgreSQL, what devices measure. Here it has a file of its own, with a schema of its own.
SELECT 1;
