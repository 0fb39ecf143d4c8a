import type { Funnel, Rollout } from '../firmwareport';

/** What becomes of the devices of a rollout, in the order in which it does. */
export type Band = 'waiting' | 'offered' | 'loading' | 'starting' | 'succeeded' | 'failed' | 'other';

export const bands: readonly Band[] = ['succeeded', 'starting', 'loading', 'offered', 'failed', 'other', 'waiting'];

const bandOf: Record<string, Band> = {
  consent: 'waiting',
  deferred: 'waiting',
  offered: 'offered',
  accepted: 'offered',
  downloading: 'loading',
  verified: 'loading',
  installing: 'starting',
  rebooting: 'starting',
  testing: 'starting',
  succeeded: 'succeeded',
  unconfirmed: 'other',
  failed: 'failed',
  rolled_back: 'failed',
  timed_out: 'failed',
  lost: 'failed',
};

/** Whether a rollout has begun, and there is no device that it is for. */
export const fitsNone = (r: Rollout): boolean =>
  ['running', 'soaking', 'completed'].includes(r.state) &&
  r.devices === 0 &&
  Object.keys(r.counts?.states ?? {}).length === 0;

/**
 * How many of the devices that are meant are in each band. Those that nobody has heard of wait, unless the rollout is
 * over.
 */
export function countsOf(f: Funnel, devices: number, over: boolean): Record<Band, number> {
  const counts: Record<Band, number> = {
    waiting: 0,
    offered: 0,
    loading: 0,
    starting: 0,
    succeeded: 0,
    failed: 0,
    other: 0,
  };
  let known = 0;
  for (const [state, n] of Object.entries(f.states)) {
    counts[bandOf[state] ?? 'other'] += n;
    known += n;
  }
  counts[over ? 'other' : 'waiting'] += Math.max(0, devices - known);
  return counts;
}
