// Sessions of protocomm, as the one who sets up: by Security 2 (SRP6a, AES-GCM), or Security 1 (X25519, AES-CTR).

import { BluetoothError } from '../../../platform/bluetooth';
import { ProvisionError } from './error';
import { encode, Message, type Fields } from './message';
import { agree, pairOf, type Random } from './srp';

/** A way to a device: each body that is sent has an answer. */
export interface Channel {
  ask(endpoint: string, body: Uint8Array): Promise<Uint8Array>;
}

/** What encrypts after the handshake, in the order in which it is sent and received. */
export interface Cipher {
  seal(body: Uint8Array): Promise<Uint8Array>;
  open(body: Uint8Array): Promise<Uint8Array>;
}

/** What proves that somebody has the device: it is on its label. */
export interface Proof {
  pop: string;
  /** of Security 2 */
  username?: string | undefined;
  /** what the label says that the device speaks; nothing: it does not say */
  security?: number | undefined;
}

/** Who firmware of ESP-IDF's examples calls the user of Security 2. */
export const defaultUser = 'wifiprov';

const text = new TextEncoder();

/** Asks a device what it speaks, and begins a session. What protects nothing is not taken. */
export async function begin(channel: Channel, proof: Proof, random: Random = fill): Promise<Cipher> {
  const { security, patch } = versionOf(await channel.ask('proto-ver', text.encode('---')));
  // Who stands in between could have a device that is safe speak something weaker.
  if (security < (proof.security ?? 0)) throw new ProvisionError('weaker');
  if (security === 2 && patch >= 1) {
    return security2(channel, proof.username || defaultUser, proof.pop, random);
  }
  if (security === 1) return security1(channel, await ephemeral(), proof.pop);
  throw new ProvisionError(security === 0 || security === 2 ? 'unsafe' : 'other');
}

/** What a device says of itself before there is a session. Without a number it speaks Security 1. */
function versionOf(answer: Uint8Array): { security: number; patch: number } {
  try {
    const { prov } = JSON.parse(new TextDecoder().decode(answer)) as {
      prov: { ver: string; sec_ver?: number; sec_patch_ver?: number };
    };
    if (prov.ver) return { security: prov.sec_ver ?? 1, patch: prov.sec_patch_ver ?? 0 };
  } catch {
    // it is something else
  }
  throw new ProvisionError('other');
}

/**
 * Sends a message of a handshake, and returns the message in the answer, whose field is one further. A device refuses a
 * proof without an answer.
 */
async function shake(channel: Channel, security: 1 | 2, field: 20 | 22, body: Fields): Promise<Message> {
  const outer = 10 + security;
  const inner: Fields = [
    [1, field - 20],
    [field, encode(body)],
  ];
  const sent = encode([
    [2, security],
    [outer, encode(inner)],
  ]);
  const raw = await channel.ask('prov-session', sent).catch((err: unknown) => {
    const refused = field === 22 && err instanceof BluetoothError && err.why === 'refused';
    throw refused ? new ProvisionError('proof') : err;
  });
  const answer = new Message(raw).message(outer).message(field + 1);
  if (answer.number(1)) throw new ProvisionError('said', `status ${answer.number(1)}`);
  return answer;
}

export async function security2(channel: Channel, user: string, pop: string, random: Random): Promise<Cipher> {
  const pair = pairOf(random);
  const hello = await shake(channel, 2, 20, [
    [1, text.encode(user)],
    [2, pair.own],
  ]);
  const { key, proof, expected } = await agree(pair, user, pop, hello.bytes(3), hello.bytes(2));
  const answer = await shake(channel, 2, 22, [[1, proof]]);
  if (!same(answer.bytes(2), expected)) throw new ProvisionError('proof');
  return sealed(key.slice(0, 32), answer.bytes(3));
}

