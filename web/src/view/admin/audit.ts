import type { AuditFilter, AuditRecord } from '../adminport';
import { fieldOf } from '../when';

/** What one can choose of the types of records: a name, and what the server knows them by. */
export const groups = [
  ['all', ''],
  ['sign-in', 'auth.*,session.*'],
  ['device', 'device.*'],
  ['refused', 'ws.*,ratelimit.*,captcha.*'],
  ['admin', 'admin.*,config.*'],
  ['log', 'audit.*'],
] as const;

export const outcomes = ['success', 'failure', 'blocked'] as const;

/** Reads a filter out of the address. */
export function readFilter(query: string): AuditFilter {
  const q = new URLSearchParams(query);
  const of = (name: string) => q.get(name) ?? '';
  return { type: of('type'), actor: of('actor'), outcome: of('outcome'), from: of('from'), to: of('to') };
}

/** Writes a filter for the address. */
export function writeFilter(f: AuditFilter): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(f)) if (value) q.set(name, value);
  return q.toString();
}

/** Puts newer records, the oldest first, before those that are there, and keeps so many. */
export function follow(shown: readonly AuditRecord[], newer: readonly AuditRecord[], most: number): AuditRecord[] {
  const last = shown[0]?.seq ?? 0;
  return [...newer.filter((r) => r.seq > last).reverse(), ...shown].slice(0, Math.max(most, shown.length));
}

/** A time of the address as a field for local times wants it, and back. */
export function toLocal(rfc: string): string {
  return Number.isNaN(Date.parse(rfc)) ? '' : fieldOf(rfc);
}

export const fromLocal = (local: string): string => (local ? new Date(local).toISOString() : '');
