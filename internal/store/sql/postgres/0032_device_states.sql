-- oldest: 9
-- Whether each device is there. Devices that never connected have no row.
CREATE TABLE device_states (
	device_id  TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	session    BIGINT NOT NULL, -- number of the last time that it connected, or was heard again
	online     BOOLEAN NOT NULL,
	since      BIGINT NOT NULL,
	due        BIGINT NOT NULL, -- of one without a link: when it is offline; 0: it has a link, or is offline
	reason     TEXT NOT NULL,   -- why its last link ended
	doubled_at BIGINT NOT NULL DEFAULT 0, -- when one key was last seen at two places
	doubled    TEXT NOT NULL DEFAULT ''   -- these places
);
CREATE INDEX device_states_due ON device_states (due) WHERE due <> 0;

-- Connections that are open, of devices that are heard.
CREATE TABLE device_links (
	id        TEXT PRIMARY KEY,
	device_id TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
	node      TEXT NOT NULL,
	key_id    TEXT NOT NULL,
	addr      TEXT NOT NULL,
	opened_at BIGINT NOT NULL
);
CREATE INDEX device_links_device ON device_links (device_id);
CREATE INDEX device_links_node ON device_links (node);

-- Processes that devices connect to. The links of one that does not say that it lives end.
CREATE TABLE device_nodes (
	node     TEXT PRIMARY KEY,
	alive_at BIGINT NOT NULL
);
