// Passkeys: what the server asks in JSON, asked of the browser (WebAuthn, level 3,
// has these conversions; not every browser that has passkeys has them).

interface Descriptor {
  id: string;
  type: 'public-key';
  transports?: AuthenticatorTransport[];
}

interface Asked {
  publicKey: Record<string, unknown> & {
    challenge: string;
    user?: { id: string };
    excludeCredentials?: Descriptor[];
    allowCredentials?: Descriptor[];
  };
}

/** What the server asks an authenticator, and on which pages browsers let it. */
export interface Ceremony {
  ticket: string;
  options: unknown;
  origins: readonly string[];
}

/** The page was opened under an address where browsers refuse this server's passkeys. */
export class OtherAddress extends Error {
  readonly code = 'passkey_address';
  readonly values: { address: string };

  constructor(address: string) {
    super(`passkeys work at ${address}`);
    this.values = { address };
  }
}

function inPlace(asked: Ceremony, here: string): void {
  if (asked.origins.length > 0 && !asked.origins.includes(here)) throw new OtherAddress(asked.origins[0]!);
}

/** whether this browser and this page can have passkeys at all */
export const passkeysHere = (): boolean => 'credentials' in navigator && 'PublicKeyCredential' in window;

/** Has the browser make a passkey. Throws OtherAddress on a page that may not have it. */
export async function makePasskey(asked: Ceremony, here = location.origin): Promise<unknown> {
  inPlace(asked, here);
  const made = await navigator.credentials.create({
    publicKey: read(asked.options) as unknown as PublicKeyCredentialCreationOptions,
  });
  return write(made as PublicKeyCredential);
}

/** Has the browser show one, or throws alike. */
export async function showPasskey(asked: Ceremony, here = location.origin): Promise<unknown> {
  inPlace(asked, here);
  const shown = await navigator.credentials.get({
    publicKey: read(asked.options) as unknown as PublicKeyCredentialRequestOptions,
  });
  return write(shown as PublicKeyCredential);
}

function read(asked: unknown): object {
  const { publicKey: o } = asked as Asked;
  const list = (ds?: Descriptor[]) => ds?.map((d) => ({ ...d, id: bytes(d.id) }));
  return {
    ...o,
    challenge: bytes(o.challenge),
    ...(o.user && { user: { ...o.user, id: bytes(o.user.id) } }),
    ...(o.excludeCredentials && { excludeCredentials: list(o.excludeCredentials) }),
    ...(o.allowCredentials && { allowCredentials: list(o.allowCredentials) }),
  };
}

function write(c: PublicKeyCredential): object {
  const r = c.response as AuthenticatorAttestationResponse & AuthenticatorAssertionResponse;
  const response: Record<string, unknown> = { clientDataJSON: text(r.clientDataJSON) };
  if (r.attestationObject) {
    response['attestationObject'] = text(r.attestationObject);
    response['transports'] = r.getTransports?.() ?? [];
  } else {
    response['authenticatorData'] = text(r.authenticatorData);
    response['signature'] = text(r.signature);
    if (r.userHandle) response['userHandle'] = text(r.userHandle);
  }
  return {
    id: c.id,
    rawId: text(c.rawId),
    type: c.type,
    response,
    clientExtensionResults: c.getClientExtensionResults(),
  };
}

function bytes(base64url: string): Uint8Array {
  const s = atob(base64url.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(s, (c) => c.charCodeAt(0));
}

function text(buffer: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replaceAll('=', '');
}
