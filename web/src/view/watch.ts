import type { App } from './port';

// The server follows one set of people for a connection; several parts of the
// page have people to follow. This is the union.
const wanted = new WeakMap<App, Map<string, readonly string[]>>();

/** Follows who is there of some people, for one part of the page, until that part says otherwise. */
export function watchFor(part: string, app: App, users: readonly string[]): void {
  const parts = wanted.get(app) ?? new Map<string, readonly string[]>();
  wanted.set(app, parts);
  if (users.length) parts.set(part, users);
  else parts.delete(part);
  app.people.watch([...new Set([...parts.values()].flat())]);
}
