import { expect, test } from 'vitest';
import { Gaps } from './gaps';
import { Tally } from './tally';

const at = (head: number, read: number, unread = 0, mentions = 0) =>
  new Tally().start({ head, read, unread, mentions });
const counts = (t: Tally) => [t.unread, t.mentions];

test('a mention that overtakes the answer to a read mark stays', () => {
  const t = at(10, 8, 2, 1);
  t.marked(10); // at once, while the server is asked
  t.created(11, true);
  t.marked(10, 0, 0); // the answer, counted before 11 was said
  expect(counts(t)).toEqual([1, 1]);
});

test('an event that hello has counted is not counted again when it is caught up with', () => {
  const t = at(12, 5, 3, 1);
  for (const seq of [10, 11, 12]) expect(t.created(seq, true)).toBe(false);
  expect(t.created(13, true)).toBe(true); // said while the answer was made, and in it
  expect(t.created(13, true)).toBe(false); // and once more by itself
  expect(counts(t)).toEqual([4, 2]);
});

test('what another device has read before it is here does not count', () => {
  const t = at(10, 10);
  t.marked(12);
  t.created(11, true);
  t.created(13, false);
  expect(counts(t)).toEqual([1, 0]);
});

test('an older mark changes nothing, one in the middle leaves what follows', () => {
  const t = at(10, 4, 5, 2);
  t.created(11, true);
  t.marked(3);
  expect(counts(t)).toEqual([6, 3]);
  t.marked(8, 3, 1); // 9, 10 and 11
  expect(counts(t)).toEqual([3, 1]);
});

test('a mention that may be in a thread stays until the answer to a read mark says where it is', () => {
  const t = at(10, 8, 2, 2);
  t.created(11, true);
  t.marked(11); // at once, while the server is asked
  expect(counts(t)).toEqual([0, 2]);
  t.marked(11, 0, 1);
  expect(counts(t)).toEqual([0, 1]);
});

test('a deleted message no longer counts', () => {
  const t = at(10, 8, 2, 1);
  t.created(11, true);
  t.deleted(12, 11, false);
  expect(counts(t)).toEqual([2, 1]);
  t.deleted(13, 10, true);
  t.deleted(9, 9, false); // the server knew
  expect(counts(t)).toEqual([1, 0]);
});

test('an event that comes while the answer without it is on its way is asked for', async () => {
  let head = 5;
  const asked: number[] = [];
  const answers: ((upTo: number) => void)[] = [];
  const gaps = new Gaps({
    head: () => head,
    read: (_, after) => {
      asked.push(after);
      return new Promise((done) => answers.push((upTo) => ((head = upTo), done())));
    },
  });
  const filled = gaps.fill('r', 7);
  void gaps.fill('r', 9);
  answers[0]?.(7);
  await Promise.resolve();
  await Promise.resolve();
  answers[1]?.(9);
  await filled;
  expect(asked).toEqual([5, 7]);
});

test('a mention that an edit adds counts at once, and one that it takes away no more', () => {
  const t = at(10, 5, 3, 0);
  t.created(11, false);
  expect(t.edited(12, 11, true, undefined)).toBe(true); // came since the count
  expect(counts(t)).toEqual([4, 1]);
  expect(t.edited(13, 11, true, true)).toBe(false); // mentioned already
  expect(t.edited(14, 9, true, false)).toBe(true); // counted by the server
  expect(counts(t)).toEqual([4, 2]);
  expect(t.edited(15, 9, false, true)).toBe(false);
  expect(counts(t)).toEqual([4, 1]);
  expect(t.edited(16, 4, true, false)).toBe(false); // read
  expect(t.edited(10, 9, true, false)).toBe(false); // in the server's count
});
