// What the pages about groups of devices, and about devices that change hands, ask of the state behind them.

import type { Value } from './device/values';
import type { BatchLine, User } from './types';

/** Which devices are in a group: those that all of it is true of. */
export interface GroupRule {
  tag?: string;
  type?: string;
  model?: string;
}

export interface DeviceGroup {
  name: string;
  /** none: its devices are chosen by hand */
  rule?: GroupRule;
  /** defaults of the settings of its devices; of one made by hand */
  settings?: Record<string, Value>;
  /** how many are in it */
  devices: number;
}

/** What keys the devices of a group have, or had that were just revoked. */
export interface GroupKeys {
  /** that have keys */
  devices: number;
  keys: number;
  /** devices that are connected */
  connected: number;
}

/** A device that its owner offers to somebody. */
export interface Transfer {
  device: string;
  /** of the device */
  name: string;
  from: User;
  to: User;
  expires?: string;
}

/** What a group was told; of one alone also the devices that it came to no good end for. */
export interface Batch extends BatchLine {
  args?: Record<string, Value>;
  at: string;
  failures?: {
    device: string;
    name?: string;
    state: 'refused' | 'failed' | 'expired' | 'cancelled';
    /** of one that was refused */
    reason?: 'no_action' | 'wrong_args' | 'not_in_room' | 'many_wait' | 'gone';
    /** of one that failed: what the device says */
    detail?: string;
  }[];
}
