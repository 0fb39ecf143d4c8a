/**
 * Why a device was not provisioned. proof: it refuses the proof of possession, or is another device; password and
 * network: it could not join, by the password or because it does not see the network; unsafe: it encrypts nothing, or
 * in a way that protects nothing; weaker: its label promises more than it speaks; curve: the browser lacks X25519; other: it
 * speaks something else; changed: an answer was changed on its way, or lost; late: it has not joined in time; long: the
 * setup is too long for it; said: it says why.
 */
export type ProvisionFailure =
  | 'proof'
  | 'password'
  | 'network'
  | 'unsafe'
  | 'weaker'
  | 'curve'
  | 'other'
  | 'changed'
  | 'late'
  | 'long'
  | 'said';

export class ProvisionError extends Error {
  readonly why: ProvisionFailure;

  /** said: what the device itself said */
  constructor(why: ProvisionFailure, said = '') {
    super(said || why);
    this.why = why;
  }
}
