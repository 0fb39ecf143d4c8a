import type { Note } from '../fleetport';
import { t } from '../text';

/** Reasons that there are words for; those of others are the server's. */
const reasons = new Set([
  ...['not_finite', 'future', 'too_old', 'bad_name', 'bad_unit', 'bad_text', 'many_texts', 'undeclared'],
  ...['wrong_kind', 'twice', 'conflict', 'too_many_gaps', 'failed', 'expired', 'doubled', 'key_ended'],
  ...['suspended', 'owner_disabled', 'reset', 'claim_expired', 'claim_used', 'claim_barred'],
]);

/** Why something of a device was refused or went wrong. */
export function reasonText(n: Note): string {
  const known = n.reason && reasons.has(n.reason) ? t(`device.log.reason.${n.reason}`) : n.detail ? '' : n.reason;
  return [known, n.detail].filter(Boolean).join(': ');
}
