// A serial line in the browser (Web Serial): bytes come and go, and the line may end at any time.

/** A serial line that is open. */
export interface SerialLine {
  /** what has come since; nothing: the line has ended */
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** What Web Serial has of a port; the browser's own type is not among those of the DOM. */
export interface SerialPort {
  readonly readable: ReadableStream<Uint8Array> | null;
  readonly writable: WritableStream<Uint8Array> | null;
  open(options: { baudRate: number }): Promise<void>;
  close(): Promise<void>;
  getInfo(): { usbVendorId?: number; usbProductId?: number };
  setSignals(signals: { dataTerminalReady?: boolean; requestToSend?: boolean; break?: boolean }): Promise<void>;
}

interface Serial {
  requestPort(): Promise<SerialPort>;
}

const serial = (): Serial | undefined => (navigator as { serial?: Serial }).serial;

/** Whether the browser has serial lines: Chromium on computers, on pages with https and on localhost. */
export const hasSerial = (): boolean => serial() !== undefined;

/**
 * Lets the user choose a serial line. Nothing: they chose none. To be called when something was pressed, as browsers
 * ask for.
 */
export const chooseSerial = async (): Promise<SerialPort | undefined> =>
  serial()?.requestPort().catch((err: unknown) => {
    if (err instanceof DOMException && err.name === 'NotFoundError') return undefined;
    throw err;
  });

/** Opens a line that was chosen. It throws a DOMException if another program has the line. */
export async function openSerial(port: SerialPort, baudRate: number): Promise<SerialLine> {
  await port.open({ baudRate });
  return wrap(port);
}

function wrap(port: SerialPort): SerialLine {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let closed = false;
  return {
    async read() {
      // An error that is none of the cable, such as a wrong bit, leaves the port another stream.
      for (let from: SerialPort['readable'] = null; port.readable && port.readable !== from && !closed; ) {
        from = port.readable;
        reader ??= from.getReader();
        try {
          return (await reader.read()).value;
        } catch {
          reader.releaseLock();
          reader = undefined;
        }
      }
      return undefined;
    },
    async write(bytes) {
      const writer = port.writable?.getWriter();
      if (!writer) throw new DOMException('The line has ended.', 'NetworkError');
      try {
        await writer.write(bytes);
      } finally {
        writer.releaseLock();
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      await reader?.cancel().catch(() => {});
      reader?.releaseLock();
      await port.close().catch(() => {}); // the cable is out
    },
  };
}
