import type { Signed } from '../firmwareport';
import { t } from '../text';

/** Reads a signed document. What is none is refused in plain words. */
export async function signedIn(file: Blob): Promise<Signed> {
  try {
    const read: unknown = JSON.parse(await file.text());
    if (read && typeof read === 'object' && 'payload' in read && 'signatures' in read) return read as Signed;
  } catch {
    // said below
  }
  const detail = t('firmware.not-signed-file');
  throw Object.assign(new Error(detail), { detail });
}
