// How files of a message are laid out. It says how high they are before anything of them is loaded, so that
// nothing moves when they come.

import type { FileView } from '../types';

export type Kind = 'image' | 'video' | 'audio' | 'other';

// What browsers show by themselves; the server serves everything else as a download.
const pictures = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'];
const videos = ['video/mp4', 'video/webm', 'video/ogg'];
const wide = 400;
const high = 300;
const least = 64;
const row = 60;
const player = 98;
export const gap = 6;

/** How a file is shown. A film without a picture is what a microphone gave. */
export function kindOf(f: FileView): Kind {
  const type = f.type.split(';')[0]?.trim() ?? '';
  if (pictures.includes(type)) return 'image';
  if (videos.includes(type)) return f.width || !f.duration_ms ? 'video' : 'audio';
  return type.startsWith('audio/') ? 'audio' : 'other';
}

/** The place of one thing or of several, in pixels where there is room for it. */
export interface Place {
  width: number;
  height: number;
}

/** The place of a picture or a film: as large as it is, but no larger than a message may be. */
export function placeOf(f: Pick<FileView, 'width' | 'height'>): Place {
  const { width = 16, height = 9 } = f.width && f.height ? f : { width: wide, height: 225 };
  const scale = Math.min(1, wide / width, high / height);
  return { width: Math.max(least, Math.round(width * scale)), height: Math.max(least, Math.round(height * scale)) };
}

/** The place of several pictures: a grid of squares. */
export function gridOf(count: number): Place & { columns: number } {
  const columns = count === 2 || count === 4 ? 2 : Math.min(3, count);
  const width = columns === 2 ? 320 : wide;
  return { columns, width, height: Math.round((width / columns) * Math.ceil(count / columns)) };
}

/** The files of a message by how they are shown, with the places that they take, from above. */
export function layOut(files: readonly FileView[]): { pictures: FileView[]; others: FileView[]; places: Place[] } {
  const pictures = files.filter((f) => kindOf(f) === 'image');
  const others = files.filter((f) => kindOf(f) !== 'image');
  const places: Place[] = others.map((f) => {
    const kind = kindOf(f);
    return kind === 'video' ? placeOf(f) : { width: 0, height: kind === 'audio' ? player : row };
  });
  const [one] = pictures;
  if (one) places.unshift(pictures.length > 1 ? gridOf(pictures.length) : placeOf(one));
  return { pictures, others, places };
}

/** How high the files of a message are, about. */
export const heightOf = (files: readonly FileView[]): number =>
  layOut(files).places.reduce((sum, p) => sum + p.height + gap, 0);
