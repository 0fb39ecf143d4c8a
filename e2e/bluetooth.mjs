// A board over simulated Bluetooth: in the page it takes the place of the browser's own Web Bluetooth. Its endpoints
// are those of ESP-IDF's provisioning with Security 2. It shares no code with the web client.

import { createCipheriv, createDecipheriv, createHash, getDiffieHellman, randomBytes } from 'node:crypto';

const prime = getDiffieHellman('modp15').getPrime(); // the group of 3,072 bits of RFC 5054 has the same
const [n, g] = [BigInt(`0x${prime.toString('hex')}`), 5n];
const sum = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha512')).digest();
const numberOf = (bytes) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const wide = (v) => Buffer.from(v.toString(16).padStart(768, '0'), 'hex');
const short = (v) => Buffer.from(v.toString(16).replace(/^(.(..)*)$/, '0$1'), 'hex');

function power(base, exponent) {
  let out = 1n;
  for (let b = base; exponent; exponent >>= 1n, b = (b * b) % n) if (exponent & 1n) out = (out * b) % n;
  return out;
}

/** A message: of each field the last number, or the last bytes. */
function decode(bytes) {
  const fields = {};
  let at = 0;
  const varint = () => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const b = bytes[at++];
      value += (b & 127) * factor;
      if (b < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    fields[tag >> 3] = tag & 2 ? bytes.subarray(at, (at += value)) : value;
  }
  return fields;
}

function encode(...fields) {
  const varint = (v) => (v < 128 ? [v] : [(v & 127) | 128, ...varint(Math.floor(v / 128))]);
  return Buffer.concat(
    fields.map(([field, v]) =>
      typeof v === 'number'
        ? Buffer.from(v ? [...varint(field * 8), ...varint(v)] : [])
        : Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(v.length)]), v]),
    ),
  );
}

/** The board: what it answers to a body at an endpoint; nothing: it refuses, and its session has ended. */
class Board {
  given = {};
  parts = 0;
  #claim = '';
  #asked = 0;

  constructor({ pop, networks, password, joined }) {
    Object.assign(this, { networks, password, joined });
    this.salt = Buffer.from('sixteen of salt!');
    this.v = power(g, numberOf(sum(this.salt, sum(`wifiprov:${pop}`))));
  }

