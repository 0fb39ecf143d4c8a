-- oldest: 9
-- On PostgreSQL, a list of what is to be indexed. Here search_head tells it.
SELECT 1;
