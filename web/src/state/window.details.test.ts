import { expect, test } from 'vitest';
import { apply, empty } from './window';
import type { AlarmLine, CommandLine, Event } from '../view/types';

const ann = { id: 'a', kind: 'user', username: 'ann', display_name: 'Ann' } as const;
const fan = { id: 'd', kind: 'device', username: 'd', display_name: 'Greenhouse' } as const;
const command: CommandLine = { id: 'c', action: 'fan', state: 'queued', expires: '2026-01-01T00:01:00Z' };
const event = (seq: number, type: string, detail: Event['detail']): Event => ({
  room: 'r',
  seq,
  type,
  actor: ann,
  subject: fan,
  at: '2026-01-01T00:00:00Z',
  ...(detail && { detail }),
});

test('what became of a command stands in its line, and has none of its own', () => {
  const sent = event(3, 'command.sent', { command });
  const other = event(4, 'command.sent', { command: { ...command, id: 'other' } });
  const done = event(5, 'command.changed', { of: 3, command: { ...command, state: 'done', result: 21 } });
  const before = apply(empty, [sent, other]);
  const after = apply(before, [done]);
  expect(after.events.map((e) => e.detail?.command?.state)).toEqual(['done', 'queued']);
  expect(after.events[0]?.detail).toEqual({ command: { ...command, state: 'done', result: 21 } });
  expect(apply(empty, [sent, other, done])).toEqual(after);
  expect(apply(after, [event(6, 'command.changed', { of: 2, command })])).toEqual(after);
});

test('what became of an alarm stands in all of its lines, and that it is over in a line that stays', () => {
  const alarm: AlarmLine = {
    id: 'alm',
    rule: 'alr',
    name: 'Too warm',
    kind: 'threshold',
    severity: 'warning',
    raised_at: '2026-01-01T00:00:00Z',
  };
  const late = { ...alarm, escalated_at: '2026-01-01T00:10:00Z' };
  const over = { ...late, cleared_at: '2026-01-01T00:20:00Z' };
  const events = [
    event(3, 'alarm.raised', { alarm }),
    event(4, 'alarm.raised', { alarm: { ...alarm, id: 'other' } }),
    event(5, 'alarm.escalated', { user: 'a', alarm: late }),
    event(6, 'alarm.cleared', { of: 3, alarm: over }),
  ];
  const noted = event(7, 'alarm.acknowledged', { of: 3, alarm: { ...over, note: 'fixed' } });
  const after = apply(apply(empty, events), [noted]);
  expect(after.events.map((e) => e.detail?.alarm?.note)).toEqual(['fixed', undefined, 'fixed', undefined]);
  expect(after.events[2]?.detail?.user).toBe('a');
});
