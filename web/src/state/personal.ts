// What the user keeps for themselves on all their devices.

import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import type { Reminder } from '../view/laterport';
import type { Personal } from '../view/port';
import type { Arranged } from '../view/sectionport';
import type { Me } from '../view/types';
import { Drafts } from './drafts';
import { OwnLater } from './later.svelte';
import { OwnLinked } from './linked.svelte';
import { OwnReports } from './reportnews.svelte';
import { OwnSaved } from './saved.svelte';
import { OwnSections } from './sections';
import { OwnSlash } from './slash.svelte';

export class OwnThings implements Personal {
  readonly saved: OwnSaved;
  readonly drafts: Drafts;
  readonly later: OwnLater;
  readonly sections: OwnSections;
  readonly reports = new OwnReports();
  readonly slash: OwnSlash;
  readonly linked: OwnLinked;
  readonly #left = () => void setTimeout(() => this.drafts.release());
  readonly #hidden = () => document.visibilityState === 'hidden' && this.drafts.flush();

  constructor(
    api: Api<Me>,
    me: string,
    store: Store,
    show: (place: string, text: string) => void,
    came: (r: Reminder) => void,
    arranged: (now: Arranged) => void,
  ) {
    this.saved = new OwnSaved(api);
    this.slash = new OwnSlash(api);
    this.linked = new OwnLinked(api);
    this.later = new OwnLater(api, came);
    this.sections = new OwnSections({ api, me, store, show: arranged });
    this.drafts = new Drafts({ api, me, store, show, isWriting });
    document.addEventListener('focusout', this.#left);
    document.addEventListener('visibilitychange', this.#hidden);
  }

  /** A new connection. */
  hello(): void {
    this.saved.hello();
    this.slash.hello();
    this.linked.hello();
    this.reports.hello();
    void this.drafts.hello();
    void this.later.load();
    this.sections.hello();
  }

  take(f: Frame): void {
    this.saved.take(f);
    this.drafts.take(f);
    this.later.take(f);
    this.sections.take(f);
    this.reports.take(f);
    this.slash.take(f);
    this.linked.take(f);
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
