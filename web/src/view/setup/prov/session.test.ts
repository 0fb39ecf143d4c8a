import { createHash, webcrypto } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import golden from '../../../../../internal/provision/testdata/session.json';
import { BluetoothError } from '../../../platform/bluetooth';
import { ProvisionError } from './error';
import { encode, Message } from './message';
import { Provisioning } from './provision';
import { begin, sealed, security1, security2, type Channel } from './session';
import { agree, pairOf } from './srp';

const unhex = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const counting = (from: number, n: number) => Uint8Array.from({ length: n }, (_, i) => from + i);
const fixed = (hex: string) => (bytes: Uint8Array) => bytes.set(unhex(hex));

/** The key pair of X25519 that has a secret. */
async function pairWith(secret: Uint8Array): Promise<CryptoKeyPair> {
  const der = Buffer.concat([unhex('302e020100300506032b656e04220420'), secret]);
  const privateKey = await crypto.subtle.importKey('pkcs8', der, 'X25519', true, ['deriveBits']);
  const { x } = await crypto.subtle.exportKey('jwk', privateKey);
  const raw = Buffer.from(x!, 'base64url');
  return { privateKey, publicKey: await crypto.subtle.importKey('raw', raw, 'X25519', true, []) };
}

/** A device that answers what it answered before, if it is asked the same. */
function replayed(all: (typeof golden.Sessions)[number]['Exchanges']): Channel & { left: () => number } {
  let at = 0;
  return {
    left: () => all.length - at,
    async ask(endpoint, body) {
      const next = all[at++]!;
      expect([endpoint, hexOf(body)], `exchange ${at}`).toEqual([next.Endpoint, next.Ask]);
      return unhex(next.Answer);
    },
  };
}

const why = async (what: Promise<unknown>) => {
  const err = await what.then(
    () => undefined,
    (e: unknown) => e,
  );
  return err instanceof ProvisionError || err instanceof BluetoothError ? err.why : err;
};

test.each(golden.Sessions)('a session of Security $Security is that of the command line, byte by byte', async (s) => {
  const channel = replayed(s.Exchanges);
  await channel.ask('proto-ver', new TextEncoder().encode('---'));
  const cipher =
    s.Security === 2
      ? await security2(channel, s.User, s.Proof, fixed(s.Secret))
      : await security1(channel, await pairWith(unhex(s.Secret)), s.Proof);
  const device = new Provisioning(channel, cipher);
  const seen = await device.scan();
  expect(seen.map((n) => n.ssid).sort()).toEqual([...new Set(s.Networks)].sort());
  expect(seen[0]).toMatchObject({ rssi: -50, open: false });
  const claim = { server: s.Server, claim: s.Claim, ca: s.CA };
  const now = async () => {};
  await device.give(claim);
  await device.network(s.SSID, s.Wrong);
  expect(await why(device.joined(now))).toBe('password');
  await device.give(claim);
  await device.network(s.SSID, s.Password);
  await device.joined(now);
  expect(channel.left()).toBe(0);
});

test('SRP6a computes what Espressif’s client and an independent device have computed', async () => {
  const pair = pairOf(fixed('e0b107f9f96f69a2b6165a2ac7ae551643a4240881e2c14a01e8e9a56212a39a'));
  expect(sha256(pair.own)).toBe('b1a962641c35af2e4922316287da40090058b6a664384bf34c3ffe603485083a');
  // B of the device, by the numbers of the same vector.
  const [n, g] = [srpPrime(), 5n];
  const b = BigInt('0xbfd79bee5730679daae2cb9af1636d0446509838c2474fffb5247d92ed89aa6c');
  const x = BigInt(
    '0x9b2275ded2315b594e2fcf5d5c09770046b5e910464020ad28e1220c1245117f' +
      '8eb24b6459d39a47df0122eae626f730960cc46f6966af569e0339eeee29a5b3',
  );
  const k = BigInt(
    '0xa9c2e2559bf0ebb53f0cbbf62282906bede7f2182f00678211fbd5bde5b28503' +
      '3a4993503b87397f9be5ec02080fedbc0835587ad039060879b8621e8c3659e0',
  );
  const theirs = unhex(((k * modular(g, x, n) + modular(g, b, n)) % n).toString(16).padStart(768, '0'));
  expect(sha256(theirs)).toBe('303c1b55ab4d385d00151e42c5f9524fd017e3f2dd1d642e1e793840a51f9c8a');
  const salt = unhex('036ee0c7bcb99eda59786bfeb0bc4a1e');
  const agreed = await agree(pair, 'wifiprov', 'abcd1234', salt, theirs);
  expect(hexOf(agreed.key)).toBe(
    '9cca9910ed3a86c2070e0a889ffa93e59fdfc53dd377b5d7b4d02a55970bd608' +
      'e3184deef79cbe8c82edf5b34b765aaeba7022e89a02f30937174a3c5bc1dffa',
  );
  expect(hexOf(agreed.proof)).toBe(
    '86d3c0deb94ea9d5bf780c83ce36613c63bca0d6b9593bd60dd85b4d183dacce' +
      '40cd1eee889c2507ac70b03acc554310cb12d34dab95328c05a0045ec2b5ab81',
  );
  expect(hexOf(agreed.expected)).toBe(
    'e9b2b84ea748931088b8c801a55f3b261eaeac48a3d29a019e44b88d6eab3a47' +
      '300c17f09d3f7b4658da9d9a72fa69a3ae5a2b1cedb894ee5bcb66baff2cbabc',
  );
  const cipher = await sealed(agreed.key.slice(0, 32), unhex('010203040506070800000001'));
  expect(hexOf(await cipher.seal(new TextEncoder().encode('hello')))).toBe(
    '9ed3034b78cfecc00dd078479c5518a1f76977e2a0',
  );
  const zeros = [new Uint8Array(), Uint8Array.of(0), unhex(n.toString(16)), new Uint8Array(385)];
  for (const bad of zeros) expect(await why(agree(pair, 'a', 'b', salt, bad))).toBe('other');
});

