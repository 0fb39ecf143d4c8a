import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Tracing, type Span } from './tracing';

let told: Span[][];
let tracing: Tracing;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  tracing = new Tracing(
    (spans) => (told.push(spans), Promise.resolve()),
    () => 0.4,
  );
});

afterEach(() => void vi.useRealTimers());

test('nothing is traced unless the server asks for it', () => {
  expect(tracing.begin('message.send')).toBeUndefined();
  tracing.share = 0.4;
  expect(tracing.begin('message.send')).toBeUndefined();
  tracing.share = 0.5;
  expect(tracing.begin('message.send')?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test('requests that end soon after each other are told together, with when they began', () => {
  tracing.share = 1;
  const first = tracing.begin('message.send')!;
  vi.advanceTimersByTime(30);
  const second = tracing.begin('GET rooms')!;
  first.end(false);
  vi.advanceTimersByTime(100);
  second.end(true);
  vi.advanceTimersByTime(4_900);
  expect(told).toEqual([
    [
      { traceparent: first.traceparent, name: 'message.send', took: 30, ago: 5_030 },
      { traceparent: second.traceparent, name: 'GET rooms', took: 100, ago: 5_000, failed: true },
    ],
  ]);
  vi.advanceTimersByTime(60_000);
  expect(told.length).toBe(1);
});
