// What this device remembers of its user's taste.

import { storage } from '../platform/storage.svelte';
import type { Settings } from '../view/port';

const store = 'unhidra.settings';

export class DeviceSettings implements Settings {
  #values: Settings = $state(read());

  get theme() {
    return this.#values.theme;
  }
  set theme(v) {
    this.#values.theme = v;
    this.#save();
  }
  get density() {
    return this.#values.density;
  }
  set density(v) {
    this.#values.density = v;
    this.#save();
  }
  get enterSends() {
    return this.#values.enterSends;
  }
  set enterSends(v) {
    this.#values.enterSends = v;
    this.#save();
  }
  get previews() {
    return this.#values.previews;
  }
  set previews(v) {
    this.#values.previews = v;
    this.#save();
  }
  get railOpen() {
    return this.#values.railOpen;
  }
  set railOpen(v) {
    this.#values.railOpen = v;
    this.#save();
  }
  get unreadOnly() {
    return this.#values.unreadOnly;
  }
  set unreadOnly(v) {
    this.#values.unreadOnly = v;
    this.#save();
  }
  get closedSections() {
    return this.#values.closedSections;
  }
  set closedSections(v) {
    this.#values.closedSections = v;
    this.#save();
  }

  #save(): void {
    storage.set(store, JSON.stringify(this.#values));
  }
}

function read(): Settings {
  const defaults: Settings = {
    theme: 'auto',
    density: 'comfortable',
    enterSends: true,
    previews: true,
    railOpen: true,
    unreadOnly: false,
    closedSections: [],
  };
  try {
    return { ...defaults, ...(JSON.parse(storage.get(store) ?? '{}') as Partial<Settings>) };
  } catch {
    return defaults;
  }
}
