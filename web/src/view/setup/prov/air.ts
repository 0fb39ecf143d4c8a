import { openBluetooth, type BluetoothDevice } from '../../../platform/bluetooth';
import { endpoint, Provisioning } from './provision';
import { begin, type Proof } from './session';

/** A board that is connected by Bluetooth, and has taken the proof of possession. */
export interface AirBoard {
  /** its firmware takes a claim */
  readonly ours: boolean;
  readonly provisioning: Provisioning;
  close(): void;
}

/**
 * Connects a board and proves that somebody has it; onproof is called between both. It throws a BluetoothError or a
 * ProvisionError, and has let go of the board then.
 */
export async function meet(device: BluetoothDevice, proof: Proof, onproof: () => void): Promise<AirBoard> {
  const link = await openBluetooth(device);
  onproof();
  try {
    const provisioning = new Provisioning(link, await begin(link, proof));
    return { ours: link.has(endpoint), provisioning, close: () => link.close() };
  } catch (err) {
    link.close();
    throw err;
  }
}
