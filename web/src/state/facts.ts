// What the browser can say of a film or of sound, which the server does not look into.

import type { Facts } from '../view/filesport';

const patience = 3_000;
const longest = 7 * 86_400_000; // that the server takes

/** How long it is, and how large its picture. Says nothing of what the browser does not know. */
export async function factsOf(file: File): Promise<Facts> {
  if (!/^(audio|video)\//.test(file.type)) return {};
  const media = document.createElement('video');
  const url = URL.createObjectURL(file);
  try {
    await new Promise<void>((done) => {
      media.onloadedmetadata = media.onerror = () => done();
      setTimeout(done, patience);
      media.preload = 'metadata';
      media.src = url;
    });
    const ms = Math.round(media.duration * 1000);
    return {
      ...(ms > 0 && ms < longest && { duration_ms: ms }),
      ...(media.videoWidth > 0 && { width: media.videoWidth, height: media.videoHeight }),
    };
  } finally {
    media.removeAttribute('src');
    URL.revokeObjectURL(url);
  }
}
