/** What the QR code on the label of a board says, as Espressif's apps for phones read it. */
export interface BoardLabel {
  /** of its access point, or over Bluetooth */
  name: string;
  transport: 'softap' | 'ble';
  /** the proof of possession; with Security 2 it is a password, and has a user */
  pop: string;
  username?: string | undefined;
  /** nothing: it does not say */
  security?: number | undefined;
}

/** Reads the text of a QR code; nothing: it is none of a board. */
export function readLabel(text: string): BoardLabel | undefined {
  try {
    const { ver, name, transport, pop, username, security } = JSON.parse(text) as Record<string, unknown>;
    if (ver !== 'v1' || typeof name !== 'string' || !name) return undefined;
    return {
      name,
      transport: transport === 'ble' ? 'ble' : 'softap',
      pop: typeof pop === 'string' ? pop : '',
      username: typeof username === 'string' && username ? username : undefined,
      security: typeof security === 'number' ? security : undefined,
    };
  } catch {
    return undefined; // it is no JSON
  }
}
