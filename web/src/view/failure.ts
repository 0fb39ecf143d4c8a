import { t } from './text';
import { dateOf } from './when';

/** What a failed request says: one sentence, and what is wrong with which field. */
export interface Failure {
  text: string;
  fields: Record<string, string>;
}

export const noFailure: Failure = { text: '', fields: {} };

interface Refusal {
  code?: string;
  kind?: string;
  detail?: string;
  message?: string;
  /** by which the server's operator finds the request */
  reference?: string;
  /** what the text of its code is filled in with */
  values?: Record<string, string>;
  fields?: { pointer: string; detail: string }[];
  errors?: { pointer: string; detail: string }[];
}

/** Reads what a request threw. A sentence that fields say already is not repeated. */
export function failureOf(err: unknown): Failure {
  const refusal = (typeof err === 'object' && err !== null ? err : {}) as Refusal;
  const fields: Record<string, string> = {};
  for (const f of refusal.fields ?? refusal.errors ?? []) fields[f.pointer] = sentence(f.detail);
  const said = known(refusal);
  const pointers = Object.keys(fields);
  if (said && pointers.length === 1) fields[pointers[0]!] = said; // in the user's language
  const text = said || unexpected(refusal) || refusal.detail || (pointers.length > 0 ? '' : t('error.unknown'));
  return { text: Object.values(fields).includes(sentence(text)) ? '' : sentence(text), fields };
}

/** What nobody could foresee is said with the number by which its cause is found. */
function unexpected({ kind, reference }: Refusal): string {
  return kind === 'internal' && reference ? t('error.internal', { reference }) : '';
}

/** What a failed request says where no fields are shown that could say a part of it. */
export function reasonOf(err: unknown): string {
  return reasonIn(failureOf(err));
}

export function reasonIn({ text, fields }: Failure): string {
  return text || Object.values(fields).join(' ');
}

/** What people often meet is said in their language, once its texts are here; the server speaks English. */
function known({ code, values }: Refusal): string {
  const until = code === 'guest_ended' && values?.['until'];
  const key = until ? 'guest.ended' : `refused.${code}`;
  const day = until && dateOf(until);
  const text = t(key, day ? { until: day } : values);
  return text === key ? '' : text;
}

/**
 * The server writes its reasons without a capital and a full stop. What must be typed as it is, such as in: of a
 * search, is none of its words and stays small.
 */
export function sentence(s: string): string {
  if (!s) return '';
  const start = /^[^\s:]*:/u.test(s) ? s : s.charAt(0).toLocaleUpperCase() + s.slice(1);
  return /[.!?]$/u.test(start) ? start : `${start}.`;
}
