-- oldest: 9
-- Guests: accounts with the role guest, until a time. A node from before this step takes them for regular users, and does not
-- end them: make guests once all nodes know this step.
ALTER TABLE users ADD COLUMN guest_until BIGINT NOT NULL DEFAULT 0; -- when the access of a guest ends; 0: no guest
ALTER TABLE users ADD COLUMN guest_invite TEXT NOT NULL DEFAULT ''; -- whose rooms they are yet to be added to
CREATE INDEX users_guests ON users (guest_until) WHERE role = 'guest';
-- Invitations to the server that make guests.
ALTER TABLE signup_invites ADD COLUMN guest_days BIGINT NOT NULL DEFAULT 0; -- of their access; 0: regular accounts
ALTER TABLE signup_invites ADD COLUMN rooms TEXT NOT NULL DEFAULT ''; -- ids, separated by spaces
