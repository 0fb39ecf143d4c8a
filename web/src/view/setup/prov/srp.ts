// SRP6a as protocomm has it: the group of 3,072 bits of RFC 5054 (appendix A) with SHA-512, as the one who sets up.

import { ProvisionError } from './error';

const size = 384; // of a number of the group, in bytes

/* prettier-ignore */
const prime = BigInt('0x' +
  'FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD' +
  'EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED' +
  'EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F' +
  '83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B' +
  'E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510' +
  '15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7' +
  'ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C' +
  'BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF');
const generator = 5n;

/** Fills bytes at random; tests have numbers of their own. */
export type Random = (bytes: Uint8Array) => void;

const numberOf = (bytes: Uint8Array): bigint =>
  BigInt(`0x0${[...bytes].map((b) => b.toString(16).padStart(2, '0')).join('')}`);

/** The bytes of a number, with zeros before them if it has fewer than length. */
function bytesOf(n: bigint, length = 0): Uint8Array {
  const hex = n.toString(16);
  const even = hex.padStart(Math.max(2 * length, hex.length + (hex.length % 2)), '0');
  return Uint8Array.from(even.match(/../g)!, (pair) => parseInt(pair, 16));
}

function power(base: bigint, exponent: bigint): bigint {
  let out = 1n;
  for (const bit of exponent.toString(2)) {
    out = (out * out) % prime;
    if (bit === '1') out = (out * base) % prime;
  }
  return out;
}

/** SHA-512 over what follows each other. */
async function hash(...parts: (Uint8Array | string)[]): Promise<Uint8Array> {
  const all = parts.flatMap((p) => [...(typeof p === 'string' ? new TextEncoder().encode(p) : p)]);
  return new Uint8Array(await crypto.subtle.digest('SHA-512', Uint8Array.from(all)));
}

/** The key pair of a session. */
export interface Pair {
  readonly secret: bigint;
  /** A */
  readonly own: Uint8Array;
}

/** Makes a key pair. Its public key begins with no zero: peers differ in whether they send it. */
export function pairOf(random: Random): Pair {
  for (;;) {
    const bytes = new Uint8Array(32);
    random(bytes);
    const secret = numberOf(bytes);
    const own = bytesOf(power(generator, secret));
    if (own.length === size) return { secret, own };
  }
}

export interface Agreed {
  /** K */
  key: Uint8Array;
  /** M1, which is sent */
  proof: Uint8Array;
  /** M2, which the device must answer */
  expected: Uint8Array;
}

/** Computes the key by the device's salt and public key, and the proofs of both sides. */
export async function agree(
  pair: Pair,
  user: string,
  password: string,
  salt: Uint8Array,
  theirs: Uint8Array,
): Promise<Agreed> {
  const n = bytesOf(prime, size);
  const g = bytesOf(generator, size);
  const b = numberOf(theirs);
  const u = numberOf(await hash(pair.own, bytesOf(b, size)));
  // A device that sends 0 would make the key one that everybody knows.
  if (theirs.length > size || b % prime === 0n || !u || !salt.length) throw new ProvisionError('other');
  const x = numberOf(await hash(salt, await hash(`${user}:${password}`)));
  const k = numberOf(await hash(n, g));
  const base = (b + (prime - ((k * power(generator, x)) % prime))) % prime;
  const key = await hash(bytesOf(power(base, pair.secret + u * x)));
  const ofG = await hash(g);
  const group = (await hash(n)).map((v, i) => v ^ ofG[i]!);
  const proof = await hash(group, await hash(user), salt, pair.own, theirs, key);
  return { key, proof, expected: await hash(pair.own, proof, key) };
}
