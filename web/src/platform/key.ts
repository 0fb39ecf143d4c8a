/**
 * An idempotency key: nobody makes the same again, and what is sent twice with it is done once. Keys are ordered by
 * time, so that the server's index of them grows at its end. A page that came by plain http has no randomUUID.
 */
export const newKey = (at = Date.now()): string =>
  `${at.toString(36)}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
