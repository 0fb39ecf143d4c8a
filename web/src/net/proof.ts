// Forms that the server may ask a proof of work for.

import { Refusal } from './api';

/** Proofs that were good when they were made: of another address, or too old by now. */
const outdated = ['captcha_other_address', 'captcha_expired'];

/**
 * Sends a form, and if the server asks for a proof, once more with one. A proof that is
 * out of date is made once again: a browser may change between IPv4 and IPv6 meanwhile.
 * prove returns undefined where no proof can be made here; then the refusal is thrown.
 */
export async function withProof<T>(
  send: (proof?: string) => Promise<T>,
  prove: () => Promise<string | undefined>,
): Promise<T> {
  const asked = await refusal(send());
  if (!(asked instanceof Refusal)) return asked.value;
  if (asked.code !== 'captcha_required') throw asked;
  const proven = async () => {
    const proof = await prove();
    if (proof === undefined) throw asked;
    return send(proof);
  };
  const first = await refusal(proven());
  if (!(first instanceof Refusal)) return first.value;
  if (!outdated.includes(first.code)) throw first;
  return proven();
}

async function refusal<T>(answer: Promise<T>): Promise<Refusal | { value: T }> {
  try {
    return { value: await answer };
  } catch (err) {
    if (err instanceof Refusal) return err;
    throw err;
  }
}