  answer(endpoint, body) {
    if (endpoint === 'proto-ver') return Buffer.from('{"prov":{"ver":"netprov-v1.2","sec_ver":2,"sec_patch_ver":1}}');
    if (endpoint === 'prov-session') return this.#shake(decode(decode(body)[12]));
    if (!this.nonce) return undefined;
    const opened = createDecipheriv('aes-256-gcm', this.key.subarray(0, 32), this.nonce);
    opened.setAuthTag(body.subarray(-16));
    const plain = Buffer.concat([opened.update(body.subarray(0, -16)), opened.final()]);
    this.#next();
    const sealed = createCipheriv('aes-256-gcm', this.key.subarray(0, 32), this.nonce);
    const answer = Buffer.concat([sealed.update(this.#handle(endpoint, plain)), sealed.final(), sealed.getAuthTag()]);
    this.#next();
    return answer;
  }

  #next = () => this.nonce.writeUInt32BE(this.nonce.readUInt32BE(8) + 1, 8);

  #shake(m) {
    const outer = (msg, field, ...inner) => encode([2, 2], [12, encode([1, msg], [field, encode(...inner)])]);
    if (m[20]) {
      const hello = decode(m[20]);
      const [a, b] = [numberOf(hello[2]), numberOf(randomBytes(32))];
      const own = (numberOf(sum(prime, wide(g))) * this.v + power(g, b)) % n;
      const u = numberOf(sum(wide(a), wide(own)));
      this.key = sum(short(power((a * power(this.v, u)) % n, b)));
      const group = sum(wide(g)).map((v, i) => v ^ sum(prime)[i]);
      this.proof = sum(Buffer.from(group), sum(hello[1]), this.salt, hello[2], short(own), this.key);
      this.theirs = hello[2];
      this.nonce = undefined;
      return outer(1, 21, [2, short(own)], [3, this.salt]);
    }
    if (!this.proof?.equals(decode(m[22])[1])) return undefined;
    this.nonce = Buffer.concat([randomBytes(8), Buffer.from([0, 0, 0, 1])]);
    return outer(3, 23, [2, sum(this.theirs, this.proof, this.key)], [3, Buffer.from(this.nonce)]);
  }

  #handle(endpoint, body) {
    if (endpoint === 'unhidra') {
      const mark = String.fromCharCode(body[0]);
      this.parts++;
      this.#claim = mark === '+' || mark === ']' ? this.#claim + body.subarray(1) : String(body).replace(/^\[/, '');
      if (mark === '{' || mark === ']') this.given = { ...this.given, ...JSON.parse(this.#claim) };
      return Buffer.from('{"ok":true}');
    }
    const m = decode(body);
    const msg = m[1] ?? 0;
    const reply = (...inner) => encode([1, msg + 1], [11 + msg, encode(...inner)]);
    if (endpoint === 'prov-scan') {
      const ask = decode(m[14] ?? []);
      const from = ask[1] ?? 0;
      const seen = this.networks.slice(from, from + (ask[2] ?? 0));
      if (msg === 2) return reply([1, 1], [2, this.networks.length]);
      const entry = ({ ssid, rssi, open }) => encode([1, Buffer.from(ssid)], [3, 2 ** 32 + rssi], [5, open ? 0 : 3]);
      return reply(...seen.map((s) => [1, entry(s)]));
    }
    if (msg === 2) {
      const set = decode(m[12]);
      this.given = { ...this.given, ssid: String(set[1]), password: String(set[2]) };
      this.#asked = 0;
    }
    if (msg) return reply();
    if (!this.#asked++) return reply([2, 1]); // it connects
    if (!this.networks.some((known) => known.ssid === this.given.ssid)) return reply([2, 3], [10, 1]);
    if (this.given.password !== this.password) return reply([2, 3]);
    this.joined(this.given);
    return reply([11, encode([1, Buffer.from('192.0.2.9')])]);
  }
}

/** How a page is that has the simulated board; what is changed while a test runs is in globalThis.air: see below. */
export async function simulateBluetooth(page, how) {
  const joined = (setup) => void setTimeout(() => page.evaluate((s) => globalThis.board.online(s), setup), 100);
  const board = new Board({ ...how, joined });
  await page.exposeFunction('airAsk', (endpoint, body) =>
    board.answer(endpoint, Buffer.from(body, 'base64'))?.toString('base64'),
  );
  await page.addInitScript(() => {
    // off: there is no Bluetooth; none: nobody is chosen; far: it cannot be connected; goneAt: it goes away when that
    // endpoint is asked; chosen: how often somebody chose
    const air = (globalThis.air = { chosen: 0 });
    const failed = (name, message) => {
      throw new DOMException(message, name);
    };
    const names = ['prov-ctrl', 'prov-scan', 'prov-session', 'prov-config', 'proto-ver', 'unhidra'];
    const characteristic = (name, i) => {
      let answer = '';
      return {
        uuid: `1775ff${(0x4f + i).toString(16)}-6b43-439b-877c-060f2d9bed07`,
        getDescriptor: async () => ({ readValue: async () => new DataView(new TextEncoder().encode(name).buffer) }),
        async writeValueWithResponse(body) {
          if (air.goneAt === name) gatt.connected = false;
          if (!gatt.connected) failed('NetworkError', 'GATT Server is disconnected.');
          if (body.byteLength > 512) failed('InvalidModificationError', 'Value can not exceed 512 bytes.');
          answer = await globalThis.airAsk(name, btoa(String.fromCharCode(...body)));
          if (!answer) failed('NotSupportedError', 'GATT operation failed for unknown reason.');
        },
        async readValue() {
          if (!gatt.connected) failed('NetworkError', 'GATT Server is disconnected.');
          return new DataView(Uint8Array.from(atob(answer), (c) => c.charCodeAt(0)).buffer);
        },
      };
    };
    const gatt = {
      connected: false,
      async connect() {
        if (air.far) failed('NetworkError', 'Connection attempt failed.');
        gatt.connected = true;
      },
      disconnect: () => void (gatt.connected = false),
      getPrimaryServices: async () => [{ getCharacteristics: async () => names.map(characteristic) }],
    };
    const bluetooth = {
      getAvailability: async () => !air.off,
      async requestDevice({ filters }) {
        if (air.off) failed('NotFoundError', 'Bluetooth adapter not available.');
        if (air.none) failed('NotFoundError', 'User cancelled the requestDevice() chooser.');
        air.chosen++;
        air.filters = filters;
        return { name: 'PROV_B1', gatt };
      },
    };
    Object.defineProperty(navigator, 'bluetooth', { value: bluetooth, configurable: true });
  });
  return board;
}
