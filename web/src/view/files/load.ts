// What shows files is loaded with the first of them, together with what is behind it.

import type { App } from '../port';
import { withTexts } from '../text';

export const messageFiles = (app: App) =>
  Promise.all([withTexts(import('./MessageFiles.svelte'), 'files'), app.files()]);

export const gallery = (app: App) => Promise.all([withTexts(import('./Gallery.svelte'), 'files'), app.files()]);

export const roomFiles = (app: App) => Promise.all([withTexts(import('./RoomFiles.svelte'), 'files'), app.files()]);

export const ownFiles = (app: App) => Promise.all([withTexts(import('./OwnFiles.svelte'), 'files'), app.files()]);

export const tray = (app: App) => Promise.all([withTexts(import('./Tray.svelte'), 'files'), app.files()]);
