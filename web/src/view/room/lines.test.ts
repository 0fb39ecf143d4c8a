import { describe, expect, it } from 'vitest';
import type { Event, Message, User } from '../types';
import { lastEditable, layOut, type Line } from './lines';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann' };
const bob: User = { id: 'usr_b', kind: 'user', username: 'bob', display_name: 'Bob' };
const noon = new Date(2026, 4, 5, 12).getTime();
const minutes = (n: number) => new Date(noon + n * 60_000).toISOString();

function said(seq: number, sender: User, at: number, more: Partial<NonNullable<Event['message']>> = {}): Event {
  const message = { room: 'r', seq, sender, text: `m${seq}`, at: minutes(at), ...more };
  return { room: 'r', seq, type: 'message.created', actor: sender, at: minutes(at), message };
}

const joined = (seq: number, who: User, by = who): Event => ({
  room: 'r',
  seq,
  type: 'member.joined',
  actor: by,
  subject: who,
  at: minutes(0),
});

const all = { unread: { after: 1000, to: 1000 }, older: false, me: ann.id, direct: false };

const show = (lines: Line[]) =>
  lines
    .map((l) => {
      if (l.type === 'message') return `${l.seq || l.message.key}${l.head ? '!' : ''}`;
      return l.type === 'system' ? `sys(${l.events.map((e) => e.seq).join(',')})` : l.type;
    })
    .join(' ');

