import type { MenuItem } from './kit/Menu.svelte';
import type { Toast } from './kit/Toasts.svelte';
import type { Repeat, Times } from './laterport';
import type { FileView, Message, RoomState, User } from './types';
import type { UserGroupMembers } from './usergroupport';

/** A dialog that is open, with what it is about. */
export type Opened =
  | { name: 'switcher' | 'create' | 'browse' | 'direct' | 'keys' | 'requests' | 'own-files' }
  | { name: 'add-people'; room: RoomState }
  | { name: 'date'; room: RoomState }
  | { name: 'section'; room?: RoomState; rename?: string }
  | { name: 'forward'; of: Message; to?: RoomState }
  | { name: 'poll'; room: string; thread?: number; question?: string; choices?: readonly string[]; done?: () => void }
  | { name: 'report'; message: Message }
  | { name: 'gallery'; pictures: readonly FileView[]; at: number }
  | {
      name: 'confirm';
      title: string;
      text: string;
      action: string;
      reason?: boolean | 'required';
      typed?: { label: string; word: string };
      run: (reason: string) => Promise<void> | void;
    }
  | {
      name: 'later';
      what: 'send' | 'remind' | 'change' | 'new';
      text?: string;
      at?: string | undefined;
      repeat?: Repeat | undefined;
      run: (when: Times & { at: Date }, text: string) => Promise<void>;
    }
  | { name: 'versions'; load: () => Promise<{ text: string; at: string }[]> };

/** A notice that is pointed at, or has the focus. */
const at = '.toast:is(:hover,:focus-within)';

/** What lies over the page: one dialog, one card, some notices. */
class Overlay {
  dialog: Opened | undefined = $state.raw();
  card: (({ user: User } | { group: UserGroupMembers }) & { anchor: HTMLElement }) | undefined = $state.raw();
  toasts: Toast[] = $state.raw([]);
  /** what one adds to a message, where one writes in the open room */
  adds: () => MenuItem[] = () => [];
  #next = 1;

  open(dialog: Opened): void {
    this.card = undefined;
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = undefined;
  }

  /** Says something for a few seconds; errors stay a little longer, and all of them while one is at a notice. */
  say(text: string, bad = false, action?: Toast['action']): void {
    const id = this.#next++;
    this.toasts = [...this.toasts.slice(-2), { id, text, bad, action }];
    const over = () => (document.querySelector(at) ? setTimeout(over, 1000) : this.dismiss(id));
    setTimeout(over, bad || action ? 8000 : 3000);
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }
}

export const overlay = new Overlay();
