// What the user keeps for themselves on all their devices.

import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import type { Personal } from '../view/port';
import type { Me } from '../view/types';
import { Drafts } from './drafts';
import { OwnSaved } from './saved.svelte';

export class OwnThings implements Personal {
  readonly saved: OwnSaved;
  readonly drafts: Drafts;
  readonly #left = () => void setTimeout(() => this.drafts.release());
  readonly #hidden = () => document.visibilityState === 'hidden' && this.drafts.flush();

  constructor(api: Api<Me>, me: string, store: Store, show: (place: string, text: string) => void) {
    this.saved = new OwnSaved(api);
    this.drafts = new Drafts({ api, me, store, show, isWriting });
    document.addEventListener('focusout', this.#left);
    document.addEventListener('visibilitychange', this.#hidden);
  }

  /** A new connection. */
  hello(): void {
    this.saved.hello();
    void this.drafts.hello();
  }

  take(f: Frame): void {
    this.saved.take(f);
    this.drafts.take(f);
  }

  close(): void {
    this.drafts.close();
    document.removeEventListener('focusout', this.#left);
    document.removeEventListener('visibilitychange', this.#hidden);
  }
}

function isWriting(text: string): boolean {
  const at = document.activeElement;
  return document.hasFocus() && at instanceof HTMLTextAreaElement && at.value === text;
}
