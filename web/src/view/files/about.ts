// What is said of a file beside its name.

import type { IconName } from '../kit/Icon.svelte';
import { sizeOf } from '../size';
import { t } from '../text';
import type { FileView } from '../types';
import { kindOf } from './places';

const icons: Record<string, IconName> = { image: 'image', video: 'film', audio: 'mic', other: 'file' };

export const iconOf = (f: FileView): IconName => icons[kindOf(f)] ?? 'file';

/** PDF, by the end of the name. */
export const typeOf = (name: string): string => {
  const end = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1];
  return end ? end.toUpperCase() : t('files.file');
};

/** PDF · 1.2 MB */
export const about = (f: Pick<FileView, 'name' | 'size'>): string => `${typeOf(f.name)} · ${sizeOf(f.size)}`;

/** 1:05 */
export function lengthOf(ms: number): string {
  const s = Math.floor(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}
