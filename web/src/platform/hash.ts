/** The SHA-256 of a file, in lower-case hexadecimal digits. */
export async function sha256(file: Blob): Promise<string> {
  const bytes = await file.arrayBuffer();
  // Browsers offer it only to pages that came by https, or from this machine.
  const hash = isSecureContext
    ? new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
    : (await import('./sha256')).digest(new Uint8Array(bytes));
  return [...hash].map((b) => b.toString(16).padStart(2, '0')).join('');
}
