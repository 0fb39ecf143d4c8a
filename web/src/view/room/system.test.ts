import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isLine } from '../events';
import { systemText } from './system';
import type { Event } from '../types';

const golden = new URL('../../../../internal/wire/testdata/golden/', import.meta.url);
const events = readdirSync(golden)
  .filter((name) => name.startsWith('server.event.'))
  .map((name) => (JSON.parse(readFileSync(new URL(name, golden), 'utf8')) as { data: Event }).data)
  .filter((e) => !e.message && isLine(e));

test.each(events.map((e) => [e.type, e] as const))('%s has a text', (_, e) => {
  const text = systemText(e);
  expect(text).toContain((e.subject ?? e.actor).display_name);
  expect(text).not.toMatch(/system\.|[{}]|reload/);
});

test('a text says who did what to whom, until when and why', () => {
  const ann = { id: 'a', kind: 'user', username: 'ann', display_name: 'Ann' } as const;
  const bob = { id: 'b', kind: 'user', username: 'bob', display_name: 'Bob' } as const;
  const say = (type: string, detail?: Event['detail']) =>
    systemText({
      room: 'r',
      seq: 1,
      type,
      actor: ann,
      at: '2026-01-01T00:00:00Z',
      subject: bob,
      ...(detail && { detail }),
    });
  expect(events.length).toBeGreaterThan(8);
  expect(say('member.kicked', { reason: 'too loud' })).toBe('Ann removed Bob: too loud');
  expect(say('member.muted')).toBe('Ann unmuted Bob');
  expect(say('member.muted', { until: '2026-01-02T00:00:00Z' })).toMatch(/^Ann muted Bob until /);
  for (const role of ['owner', 'admin', 'moderator', 'member'])
    expect(say('member.role', { role })).toBe(`Ann made Bob ${role}`);
});

test('an event of a newer server says so', () => {
  const e: Event = {
    room: 'r',
    seq: 1,
    type: 'reading.taken',
    actor: { id: 'a', kind: 'device', username: 'd', display_name: 'Roof' },
    at: '2026-01-01T00:00:00Z',
  };
  for (const type of ['reading.taken', 'constructor']) expect(systemText({ ...e, type })).toMatch(/^Roof .* reload/);
});
