// What a device with a session is told: the claim, by the endpoint of our firmware, and the network.

import { lineOf, type SeenNetwork } from '../board';
import { ProvisionError } from './error';
import { encode, Message, type Fields } from './message';
import type { Channel, Cipher } from './session';

/** The endpoint of our firmware that takes a claim. */
export const endpoint = 'unhidra';

/** What a device is given besides the network: whose it becomes. */
export interface Claim {
  server: string;
  /** by which it gets its key */
  claim: string;
  /** certificates in PEM of the authorities that it trusts; none: public ones */
  ca: string;
}

const most = 4000; // bytes of a claim
const part = 440; // bytes of it that fit into a characteristic, which has 512, beside what the session adds
const [begins, goesOn, ends] = ['[', '+', ']'].map((c) => c.charCodeAt(0)) as [number, number, number]; // a part
const scanPart = 4; // networks in an answer: they are short over Bluetooth
const joins = 60_000; // our firmware gives up after 30 seconds
const every = 1000;

export class Provisioning {
  readonly #channel: Channel;
  readonly #cipher: Cipher;

  constructor(channel: Channel, cipher: Cipher) {
    this.#channel = channel;
    this.#cipher = cipher;
  }

  /** The networks that the device sees, the strongest first, each once. */
  async scan(): Promise<SeenNetwork[]> {
    const call = (msg: number, body: Fields) => this.#message('prov-scan', msg, body, (m) => m.number(2));
    // In groups of 5 channels, so that the device's other radio goes on meanwhile; 120 ms each.
    await call(0, [
      [1, 1],
      [3, 5],
      [4, 120],
    ]);
    const count = Math.min((await call(2, [])).number(2), 64);
    const seen = new Map<string, SeenNetwork>();
    for (let at = 0; at < count; at += scanPart) {
      const found = await call(4, [
        [1, at],
        [2, Math.min(scanPart, count - at)],
      ]);
      for (const entry of found.all(1).map((raw) => new Message(raw))) {
        const [ssid, rssi] = [new TextDecoder().decode(entry.bytes(1)), entry.number(3)];
        const before = seen.get(ssid);
        if (ssid && !(before && before.rssi >= rssi)) seen.set(ssid, { ssid, rssi, open: entry.number(5) === 0 });
      }
    }
    return [...seen.values()].sort((a, b) => b.rssi - a.rssi);
  }

  /** Gives the device its claim, in parts if one body cannot hold it. */
  async give(claim: Claim): Promise<void> {
    const body = new TextEncoder().encode(lineOf(claim));
    if (body.length > most) throw new ProvisionError('long');
    const whole = body.length <= part;
    for (let at = 0; ; at += part) {
      const last = at + part >= body.length;
      const piece = body.slice(at, at + part);
      const sent = whole ? body : Uint8Array.of(last ? ends : at ? goesOn : begins, ...piece);
      const { ok, error } = answerOf(await this.#call(endpoint, sent));
      if (!ok) throw new ProvisionError('said', error);
      if (last) return;
    }
  }

  /** Tells the network, which the device joins then. */
  async network(ssid: string, password: string): Promise<void> {
    const text = new TextEncoder();
    await this.#config(2, [
      [1, text.encode(ssid)],
      [2, text.encode(password)],
    ]);
    await this.#config(4, []);
  }

  /** Waits until the device has joined the network. pause waits between two questions. */
  async joined(pause = () => sleep(every)): Promise<void> {
    for (const late = Date.now() + joins; Date.now() < late; ) {
      await pause();
      const answer = await this.#config(0, []);
      const state = answer.number(2);
      if (state === 0) return;
      if (state === 3) throw new ProvisionError(answer.number(10) ? 'network' : 'password');
    }
    throw new ProvisionError('late');
  }

  #config(msg: number, body: Fields): Promise<Message> {
    return this.#message('prov-config', msg, body, (answer) => answer.message(11 + msg).number(1));
  }

  /** Calls an endpoint whose messages have the field 10 + msg, as their answers have. */
  async #message(name: string, msg: number, body: Fields, failed: (answer: Message) => number): Promise<Message> {
    const sent: Fields = [
      [1, msg],
      [10 + msg, encode(body)],
    ];
    const answer = new Message(await this.#call(name, encode(sent)));
    const status = failed(answer);
    if (status) throw new ProvisionError('said', `status ${status}`);
    return answer.message(11 + msg);
  }

  async #call(name: string, body: Uint8Array): Promise<Uint8Array> {
    return this.#cipher.open(await this.#channel.ask(name, await this.#cipher.seal(body)));
  }
}

function answerOf(raw: Uint8Array): { ok: boolean; error: string } {
  try {
    const { ok, error } = JSON.parse(new TextDecoder().decode(raw)) as { ok?: unknown; error?: unknown };
    return { ok: ok === true, error: typeof error === 'string' ? error : '' };
  } catch {
    throw new ProvisionError('other');
  }
}

const sleep = (ms: number): Promise<void> => new Promise((go) => setTimeout(go, ms));