/** The prime of the vector, which is checked by its sum: 2^3072 - 2^3008 - 1 + 2^64 * (floor(2^2942 pi) + 1690314). */
function srpPrime(): bigint {
  const arctan = (inverse: bigint) => {
    let term = (1n << 3100n) / inverse;
    let all = term;
    for (let n = 3n; term; n += 2n) {
      term /= inverse * inverse;
      all += n % 4n === 3n ? -(term / n) : term / n;
    }
    return all;
  };
  const pi = 4n * (4n * arctan(5n) - arctan(239n));
  const n = (((pi >> 158n) + 1690314n) << 64n) - 1n + (1n << 3072n) - (1n << 3008n);
  expect(sha256(unhex(n.toString(16)))).toBe('48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c');
  return n;
}

function modular(base: bigint, exponent: bigint, n: bigint): bigint {
  let out = 1n;
  for (let b = base; exponent; exponent >>= 1n, b = (b * b) % n) if (exponent & 1n) out = (out * b) % n;
  return out;
}

test('Security 1 computes what Espressif’s client and an independent device have computed', async () => {
  const device = unhex('64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466');
  const asked: string[] = [];
  const answers = [
    encode([[2, 1], [11, encode([[1, 1], [21, encode([[2, device], [3, counting(0, 16)]])]])]]),
    encode([
      [2, 1],
      [
        11,
        encode([
          [1, 3],
          [23, encode([[3, unhex('396a64d80de7b6a981ac10a6e54417ee4a4ace6bd89bb9535616c29479343184')]])],
        ]),
      ],
    ]),
  ];
  const channel: Channel = {
    async ask(_, body) {
      asked.push(hexOf(body));
      return answers[asked.length - 1]!;
    },
  };
  const cipher = await security1(channel, await pairWith(counting(1, 32)), 'abcd1234');
  expect(asked[0]).toBe(`10015a25a201220a20${'07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c'}`);
  expect(asked[1]!.slice(-64)).toBe('1660413d283b57846cabc05432015f000fcd4b61228bb3f923ab84fd905a3ab1');
  expect(hexOf(await cipher.seal(Uint8Array.of(8, 0)))).toBe('7bb8');
});

test('the one key stream of Security 1 goes on, however long what is sent is', async () => {
  const pair = await pairWith(counting(1, 32));
  const key = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const iv = Uint8Array.from({ length: 16 }, () => 0xff); // the counter runs over
  // Both have the same key pair: what is sent is a proof of either.
  const shared = new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'X25519', public: pair.publicKey }, pair.privateKey, 256),
  );
  const aes = await webcrypto.subtle.importKey('raw', shared, 'AES-CTR', false, ['encrypt']);
  const whole = new Uint8Array(
    await webcrypto.subtle.encrypt({ name: 'AES-CTR', counter: iv, length: 128 }, aes, new Uint8Array(264)),
  );
  let step = 0;
  const cipher = await security1(
    {
      async ask() {
        const proof = key.map((v, i) => v ^ whole[32 + i]!);
        const inner = step++ ? encode([[23, encode([[3, proof]])]]) : encode([[21, encode([[2, key], [3, iv]])]]);
        return encode([[2, 1], [11, inner]]);
      },
    },
    pair,
    '',
  );
  const parts = await [0, 1, 16, 7, 33, 100, 43].reduce<Promise<Uint8Array[]>>(
    async (all, n) => [...(await all), await cipher.seal(new Uint8Array(n))],
    Promise.resolve([]),
  );
  expect(hexOf(Buffer.concat(parts))).toBe(hexOf(whole.slice(64)));
});

