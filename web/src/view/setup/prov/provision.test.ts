import { expect, test, vi } from 'vitest';
import { ProvisionError } from './error';
import { encode, Message } from './message';
import { Provisioning } from './provision';

const plain = { seal: async (b: Uint8Array) => b, open: async (b: Uint8Array) => b };
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A device without encryption that answers by a function. */
const device = (answer: (endpoint: string, body: Uint8Array) => Uint8Array | string) =>
  new Provisioning(
    {
      async ask(endpoint, body) {
        const a = answer(endpoint, body);
        return typeof a === 'string' ? new TextEncoder().encode(a) : a;
      },
    },
    plain,
  );

const why = async (what: Promise<unknown>) => {
  const err = await what.then(
    () => undefined,
    (e: unknown) => e,
  );
  return err instanceof ProvisionError ? [err.why, err.message] : err;
};

const claim = { server: 'wss://chat.example.org:443', claim: 'dc_x', ca: '' };

test('a claim that a characteristic cannot hold comes in parts', async () => {
  const bodies: Uint8Array[] = [];
  const d = device((_, body) => {
    bodies.push(body);
    return '{"ok":true}';
  });
  await d.give(claim);
  expect(bodies.map(text)).toEqual(['{"server":"wss://chat.example.org:443","claim":"dc_x"}']);
  bodies.length = 0;
  const ca = 'é'.repeat(900);
  await d.give({ ...claim, ca });
  expect(Math.max(...bodies.map((b) => b.length))).toBeLessThanOrEqual(512 - 16);
  expect(bodies.length).toBe(5);
  expect(bodies.map((b) => text(b)[0]).join('')).toBe('[+++]');
  expect(JSON.parse(Buffer.concat(bodies.map((b) => b.slice(1))).toString())).toEqual({ ...claim, ca });
  expect(await why(d.give({ ...claim, ca: 'x'.repeat(4000) }))).toEqual(['long', 'long']);
});

test('what the device does not take is told in its words', async () => {
  expect(await why(device(() => '{"ok":false,"error":"the flash is full"}').give(claim))).toEqual([
    'said',
    'the flash is full',
  ]);
  expect(await why(device(() => 'what?').give(claim))).toEqual(['other', 'other']);
  const failing = device((_, body) => {
    const msg = new Message(body).number(1);
    return encode([[1, msg + 1], [11 + msg, encode([[1, 5]])]]);
  });
  expect(await why(failing.network('Home', ''))).toEqual(['said', 'status 5']);
});

/** What a device answers that is asked to join, and then how that goes. */
const joining = (...states: [number, number][][]) => {
  let at = 0;
  return device((_, body) => {
    const msg = new Message(body).number(1);
    const inner = msg === 0 ? states[Math.min(at++, states.length - 1)]! : [];
    return encode([[1, msg + 1], [11 + msg, encode(inner)]]);
  });
};

test('joining ends with what became of it', async () => {
  const now = async () => {};
  const connecting = joining([[2, 1]], [[2, 1]], []);
  await connecting.network('Home', 'x');
  await connecting.joined(now);
  expect(await why(joining([[2, 1]], [[2, 3]]).joined(now))).toEqual(['password', 'password']);
  expect(await why(joining([[2, 3], [10, 1]]).joined(now))).toEqual(['network', 'network']);
  // An answer that failed is not taken for "connected", which is 0.
  expect(await why(joining([[1, 5]]).joined(now))).toEqual(['said', 'status 5']);
  vi.useFakeTimers();
  try {
    const late = why(joining([[2, 1]]).joined());
    await vi.advanceTimersByTimeAsync(61_000);
    expect(await late).toEqual(['late', 'late']);
  } finally {
    vi.useRealTimers();
  }
});

test('networks are told once, the strongest first, without those that hide their name', async () => {
  const all: [string, number, number][] = [
    ['Far', -80, 3],
    ['Home', -60, 3],
    ['', -30, 3],
    ['Café', -50, 0],
    ['Home', -40, 3],
  ];
  const d = device((_, body) => {
    const asked = new Message(body);
    const msg = asked.number(1);
    const from = msg === 4 ? asked.message(14) : undefined;
    const part = all.slice(from?.number(1), (from?.number(1) ?? 0) + (from?.number(2) ?? 0));
    const entries = part.map(
      ([ssid, rssi, auth]): [number, Uint8Array] => [
        1,
        encode([[1, new TextEncoder().encode(ssid)], [3, rssi >>> 0], [5, auth]]),
      ],
    );
    return encode([[1, msg + 1], [11 + msg, encode(msg === 2 ? [[1, 1], [2, all.length]] : entries)]]);
  });
  expect(await d.scan()).toEqual([
    { ssid: 'Home', rssi: -40, open: false },
    { ssid: 'Café', rssi: -50, open: true },
    { ssid: 'Far', rssi: -80, open: false },
  ]);
});
