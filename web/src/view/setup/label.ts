/** What the QR code on the label of a board says, as Espressif's apps for phones read it. */
export interface BoardLabel {
  /** of its access point, or over Bluetooth */
  name: string;
  transport: 'softap' | 'ble';
}

/** Reads the text of a QR code; nothing: it is none of a board. Package provision reads the rest. */
export function readLabel(text: string): BoardLabel | undefined {
  try {
    const { ver, name, transport } = JSON.parse(text) as Record<string, unknown>;
    if (ver !== 'v1' || typeof name !== 'string' || !name) return undefined;
    return { name, transport: transport === 'ble' ? 'ble' : 'softap' };
  } catch {
    return undefined; // it is no JSON
  }
}
