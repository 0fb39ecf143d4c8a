-- oldest: 9
-- The traceparent (W3C Trace Context) of the request that an event or a mail is from, by which
-- those who handle it later join its trace. NULL: it is not traced.
ALTER TABLE events ADD COLUMN trace TEXT;
ALTER TABLE mails ADD COLUMN trace TEXT;
