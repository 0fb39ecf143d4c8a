// A voice message while it is spoken.

const types = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'];
const ends: Record<string, string> = { 'audio/webm': 'webm', 'audio/mp4': 'm4a', 'audio/ogg': 'ogg' };
const bits = 32_000; // a second: enough for a voice

/** The microphone, recorded. Whoever begins it stops it. */
export class Recording {
  readonly #recorder: MediaRecorder;
  readonly #stream: MediaStream;
  readonly #context = new AudioContext();
  readonly #analyser: AnalyserNode;
  readonly #began = performance.now();
  readonly #parts: Blob[] = [];
  readonly #over: Promise<void>;

  /** Asks for the microphone. Fails as getUserMedia does. */
  static async begin(): Promise<Recording> {
    return new Recording(await navigator.mediaDevices.getUserMedia({ audio: true }));
  }

  private constructor(stream: MediaStream) {
    this.#stream = stream;
    const mimeType = types.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(stream, { ...(mimeType && { mimeType }), audioBitsPerSecond: bits });
    this.#recorder.ondataavailable = (e) => this.#parts.push(e.data);
    this.#over = new Promise((done) => (this.#recorder.onstop = () => done()));
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    this.#recorder.start(1000);
  }

  /** milliseconds so far */
  passed(): number {
    return performance.now() - this.#began;
  }

  /** what the microphone gives just now, from -1 to 1 */
  samples(): Float32Array {
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    return samples;
  }

  /** Lets go of the microphone, and returns what was recorded. May be called twice. */
  async stop(): Promise<Blob> {
    if (this.#recorder.state !== 'inactive') this.#recorder.stop();
    await this.#over;
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#context.state !== 'closed') await this.#context.close();
    return new Blob(this.#parts, { type: this.#recorder.mimeType });
  }
}

/** How loud sound is, from 0 to 1, as ears take it: -60 dB is silence. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const s of samples) sum += s * s;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return rms > 0 ? Math.min(1, Math.max(0, 1 + (20 * Math.log10(rms)) / 60)) : 0;
}

/** The file that a recording becomes: "Voice message 2026-11-28 20.15.webm". */
export function fileOf(sound: Blob, name: string, at: Date): File {
  const type = sound.type.split(';')[0] ?? '';
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}.${two(at.getMinutes())}`;
  return new File([sound], `${name} ${day} ${time}.${ends[type] ?? 'bin'}`, { type });
}
