import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DeviceStatus, FleetDevice, Note } from '../fleetport';
import { lookAt, untilOnline } from './online';
import { isLoopback, quoted, serverOf } from './server';

const device = { id: 'dev_1', name: 'Tank' } as FleetDevice;
const note = (reason: string, count: number) => ({ kind: 'connection', reason, count }) as Note;

function fleet(status?: DeviceStatus, log: Note[] = []) {
  return {
    state: status,
    notes: log,
    get: async () => device,
    status() {
      return this.state;
    },
    async log() {
      return this.notes;
    },
  };
}

const at = (state: DeviceStatus['state'], session: number): DeviceStatus => ({ state, session, since: '' });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a device is online by another connection than before', async () => {
  const f = fleet(at('online', 4));
  const waited = untilOnline(f, await lookAt(f, device.id), 60_000, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(5000);
  f.state = at('offline', 4);
  await vi.advanceTimersByTimeAsync(2000);
  f.state = at('online', 5);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await waited).toBe('online');
});

test('a token that is refused is told, but not one of before', async () => {
  const f = fleet(undefined, [note('claim_used', 2)]);
  const waited = untilOnline(f, await lookAt(f, device.id), 60_000, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(4000);
  f.notes = [note('claim_used', 2), note('claim_expired', 1)];
  await vi.advanceTimersByTimeAsync(2000);
  expect(await waited).toBe('claim_expired');
});

test('a device that does not come is late, also when nothing can be asked', async () => {
  const f = fleet();
  const was = await lookAt(f, device.id);
  f.get = () => Promise.reject(new Error('offline'));
  const waited = untilOnline(f, was, 10_000, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(await waited).toBe('late');
});

test('addresses have a port, and those of the machine itself are known', () => {
  expect(serverOf(new URL('https://chat.example.org/devices'))).toBe('wss://chat.example.org:443');
  expect(serverOf(new URL('http://192.0.2.1:9000'))).toBe('ws://192.0.2.1:9000');
  const own = ['ws://localhost:9000', 'wss://127.0.0.1:443', 'ws://[::1]:80'];
  expect([...own, 'wss://localhost.example.org:443', 'wss://chat:443'].filter(isLoopback)).toEqual(own);
  expect(quoted(`it's`)).toBe(`'it'\\''s'`);
});
