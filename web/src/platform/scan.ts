// QR codes by the camera, where the browser reads them itself (BarcodeDetector).

/** What the browser has to find codes; it is not among the types of the DOM. */
interface Detector {
  detect(image: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

type Detectors = new (options: { formats: string[] }) => Detector;

const detectors = (): Detectors | undefined => (globalThis as { BarcodeDetector?: Detectors }).BarcodeDetector;

/** Whether the browser reads QR codes: Chromium on Android, ChromeOS and macOS, on pages with https or on localhost. */
export const hasScanner = (): boolean => detectors() !== undefined && 'mediaDevices' in navigator;

const every = 200; // milliseconds between two looks

/**
 * Shows the camera in a video, and returns the text of the first code that good takes; nothing: signal has ended it. It
 * throws a DOMException if there is no camera, or the user does not allow it.
 */
export async function scan(
  video: HTMLVideoElement,
  good: (text: string) => boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const Detect = detectors()!;
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  try {
    video.srcObject = stream;
    await video.play();
    const detector = new Detect({ formats: ['qr_code'] });
    while (!signal.aborted) {
      // A frame that is not there yet has no code.
      const found = await detector.detect(video).catch(() => []);
      const text = found.map((f) => f.rawValue).find(good);
      if (text !== undefined) return text;
      await new Promise((go) => setTimeout(go, every));
    }
    return undefined;
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  }
}
