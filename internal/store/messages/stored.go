package messages

import (
	"context"
)

// StoredBy returns the bytes of what user and their devices, bots and webhooks keep in messages, of
// earlier versions as well, with a cost for each message beside its text.
func (repo *Repository) StoredBy(ctx context.Context, user string, each int64) (bytes int64, err error) {
	const theirs = `e.key IS NOT NULL AND e.actor_id IN (SELECT $1 UNION SELECT id FROM devices WHERE owner_id = $1
		UNION SELECT id FROM bots WHERE owner_id = $1 UNION SELECT id FROM incoming_hooks WHERE created_by = $1
		UNION SELECT id FROM outgoing_hooks WHERE created_by = $1
		UNION SELECT id FROM slash_commands WHERE created_by = $1
		UNION SELECT id FROM server_commands WHERE created_by = $1)`
	err = repo.db.QueryRowContext(ctx, `SELECT
		(SELECT coalesce(sum(octet_length(coalesce(e.text, '')) + $2), 0) FROM events e WHERE `+theirs+`) +
		(SELECT coalesce(sum(octet_length(v.text) + $2), 0) FROM events e JOIN versions v ON v.room_id = e.room_id
		AND v.seq = e.seq WHERE `+theirs+`)`,
		user, each).Scan(&bytes)
	return bytes, err
}