describe('layOut', () => {
  it('groups what one person says within five minutes', () => {
    const events = [said(1, ann, 0), said(2, ann, 4), said(3, ann, 10), said(4, bob, 11), said(5, ann, 12)];
    expect(show(layOut(events, [], all))).toBe('day 1! 2 3! 4! 5!');
  });

  it('shows each name and picture that a webhook gives its messages', () => {
    const as = (name?: string, emoji?: string) => ({ face: { ...(name && { name }), ...(emoji && { emoji }) } });
    const events = [
      said(1, bob, 0),
      said(2, bob, 0, as('Grafana')),
      said(3, bob, 0, as('Grafana')),
      said(4, bob, 0, as('Grafana', '🔥')),
      said(5, bob, 0),
    ];
    expect(show(layOut(events, [], all))).toBe('day 1! 2! 3 4! 5!');
  });

  it('names one who goes on for long again, at the same messages whatever is loaded', () => {
    const events = Array.from({ length: 30 }, (_, i) => said(i + 1, ann, 0));
    const heads = (from: number) =>
      layOut(events.slice(from), [], all).flatMap((l) => (l.type === 'message' && l.head ? [l.seq] : []));
    expect(heads(0)).toEqual([1, 12, 24]);
    expect(heads(3)).toEqual([4, 12, 24]);
    for (let from = 1; from < 30; from++) {
      const first = from + 1;
      expect(heads(from)).toEqual([first, ...[12, 24].filter((n) => n > first)]);
    }
  });

  it('names one who goes on for long again where the next number is still to come', () => {
    const events = [8, 9, 10, 11].map((seq) => said(seq, ann, 0));
    const pending = ['a', 'b'].map((key) => ({
      message: { room: 'r', seq: 0, key, sender: ann, text: 'x', at: minutes(0) },
      state: 'pending' as const,
    }));
    expect(show(layOut(events, pending, all))).toBe('day 8! 9 10 11 a! b');
  });

  it('names the sender of a long message', () => {
    expect(
      show(layOut([said(1, ann, 0), said(2, ann, 0, { text: 'long '.repeat(200) }), said(3, ann, 0)], [], all)),
    ).toBe('day 1! 2! 3');
  });

  it('starts a group at a reply and on a new day', () => {
    const quote = { seq: 1, sender: bob };
    const events = [said(1, ann, 0), said(2, ann, 1, { reply_to: quote }), said(3, ann, 24 * 60)];
    expect(show(layOut(events, [], all))).toBe('day 1! 2! day 3!');
  });

  it('marks no message as the first unread one while that may be above what is loaded', () => {
    const events = [said(7, bob, 0), said(8, bob, 6)];
    expect(show(layOut(events, [], { ...all, older: true, unread: { after: 3, to: 8 } }))).toBe('day 7! 8!');
    expect(show(layOut(events, [], { ...all, older: true, unread: { after: 6, to: 8 } }))).toBe('day new 7! 8!');
    expect(show(layOut(events, [], { ...all, unread: { after: 3, to: 8 } }))).toBe('day new 7! 8!');
  });

  it('marks the first unread message of somebody else, once', () => {
    const events = [said(1, bob, 0), said(2, ann, 1), said(3, bob, 2), said(4, bob, 3)];
    expect(show(layOut(events, [], { ...all, unread: { after: 1, to: 4 } }))).toBe('day 1! 2! new 3! 4');
  });

  it('does not mark what comes while one is looking', () => {
    expect(show(layOut([said(1, bob, 0), said(2, bob, 1)], [], { ...all, unread: { after: 1, to: 1 } }))).toBe(
      'day 1! 2',
    );
  });

  it('folds system lines, and leaves out what is plain', () => {
    const created: Event = { room: 'r', seq: 1, type: 'room.created', actor: ann, at: minutes(0) };
    const events = [created, joined(2, ann), joined(3, bob, ann), said(4, bob, 1)];
    expect(show(layOut(events, [], all))).toBe('day sys(1,3) 4!');
    expect(show(layOut(events, [], { ...all, direct: true }))).toBe('day 4!');
  });

  it('keeps the key of a message when it gets its number', () => {
    const pending = {
      message: { room: 'r', seq: 0, key: 'k', sender: ann, text: 'x', at: minutes(1) },
      state: 'pending' as const,
    };
    const before = layOut([said(1, bob, 0)], [pending], all).at(-1);
    const after = layOut([said(1, bob, 0), said(2, ann, 1, { key: 'k' })], [], all).at(-1);
    expect(before?.key).toBe(after?.key);
  });

  it('shows a message once that is loaded while it still counts as being on its way', () => {
    const pending = {
      message: { room: 'r', seq: 0, key: 'k', sender: ann, text: 'x', at: minutes(1) },
      state: 'pending' as const,
    };
    const events = [said(1, bob, 0), said(2, ann, 1, { key: 'k' })];
    expect(show(layOut(events, [pending], all))).toBe('day 1! 2!');
  });

  const waiting = (key: string, at: number) => {
    const message = { room: 'r', seq: 0, key, sender: ann, text: 'x', at: minutes(at) };
    return { message, state: 'failed' as const };
  };
  const unique = (lines: Line[]) => new Set(lines.map((l) => l.key)).size === lines.length;

  it('gives no key twice when a waiting line is of another day than the end', () => {
    const yesterday = -24 * 60;
    const lines = layOut(
      [said(1, bob, yesterday), said(2, bob, 0)],
      [waiting('a', yesterday), waiting('b', 0), waiting('a', 1)],
      all,
    );
    expect(show(lines)).toBe('day 1! day 2! a! b!');
    expect(unique(lines)).toBe(true);
  });

  it('gives no key twice when the clocks of two servers differ at midnight', () => {
    const midnight = 12 * 60;
    const lines = layOut(
      [said(1, bob, midnight - 1), said(2, ann, midnight), said(3, bob, midnight - 1), said(4, ann, midnight + 1)],
      [],
      all,
    );
    expect(show(lines)).toBe('day 1! day 2! 3! 4!');
    expect(unique(lines)).toBe(true);
  });

  it('shows a run of joins that stands for more as one line, under the same key when it is unfolded', () => {
    const folded = { ...joined(9, bob), folded: { from: 3, count: 6 } };
    const whole = [3, 4, 5, 6, 7, 8, 9].map((seq) => joined(seq, bob));
    expect(layOut([said(2, bob, 0), folded], [], all).map((l) => l.key)).toEqual(
      layOut([said(2, bob, 0), ...whole], [], all).map((l) => l.key),
    );
  });

  it('gives a chart and an alarm a card of their own, between the lines around them', () => {
    const chart = { from: '', to: '', series: [] };
    const posted: Event = { ...joined(3, bob), type: 'chart.posted', detail: { chart } };
    const events = [joined(1, ann), joined(2, bob), posted, joined(4, bob), { ...posted, seq: 5, detail: {} }];
    expect(show(layOut(events, [], all))).toBe('day sys(1,2) card sys(4,5)');
    const rollout = { id: 'rol_1', product: 'lamp', version: '2', state: 'paused', stage: 1, stages: 4, percent: 1 };
    const told = { ...rollout, devices: 9, succeeded: 1, failed: 2 };
    expect(show(layOut([{ ...posted, type: 'rollout.told', detail: { rollout: told } }], [], all))).toBe('day card');
  });
});

describe('lastEditable', () => {
  it('passes over what cannot be edited', () => {
    const poll = { question: 'Tea?', choices: [], voters: 0 } as unknown as NonNullable<Message['poll']>;
    const events = [
      said(1, ann, 0),
      said(2, ann, 1, { poll }),
      said(3, ann, 2, { forward: { room: 'q', seq: 1, sender: bob, at: minutes(0), text: 'x' } }),
      said(4, ann, 3, { deleted_at: minutes(4) }),
      said(5, bob, 5),
      joined(6, ann),
    ];
    expect(lastEditable(events, ann.id)?.seq).toBe(1);
    expect(lastEditable(events, 'usr_c')).toBeUndefined();
  });
});