/** AES-GCM, whose counter is one for both directions. A nonce is never used again. */
export async function sealed(key: Uint8Array, first: Uint8Array): Promise<Cipher> {
  if (first.length !== 12) throw new ProvisionError('other');
  const aes = await crypto.subtle.importKey('raw', key as BufferSource, 'AES-GCM', false, ['encrypt', 'decrypt']);
  const iv = first.slice();
  const counter = new DataView(iv.buffer);
  let ended = false;
  const next = (): { name: string; iv: Uint8Array<ArrayBuffer> } => {
    if (ended) throw new ProvisionError('changed');
    const used = { name: 'AES-GCM', iv: iv.slice() };
    counter.setUint32(8, counter.getUint32(8) + 1);
    ended = counter.getUint32(8) === 0;
    return used;
  };
  return {
    seal: async (body) => new Uint8Array(await crypto.subtle.encrypt(next(), aes, body as BufferSource)),
    async open(body) {
      try {
        return new Uint8Array(await crypto.subtle.decrypt(next(), aes, body as BufferSource));
      } catch {
        ended = true; // the counters may differ
        throw new ProvisionError('changed');
      }
    },
  };
}

/** A key pair for one session. Chromium has X25519 since version 133. */
async function ephemeral(): Promise<CryptoKeyPair> {
  try {
    return (await crypto.subtle.generateKey('X25519', false, ['deriveBits'])) as CryptoKeyPair;
  } catch {
    throw new ProvisionError('curve');
  }
}

/** Nothing protects what is sent by it from being changed: that is Security 2. */
export async function security1(channel: Channel, pair: CryptoKeyPair, pop: string): Promise<Cipher> {
  const own = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const hello = await shake(channel, 1, 20, [[1, own]]);
  const theirs = hello.bytes(2);
  const stream = await keyStream(pair.privateKey, theirs, hello.bytes(3), pop);
  const answer = await shake(channel, 1, 22, [[2, await stream.seal(theirs)]]);
  if (!same(await stream.open(answer.bytes(3)), own)) throw new ProvisionError('proof');
  return stream;
}

async function keyStream(own: CryptoKey, theirs: Uint8Array, random: Uint8Array, pop: string): Promise<Cipher> {
  if (theirs.length !== 32 || random.length !== 16) throw new ProvisionError('other');
  const raw = theirs as BufferSource;
  const shared = await crypto.subtle
    .importKey('raw', raw, 'X25519', true, [])
    .then((key) => crypto.subtle.deriveBits({ name: 'X25519', public: key }, own, 256))
    .catch(() => {
      throw new ProvisionError('other'); // a key that makes one that everybody knows
    });
  const added = pop ? new Uint8Array(await crypto.subtle.digest('SHA-256', text.encode(pop))) : new Uint8Array(32);
  const key = new Uint8Array(shared).map((v, i) => v ^ added[i]!);
  const aes = await crypto.subtle.importKey('raw', key, 'AES-CTR', false, ['encrypt']);
  const start = BigInt(`0x${[...random].map((b) => b.toString(16).padStart(2, '0')).join('')}`);
  let used = 0; // bytes of the one stream for both directions
  const apply = async (body: Uint8Array): Promise<Uint8Array> => {
    const skip = used % 16;
    const block = (start + BigInt(Math.floor(used / 16))) & ((1n << 128n) - 1n);
    const counter = Uint8Array.from(block.toString(16).padStart(32, '0').match(/../g)!, (pair) => parseInt(pair, 16));
    used += body.length;
    const padded = new Uint8Array(skip + body.length);
    padded.set(body, skip);
    const out = await crypto.subtle.encrypt({ name: 'AES-CTR', counter, length: 128 }, aes, padded);
    return new Uint8Array(out).slice(skip);
  };
  return { seal: apply, open: apply };
}

/** Whether bytes are the same, in a time that does not tell where they differ. */
const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.reduce((differ, v, i) => differ | (v ^ b[i]!), 0) === 0;

const fill: Random = (bytes) => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
