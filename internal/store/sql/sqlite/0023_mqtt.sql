-- oldest: 9
-- Topics of MQTT in the site of an owner: which device publishes to each, and its retained message.
CREATE TABLE mqtt_topics (
	site_id    TEXT NOT NULL REFERENCES users,
	topic      TEXT NOT NULL,
	device_id  TEXT NOT NULL DEFAULT '', -- whose the topic is; empty: nobody's
	sender_id  TEXT NOT NULL DEFAULT '', -- device that published the retained message; empty: the owner, or the server
	payload    BLOB, -- of the retained message; NULL: there is none
	qos        BIGINT NOT NULL DEFAULT 0,
	props      BLOB, -- properties of MQTT 5, in JSON
	at         BIGINT NOT NULL DEFAULT 0,
	expires_at BIGINT NOT NULL DEFAULT 0, -- 0: never
	PRIMARY KEY (site_id, topic)
);
CREATE INDEX mqtt_topics_device ON mqtt_topics (device_id);