test('a counter is not used twice, and nothing goes on after an answer that was changed', async () => {
  const last = await sealed(counting(0, 32), unhex('0102030405060708ffffffff'));
  await last.seal(new Uint8Array());
  expect(await why(last.seal(new Uint8Array()))).toBe('changed');
  const noisy = await sealed(counting(0, 32), counting(1, 12));
  expect(await why(noisy.open(counting(0, 20)))).toBe('changed');
  expect(await why(noisy.seal(new Uint8Array()))).toBe('changed');
  expect(await why(sealed(counting(0, 32), counting(1, 11)))).toBe('other');
});

/** A device that says what it speaks, and nothing else. */
const speaks = (prov: unknown): Channel => ({
  async ask(endpoint) {
    if (endpoint === 'proto-ver') return new TextEncoder().encode(JSON.stringify({ prov }));
    throw new BluetoothError('refused');
  },
});

test('what protects nothing, or less than its label promises, gets no session', async () => {
  const proof = { pop: 'abcd' };
  expect(await why(begin(speaks({ ver: 'v1.1', sec_ver: 0 }), proof))).toBe('unsafe');
  expect(await why(begin(speaks({ ver: 'v1.1', sec_ver: 2 }), proof))).toBe('unsafe'); // one nonce for all
  expect(await why(begin(speaks({ ver: 'v1.1', sec_ver: 1 }), { ...proof, security: 2 }))).toBe('weaker');
  expect(await why(begin(speaks({ ver: 'v1.1', sec_ver: 3 }), proof))).toBe('other');
  expect(await why(begin(speaks({}), proof))).toBe('other');
  expect(await why(begin({ ask: async () => counting(0, 9) }, proof))).toBe('other');
  // It is no proof yet that is refused.
  expect(await why(begin(speaks({ ver: 'v1.1' }), proof))).toBe('refused');
});

test('a browser without X25519 is told apart', async () => {
  const lacking = vi.spyOn(crypto.subtle, 'generateKey');
  lacking.mockRejectedValue(new DOMException('', 'NotSupportedError'));
  expect(await why(begin(speaks({ ver: 'v1.1', sec_ver: 1 }), { pop: '' }))).toBe('curve');
  lacking.mockRestore();
});

test.each(golden.Sessions)('another proof is refused with Security $Security', async (s) => {
  const second = s.Exchanges.findIndex((e) => e.Endpoint === 'prov-session') + 1;
  let step = 0;
  const refusing: Channel = {
    async ask() {
      if (step++) throw new BluetoothError('refused');
      return unhex(s.Exchanges[second - 1]!.Answer);
    },
  };
  // One that takes any proof does not know it itself.
  const lying = (): Channel => {
    let at = second - 1;
    return { ask: async () => unhex(s.Exchanges[at++]!.Answer) };
  };
  const open = async (channel: Channel) =>
    s.Security === 2
      ? security2(channel, s.User, 'abcd1235', fixed(s.Secret))
      : security1(channel, await pairWith(unhex(s.Secret)), 'abcd1235');
  expect(await why(open(refusing))).toBe('proof');
  expect(await why(open(lying()))).toBe('proof');
});

test('no message breaks who reads it', () => {
  const message = encode([[1, 300], [3, 4_294_967_246], [2, Uint8Array.of(1, 2)], [2, Uint8Array.of(3)]]);
  const read = new Message(message);
  expect([read.number(1), read.number(3), read.number(9)]).toEqual([300, -50, 0]);
  expect([hexOf(read.bytes(2)), read.all(2).length, read.bytes(1).length]).toEqual(['03', 2, 0]);
  let seed = 7;
  const next = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  for (let round = 0; round < 2000; round++) {
    const bytes = message.slice(0, next(message.length + 1)).map((b) => (next(6) ? b : next(256)));
    try {
      void new Message(bytes);
    } catch (err) {
      expect(err).toBeInstanceOf(ProvisionError);
    }
  }
  expect(() => read.message(7)).toThrow(ProvisionError);
});
