-- oldest: 9
-- Deleted accounts by when they were deleted: what their devices measured is looked for every few seconds.
CREATE INDEX users_erased ON users (last_seen_at) WHERE disabled AND folded = '';
