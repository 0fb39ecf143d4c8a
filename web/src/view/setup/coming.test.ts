import { expect, test, vi } from 'vitest';
import type { Fleet, FleetDevice, Note } from '../fleetport';
import { come } from './coming';
import { lookAt } from './online';

vi.mock('../route.svelte', () => ({ router: { go: () => {} } }));
vi.mock('../ui.svelte', () => ({ overlay: { say: () => {} } }));

const device = { id: 'dev_1', name: 'Tank' } as FleetDevice;

test('a board that was set up is refused or late, and waited for as long as somebody wants to', async () => {
  let log: Note[] = [];
  const fleet = { get: async () => device, status: () => undefined, log: async () => log } as unknown as Fleet;
  const was = await lookAt(fleet, device.id);
  const told: string[] = [];
  let waits = true;
  const to = {
    refused: (text: string) => void told.push(text),
    late: () => {
      told.push('late');
      return waits;
    },
  };
  vi.useFakeTimers();
  try {
    const first = come(fleet, was, new AbortController().signal, to);
    await vi.advanceTimersByTimeAsync(92_000);
    expect(told).toEqual(['late']);
    log = [{ kind: 'connection', reason: 'claim_expired', count: 1 } as Note];
    await vi.advanceTimersByTimeAsync(2000);
    await first;
    expect(told).toEqual(['late', 'board.claim_expired']); // no texts are loaded here
    log = [];
    waits = false;
    const second = come(fleet, was, new AbortController().signal, to);
    await vi.advanceTimersByTimeAsync(92_000);
    await second;
    expect(told).toEqual(['late', 'board.claim_expired', 'late']);
    const ended = new AbortController();
    const third = come(fleet, was, ended.signal, to);
    ended.abort();
    await vi.advanceTimersByTimeAsync(2000);
    await third;
    expect(told.length).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});
