-- oldest: 9
-- The traceparent (W3C Trace Context) of the request that gave a command, whose trace its delivery and what
-- the device says of it join. NULL: it is not traced.
ALTER TABLE commands ADD COLUMN trace TEXT;
