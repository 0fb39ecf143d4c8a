import { expect, test, vi } from 'vitest';
import { Refusal } from './api';
import { withProof } from './proof';

const no = (code: string) => new Refusal(403, { kind: 'forbidden', code, detail: code });

/** A server that answers in turn with these codes, and then with "done". */
function server(...codes: string[]) {
  const proofs: (string | undefined)[] = [];
  const send = (proof?: string): Promise<string> => {
    proofs.push(proof);
    const code = codes.shift();
    return code ? Promise.reject(no(code)) : Promise.resolve('done');
  };
  return { proofs, send };
}

let made = 0;
const prove = () => Promise.resolve(`proof ${++made}`);

test('a proof that belongs to another address, or is too old, is made once again', async () => {
  for (const code of ['captcha_other_address', 'captcha_expired']) {
    made = 0;
    const s = server('captcha_required', code);
    expect(await withProof(s.send, prove)).toBe('done');
    expect(s.proofs).toEqual([undefined, 'proof 1', 'proof 2']);
  }
});

test('it is not tried for ever, and other refusals are told', async () => {
  const often = server('captcha_required', 'captcha_other_address', 'captcha_other_address');
  await expect(withProof(often.send, prove)).rejects.toThrow('captcha_other_address');
  expect(often.proofs).toHaveLength(3);
  for (const codes of [['name_taken'], ['captcha_required', 'name_taken']]) {
    await expect(withProof(server(...codes).send, prove)).rejects.toThrow('name_taken');
  }
});

test('no proof is made unless one is asked for, and one that cannot be made is a refusal', async () => {
  const asked = vi.fn(prove);
  expect(await withProof(server().send, asked)).toBe('done');
  expect(asked).not.toHaveBeenCalled();
  await expect(withProof(server('captcha_required').send, () => Promise.resolve(undefined))).rejects.toThrow(
    'captcha_required',
  );
});
