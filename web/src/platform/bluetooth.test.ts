import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  BluetoothError,
  chooseBluetooth,
  hasBluetooth,
  openBluetooth,
  type BluetoothDevice,
  type BluetoothFailure,
} from './bluetooth';

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const text = (of: string) => new TextEncoder().encode(of);

/** A device whose endpoints answer by functions. Those without a description have the UUIDs of ESP-IDF. */
function simulated(endpoints: Record<string, (body: Uint8Array) => Uint8Array>, described = true) {
  const ids: Record<string, string> = { 'prov-session': 'ff51', 'prov-config': 'ff52', other: 'ff60' };
  const gatt = {
    connected: false,
    attempts: 0,
    failing: 0,
    hangs: false,
    async connect() {
      gatt.attempts++;
      if (gatt.hangs) return new Promise<typeof gatt>(() => {});
      if (gatt.failing-- > 0) throw new DOMException('Connection attempt failed.', 'NetworkError');
      gatt.connected = true;
      return gatt;
    },
    disconnect: () => void (gatt.connected = false),
    async getPrimaryServices() {
      const all = Object.entries(endpoints).map(([name, answer]) => {
        let value = new Uint8Array();
        return {
          uuid: `1775${ids[name] ?? 'ff61'}-6b43-439b-877c-060f2d9bed07`,
          async getDescriptor(uuid: number) {
            if (!described || uuid !== 0x2901) throw new DOMException('No Descriptors', 'NotFoundError');
            return { readValue: async () => view(text(name)) };
          },
          async writeValueWithResponse(body: BufferSource) {
            if (!gatt.connected) throw new DOMException('GATT Server is disconnected.', 'NetworkError');
            const sent = body as Uint8Array;
            if (sent.length > 512) throw new DOMException("Value can't exceed 512 bytes.", 'InvalidModificationError');
            value = Uint8Array.from(answer(sent));
          },
          async readValue() {
            // A part of a larger buffer, as browsers may have it.
            const buffer = new Uint8Array(value.length + 4);
            buffer.set(value, 2);
            return new DataView(buffer.buffer, 2, value.length);
          },
        };
      });
      return [{ getCharacteristics: async () => all }];
    },
  };
  return { gatt, device: { name: 'PROV_1', gatt } satisfies BluetoothDevice };
}

const why = async (what: Promise<unknown>): Promise<BluetoothFailure | undefined> => {
  const err = await what.then(
    () => undefined,
    (e: unknown) => e,
  );
  return err instanceof BluetoothError ? err.why : undefined;
};

const has = (bluetooth?: unknown) => vi.stubGlobal('navigator', bluetooth ? { bluetooth } : {});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('why no device was chosen is told apart', async () => {
  has();
  expect(hasBluetooth()).toBe(false);
  const asked: unknown[] = [];
  const chooser = (answer: () => unknown, on = true) =>
    has({
      getAvailability: async () => on,
      async requestDevice(options: unknown) {
        asked.push(options);
        return answer();
      },
    });
  const refuses = (name: string, message: string) => () => {
    throw new DOMException(message, name);
  };
  const { device } = simulated({});
  chooser(() => device);
  expect(await chooseBluetooth('PROV_1')).toBe(device);
  expect(await chooseBluetooth()).toBe(device);
  const services = ['1775244d-6b43-439b-877c-060f2d9bed07', '021a9004-0382-4aea-bff4-6b3f1c5adfb4'];
  expect(asked).toEqual([
    { filters: [{ name: 'PROV_1' }], optionalServices: services },
    { filters: services.map((s) => ({ services: [s] })), optionalServices: services },
  ]);
  chooser(refuses('NotFoundError', 'User cancelled the requestDevice() chooser.'));
  expect(await chooseBluetooth()).toBeUndefined();
  chooser(refuses('NotFoundError', 'Bluetooth adapter not available.'), false);
  expect(await why(chooseBluetooth())).toBe('off');
  chooser(refuses('NotFoundError', 'User denied the browser permission to scan for Bluetooth devices.'));
  expect(await why(chooseBluetooth())).toBe('denied');
  chooser(refuses('SecurityError', 'Web Bluetooth API globally disabled.'));
  expect(await why(chooseBluetooth())).toBe('denied');
});

test.each([true, false])('endpoints are found by their descriptions: %s', async (described) => {
  const { device, gatt } = simulated(
    { 'prov-session': (b) => Uint8Array.of(...b, 1), other: () => new Uint8Array() },
    described,
  );
  gatt.failing = 1; // the first attempt may fail
  const link = await openBluetooth(device);
  expect(await link.ask('prov-session', Uint8Array.of(7))).toEqual(Uint8Array.of(7, 1));
  expect([link.has('other'), link.has('prov-scan')]).toEqual([described, false]);
  expect(await why(link.ask('prov-scan', Uint8Array.of(7)))).toBe('other');
  link.close();
  expect(gatt.connected).toBe(false);
});

test('a device that refuses is told from one that has gone', async () => {
  const { device, gatt } = simulated({
    'prov-session': () => {
      throw new DOMException('GATT operation failed for unknown reason.', 'NotSupportedError');
    },
    'prov-config': () => {
      gatt.connected = false;
      throw new DOMException('GATT Server is disconnected.', 'NetworkError');
    },
  });
  const link = await openBluetooth(device);
  expect(await why(link.ask('prov-session', Uint8Array.of(7)))).toBe('refused');
  expect(await why(link.ask('prov-config', Uint8Array.of(7)))).toBe('gone');
  expect(await why(link.ask('prov-session', Uint8Array.of(7)))).toBe('gone');
});

test('a device out of range is not waited for without end, and another one is let go of', async () => {
  const far = simulated({ 'prov-session': (b) => b });
  far.gatt.hangs = true;
  const opened = why(openBluetooth(far.device));
  await vi.advanceTimersByTimeAsync(20_000);
  expect([await opened, far.gatt.attempts]).toEqual(['range', 1]);
  const mute = simulated({ 'prov-session': (b) => b });
  mute.gatt.failing = 2;
  expect(await why(openBluetooth(mute.device))).toBe('range');
  const headset = simulated({ other: (b) => b });
  expect(await why(openBluetooth(headset.device))).toBe('other');
  expect(headset.gatt.connected).toBe(false);
});
