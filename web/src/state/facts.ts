// What the browser can say of pictures, films and sound, which the server does not look into, or does not know.

import type { Facts } from '../view/filesport';

const patience = 3_000;
const longest = 7 * 86_400_000; // that the server takes

/** How long it is, and how large its picture. Says nothing of what the browser does not know. */
export async function factsOf(file: File): Promise<Facts> {
  const [kind] = file.type.split('/');
  const look = kind === 'image' ? pictureOf : kind === 'audio' || kind === 'video' ? filmOf : undefined;
  if (!look) return {};
  const url = URL.createObjectURL(file);
  try {
    return await look(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Waits until it is there, or is not going to be. */
const settled = (begin: (done: () => void) => void) =>
  new Promise<void>((done) => {
    setTimeout(done, patience);
    begin(done);
  });

async function pictureOf(url: string): Promise<Facts> {
  const image = new Image();
  await settled((done) => {
    image.onload = image.onerror = done;
    image.src = url;
  });
  return image.naturalWidth > 0 ? { width: image.naturalWidth, height: image.naturalHeight } : {};
}

async function filmOf(url: string): Promise<Facts> {
  const media = document.createElement('video');
  await settled((done) => {
    media.onloadedmetadata = media.onerror = done;
    media.preload = 'metadata';
    media.src = url;
  });
  const ms = Math.round(media.duration * 1000);
  const facts = {
    ...(ms > 0 && ms < longest && { duration_ms: ms }),
    ...(media.videoWidth > 0 && { width: media.videoWidth, height: media.videoHeight }),
  };
  media.removeAttribute('src');
  return facts;
}
