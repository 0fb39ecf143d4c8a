import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../adminport';
import { follow, fromLocal, readFilter, toLocal, writeFilter } from './audit';

const records = (...seqs: number[]) => seqs.map((seq) => ({ seq }) as AuditRecord);

describe('the audit log', () => {
  it('keeps its filter in the address', () => {
    const filter = {
      type: 'auth.*,session.*',
      actor: 'usr_1',
      outcome: 'failure',
      from: '2026-01-31T12:00:00.000Z',
      to: '',
    };
    expect(readFilter(writeFilter(filter))).toEqual(filter);
    expect(writeFilter(readFilter(''))).toBe('');
  });

  it('grows at its head, once for each record', () => {
    expect(follow(records(3, 2), records(3, 4, 5), 10).map((r) => r.seq)).toEqual([5, 4, 3, 2]);
    expect(follow([], records(1), 10).map((r) => r.seq)).toEqual([1]);
  });

  it('lets go of what is old, but of nothing that was asked for', () => {
    expect(follow(records(3, 2), records(4, 5), 3).map((r) => r.seq)).toEqual([5, 4, 3]);
    expect(follow(records(4, 3, 2, 1), records(5), 3).map((r) => r.seq)).toEqual([5, 4, 3, 2]);
  });

  it('writes times as the field and the server want them', () => {
    expect(fromLocal(toLocal('2026-01-31T12:30:00.000Z'))).toBe('2026-01-31T12:30:00.000Z');
    expect(toLocal('yesterday')).toBe('');
    expect(fromLocal('')).toBe('');
  });
});
