// Devices over Bluetooth in the browser (Web Bluetooth), as ESP-IDF's protocomm has them: each of its endpoints is a
// characteristic, which is written and then read. The link may end at any time.

/** A device that is connected. */
export interface BluetoothLink {
  /** whether the device has an endpoint */
  has(endpoint: string): boolean;
  /** Sends a body to an endpoint, and returns the answer. One is asked after the other. */
  ask(endpoint: string, body: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

/**
 * off: this computer or phone has no Bluetooth, or it is switched off; denied: the browser may not use it; range: the
 * device does not answer; other: it is none that waits to be set up; refused: it does not take what it was sent; gone:
 * the link has ended.
 */
export type BluetoothFailure = 'off' | 'denied' | 'range' | 'other' | 'refused' | 'gone';

export class BluetoothError extends Error {
  readonly why: BluetoothFailure;

  constructor(why: BluetoothFailure) {
    super(why);
    this.why = why;
  }
}

interface Descriptor {
  readValue(): Promise<DataView>;
}

interface Characteristic {
  readonly uuid: string;
  getDescriptor(uuid: number): Promise<Descriptor>;
  writeValueWithResponse(value: BufferSource): Promise<void>;
  readValue(): Promise<DataView>;
}

interface Gatt {
  readonly connected: boolean;
  connect(): Promise<Gatt>;
  disconnect(): void;
  getPrimaryServices(): Promise<{ getCharacteristics(): Promise<Characteristic[]> }[]>;
}

/** What Web Bluetooth has of a device; the browser's own type is not among those of the DOM. */
export interface BluetoothDevice {
  readonly name?: string;
  readonly gatt?: Gatt;
}

interface Bluetooth {
  getAvailability(): Promise<boolean>;
  requestDevice(options: {
    filters: ({ name: string } | { services: string[] })[];
    optionalServices: string[];
  }): Promise<BluetoothDevice>;
}

/** Services of network_provisioning, as firmware has it by default, and of Espressif's examples. */
const services = ['1775244d-6b43-439b-877c-060f2d9bed07', '021a9004-0382-4aea-bff4-6b3f1c5adfb4'];

const userDescription = 0x2901;
/** Endpoints that are known by the second half of the first word of their UUID, where nothing describes them. */
const known: Record<string, string> = {
  ff50: 'prov-scan',
  ff51: 'prov-session',
  ff52: 'prov-config',
  ff53: 'proto-ver',
};

const connects = 20_000; // milliseconds: some browsers wait for a device without end
const answers = 40_000; // a device that looks for networks answers when it has

const bluetooth = (): Bluetooth | undefined => (navigator as { bluetooth?: Bluetooth }).bluetooth;

/** Whether the browser has Bluetooth: Chromium on computers and on Android, on pages with https and on localhost. */
export const hasBluetooth = (): boolean => bluetooth() !== undefined;

/**
 * Lets the user choose a device that waits to be set up: with a name those of that name, else all. Nothing: they chose
 * none. To be called when something was pressed, as browsers ask for.
 */
export async function chooseBluetooth(name = ''): Promise<BluetoothDevice | undefined> {
  const filters = name ? [{ name }] : services.map((s) => ({ services: [s] }));
  try {
    return await bluetooth()!.requestDevice({ filters, optionalServices: services });
  } catch (err) {
    // Browsers say by the same error that Bluetooth is off, that they may not use it, and that nobody was chosen.
    const { name: kind, message } = err as DOMException;
    if (kind !== 'NotFoundError' || /denied|disabled|permission/i.test(message)) throw new BluetoothError('denied');
    if (!(await bluetooth()!.getAvailability().catch(() => true))) throw new BluetoothError('off');
    return undefined;
  }
}

/** Connects a device that was chosen. It throws a BluetoothError, as all of the link do. */
export async function openBluetooth(device: BluetoothDevice): Promise<BluetoothLink> {
  const gatt = device.gatt!;
  const attempt = () => within(connects, gatt.connect(), 'range');
  try {
    // The first attempt often fails at once, on a link that another one has just left.
    await attempt().catch((err: unknown) => (err instanceof BluetoothError ? Promise.reject(err) : attempt()));
  } catch {
    return end(gatt, 'range');
  }
  try {
    const found = await within(answers, endpointsOf(gatt), 'range');
    if (found.has('prov-session')) return wrap(gatt, found);
  } catch (err) {
    return end(gatt, err instanceof BluetoothError ? err.why : gatt.connected ? 'other' : 'gone');
  }
  return end(gatt, 'other');
}

function end(gatt: Gatt, why: BluetoothFailure): never {
  gatt.disconnect(); // an attempt that goes on, too
  throw new BluetoothError(why);
}

async function endpointsOf(gatt: Gatt): Promise<Map<string, Characteristic>> {
  const found = new Map<string, Characteristic>();
  for (const service of await gatt.getPrimaryServices()) {
    for (const c of await service.getCharacteristics()) {
      const name = await c
        .getDescriptor(userDescription)
        .then((d) => d.readValue())
        .then((v) => new TextDecoder().decode(v))
        .catch(() => known[c.uuid.slice(4, 8)]);
      if (name) found.set(name, c);
    }
  }
  return found;
}

function wrap(gatt: Gatt, endpoints: Map<string, Characteristic>): BluetoothLink {
  return {
    has: (endpoint) => endpoints.has(endpoint),
    async ask(endpoint, body) {
      const c = endpoints.get(endpoint);
      if (!c) throw new BluetoothError('other');
      const exchange = async () => {
        await c.writeValueWithResponse(body as BufferSource);
        return c.readValue();
      };
      try {
        const answer = await within(answers, exchange(), 'refused');
        return new Uint8Array(answer.buffer, answer.byteOffset, answer.byteLength);
      } catch {
        throw new BluetoothError(gatt.connected ? 'refused' : 'gone');
      }
    },
    close: () => gatt.disconnect(),
  };
}

/** Waits for something, but not for longer than ms: then it throws a BluetoothError. */
function within<T>(ms: number, what: Promise<T>, why: BluetoothFailure): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, failed) => (timer = setTimeout(() => failed(new BluetoothError(why)), ms)));
  return Promise.race([what, late]).finally(() => clearTimeout(timer));
}
