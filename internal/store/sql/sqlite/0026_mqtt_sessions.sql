-- oldest: 9
-- Sessions of MQTT clients that outlive their connections: what they subscribe to, and the messages
-- of QoS 1 and 2 that wait for them.
CREATE TABLE mqtt_sessions (
	id           TEXT PRIMARY KEY,
	site_id      TEXT NOT NULL REFERENCES users,
	principal_id TEXT NOT NULL REFERENCES users,
	client       TEXT NOT NULL,
	expiry       BIGINT NOT NULL, -- seconds that it outlives a connection
	conn_id      TEXT NOT NULL,   -- the last connection
	expires_at   BIGINT NOT NULL, -- moved on while there is a connection
	UNIQUE (principal_id, client)
);
CREATE INDEX mqtt_sessions_site ON mqtt_sessions (site_id);
CREATE INDEX mqtt_sessions_expires ON mqtt_sessions (expires_at);

CREATE TABLE mqtt_subscriptions (
	session_id TEXT NOT NULL REFERENCES mqtt_sessions ON DELETE CASCADE,
	filter     TEXT NOT NULL,
	options    BIGINT NOT NULL, -- as in SUBSCRIBE
	number     BIGINT NOT NULL, -- subscription identifier; 0: none
	PRIMARY KEY (session_id, filter)
);

-- Moves on with each change of the two above, so that other nodes notice.
CREATE TABLE mqtt_sites (
	site_id TEXT PRIMARY KEY REFERENCES users,
	version BIGINT NOT NULL
);

CREATE TABLE mqtt_queue (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	session_id TEXT NOT NULL REFERENCES mqtt_sessions ON DELETE CASCADE,
	packet_id  BIGINT NOT NULL DEFAULT 0, -- 0: it was not sent yet
	released   BOOLEAN NOT NULL DEFAULT FALSE, -- QoS 2: the client has it
	topic      TEXT NOT NULL,
	payload    BLOB NOT NULL,
	qos        BIGINT NOT NULL,
	retain     BOOLEAN NOT NULL,
	props      BLOB,
	numbers    TEXT NOT NULL, -- subscription identifiers, separated by spaces
	expires_at BIGINT NOT NULL -- 0: never
);
CREATE INDEX mqtt_queue_session ON mqtt_queue (session_id, seq);

-- Messages of QoS 2 that a client has sent and not released.
CREATE TABLE mqtt_received (
	session_id TEXT NOT NULL REFERENCES mqtt_sessions ON DELETE CASCADE,
	packet_id  BIGINT NOT NULL,
	PRIMARY KEY (session_id, packet_id)
);
