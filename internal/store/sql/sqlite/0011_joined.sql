-- oldest: 9
-- Who came into a room of late: what a node looks for that has missed news of it.
CREATE INDEX members_joined ON members (joined_at);
