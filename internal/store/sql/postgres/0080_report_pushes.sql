-- oldest: 9
-- Those who decide on reports get pushes about them. A node from before this step tells nobody; others do, also of what
-- was reported there.
ALTER TABLE message_reports ADD COLUMN told BIGINT NOT NULL DEFAULT 0; -- 1: moderators were told of it; 2: administrators
CREATE INDEX message_reports_untold ON message_reports (at) WHERE state = 'open' AND told < 2;
CREATE TABLE report_pushes (
	subscription_id TEXT NOT NULL REFERENCES push_subscriptions ON DELETE CASCADE,
	desk            TEXT NOT NULL,   -- id of the room whose moderators decide; empty: administrators do
	seq             BIGINT NOT NULL, -- when the last report came, in Unix milliseconds
	since           BIGINT NOT NULL,
	due_at          BIGINT NOT NULL,
	tries           BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (subscription_id, desk)
);
CREATE INDEX report_pushes_due ON report_pushes (due_at);
