import type { DeviceStatus, Fleet, FleetDevice, Note } from '../fleetport';

/** What became of a board that was set up: it came online, its token was refused (and why), or it did not come. */
export type Outcome = 'online' | 'claim_expired' | 'claim_used' | 'claim_barred' | 'late';

type Asked = Pick<Fleet, 'get' | 'log' | 'status'>;

/** What is known of a device before it is set up. */
export interface Before {
  device: FleetDevice;
  status: DeviceStatus | undefined;
  /** refusals of claim tokens, with how often there were any */
  refusals: ReadonlyMap<string, number>;
}

const every = 1500;

/** Reads what is known of a device, so that what comes later is told from it. */
export async function lookAt(fleet: Asked, id: string): Promise<Before> {
  const [device, log] = await Promise.all([fleet.get(id), fleet.log(id)]);
  return { device, status: fleet.status(device), refusals: refusalsIn(log) };
}

/** Waits until a device that was set up is online, or its token was refused, or ms are over. */
export async function untilOnline(fleet: Asked, was: Before, ms: number, signal: AbortSignal): Promise<Outcome> {
  for (const late = Date.now() + ms; Date.now() < late && !signal.aborted; ) {
    // What cannot be asked is asked again soon.
    const now = await lookAt(fleet, was.device.id).catch(() => undefined);
    if (now && came(was.status, now.status)) return 'online';
    for (const [why, count] of now?.refusals ?? []) {
      if (count !== was.refusals.get(why)) return why as Outcome;
    }
    await new Promise((go) => setTimeout(go, every));
  }
  return 'late';
}

/** The keys of a device end when it gets another one: so it is online by another connection than before. */
const came = (was: DeviceStatus | undefined, is: DeviceStatus | undefined): boolean =>
  is?.state === 'online' && (was?.state !== 'online' || is.session > was.session);

const refusalsIn = (log: readonly Note[]): Map<string, number> =>
  new Map(log.flatMap((n) => (n.reason?.startsWith('claim_') ? [[n.reason, n.count] as const] : [])));
