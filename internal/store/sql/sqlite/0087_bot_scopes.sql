-- oldest: 9
-- What else tokens of bots allow. Those from before this step allow neither; nor could they.
ALTER TABLE bot_tokens ADD COLUMN can_files BOOLEAN NOT NULL DEFAULT FALSE; -- files
ALTER TABLE bot_tokens ADD COLUMN can_manage BOOLEAN NOT NULL DEFAULT FALSE; -- topic, pins and members
