import { t } from '../text';
import { overlay } from '../ui.svelte';
import { bytesOf, clean, cut } from './clean';
import { linked } from './format';

/** Puts text in place of what is selected, so that the browser can undo it. */
export function insert(box: HTMLTextAreaElement, text: string): void {
  if (!document.execCommand('insertText', false, text))
    box.setRangeText(text, box.selectionStart, box.selectionEnd, 'end');
}

/**
 * Pastes text as a message may have it, and no more than fits into limit bytes:
 * a text of megabytes would keep the page busy before the server refuses it. Says
 * what was left out. Files are taken where there is no text, which programs copy
 * together with a picture of it.
 */
export function paste(e: ClipboardEvent, limit: number, take: (files: File[]) => void = refuse): void {
  const box = e.currentTarget;
  const data = e.clipboardData;
  if (!data || !(box instanceof HTMLTextAreaElement)) return;
  const text = data.getData('text/plain');
  if (!text && data.files.length) {
    e.preventDefault();
    return take([...data.files]);
  }
  if (!text) return;
  const link = linked({ value: box.value, from: box.selectionStart, to: box.selectionEnd }, text);
  const around = box.value.slice(0, box.selectionStart) + box.value.slice(box.selectionEnd);
  const whole = clean(text.slice(0, 2 * limit));
  const room = limit - bytesOf(around);
  if (link && bytesOf(link) <= room) {
    e.preventDefault();
    return insert(box, link);
  }
  const fits = cut(whole, room);
  if (fits === text) return;
  e.preventDefault();
  insert(box, fits);
  if (fits.length < whole.length || text.length > 2 * limit) overlay.say(t('composer.cut', { count: limit }), true);
}

const refuse = () => overlay.say(t('composer.no-files'), true);
